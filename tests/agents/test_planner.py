"""Strokes without a network: where they go, how wide they are, and how a budget is used up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.planner import Planner, fill_up, plan, refined_plan
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.strokes import POINTS, RADIUS
from semantic_guidance.renderer.objective import Segment


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def places(strokes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Row and column in pixels of each stroke's middle."""
    start, control, end = strokes[:, POINTS].unflatten(1, (3, 2)).unbind(1)
    columns, rows = ((start + 2 * control + end) / 4 * size).long().unbind(1)
    return rows, columns


def problem_of(
    picture: Tensor, masks: Tensor, budgets: tuple[int, ...], focus: Tensor | None = None
) -> Problem:
    """The problem of a picture at its own size with objects ``[M, H, W]``, on grey."""
    height, width = picture.shape[1:]
    instances = tuple(Instance.from_mask(mask[None]) for mask in masks)
    plane = torch.zeros(1, height, width) if focus is None else focus[None]
    guidance = Guidance(masks.amax(0)[None] if len(masks) else plane, plane, instances)
    problem = Problem.of(picture, guidance, (height * width) ** 0.5, 1, 0.5)
    assert problem.target.shape == picture.shape
    return replace(problem, budgets=budgets, ground=(0.5, 0.5, 0.5))


def test_a_plan_lowers_the_error_and_goes_from_coarse_to_fine() -> None:
    rows, columns = torch.meshgrid(torch.arange(60) / 60, torch.arange(90) / 60, indexing="ij")
    target = torch.stack([torch.sin(4 * rows) ** 2, torch.cos(3 * columns) ** 2, rows * columns])
    blank = torch.full_like(target, 0.5)
    strokes, canvas = plan(target, torch.ones(60, 90), 100, blank, None, rng())
    assert len(strokes) == 100
    assert ((canvas - target) ** 2).mean() < 0.3 * ((blank - target) ** 2).mean()
    radii = strokes[:, RADIUS.start]
    assert (radii.diff() <= 0).all()
    assert radii[0] > 4 * radii[-1]


def test_a_plan_under_a_mask_stays_there() -> None:
    target = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(40, 40)
    mask[10:25, 12:30] = 1
    strokes, canvas = plan(target, mask, 30, torch.zeros_like(target), mask, rng())
    assert (canvas[:, mask == 0] == 0).all()
    assert (mask[places(strokes, 40)] == 1).all()


def test_strokes_go_where_the_error_counts() -> None:
    """Two spots with the same error: the one that counts is painted."""
    target = torch.full((3, 40, 60), 0.5)
    target[:, 10:16, 10:16] = target[:, 24:30, 40:46] = 1
    blank = torch.full_like(target, 0.5)
    for rows, columns in ((slice(8, 18), slice(8, 18)), (slice(22, 32), slice(38, 48))):
        weight = torch.full((40, 60), 0.1)
        weight[rows, columns] = 1
        strokes, _ = plan(target, weight, 2, blank, None, rng())
        assert (weight[places(strokes, 60)] == 1).all()


def test_strokes_go_where_they_show() -> None:
    """Though the error is greater beside the object, and counts there."""
    target, show = torch.full((3, 40, 60), 1.0), torch.zeros(40, 60)
    show[10:30, 5:20] = 1
    target[:, show > 0] = 0.7
    strokes, _ = plan(target, torch.ones(40, 60), 10, torch.full_like(target, 0.5), show, rng())
    assert (show[places(strokes, 60)] == 1).all()


def test_radii_by_hand() -> None:
    """A tenth to 0.013 of the longer side; finer for more strokes, by the root of the area under a mask."""
    target = torch.full((3, 100, 400), 0.5)
    blank, everywhere = torch.zeros_like(target), torch.ones(100, 400)

    def radii(count: int, show: Tensor | None) -> list[float]:
        strokes, _ = plan(target, everywhere, count, blank, show, rng())
        assert torch.equal(strokes[:, RADIUS.start], strokes[:, RADIUS.start + 1])
        return [float(strokes[0, RADIUS.start]), float(strokes[-1, RADIUS.start])]

    assert radii(300, None) == pytest.approx([0.1, 0.013])
    assert radii(1200, None) == pytest.approx([0.1, 0.013 / 2])
    quarter = torch.zeros(100, 400)
    quarter[:, 250:350] = 1
    assert radii(300, quarter) == pytest.approx([0.1 / 2, 0.013 / 2])
    assert radii(75, quarter) == pytest.approx([0.1 / 2, 0.013 / 2])


def test_wide_strokes_have_the_colour_of_a_wide_place() -> None:
    """Black and white stripes of 6 pixels: grey for a radius of 12, nearly black or white for one of 2."""
    stripes = (torch.arange(120) // 6 % 2).float().expand(3, 80, 120).contiguous()
    strokes, _ = plan(stripes, torch.ones(80, 120), 100, torch.full_like(stripes, 0.5), None, rng())
    away = (strokes[:, 10] - 0.5).abs()
    assert away[0] < 0.05
    assert away[-20:].median() > 0.3


def test_a_draft_favours_the_focus() -> None:
    """An object of the same error everywhere, one half of it in focus: most strokes go there."""
    picture, mask, focus = torch.full((3, 60, 90), 0.5), torch.zeros(60, 90), torch.zeros(60, 90)
    mask[10:50, 20:80] = 1
    picture[:, mask > 0] = 1
    focus[10:50, 20:50] = 1
    draft = Planner().draft(problem_of(picture, mask[None], (0, 40), focus), rng())
    assert draft.segments == (Segment(40, 0),)
    _, columns = places(draft.strokes, 90)
    assert (columns < 50).sum() >= 26


def test_a_draft_of_the_background_leaves_the_objects_alone() -> None:
    picture, mask = torch.full((3, 60, 90), 1.0), torch.zeros(60, 90)
    mask[10:50, 45:85] = 1
    draft = Planner().draft(problem_of(picture, mask[None], (20, 0)), rng())
    assert draft.segments == (Segment(20, None),)
    assert mask[places(draft.strokes, 90)].mean() < 0.15


class TestUnderpainted:
    """What comes on top of coarse strokes."""

    def problem(self, budgets: tuple[int, ...]) -> Problem:
        """White on grey with an object in a corner; strokes are to be begun on the right."""
        picture, mask = torch.full((3, 60, 90), 1.0), torch.zeros(60, 90)
        mask[30:60, 50:90] = 1
        inside = torch.zeros(60, 90)
        inside[:, 40:] = 1
        return replace(problem_of(picture, mask[None], budgets), inside=inside, underpainted=True)

    def test_radii_by_hand(self) -> None:
        """Against what just covers the area: a quarter 1.6 times as wide, 35 % as wide, 40 % 0.6 times."""
        draft = Planner().draft(self.problem((20, 0)), rng())
        radius = 0.5 * (60 * 50 / 20) ** 0.5 / 90
        wanted = [1.6 * radius] * 5 + [radius] * 7 + [0.6 * radius] * 8
        assert draft.strokes[:, RADIUS.start].tolist() == pytest.approx(wanted)

    def test_an_object_has_its_own_area(self) -> None:
        draft = Planner().draft(self.problem((0, 20)), rng())
        assert float(draft.strokes[0, RADIUS.start]) == pytest.approx(1.6 * 0.5 * (30 * 40 / 20) ** 0.5 / 90)

    def test_they_are_begun_inside_and_the_background_off_the_objects(self) -> None:
        problem = self.problem((20, 0))
        draft = Planner().draft(problem, rng())
        rows, columns = places(draft.strokes, 90)
        assert (columns >= 39).all()
        assert (problem.masks[0][rows, columns][:5] == 0).all()  # the widest ones
        rows, columns = places(Planner().draft(self.problem((0, 20)), rng()).strokes, 90)
        assert (problem.masks[0][rows, columns] == 1).all()

    def test_each_scale_sees_what_the_ones_before_it_left(self) -> None:
        problem = self.problem((20, 0))
        strokes, canvas = refined_plan(problem, problem.parts()[0], problem.canvas, rng())
        assert torch.equal(canvas, problem.painted(strokes, [Segment(20, None)]))
        assert ((canvas - problem.target) ** 2)[:, :, 40:].mean() < 0.3 * 0.25


class TestFillingUp:
    """A draft may leave some of its budget."""

    def problem(self, budgets: tuple[int, ...]) -> Problem:
        picture, masks = torch.full((3, 40, 60), 0.5), torch.zeros(2, 40, 60)
        masks[0, 5:20, 5:25], masks[1, 20:38, 30:55] = 1, 1
        picture[:, 5:20, 5:25], picture[:, 20:38, 30:55] = 1, 0
        return problem_of(picture, masks, budgets)

    def test_the_last_part_gets_the_rest(self) -> None:
        problem = self.problem((4, 5, 6))
        draft = Draft(torch.rand(7, 13), (Segment(4, None), Segment(2, 0), Segment(1, 1)), "seed", True)
        filled = fill_up(problem, draft, rng())
        assert filled.segments == (Segment(4, None), Segment(2, 0), Segment(9, 1))
        assert torch.equal(filled.strokes[:7], draft.strokes)
        assert (problem.masks[1][places(filled.strokes[7:], 60)] == 1).all()
        assert (filled.compositing, filled.outside) == ("seed", True)

    def test_a_part_without_strokes_so_far(self) -> None:
        filled = fill_up(self.problem((4, 5, 0)), Draft(torch.rand(4, 13), (Segment(4, None),)), rng())
        assert filled.segments == (Segment(4, None), Segment(5, 0))

    def test_what_stands_is_taken_into_account(self) -> None:
        """The object's left half is painted already: the rest goes to its right half."""
        problem = self.problem((0, 0, 5))
        done = torch.tensor(
            [[30, 24, 36, 24, 42, 24, 0, 0, 0, 0, 0, 0, 0], [30, 34, 36, 34, 42, 34] + [0.0] * 7]
        )
        done[:, :6] /= 60
        done[:, RADIUS], done[:, 8:10] = 5 / 60, 1
        filled = fill_up(problem, Draft(done, (Segment(2, 1),)), rng())
        _, columns = places(filled.strokes[2:], 60)
        assert (columns >= 41).all()

    def test_nothing_is_left(self) -> None:
        problem = self.problem((4, 5, 6))
        draft = Draft(torch.rand(15, 13), (Segment(15, None),))
        assert fill_up(problem, draft, rng()) is draft

    def test_on_an_underpainting_they_are_finer(self) -> None:
        problem = replace(self.problem((0, 0, 8)), underpainted=True)
        filled = fill_up(problem, Draft(torch.empty(0, 13), ()), rng())
        radius = 0.5 * (18 * 25 / 8) ** 0.5 / 60
        assert float(filled.strokes[0, RADIUS.start]) == pytest.approx(1.6 * radius)


def test_no_strokes() -> None:
    blank = torch.zeros(3, 8, 8)
    strokes, canvas = plan(blank, blank[0], 0, blank, None, rng())
    assert len(strokes) == 0
    assert (canvas == blank).all()
