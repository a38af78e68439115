from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from semantic_guidance import Guidance, Painter, render
from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.problem import Problem
from semantic_guidance.apps.cli.main import main
from semantic_guidance.core.guidance import Instance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.export.strokes_json import read_strokes
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.renderer.objective import Segment

SIZE = 128


def checkpoint(folder: Path, channels: int, outputs: int) -> tuple[Actor, Path]:
    """An untrained actor as the reference code would have saved it, from several GPUs."""
    torch.manual_seed(channels)
    actor = Actor(channels, outputs).eval()
    path = folder / f"actor_{channels}.pkl"
    torch.save({f"module.{name}": values for name, values in actor.state_dict().items()}, path)
    return actor, path


def picture() -> tuple[torch.Tensor, Guidance]:
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    image = F.interpolate(image[None], (SIZE, SIZE), mode="bicubic")[0].clamp(0, 1)
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, 30:90, 40:100] = 1
    return image, Guidance.from_mask(mask)


@pytest.mark.parametrize("antialias", [True, False])
def test_the_actor_is_shown_pictures_as_in_its_training(tmp_path: Path, antialias: bool) -> None:
    """Stripes of one pixel: averaged they are grey, else those that lie on the nearest pixels remain."""
    stripes = torch.zeros(3, 32 * 5, 32 * 5)
    stripes[:, 2::5] = 1
    agent = replace(agent_of(torch.full((13,), 0.5)), antialias=antialias)
    agent.draft(problem_of(stripes, Guidance.none(160, 160), (1,)), np.random.default_rng(0))
    seen = agent.actor.seen[0][0, 3:6]  # type: ignore[union-attr]
    assert float(seen[:, 4:-4].mean()) == pytest.approx(0.2 if antialias else 1.0, abs=0.05)
    _, path = checkpoint(tmp_path, 9, 65)
    assert not LtpAgent.load(path).antialias


@torch.no_grad()
def test_a_baseline_actor_paints_as_the_seed_does(tmp_path: Path) -> None:
    """The reference code's loop, written out: canvas, target, step and coordinates in, five strokes out."""
    actor, path = checkpoint(tmp_path, 9, 65)
    image, guidance = picture()
    painting = Painter(agent=str(path), preset="draft", strokes=20, size=SIZE).paint(image, guidance)
    assert len(painting.strokes) == 20

    canvas = torch.zeros(1, 3, SIZE, SIZE)
    line = torch.arange(SIZE) / (SIZE - 1)
    rows, columns = line[:, None].expand(SIZE, SIZE), line[None].expand(SIZE, SIZE)
    for step in range(4):
        now = torch.full((1, 1, SIZE, SIZE), step / 4)
        seen = torch.cat([canvas, image[None], now, torch.stack([rows, columns])[None]], dim=1)
        strokes = strokes_from_ltp(actor(seen).view(1, 5, 13))
        canvas = render(strokes, canvas)
    plain = Painter(agent=str(path), preset="draft", strokes=20, size=SIZE).paint(image, Guidance.none())
    assert (plain.canvas - canvas[0]).abs().mean() < 2e-3
    # It knows no objects: guidance changes nothing.
    assert torch.equal(painting.canvas, plain.canvas)


def test_a_semantic_actor_without_an_object_paints_background(tmp_path: Path) -> None:
    _, path = checkpoint(tmp_path, 13, 78)
    image, _ = picture()
    painting = Painter(agent=str(path), preset="draft", strokes=13, size=SIZE).paint(image, Guidance.none())
    assert len(painting.strokes) == 13
    assert painting.foreground_strokes == 0


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    actor, path = checkpoint(tmp_path, 9, 65)
    actor.fc.weight.data[0, 0] = float("nan")
    torch.save(actor.state_dict(), path)
    with pytest.raises(ValueError, match=r"agent: .*actor_9.pkl holds numbers in .* that are not finite"):
        Painter(agent=str(path))


def test_a_semantic_actor_paints_two_levels_by_the_seeds_rule(tmp_path: Path) -> None:
    _, path = checkpoint(tmp_path, 13, 78)
    image, guidance = picture()
    painting = Painter(agent=str(path), preset="draft", strokes=13, size=SIZE).paint(image, guidance)
    counts = [(layer.level, len(layer.strokes)) for layer in painting.layers]
    # Three strokes for each level in turn; the thirteenth begins the third step.
    assert counts == [
        ("background", 3),
        ("foreground", 3),
        ("background", 3),
        ("foreground", 3),
        ("background", 1),
    ]
    assert {layer.compositing for layer in painting.layers} == {"seed"}
    assert painting.background == (0.0, 0.0, 0.0)
    painting.save(tmp_path / "strokes.json")
    assert torch.equal(read_strokes(tmp_path / "strokes.json").canvas, painting.canvas)


def test_polish_takes_over_from_an_actor(tmp_path: Path) -> None:
    _, path = checkpoint(tmp_path, 13, 78)
    image, guidance = picture()
    draft = Painter(agent=str(path), preset="draft", strokes=30, size=SIZE).paint(image, guidance)
    polished = Painter(agent=str(path), strokes=30, size=SIZE).paint(image, guidance)
    assert {layer.compositing for layer in polished.layers} == {"over"}
    assert ((polished.canvas - image) ** 2).mean() < 0.3 * ((draft.canvas - image) ** 2).mean()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_file_that_is_no_actor(tmp_path: Path, photo: Path, capsys, content: bytes | None) -> None:
    path = tmp_path / "bad.pkl"
    if content is None:
        torch.save({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(content)
    argv = ["paint", str(photo), "--agent", str(path), "--no-guidance", "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("semantic-guidance: error: ")
    assert "bad.pkl" in error
    assert not (tmp_path / "out").exists()


class Steady:
    """An actor that answers the same to whatever it sees, and remembers that.

    Args:
        action: ``[numbers]``.
    """

    def __init__(self, action: torch.Tensor) -> None:
        self.action, self.seen = action, []

    def __call__(self, observation: torch.Tensor) -> torch.Tensor:
        self.seen.append(observation)
        return self.action.expand(len(observation), -1)


def agent_of(action: torch.Tensor, **env: object) -> LtpAgent:
    """An agent of one stroke for each level and step."""
    return LtpAgent(Steady(action), EnvConfig(bundle_size=1, **env), 32, "over")  # type: ignore[arg-type]


def problem_of(image: torch.Tensor, guidance: Guidance, budgets: tuple[int, ...]) -> Problem:
    """At the picture's own size, on black."""
    height, width = image.shape[1:]
    problem = Problem.of(image, guidance, (height * width) ** 0.5, 1, 0.5)
    return replace(problem, budgets=budgets, ground=(0.0, 0.0, 0.0))


@pytest.mark.parametrize(("height", "width"), [(30, 60), (60, 30), (24, 120)])
def test_strokes_are_stretched_back_to_the_picture(height: int, width: int) -> None:
    """By hand: what lies at (x, y) of the square lies at (x width, y height), over the longer side."""
    action = torch.tensor([0.2, 0.7, 0.5, 0.5, 0.6, 0.9, 0.3, 0.5, 1.0, 0.8, 0.1, 0.2, 0.3])
    # The problem's sides are rounded, so its units are not quite the picture's.
    picture, nothing = torch.rand(3, height, width), Guidance.none(height, width)
    problem = replace(Problem.of(picture, nothing, 9.0, 2, 0.5), ground=(0.0, 0.0, 0.0))
    draft = agent_of(action).draft(problem, np.random.default_rng(0))
    square = strokes_from_ltp(action[None, None]).pack()[0, 0]
    longer = max(height, width)
    wanted = square.clone()
    wanted[0:6:2] *= width / longer
    wanted[1:6:2] *= height / longer
    wanted[6:8] *= (width * height) ** 0.5 / longer
    assert draft.segments == (Segment(1, None), Segment(1, None))
    assert torch.allclose(problem.to_picture(draft.strokes).pack()[0], wanted.expand(2, 13), atol=1e-6)
    assert 0.69 < float(square[0]) < 0.71  # x comes second in the papers' numbers
    assert 0.19 < float(square[1]) < 0.21


def test_what_the_actor_paints_lies_where_it_saw_it() -> None:
    """A dot on the bright spot of the square it is shown covers the bright spot of the picture."""
    image = torch.zeros(3, 40, 120)
    image[:, 8:12, 84:96] = 1
    row, column = (10 + 0.0) / 40, 90 / 120
    agent = agent_of(torch.tensor([row, column, 0.5, 0.5, row, column, 0.1, 0.1, 1.0, 1.0, 1.0, 1.0, 1.0]))
    problem = problem_of(image, Guidance.none(40, 120), (1,))
    draft = agent.draft(problem, np.random.default_rng(0))
    seen = agent.actor.seen[0][0, 3:6]  # type: ignore[union-attr]
    assert seen.shape == (3, 32, 32)
    assert seen[0].argmax() // 32 in (7, 8)
    painted = problem.painted(draft.strokes, draft.segments)
    assert painted[:, 10, 90].min() > 0.95
    assert painted[:, :, :70].max() == 0
    assert painted[:, 20:].max() < 0.05


def test_the_actor_is_told_of_the_object_and_of_the_canvas() -> None:
    mask, focus = torch.zeros(1, 30, 60), torch.zeros(1, 30, 60)
    mask[:, 10:20, 30:60], focus[:, 10:20, 45:60] = 1, 1
    guidance = Guidance(mask, focus, (Instance.from_mask(mask),))
    agent = agent_of(torch.full((26,), 0.5), use_bilevel=True, use_gbp=True)
    problem = replace(problem_of(torch.rand(3, 30, 60), guidance, (2, 2)), ground=(0.25, 0.5, 0.75))
    draft = agent.draft(problem, np.random.default_rng(0))
    first, second = agent.actor.seen  # type: ignore[union-attr]
    assert first[0, 0:3, 3, 3].tolist() == pytest.approx([0.25, 0.5, 0.75])
    assert [float(each[0, 6, 0, 0]) for each in (first, second)] == [0, 0.5]
    assert first[0, 9].mean() == pytest.approx(1 / 3 / 4, abs=0.01)
    assert first[0, 10].mean() == pytest.approx(1 / 3 / 2, abs=0.01)
    assert draft.segments == (Segment(1, None), Segment(1, 0)) * 2
    assert draft.outside
    assert not agent_of(torch.rand(13)).draft(problem, np.random.default_rng(0)).outside


@pytest.mark.parametrize(("compositing", "left"), [("over", 1.0), ("seed", 0.0)])
def test_the_actor_sees_its_strokes_by_its_own_rule(compositing: str, left: float) -> None:
    """A white stroke of the background on white, where the object is: the papers' rule blackens that."""
    mask = torch.zeros(1, 30, 60)
    mask[:, 10:20, 20:40] = 1
    dot = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.2, 0.2, 1.0, 1.0, 1.0, 1.0, 1.0]
    nowhere = [0.0] * 13
    agent = replace(agent_of(torch.tensor(dot + nowhere), use_bilevel=True), compositing=compositing)  # type: ignore[arg-type]
    problem = problem_of(torch.rand(3, 30, 60), Guidance.from_mask(mask), (2, 2))
    agent.draft(replace(problem, ground=(1.0, 1.0, 1.0)), np.random.default_rng(0))
    first, second = agent.actor.seen  # type: ignore[union-attr]
    assert first[0, :3].min() > 0.999
    assert second[0, :3, 16, 16].tolist() == pytest.approx([left] * 3, abs=0.01)


@pytest.mark.parametrize(
    ("budgets", "segments", "looks"),
    [
        ((3, 2), [None, 0, None, 0, None], 3),
        ((5, 0), [None] * 5, 5),
        ((0, 5), [0] * 5, 5),
        ((1, 1), [None, 0], 1),
    ],
)
def test_levels_without_a_budget_are_left_out(
    budgets: tuple[int, int], segments: list[int | None], looks: int
) -> None:
    """And the episode is as long as the strokes of the others ask for."""
    mask = torch.zeros(1, 30, 60)
    mask[:, 10:20, 30:60] = 1
    agent = agent_of(torch.full((26,), 0.5), use_bilevel=True)
    draft = agent.draft(
        problem_of(torch.rand(3, 30, 60), Guidance.from_mask(mask), budgets), np.random.default_rng(0)
    )
    assert [segment.mask for segment in draft.segments] == segments
    assert len(draft.strokes) == 5 if sum(budgets) == 5 else len(draft.strokes) == 2
    assert len(agent.actor.seen) == looks  # type: ignore[union-attr]


def test_all_objects_are_one() -> None:
    masks = torch.zeros(2, 1, 30, 60)
    masks[0, :, 5:10, 5:20], masks[1, :, 15:25, 30:50] = 1, 1
    guidance = Guidance(masks.amax(0), masks.amax(0), tuple(Instance.from_mask(mask) for mask in masks))
    (union,) = agent_of(torch.rand(13)).view(guidance).instances
    assert union.box == (5, 5, 45, 20)
    assert torch.equal(union.mask, guidance.mask)


def test_a_mask_nowhere_above_one_half_is_no_object() -> None:
    faint = torch.zeros(1, 30, 60)
    faint[:, 10:20, 30:60] = 0.45
    guidance = Guidance(faint, faint, (Instance(faint, (30, 10, 30, 10)),))
    agent = agent_of(torch.full((26,), 0.5), use_bilevel=True, use_gbp=True)
    for preset in ("draft", Preset(side=16, refine=RefineConfig(steps=2))):
        painting = Painter(agent, preset, strokes=7, size=60).paint(torch.rand(3, 30, 60), guidance)
        assert len(painting.strokes) == 7
        assert painting.foreground_strokes == 0
