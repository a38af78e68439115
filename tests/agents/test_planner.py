"""Strokes without a network: where they go, how wide they are, and how a budget is used up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.planner import Planner, crowded, plan
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
    """An object of the same error everywhere, one half of which, in focus, counts three times."""
    picture, mask, focus = torch.full((3, 60, 90), 0.5), torch.zeros(60, 90), torch.zeros(60, 90)
    mask[10:50, 20:80] = 1
    picture[:, mask > 0] = 1
    focus[10:50, 20:50] = 1
    problem = replace(problem_of(picture, mask[None], (0, 40), focus), weight=1 + 2 * focus)
    draft = Planner().draft(problem, rng())
    assert draft.segments == (Segment(40, 0),)
    _, columns = places(draft.strokes, 90)
    assert (columns < 50).sum() >= 26


def test_a_draft_of_the_background_leaves_the_objects_alone() -> None:
    picture, mask = torch.full((3, 60, 90), 1.0), torch.zeros(60, 90)
    mask[10:50, 45:85] = 1
    draft = Planner().draft(problem_of(picture, mask[None], (20, 0)), rng())
    assert draft.segments == (Segment(20, None),)
    assert mask[places(draft.strokes, 90)].mean() < 0.15


class TestCrowding:
    """More strokes than there are to be, of which the best are to stay."""

    def problem(self, budgets: tuple[int, ...]) -> Problem:
        """A white object and a black one, on grey."""
        picture, masks = torch.full((3, 40, 60), 0.5), torch.zeros(2, 40, 60)
        masks[0, 5:20, 5:25], masks[1, 20:38, 30:55] = 1, 1
        picture[:, 5:20, 5:25], picture[:, 20:38, 30:55] = 1, 0
        return problem_of(picture, masks, budgets)

    def test_every_part_gets_its_own_on_top_of_it(self) -> None:
        problem = self.problem((4, 5, 6))
        draft = Draft(torch.rand(7, 13), (Segment(4, None), Segment(2, 0), Segment(1, 1)), "seed", True)
        crowd = crowded(problem, draft, rng(), 2.5)
        assert crowd.segments == (Segment(10, None), Segment(12, 0), Segment(15, 1))
        background, first, second = crowd.strokes.split([10, 12, 15])
        assert torch.equal(torch.cat([background[:4], first[:2], second[:1]]), draft.strokes)
        assert (problem.masks[0][places(first[2:], 60)] == 1).all()
        assert (problem.masks[1][places(second[1:], 60)] == 1).all()
        assert (crowd.compositing, crowd.outside) == ("seed", True)

    def test_a_part_without_strokes_so_far_lies_on_those_before_it(self) -> None:
        draft = Draft(torch.rand(5, 13), (Segment(4, None), Segment(1, 1)))
        crowd = crowded(self.problem((4, 5, 1)), draft, rng(), 1.0)
        assert crowd.segments == (Segment(4, None), Segment(5, 0), Segment(1, 1))
        assert torch.equal(crowd.strokes[[0, 1, 2, 3, 9]], draft.strokes)

    def test_strokes_that_no_part_asked_for_stay(self) -> None:
        """An agent may draw more of a part than its budget has."""
        draft = Draft(torch.rand(6, 13), (Segment(5, None), Segment(1, 0)))
        crowd = crowded(self.problem((2, 2, 0)), draft, rng(), 1.5)
        assert crowd.segments == (Segment(5, None), Segment(3, 0))
        assert torch.equal(crowd.strokes[:6], draft.strokes)

    def test_what_stands_is_taken_into_account(self) -> None:
        """The object's left half is painted already: the rest goes to its right half."""
        problem = self.problem((0, 0, 5))
        done = torch.tensor(
            [[30, 24, 36, 24, 42, 24, 0, 0, 0, 0, 0, 0, 0], [30, 34, 36, 34, 42, 34] + [0.0] * 7]
        )
        done[:, :6] /= 60
        done[:, RADIUS], done[:, 8:10] = 5 / 60, 1
        crowd = crowded(problem, Draft(done, (Segment(2, 1),)), rng(), 1.0)
        assert crowd.segments == (Segment(5, 1),)
        _, columns = places(crowd.strokes[2:], 60)
        assert (columns >= 41).all()

    def test_nothing_is_left(self) -> None:
        problem = self.problem((4, 5, 6))
        draft = Draft(torch.rand(15, 13), (Segment(4, None), Segment(5, 0), Segment(6, 1)))
        crowd = crowded(problem, draft, rng(), 1.0)
        assert torch.equal(crowd.strokes, draft.strokes)
        assert crowd.segments == draft.segments

    def test_nothing_was_drafted(self) -> None:
        crowd = crowded(self.problem((3, 0, 8)), Draft(torch.empty(0, 13), ()), rng(), 2.0)
        assert crowd.segments == (Segment(6, None), Segment(16, 1))
        assert len(crowd.strokes) == 22


def test_no_strokes() -> None:
    blank = torch.zeros(3, 8, 8)
    strokes, canvas = plan(blank, blank[0], 0, blank, None, rng())
    assert len(strokes) == 0
    assert (canvas == blank).all()
