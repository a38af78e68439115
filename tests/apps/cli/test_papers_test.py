"""`semantic-guidance test` against the reference code's test.py, whose loop is written out here."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.renderer import render

STEPS = 2
MASK = torch.zeros(1, 128, 128)
MASK[:, 32:96, 16:80] = 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with actors and a picture; the guide finds a square."""
    torch.manual_seed(3)
    for channels, outputs in ((9, 65), (13, 78)):
        state = Actor(channels, outputs, 4).state_dict()
        torch.save({f"module.{name}": values for name, values in state.items()}, tmp_path / f"{channels}.pkl")
    pixels = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "bird.png")
    monkeypatch.chdir(tmp_path)
    guide = lambda name: lambda image: Guidance.from_mask(MASK)  # noqa: E731
    monkeypatch.setattr("semantic_guidance.guidance.base.load_guide", guide)
    return tmp_path


def by_hand(channels: int) -> list[np.ndarray]:
    """The frames of test.py, before they are enlarged; an exact stroke stands for the renderer's."""
    actor = Actor(channels, 65 if channels == 9 else 78, 4)
    state = torch.load(f"{channels}.pkl", weights_only=True)
    actor.load_state_dict({name.replace("module.", ""): values for name, values in state.items()})
    actor.eval()
    image = torch.from_numpy(np.array(Image.open("bird.png"))).permute(2, 0, 1)[None] / 255
    canvas, ones = torch.zeros(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    rows = (torch.arange(128) / 127)[:, None].expand(128, 128)
    guided = []
    if channels == 13:
        across, down = ((torch.arange(128) + 0.5) / 128 * 0.5 + start for start in (0.125, 0.25))
        grid = torch.stack([across.expand(128, 128), down[:, None].expand(128, 128)])[None]
        guided = [torch.zeros(1, 1, 128, 128), MASK[None], grid]
    frames = [canvas]
    for step in range(STEPS):
        seen = [canvas, image, ones * step / STEPS, torch.stack([rows, rows.T])[None], *guided]
        with torch.no_grad():
            strokes = actor(torch.cat(seen, 1)).view(-1, 13)
        for n, stroke in enumerate(strokes):
            white = torch.cat([stroke[:10], torch.ones(3)])[None, None]
            alpha = render(strokes_from_ltp(white), torch.zeros(1, 3, 128, 128))[:, :1]
            under = ones if channels == 9 else (1 - MASK[None] if n < 3 else MASK[None])
            canvas = canvas * (1 - alpha) + stroke[10:].view(1, 3, 1, 1) * alpha * under
            frames.append(canvas)
    return [(255 * each[0]).byte().permute(1, 2, 0).numpy() for each in frames]


@pytest.mark.parametrize(("channels", "kind", "flags"), [(9, "baseline", ["--use_baseline"]), (13, "sg", [])])
def test_it_writes_what_the_reference_code_writes(folder, capsys, channels, kind, flags):
    words = ["--img", "bird.png", "--actor", f"{channels}.pkl", "--max_eps_len", str(STEPS), *flags]
    assert cli.main(["test", *words]) == 0
    picture, video = f"output/{kind}_painted_bird.png", f"video/{kind}_bird.mp4"
    assert capsys.readouterr().out.splitlines() == [picture, video]
    wanted = by_hand(channels)
    assert len(wanted) == 1 + STEPS * (5 if channels == 9 else 6)
    painted = np.array(Image.open(picture)).astype(int)
    assert painted.shape == (250, 250, 3)
    assert np.abs(painted - cv2.resize(wanted[-1], (250, 250))).max() <= 2
    with av.open(video) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.width, stream.height) == (20, 250, 250)
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)]
    assert len(frames) == len(wanted)
    for frame, each in zip(frames, wanted, strict=True):
        assert np.abs(frame - cv2.resize(each, (250, 250))).mean() < 4  # of 255, after compression


def test_what_is_missing_or_of_another_kind(folder, capsys):
    complaints = {
        ("missing.pkl", "bird.png"): "--actor: missing.pkl: there is no such file, wanted an actor",
        ("9.pkl", "bird.png"): "--actor: 9.pkl knows no objects, wanted --use-baseline",
        (
            "13.pkl",
            "bird.png",
            "--use_baseline",
        ): "--use-baseline: 13.pkl knows objects, wanted an actor of 9",
        ("13.pkl", "missing.png"): "missing.png: no such file, wanted a picture",
        ("bird.png", "bird.png"): "--actor: bird.png is a picture, wanted an actor's checkpoint",
        ("13.pkl", "bird.png", "--renderer=9.pkl"): "--renderer: 9.pkl holds an actor of the papers' code",
        ("13.pkl", "bird.png", "--max_eps_len=0"): "--max-eps-len: got 0, wanted 1 to",
    }
    for (actor, image, *flags), complaint in complaints.items():
        assert cli.main(["test", "--img", image, "--actor", actor, *flags]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"semantic-guidance: error: {complaint}")
        assert said.count("\n") == 1
    assert not (folder / "output").exists()
