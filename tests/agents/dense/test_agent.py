from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance import Guidance, Painter, load_image
from semantic_guidance.agents.dense.agent import DenseAgent
from semantic_guidance.agents.dense.files import load_dense_actor, save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.dense.rollout import DensePainter, Scene
from semantic_guidance.agents.dense.strokes import RAW
from semantic_guidance.agents.dense.view import SIDE, ZOOM, channels
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.files import load_mask
from semantic_guidance.images.metrics import painting_errors
from semantic_guidance.renderer import render
from tests.conftest import EXAMPLES

SMALL = (8, 8, 16, 16)
BOX = torch.tensor([0.4, 0.2, 0.4, 0.4])


def actor(guided: bool = True, seed: int = 0) -> DenseActor:
    """One that has learned nothing: its strokes have their places' colours, as the first answers say."""
    torch.manual_seed(seed)
    return DenseActor(guided, widths=SMALL).eval()


def scene() -> tuple[Tensor, Tensor]:
    """A red disc on a blue gradient, ``[3, SIDE, SIDE]``, and the disc's mask ``[1, SIDE, SIDE]``."""
    line = torch.arange(SIDE) / SIDE
    y, x = torch.meshgrid(line, line, indexing="ij")
    disc = (20 * (0.2 - ((x - 0.6) ** 2 + (y - 0.4) ** 2).sqrt()) + 0.5).clamp(0, 1)
    ground = torch.stack([x / 4, y / 2, 0.4 + x / 2])
    return ground * (1 - disc) + torch.tensor([0.8, 0.1, 0.1]).view(3, 1, 1) * disc, disc[None]


@pytest.mark.parametrize("guided", [False, True])
def test_every_cell_of_two_grids_answers_for_each_view(guided: bool) -> None:
    whole = torch.rand(2, channels(guided), SIDE, SIDE)
    close = torch.rand(3, channels(guided), ZOOM, ZOOM)
    answers = actor(guided)(whole, close)
    shapes = [[tuple(grid.shape) for grid in grids] for grids in answers]
    assert shapes == [[(2, 64, RAW), (2, 256, RAW)], [(3, 64, RAW), (3, 256, RAW)]]
    for n, alone in enumerate((actor(guided)(whole, None), actor(guided)(None, close))):
        assert torch.allclose(alone[0][1], answers[n][1], atol=1e-5)


def test_a_change_in_one_corner_changes_that_corners_strokes_most() -> None:
    """Cells run row by row, from left to right."""
    seen = torch.zeros(1, channels(False), SIDE, SIDE)
    changed = seen.clone()
    changed[..., :16, -16:] = 3.0  # top right
    before, after = (actor(False)(view, None)[0][1] for view in (seen, changed))
    moved = (after - before).abs().sum(2).view(16, 16)
    assert int(moved.argmax()) % 16 >= 12
    assert int(moved.argmax()) // 16 < 4


@pytest.mark.parametrize("counts", [(40, 30), (25, 0), (0, 12), (200, 150)])
def test_a_toy_picture_gets_better_within_the_budgets(counts: tuple[int, int]) -> None:
    target, mask = scene()
    canvas = torch.full_like(target, 0.5)
    ground, thing = DensePainter(actor()).paint(Scene(target, mask, 0 * mask, BOX), canvas, counts)
    assert len(ground) <= counts[0]
    assert len(thing) <= counts[1]
    after = render(Strokes.unpack(ground[None]), canvas[None], 1 - mask[None])
    after = render(Strokes.unpack(thing[None]), after, mask[None])[0]
    before, later = ((each - target).square().mean(0) for each in (canvas, after))
    for part, count in ((mask[0] == 0, counts[0]), (mask[0] == 1, counts[1])):  # but for the soft edge
        ratio = float((later * part).sum() / (before * part).sum())
        assert ratio < 0.9 if count else ratio == pytest.approx(1, abs=1e-5)


def test_it_looks_at_the_canvas_that_is_there() -> None:
    target, mask = scene()
    done = DensePainter(actor()).paint(Scene(target, mask, 0 * mask, BOX), target, (30, 30))
    assert [len(each) for each in done] == [0, 0]


@pytest.mark.parametrize("size", [(48, 48), (30, 80), (80, 30)])
def test_strokes_fit_pictures_of_any_shape(size: tuple[int, int]) -> None:
    target, mask = scene()
    height, width = size
    image = torch.nn.functional.interpolate(target[None], size, mode="area")[0]
    guidance = Guidance.from_mask(torch.nn.functional.interpolate(mask[None], size, mode="area")[0])
    for guided in (True, False):
        agent = DenseAgent(DensePainter(actor(guided)), guided)
        problem = Problem.of(image, agent.view(guidance), (height * width) ** 0.5, 80, 0.5 if guided else 0.0)
        draft = agent.draft(problem, np.random.default_rng(0))
        canvas = problem.painted(draft.strokes, draft.segments)
        error = (canvas - problem.target).square().mean()
        assert error < 0.65 * (problem.canvas - problem.target).square().mean()


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_the_shipped_agent_paints_better_than_the_planner(name: str) -> None:
    image = load_image(EXAMPLES / f"{name}.jpg")
    guidance = Guidance.from_mask(load_mask(EXAMPLES / f"{name}_mask.png", *image.shape[1:]))
    errors = {}
    for agent in ("paper-dense", "planner"):
        painting = Painter(agent, "draft", strokes=200, size=256).paint(image, guidance)
        assert len(painting.strokes) <= 200
        errors[agent] = painting_errors(painting.canvas, image, guidance.mask).everywhere
    assert errors["paper-dense"] < 0.7 * errors["planner"]


def test_an_agent_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    trained = DenseActor(True, steps=7, widths=SMALL).eval()
    save_dense_actor(trained, {"updates": 3}, path)
    loaded = load_dense_actor(path)
    assert (loaded.guided, loaded.steps, tuple(loaded.widths)) == (True, 7, SMALL)
    seen = torch.rand(1, channels(True), SIDE, SIDE), torch.rand(1, channels(True), ZOOM, ZOOM)
    for mine, theirs in zip(trained(*seen), loaded(*seen), strict=True):
        assert torch.allclose(mine[1], theirs[1], atol=2e-2)  # half precision
    target, mask = scene()
    painting = Painter(str(path), "draft", strokes=12, size=64).paint(target, Guidance.from_mask(mask))
    assert 0 < len(painting.strokes) <= 12
    assert painting.foreground_strokes > 0
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=r"^agent: .*mine\.safetensors cannot be read, wanted an agent's"):
        Painter(str(path))


def test_a_file_with_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    odd = actor()
    odd.widths = (8, 8, 8, 8)
    save_dense_actor(odd, {}, path)
    with pytest.raises(ValueError, match="tensors of wrong shapes"):
        load_dense_actor(path)
    odd.widths = (8, 8)  # type: ignore[assignment]
    save_dense_actor(odd, {}, path)
    with pytest.raises(ValueError, match=r"odd\.safetensors cannot be read"):
        load_dense_actor(path)
