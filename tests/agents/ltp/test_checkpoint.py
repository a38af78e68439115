"""The reference code's checkpoints and how it paints, against its formulas written out here."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance.agents.ltp.checkpoint import load_ltp_actor
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import load_actor, save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.ltp.rollout import ltp_config, paint_with_actor, paint_with_ltp_actor
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.neural import NeuralBackend, NeuralRenderer, load_ltp_renderer
from semantic_guidance.renderer.ltp_rule import ltp_composite


@pytest.mark.parametrize(("channels", "outputs"), [(9, 65), (13, 78)])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("zipped", [True, False])
def test_actor_checkpoints(tmp_path, channels, outputs, prefix, zipped):
    actor = Actor(channels, outputs, width=8).eval()
    path = tmp_path / "actor.pkl"
    state = {prefix + name: values for name, values in actor.state_dict().items()}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    loaded = load_ltp_actor(path)
    seen = torch.rand(2, channels, 128, 128)
    with torch.no_grad():
        assert torch.equal(loaded(seen), actor(seen))
    assert not loaded.training


@pytest.mark.parametrize("size", [128, 256])
def test_renderer_checkpoints(tmp_path, size):
    network = NeuralRenderer(size)
    torch.save(network.state_dict(), tmp_path / "renderer.pkl")
    loaded = load_ltp_renderer(tmp_path / "renderer.pkl")
    vectors = torch.rand(3, 10)
    alpha = loaded(vectors)
    assert alpha.shape == (3, size, size)
    assert torch.equal(alpha, network(vectors))
    convolutions = 6 if size == 128 else 8
    assert len(network.state_dict()) == 2 * (4 + convolutions)


class Evil:
    """Its pickle runs a command when it is read carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def broken_files(folder: Path) -> list[Path]:
    """Files that are no checkpoints."""
    state = Actor(9, 65, width=8).state_dict()
    contents = {
        "other_network": NeuralRenderer().state_dict() | {"odd": torch.zeros(1)},
        "other_channels": Actor(7, 65, width=8).state_dict(),
        "other_outputs": Actor(13, 65, width=8).state_dict(),
        "incomplete": {name: values for name, values in state.items() if "layer3" not in name},
        "not_finite": state | {"fc.bias": torch.full((65,), torch.nan)},
        "no_tensors": {"conv1.weight": 3},
        "list": [1, 2],
    }
    paths = [folder / "missing.pkl", folder]
    for name, content in contents.items():
        paths.append(folder / f"{name}.pkl")
        torch.save(content, paths[-1])
    for name, data in {
        "empty": b"",
        "text": b"not a checkpoint",
        "cut": (folder / "incomplete.pkl").read_bytes()[:5000],
        "evil": pickle.dumps(Evil(folder / "ran")),
    }.items():
        paths.append(folder / f"{name}.pkl")
        paths[-1].write_bytes(data)
    return paths


def test_wrong_files_get_one_clear_error(tmp_path):
    for path in broken_files(tmp_path):
        for load in (load_ltp_actor, load_ltp_renderer):
            with pytest.raises(ValueError, match="wanted") as caught:
                load(path)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
            assert caught.value.__cause__ is None
    assert not (tmp_path / "ran").exists()


def seed_observation(canvas, image, step, steps, focus, mask, box) -> np.ndarray:
    """What the reference code's test.py gives its actor, written out pixel by pixel."""
    seen = np.zeros((13, 128, 128), np.float32)
    seen[0:3], seen[3:6], seen[6] = canvas, image, step / steps
    x, y, w, h = box  # in units of the picture
    for i in range(128):
        for j in range(128):
            seen[7, i, j], seen[8, i, j] = i / 127, j / 127
            u, v = (2 * j + 1) / 128 - 1, (2 * i + 1) / 128 - 1
            grid = (w * u + 2 * x + w - 1 + 1) / 2, (h * v + 2 * y + h - 1 + 1) / 2
            seen[11, i, j], seen[12, i, j] = grid
    seen[9], seen[10] = focus, mask
    return seen


class Recorder(Actor):
    """An actor that remembers what it saw, and paints at random."""

    def __init__(self) -> None:
        super().__init__(13, 78, width=8)
        self.seen: list[torch.Tensor] = []
        self.actions: list[torch.Tensor] = []

    def forward(self, observation):
        self.seen.append(observation.clone())
        generator = torch.Generator().manual_seed(len(self.seen))
        self.actions.append(torch.rand(1, 78, generator=generator))
        return self.actions[-1]


def test_semantic_actor_sees_and_paints_as_in_the_seed():
    image = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(9))
    mask = torch.zeros(1, 128, 128)
    mask[:, 32:96, 16:80] = 0.8
    focus = mask * torch.rand(1, 128, 128)
    guidance = Guidance(mask, focus, (Instance(mask, (16.0, 32.0, 64.0, 64.0)),))
    actor = Recorder()
    bundles = paint_with_ltp_actor(actor, image, guidance, steps=2)
    assert [level for _, level in bundles] == ["background", "foreground"] * 2
    assert [len(strokes) for strokes, _ in bundles] == [3] * 4

    canvas = np.zeros((3, 128, 128), np.float32)
    for step, (seen, action) in enumerate(zip(actor.seen, actor.actions, strict=True)):
        wanted = seed_observation(canvas, image, step, 2, focus[0], mask[0], (0.125, 0.25, 0.5, 0.5))
        assert np.abs(seen[0].numpy() - wanted).max() < 1e-4
        vectors = action.view(6, 13)
        white = vectors.clone()
        white[:, 10:] = 1
        alphas = render(strokes_from_ltp(white[:, None]), torch.zeros(6, 3, 128, 128))[:, 0].numpy()
        for n in range(6):
            under = 1 - mask[0].numpy() if n < 3 else mask[0].numpy()
            for c in range(3):
                colour = float(vectors[n, 10 + c]) * alphas[n]
                canvas[c] = canvas[c] * (1 - alphas[n]) + colour * under


def test_ltp_composite_blackens_what_the_mask_hides():
    vectors = torch.full((1, 1, 13), 0.5)
    vectors[..., 8:] = 1
    canvas, mask = torch.full((1, 3, 32, 32), 0.7), torch.zeros(1, 1, 32, 32)
    hidden = ltp_composite(strokes_from_ltp(vectors), canvas, mask)
    assert hidden[0, :, 16, 16].abs().max() < 1e-5
    assert torch.equal(render(strokes_from_ltp(vectors), canvas, mask), canvas)
    assert torch.allclose(
        ltp_composite(strokes_from_ltp(vectors), canvas, 1 - mask),
        render(strokes_from_ltp(vectors), canvas),
        atol=1e-6,
    )


def test_own_actors_come_back_from_their_file(tmp_path):
    env = EnvConfig(max_eps_len=3, bundle_size=4, use_bilevel=True)
    actor = Actor(env.channels, env.action_size, width=8).eval()
    save_actor(actor, env, 48, tmp_path / "actor.safetensors")
    saved = load_actor(tmp_path / "actor.safetensors")
    loaded, known, size = saved.actor, saved.env, saved.size
    assert (known, size) == (env, 48)
    seen = torch.rand(2, env.channels, 48, 48)
    with torch.no_grad():
        assert torch.allclose(loaded(seen), actor(seen), atol=5e-3)  # half precision
    bundles = paint_with_actor(loaded, known, torch.rand(3, 30, 40), None, size)
    assert [len(strokes) for strokes, _ in bundles] == [2] * 6
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    for path in (tmp_path / "broken.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(ValueError, match="wanted an agent's weights"):
            load_actor(path)


def test_neural_renderer_composites_as_the_exact_one_does():
    network = NeuralRenderer()
    network.forward = lambda vectors: exact(vectors)

    def exact(vectors: torch.Tensor) -> torch.Tensor:
        white = torch.cat([vectors, torch.ones(len(vectors), 3)], dim=1)[:, None]
        return render(strokes_from_ltp(white), torch.zeros(len(vectors), 3, 128, 128))[:, 0]

    vectors = torch.rand(2, 4, 13, generator=torch.Generator().manual_seed(1))
    canvas, mask = torch.rand(2, 3, 128, 128), torch.rand(2, 1, 128, 128)
    strokes = strokes_from_ltp(vectors)
    wanted = render(strokes, canvas, mask)
    assert torch.allclose(render(strokes, canvas, mask, backend=NeuralBackend(network)), wanted, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(400, 530), (90, 131), (256, 256)])
def test_imported_actors_see_pictures_as_opencv_shrinks_them(height, width):
    """Picture, mask and focus map; our own actors see them averaged."""
    rng = np.random.default_rng(height)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    planes = np.zeros((2, height, width), np.uint8)
    planes[:, 20 : height // 2, 30 : width // 2] = rng.integers(128, 256, (2, 1, 1), dtype=np.uint8)
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    mask, focus = torch.from_numpy(planes).float().div(255).split(1)
    guidance = Guidance(mask, focus, (Instance.from_mask(mask),))
    wanted = [cv2.resize(each, (128, 128)) / 255 for each in (*np.moveaxis(pixels, 2, 0), *planes[::-1])]

    actor = Recorder()
    paint_with_ltp_actor(actor, image, guidance, steps=1)
    seen = actor.seen[0][0, [3, 4, 5, 9, 10]].numpy()
    assert np.abs(seen - wanted).max() < 1.01 / 255  # OpenCV rounds to bytes
    ours = Recorder()
    paint_with_actor(ours, ltp_config(actor, 1), image, guidance)
    averaged = np.abs(ours.seen[0][0, 3:6].numpy() - wanted[:3]).max()
    assert (averaged > 0.2) == (height > 128)
