"""Painting in tiles: what they see and touch, and that nobody sees where they met."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from semantic_guidance import Guidance, Painter, Strokes
from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.planner import Planner
from semantic_guidance.agents.problem import Problem
from semantic_guidance.painter.detail import (
    BASE_SHARE,
    Detail,
    add_detail,
    closer_side,
    shared_out,
    tiles,
    tiles_across,
)
from semantic_guidance.painter.presets import PRESETS, RefineConfig
from semantic_guidance.painting.medium import Medium
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import Segment
from tests.conftest import CountingBackend

SHORT = RefineConfig(steps=60)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """Coloured texture at two scales, with an edge across it, 120 x 180."""
    rng = np.random.default_rng(0)
    parts = [cv2.resize(rng.random((120 // s, 180 // s, 3), np.float32), (180, 120)) for s in (5, 24)]
    pixels = 0.4 * parts[0] + 0.6 * parts[1]
    pixels[:, 90:] = 1 - pixels[:, 90:]
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


@pytest.fixture
def problem(picture) -> Problem:
    return Problem.of(picture, Guidance.none(120, 180), 120.0, 300, 0.0)


@pytest.mark.parametrize(("height", "width", "across"), [(90, 120, 3), (50, 31, 4), (7, 300, 8), (1, 1, 5)])
def test_tiles_cover_the_picture_once(height, width, across):
    covered = np.zeros((height, width), int)
    for tile in tiles(height, width, across):
        covered[tile.own] += 1
        seen = np.zeros((height, width), bool)
        seen[tile.view] = True
        assert seen[tile.own].all()
        if across > 1 and height > 20:
            assert seen.sum() > covered[tile.own].size
    assert (covered == 1).all()


def test_strokes_go_to_where_the_error_is():
    parts = tiles(40, 40, 2)
    errors = torch.zeros(40, 40)
    errors[:20, :20], errors[20:, 20:] = 0.09, 0.01
    assert shared_out(400, errors, parts) == [300, 0, 0, 100]
    assert shared_out(10, 0 * errors, parts) == [2, 3, 3, 2]


@pytest.mark.parametrize(("strokes", "across"), [(1, 1), (1500, 1), (1501, 2), (5000, 3), (100_000, 8)])
def test_tiles_by_number_of_strokes(strokes, across):
    assert tiles_across(strokes) == across
    assert Painter(agent="planner", strokes=strokes).detail == across
    assert Painter(agent="planner", strokes=strokes, preset="draft").detail == 1


def test_a_tile_touches_only_what_it_sees(problem):
    height, width = problem.weight.shape
    canvas = torch.full((3, height, width), 0.5)
    detail = Detail(problem, Planner(), 3, SHORT, 0, lambda share: None, 100)
    for tile in detail.tiles[::2]:
        vectors = detail._tile(tile, canvas, None, problem.weight, 40)
        painted = render(Strokes.unpack(vectors[None]), canvas[None])[0]
        changed = (painted != canvas).any(dim=0)
        rows, columns = tile.view
        assert changed[rows, columns].float().mean() > 0.2
        changed[rows, columns] = False
        assert not changed.any()


def test_together_holds_what_leaves_the_frame_and_lowers_the_error(problem):
    base = torch.rand(150, 13, generator=torch.Generator().manual_seed(0))
    base[:, 2:6] = base[:, :2].repeat(1, 2) + 0.1 * (base[:, 2:6] - 0.5)
    base[:, 1:6:2] *= 2 / 3
    base[:, 6:8] = 0.01 + 0.03 * base[:, 6:8]
    base[0] = torch.tensor([0.0, 0.3, 0.5, 0.3, 1.0, 0.3, 0.02, 0.02, 1, 1, 1, 0, 0])  # through all tiles
    detail = Detail(problem, Planner(), 2, SHORT, 0, lambda share: None, 150)
    segments = [Segment(150, None)]
    refined = detail.together(base, segments)
    assert torch.equal(refined[0], base[0])
    assert (refined[1:] != base[1:]).any(dim=1).float().mean() > 0.5
    objective = problem.objective([Segment(150, None, 1.0)])
    assert objective.gradient(refined, 1.0)[0] < 0.8 * objective.gradient(base, 1.0)[0]


def test_add_detail_counts_and_keeps_parts(picture):
    mask = torch.zeros(1, 120, 180)
    mask[:, 30:100, 40:120] = 1
    guidance = Guidance.from_mask(mask)
    problem = Problem.of(picture, guidance, 100.0, 200, 0.6)
    first = Strokes.unpack(torch.rand(1, 50, 13) * 0.2)
    told: list[float] = []
    strokes, segments = add_detail(
        problem, Planner(), first, [Segment(30, None, 0.1), Segment(20, 0, 1.0)], 2, None, 0, told.append
    )
    assert [(segment.count, segment.mask) for segment in segments] == [(80, None), (120, 0)]
    assert torch.allclose(strokes.pack()[:, :30], first.pack()[:, :30], atol=1e-5)
    assert torch.allclose(strokes.pack()[:, 80:100], first.pack()[:, 30:], atol=1e-5)
    assert told == sorted(told)


def test_no_seams(picture):
    """The error along the tiles' common edges is about that of elsewhere, and far below the first one."""
    preset = replace(PRESETS["standard"], refine=replace(SHORT, steps=150))
    painter = Painter("planner", preset, strokes=500, detail=3, size=180)
    painting = painter.paint(picture, Guidance.none(120, 180))
    assert len(painting.strokes) == 500
    error = ((painting.canvas - picture) ** 2).mean(dim=0)
    near = torch.zeros(120, 180, dtype=torch.bool)
    for edge in (40, 80):
        near[edge - 3 : edge + 3] = True
    for edge in (60, 120):
        near[:, edge - 3 : edge + 3] = True
    assert error[near].mean() < 1.25 * error[~near].mean()
    base = Painter("planner", preset, strokes=round(500 * BASE_SHARE), detail=1, size=180)
    first = base.paint(picture, Guidance.none(120, 180))
    assert error.mean() < 0.7 * ((first.canvas - picture) ** 2).mean()


def test_detail_of_an_object_stays_under_its_mask(picture):
    mask = torch.zeros(1, 120, 180)
    mask[:, 30:100, 40:120] = 1
    paintings = [
        Painter(agent="planner", strokes=60, detail=2, preset="draft", size=180, seed=seed).paint(
            picture, Guidance.from_mask(mask)
        )
        for seed in (1, 1, 2)
    ]
    packed = [painting.strokes.pack() for painting in paintings]
    assert torch.equal(packed[0], packed[1])
    assert not torch.equal(packed[0], packed[2])
    assert [layer.level for layer in paintings[0].layers] == ["background", "foreground"]
    background = replace(paintings[0], layers=paintings[0].layers[:1])
    outside = (background.canvas - paintings[0].canvas).abs() * (1 - mask)
    assert outside.max() < 1e-6


def test_tiles_have_every_tool():
    limited = Medium(opaque=True)
    assert Painter(agent="planner", strokes=5000, medium=limited).detail == 1
    with pytest.raises(ValueError, match="detail is 3, wanted 1 with a palette, brushes or opaque paint"):
        Painter(detail=3, medium=limited)


@pytest.mark.parametrize("detail", [0, 9])
def test_what_is_wrong_is_named(detail):
    with pytest.raises(ValueError, match=f"detail is {detail}, wanted a whole number from 1 to 8"):
        Painter(detail=detail)


class Recorder(Planner):
    """The planner, with a record of the problems that it was given."""

    problems: list[Problem]

    def __init__(self, *strokes: list[float]) -> None:
        super().__init__()
        object.__setattr__(self, "problems", [])
        object.__setattr__(self, "strokes", torch.tensor(strokes))

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """See `Agent`. The given strokes, if there are any."""
        self.problems.append(problem)
        if not len(self.strokes):
            return super().draft(problem, rng)
        mask = None if problem.budgets[0] else 0
        return Draft(self.strokes, (Segment(len(self.strokes), mask),))


def quarters(*, height: int = 60, width: int = 100) -> Problem:
    """White to be painted on black, with an object in the lower right quarter."""
    mask = torch.zeros(1, height, width)
    mask[:, height // 2 :, width // 2 :] = 1
    picture = torch.ones(3, height, width)
    problem = Problem.of(picture, Guidance.from_mask(mask), (height * width) ** 0.5, 100, 0.5)
    return replace(problem, ground=(0.0, 0.0, 0.0))


class TestParts:
    """How the strokes of a part are shared out, and what counts while they are made."""

    def test_objects_count_little_for_the_background(self) -> None:
        """A tenth of the weight 3 of so large an object; strokes go by roots: 1, 1, 1 and 0.55."""
        problem, agent = quarters(), Recorder()
        detail = Detail(problem, agent, 2, None, 0, lambda share: None, 355)
        strokes, _ = detail.part(problem.canvas, None, 355)
        assert len(strokes) == 355
        counts = {
            tile.core[:2]: each.budgets for tile, each in zip(detail.tiles, agent.problems, strict=True)
        }
        assert counts == {(0, 0): (100, 0), (0, 50): (100, 0), (30, 0): (100, 0), (30, 50): (55, 0)}

    def test_nothing_else_counts_for_an_object(self) -> None:
        problem, agent = quarters(), Recorder()
        detail = Detail(problem, agent, 2, None, 0, lambda share: None, 30)
        detail.part(problem.canvas, 0, 30)
        assert [each.budgets for each in agent.problems] == [(0, 30)]

    def test_refinement_of_the_background_leaves_objects_alone(self) -> None:
        """One grey stroke between a white spot and a black one: it goes to the one off the object."""
        for shown, side in ((slice(0, 50), slice(50, 100)), (slice(50, 100), slice(0, 50))):
            mask, picture = torch.zeros(1, 60, 100), torch.full((3, 60, 100), 0.5)
            mask[:, :, shown] = 1
            picture[:, 25:35, 36:46], picture[:, 25:35, 54:64] = 1, 0
            problem = Problem.of(picture, Guidance.from_mask(mask), 6000**0.5, 100, 0.5)
            agent = Recorder([0.5, 0.3] * 3 + [0.15, 0.15, 0.5, 0.5, 0.5, 0.5, 0.5])
            problem = replace(problem, ground=(0.5, 0.5, 0.5))
            config = RefineConfig(steps=400, relocate_at=(), softness=(8.0, 1.0))
            _, canvas = Detail(problem, agent, 1, config, 0, lambda share: None, 1).part(
                problem.canvas, None, 1
            )
            left = ((canvas - picture)[:, :, side] ** 2).sum() / ((0.5 - picture)[:, :, side] ** 2).sum()
            assert left < 0.4

    def test_tiles_begin_where_they_do_not_overlap_and_go_on_with_what_is_there(self) -> None:
        problem, agent = quarters(), Recorder()
        detail = Detail(problem, agent, 2, None, 0, lambda share: None, 40)
        detail.part(problem.canvas, None, 40)
        for tile, seen in zip(detail.tiles, agent.problems, strict=True):
            assert seen.inside is not None
            assert int(seen.inside.sum()) == 30 * 50
            begun = torch.zeros(60, 100)
            begun[tile.view] = seen.inside
            assert begun[tile.own].all()
            assert torch.equal(seen.target, problem.target[:, *tile.view])
        overlap = agent.problems[-1].start
        assert overlap is not None
        assert overlap.max() > 0.5  # what its neighbours have painted

    def test_what_matters_most_comes_last(self) -> None:
        problem = quarters()
        turned = replace(problem, weight=problem.weight.flip(0, 1))
        for each, last in ((problem, (30, 50, 60, 100)), (turned, (0, 0, 30, 50))):
            detail = Detail(each, Planner(), 2, None, 0, lambda share: None, 1)
            assert detail.tiles[-1].core == last

    def test_progress_is_told_by_the_strokes(self) -> None:
        """Six tenths of the time are over when all strokes are there."""
        problem, told = quarters(), []
        Detail(problem, Planner(), 2, None, 0, told.append, 710).part(problem.canvas, None, 355)
        assert told == pytest.approx([0.6 * done / 710 for done in (100, 200, 300, 355)])


class TestSpeed:
    """Steps that are saved, counted."""

    def test_tiles_take_four_tenths_of_the_steps_and_all_strokes_together_a_fifth(self) -> None:
        backend = CountingBackend()
        problem = replace(quarters(), backend=backend)
        detail = Detail(problem, Planner(), 2, RefineConfig(steps=50), 0, lambda share: None, 40)
        strokes, _ = detail.part(problem.canvas, None, 40)
        assert len(backend.tasks) == 4 * 20
        backend.tasks.clear()
        detail.together(strokes, [Segment(40, None)])
        assert len(backend.tasks) == 4 * 10

    def test_the_last_refinement_is_gentle(self) -> None:
        """Sharp edges, nothing is moved elsewhere, and rates are 0.6 of those before."""
        gentle = Detail(quarters(), Planner(), 2, RefineConfig(steps=50), 0, lambda share: None, 1).gentle
        assert (gentle.steps, gentle.softness, gentle.relocate_at) == (10, (1.0, 1.0), ())
        rates = (gentle.position_rate, gentle.radius_rate, gentle.opacity_rate, gentle.color_rate)
        assert rates == pytest.approx((0.003, 0.0018, 0.048, 0.012))

    def test_together_a_tile_works_on_the_strokes_that_it_sees(self) -> None:
        backend = CountingBackend()
        problem = replace(quarters(), backend=backend)
        detail = Detail(problem, Planner(), 2, RefineConfig(steps=5), 0, lambda share: None, 40)
        dots = torch.tensor([[x, y] * 3 + [0.02, 0.02] + [1.0] * 5 for x, y in ((0.1, 0.1), (0.9, 0.1))])
        detail.together(torch.cat([dots] * 3), [Segment(2, None), Segment(4, 0)])
        counts = [
            tuple((each.count, each.mask, each.weight) for each in task.segments) for task in backend.tasks
        ]
        assert counts == [((1, None, 0.0), (2, 0, 1.0))] * 2


def test_how_closely_it_is_looked_at() -> None:
    """So many times as large, but no larger than the picture; `Problem.of` grows it with the strokes."""
    picture = torch.rand(3, 120, 200)
    problem = Problem.of(picture, Guidance.none(120, 200), 15**0.5 * 10, 100, 0.0)
    assert problem.target.shape == (3, 30, 50)
    close = Problem.of(picture, Guidance.none(120, 200), closer_side(problem, 3, 1200), 1200, 0.0)
    assert close.target.shape == (3, 90, 150)
    close = Problem.of(picture, Guidance.none(120, 200), closer_side(problem, 8, 1200), 1200, 0.0)
    assert close.target.shape == (3, 120, 200)


def test_each_part_gets_what_it_lacks() -> None:
    """Budgets of 50 and 50 of which 40 and 0 are made: the rest in proportions of 1 to 5."""
    problem = replace(quarters(), budgets=(50, 50))
    first = Strokes.unpack(torch.rand(1, 40, 13) * 0.2)
    _, segments = add_detail(problem, Planner(), first, [Segment(40, None)], 2, None, 0, lambda share: None)
    assert [(each.count, each.mask) for each in segments] == [(50, None), (50, 0)]
    problem = replace(problem, budgets=(30, 70))
    _, segments = add_detail(problem, Planner(), first, [Segment(40, None)], 2, None, 0, lambda share: None)
    assert [(each.count, each.mask) for each in segments] == [(40, None), (60, 0)]
