"""What a painter hands from the agent to the refinement and on to the painting; the agent scribbles."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from semantic_guidance import Guidance, Painter
from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.planner import Planner
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Instance
from semantic_guidance.images.metrics import painting_errors
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.painting.medium import Medium
from semantic_guidance.renderer.objective import Segment
from tests.conftest import CountingBackend

LITTLE = Preset(side=16, refine=RefineConfig(steps=20))


@dataclass(frozen=True)
class Scribbler:
    """An agent that paints what it is told to, and remembers what it was given."""

    strokes: torch.Tensor
    segments: tuple[Segment, ...]
    ground: tuple[float, float, float] | None = None
    guided: bool = True
    outside: bool = False
    problems: list[Problem] = field(default_factory=list)

    def view(self, guidance: Guidance) -> Guidance:
        """See `Agent`."""
        return guidance

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """See `Agent`."""
        self.problems.append(problem)
        return Draft(self.strokes, self.segments, "seed", self.outside)


FLAT = torch.full((3, 20, 30), 0.25)


def scribbler(**changes: object) -> Scribbler:
    """One dot on the background, one on the object."""
    dots = torch.tensor([[0.2, 0.3] * 3 + [0.1] * 2 + [1.0] * 5, [0.6, 0.4] * 3 + [0.1] * 2 + [1.0] * 5])
    return replace(Scribbler(dots, (Segment(1, None), Segment(1, 0))), **changes)  # type: ignore[arg-type]


def object_right() -> Guidance:
    """Of `FLAT`: an object on the right, half of it only partly opaque."""
    mask = torch.zeros(1, 20, 30)
    mask[:, :10, 15:], mask[:, 10:, 15:] = 1, 0.6
    return Guidance.from_mask(mask)


@pytest.mark.parametrize(("strokes", "steps"), [(100, 20), (1200, 20), (1500, 19), (2400, 17)])
def test_more_strokes_take_fewer_steps(strokes: int, steps: int) -> None:
    """By (1200 / strokes) ** 0.3, rounded up, counted where they are taken."""
    backend, told = CountingBackend(), []
    preset = Preset(side=16, refine=RefineConfig(steps=20, surplus=1, breaths=0))
    Painter("planner", preset, strokes=strokes, backend=backend).paint(
        FLAT, Guidance.none(), lambda stage, share: told.append(share) if stage == "polish" else None
    )
    assert told == pytest.approx([(step + 1) / steps for step in range(steps)])
    assert len(backend.tasks) == steps


def test_refinement_works_on_the_problem_and_the_marks_of_the_film() -> None:
    picture = torch.rand(3, 120, 200, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 120, 200)
    mask[:, 20:60, 140:164] = 1
    backend = CountingBackend()
    preset = Preset(side=40, refine=RefineConfig(steps=2, breaths=0))
    Painter("planner", preset, strokes=100, backend=backend, foreground_share=0.4).paint(
        picture, Guidance.from_mask(mask)
    )
    whole, behind, blind = backend.tasks  # the unfinished painting counts twice at every other step
    assert [each.weight for each in blind.segments] == [0, 0, 0, 0, 0, 1]
    assert [each.weight for each in whole.segments] == [0, 0, 0, 0, 0.06, 1]
    assert [each.weight for each in behind.segments] == [0.06, 0.06, 0.06]
    assert whole.target.shape == (3, 61, 101)  # 24 pixels for each of 256 strokes
    assert [(each.count, each.mask) for each in whole.segments] == [
        (10, None),
        (15, None),
        (25, None),
        (10, None),
        (15, 0),
        (25, 0),
    ]
    assert [each.count for each in behind.segments] == [10, 15, 25]
    assert float(whole.weight.max()) > 1


def test_opaque_paint_is_refined_as_it_will_look() -> None:
    """Nothing is clipped, so nothing may be taken to be."""
    backend = CountingBackend()
    Painter(scribbler(), LITTLE, strokes=2, medium=Medium(opaque=True), backend=backend).paint(
        FLAT, object_right()
    )
    assert {segment.mask for task in backend.tasks for segment in task.segments} == {None}


@pytest.mark.parametrize(
    ("strokes", "sizes", "sides"),
    [
        # By 24, 96, 384 and 1,536 pixels a stroke, but no more than there are, or 256 squared.
        (20, RefineConfig.sizes, [(61, 101)] * 6 + [(121, 202)] * 4 + [(198, 330)] * 10),
        (1000, ((0.0, 1), (0.5, 4)), [(24, 41)] * 10 + [(49, 82)] * 10),
    ],
)
def test_the_canvas_grows(
    strokes: int, sizes: tuple[tuple[float, float], ...], sides: list[tuple[int, int]]
) -> None:
    """120 x 200 pixels, on a canvas of one colour or with a picture, which is there at every size."""
    picture, under = torch.rand(2, 3, 120, 200, generator=torch.Generator().manual_seed(0))
    preset = Preset(side=16, refine=RefineConfig(steps=20, sizes=sizes, surplus=1, breaths=0))
    for start in ((0.0, 0.5, 1.0), under):
        backend = CountingBackend()
        painter = Painter("planner", preset, strokes=strokes, start=start, backend=backend)
        assert len(painter.paint(picture, Guidance.none()).strokes) == strokes
        assert [task.target.shape[1:] for task in backend.tasks] == sides
        for task in backend.tasks[::5]:
            whole = start if isinstance(start, torch.Tensor) else torch.tensor(start)[:, None, None]
            wanted = whole.mean(dim=(1, 2))
            assert torch.allclose(task.blank.mean(dim=(1, 2)), wanted, atol=2e-3)
            assert (float(task.blank.std(dim=(1, 2)).min()) > 0.05) == isinstance(start, torch.Tensor)


def test_edges_are_as_wide_as_the_canvas_is_large() -> None:
    """Of 256 pixels squared, 256 strokes have 16 each; 0.41 of that is 6.56, and 78 / 256 of it at first."""
    backend, seen = CountingBackend(), []
    plain = backend.objective
    backend.objective = lambda strokes, task, softness: (
        seen.append(softness) or plain(strokes, task, softness)
    )  # type: ignore[method-assign, func-returns-value]
    Painter("planner", LITTLE, strokes=5, backend=backend).paint(torch.rand(3, 40, 40), Guidance.none())
    assert seen[:2] == pytest.approx([6.56 * 78 / 256, 6.56**0.95 * 78 / 256], rel=1e-4)
    assert seen[8] == pytest.approx(6.56**0.6 * 157 / 256, rel=1e-4)
    assert seen[12] == pytest.approx(6.56**0.4, rel=1e-4)
    assert seen[-1] == pytest.approx(6.56**0.05, rel=1e-4)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7])
def test_refinement_has_all_of_its_strokes_and_a_draft_what_the_agent_drew(steps: int) -> None:
    """However few its steps are."""
    agent = scribbler(segments=(Segment(2, None),))
    counts = [
        len(Painter(agent, preset, strokes=7).paint(FLAT, Guidance.none()).strokes)
        for preset in ("draft", Preset(side=16, refine=RefineConfig(steps=steps)))
    ]
    assert counts == [2, 7]


def test_every_part_has_its_share_though_the_agent_drew_otherwise() -> None:
    """Five strokes on an object that is to have two of ten: the best two stay."""
    dots = torch.rand(6, 13, generator=torch.Generator().manual_seed(0))
    agent = scribbler(strokes=dots, segments=(Segment(1, None), Segment(5, 0)))
    painting = Painter(agent, LITTLE, strokes=10, foreground_share=0.2).paint(FLAT, object_right())
    assert [len(layer.strokes) for layer in painting.layers] == [8, 2]


def test_nothing_is_drafted_and_nothing_is_refined() -> None:
    """But there are tools, which have nothing to fit."""
    agent = scribbler(strokes=torch.empty(0, 13), segments=())
    painting = Painter(agent, "draft", strokes=3, medium=Medium(palette=3)).paint(FLAT, Guidance.none())
    assert painting.layers == ()


def test_thousands_of_strokes() -> None:
    """They are there, better than the fewer; those of an object stay under its mask."""
    rows, columns = torch.meshgrid(torch.arange(120) / 9, torch.arange(180) / 9, indexing="ij")
    picture = torch.stack([rows.sin() * columns.cos(), columns.sin(), (rows * columns / 9).sin()]) / 2 + 0.5
    mask = torch.zeros(1, 120, 180)
    mask[:, 30:100, 40:120] = 1
    preset = Preset(side=64, refine=RefineConfig(steps=12, surplus=1.5, breaths=1))
    errors = []
    for strokes in (200, 2000):
        painter = Painter("planner", preset, strokes=strokes, foreground_share=0.6, size=180)
        painting = painter.paint(picture, Guidance.from_mask(mask))
        assert [len(layer.strokes) for layer in painting.layers] == [0.4 * strokes, 0.6 * strokes]
        errors.append(painting_errors(painting.canvas, picture, None).everywhere)
    assert errors[1] < 0.25 * errors[0]
    background = replace(painting, layers=painting.layers[:1])
    changed = (background.canvas - painting.canvas).abs().amax(dim=0)
    assert float(changed[mask[0] == 0].max()) < 1e-6
    assert float(changed[mask[0] == 1].mean()) > 0.02


def test_a_seed_is_a_draft() -> None:
    picture = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    drafts = [
        Painter("planner", "draft", strokes=9, seed=seed).paint(picture, Guidance.none()).strokes.pack()
        for seed in (1, 1, 2)
    ]
    assert torch.equal(drafts[0], drafts[1])
    assert not torch.equal(drafts[0], drafts[2])


@pytest.mark.parametrize(
    ("options", "agent_ground", "wanted"),
    [
        ({}, None, (0.25, 0.25, 0.25)),
        ({}, (0.5, 0.0, 0.5), (0.5, 0.0, 0.5)),
        ({"start": (0.0, 0.0, 1.0)}, (0.5, 0.0, 0.5), (0.0, 0.0, 1.0)),
        ({"medium": Medium(opaque=True)}, None, (1.0, 1.0, 1.0)),
        ({"medium": Medium(palette=[(0, 0, 0), (0.375, 0.25, 0.25), (1, 1, 1)])}, None, (0.375, 0.25, 0.25)),
        ({"medium": Medium(brushes=(10,))}, None, (0.25, 0.25, 0.25)),
    ],
)
def test_the_colour_of_the_empty_canvas(options, agent_ground, wanted) -> None:
    agent = scribbler(ground=agent_ground, segments=(Segment(2, None),))
    painting = Painter(agent, "draft", strokes=2, **options).paint(FLAT, Guidance.none())
    assert painting.background == pytest.approx(wanted)


def test_a_picture_to_start_from_is_on_the_canvas() -> None:
    start = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    agent = scribbler(segments=(Segment(2, None),))
    painting = Painter(agent, "draft", strokes=2, start=start, size=30).paint(FLAT, Guidance.none())
    assert painting.start is not None
    assert (painting.start - start).abs().max() <= 0.5 / 255 + 1e-6
    assert (agent.problems[0].canvas.mean(dim=(1, 2)) - start.mean(dim=(1, 2))).abs().max() < 1e-3


class TestLayers:
    """Which strokes show where, by whose rule."""

    def layers(self, **options: object) -> list[tuple[str, str, list[float] | None]]:
        """Level, rule and three pixels of the mask of each layer: off the object, on it, where it is soft."""
        agent = scribbler(outside=options.pop("outside", True))
        if "medium" in options:  # dots that are of use, else none would be left
            agent.strokes[:, 10:] = FLAT[0, 0, 0]
        painter = Painter(agent, strokes=2, foreground_share=0.5, **options)  # type: ignore[arg-type]
        painting = painter.paint(FLAT, object_right())
        return [
            (
                layer.level,
                layer.compositing,
                None
                if layer.mask is None
                else painting.masks[layer.mask][0, [5, 5, 15], [5, 25, 25]].tolist(),
            )
            for layer in painting.layers
        ]

    def test_a_draft_shows_as_the_agent_takes_it_to(self) -> None:
        assert self.layers(preset="draft") == [
            ("background", "seed", [1, 0, pytest.approx(0.4)]),
            ("foreground", "seed", [0, 1, pytest.approx(0.6)]),
        ]

    def test_a_refined_background_shows_everywhere(self) -> None:
        wanted = [("background", "over", None), ("foreground", "over", [0, 1, pytest.approx(0.6)])]
        assert self.layers(preset=LITTLE) == wanted
        assert self.layers(preset="draft", outside=False) == wanted

    def test_opaque_paint_is_not_clipped(self) -> None:
        wanted = [("background", "over", None), ("foreground", "over", None)]
        assert self.layers(preset=LITTLE, medium=Medium(opaque=True)) == wanted
        assert self.layers(preset="draft", medium=Medium(opaque=True)) == wanted


def test_objects_that_cannot_be_seen_are_none() -> None:
    masks = torch.zeros(3, 1, 20, 30)
    masks[0, :, 5:10, 20:25] = 1
    masks[2, :, 5:10, 5:10] = 0.3  # faint, but there
    boxes = ((20, 5, 5, 5), (0, 0, 3, 3), (5, 5, 5, 5))
    instances = tuple(Instance(mask, box) for mask, box in zip(masks, boxes, strict=True))
    painting = Painter("planner", "draft", strokes=10, foreground_share=0.6).paint(
        FLAT, Guidance(masks.amax(0), torch.zeros(1, 20, 30), instances)
    )
    assert [layer.instance for layer in painting.layers if layer.level == "foreground"] == [0, 2]


def test_a_share_of_the_strokes() -> None:
    """What is said; what it is by itself, see `agents.weighing`."""
    mask = torch.zeros(1, 20, 30)
    mask[:, :, 15:] = 1
    shares = [
        Painter("planner", preset, strokes=100, foreground_share=share)
        .paint(FLAT, Guidance.from_mask(mask))
        .foreground_strokes
        for preset, share in ((LITTLE, 0.3), ("draft", 0.2), ("draft", 0.0), ("draft", 1.0))
    ]
    assert shares == [30, 20, 0, 100]


def test_an_unguided_agent_needs_no_guide() -> None:
    def guide(image: torch.Tensor, prompt: object = None) -> Guidance:
        asked.append(image.shape)
        return object_right()

    asked: list[torch.Size] = []
    for guided in (True, False):
        agent = replace(scribbler(segments=(Segment(2, None),)), guided=guided)
        painting = Painter(agent, "draft", guide=guide, strokes=2).paint(FLAT)
        assert len(painting.guidance.instances) == guided
    assert asked == [(3, 20, 30)]


@pytest.mark.parametrize(
    ("height", "width", "size", "wanted"),
    [
        (20, 30, None, (341, 512)),
        (30, 20, 64, (64, 43)),
        (600, 900, None, (600, 900)),
        (10, 3000, None, (7, 2048)),
    ],
)
def test_the_size_of_the_painting(height: int, width: int, size: int | None, wanted: tuple[int, int]) -> None:
    agent = scribbler(segments=(Segment(2, None),))
    painting = Painter(agent, "draft", strokes=2, size=size).paint(
        torch.zeros(3, height, width), Guidance.none()
    )
    assert (painting.height, painting.width) == wanted


def test_masks_are_kept_at_most_1024_pixels_wide_in_steps_of_a_byte() -> None:
    mask = torch.zeros(1, 40, 2048)
    mask[:, :, 1000:] = 0.601
    agent = scribbler(segments=(Segment(2, 0),))
    painting = Painter(agent, "draft", strokes=2).paint(torch.zeros(3, 40, 2048), Guidance.from_mask(mask))
    assert [layer.mask for layer in painting.layers] == [0]
    assert painting.masks[0].shape == (1, 20, 1024)
    assert float(painting.masks[0].max()) == pytest.approx(0.6)


def test_seconds_of_each_stage_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that goes on by a second whenever it is looked at, and stages that take longer."""
    now = itertools.count()
    monkeypatch.setattr("semantic_guidance.painter.stages.time.perf_counter", lambda: float(next(now)))

    def slow(image: torch.Tensor, prompt: object = None) -> Guidance:
        for _ in range(10):
            next(now)
        return Guidance.none(20, 30)

    painting = Painter(Planner(), "draft", guide=slow, strokes=5).paint(FLAT)
    assert painting.seconds == {"guidance": 11, "plan": 1, "polish": 1}
    assert math.isclose(
        Painter(Planner(), "draft", strokes=5).paint(FLAT, object_right()).seconds["guidance"], 1
    )
