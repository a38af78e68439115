"""Which strokes are moved, and where to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.problem import paint
from semantic_guidance.painter.relocate import Move, masks_of, relocate
from semantic_guidance.renderer.objective import Objective, Segment

HEIGHT, WIDTH = 60, 100


def dots(*places: tuple[float, float], radius: float = 0.04, grey: float = 1.0) -> Tensor:
    """Packed opaque dots at (column, row) in pixels."""
    at = torch.tensor([[column, row] * 3 for column, row in places]) / WIDTH
    return torch.cat([at, torch.tensor([[radius] * 2 + [1.0] * 2 + [grey] * 3]).expand(len(at), 7)], dim=1)


def task(
    target: Tensor, segments: tuple[Segment, ...], *masks: Tensor, weight: Tensor | None = None
) -> Objective:
    """The picture on black."""
    return Objective(
        segments,
        torch.stack(masks) if masks else torch.empty(0, HEIGHT, WIDTH),
        torch.zeros(3, HEIGHT, WIDTH),
        target,
        torch.ones(HEIGHT, WIDTH) if weight is None else weight,
    )


def moves(
    strokes: Tensor, objective: Objective, parts: tuple[Segment, ...], share: float = 0.5
) -> list[Move]:
    return list(relocate(strokes, objective, parts, 1.0, share, np.random.default_rng(0)))


def middles(strokes: Tensor) -> Tensor:
    """(column, row) in pixels of each stroke's middle."""
    return (strokes[:, :2] + 2 * strokes[:, 2:4] + strokes[:, 4:6]) / 4 * WIDTH


def spots(*places: tuple[int, int]) -> Tensor:
    """White squares of 8 pixels round (column, row), on black."""
    picture = torch.zeros(3, HEIGHT, WIDTH)
    for column, row in places:
        picture[:, row - 4 : row + 4, column - 4 : column + 4] = 1
    return picture


def test_masks_of_strokes() -> None:
    assert masks_of((Segment(2, None), Segment(1, 3), Segment(3, 0))).tolist() == [-1, -1, 3, 0, 0, 0]


def test_the_useless_stroke_goes_to_the_error_and_to_the_end_of_its_part() -> None:
    """Three dots, the second of which paints what is black; nothing is painted where the third spot is."""
    parts = (Segment(3, None, 1.0),)
    strokes = dots((20, 10), (50, 40), (80, 10))
    (move,) = moves(strokes, task(spots((20, 10), (80, 10), (30, 48)), parts), parts)
    assert move.slots.tolist() == [0, 1, 2]
    assert move.kept.tolist() == [0, 2]
    assert (middles(move.fresh) - torch.tensor([30, 48])).abs().max() < 3
    assert move.fresh.shape == (1, 13)


def test_nothing_is_moved_where_nothing_is_won() -> None:
    """Each stroke is worth more than a third one would be at what little is missing."""
    parts = (Segment(2, None, 1.0),)
    target = spots((20, 10), (80, 10))
    target[:, 40, 50] = 0.5
    assert moves(dots((20, 10), (80, 10)), task(target, parts), parts) == []


@pytest.mark.parametrize(("grey", "moved"), [(0.3, True), (0.7, False)])
def test_a_stroke_is_moved_where_two_fifths_of_the_error_are_worth_more(grey: float, moved: bool) -> None:
    """A grey dot of 50 pixels against 25 pixels of error 1 that a fresh one reaches: 50 grey^2 and 10."""
    parts = (Segment(2, None, 1.0),)
    strokes = torch.cat([dots((20, 10)), dots((50, 40), grey=grey)])
    target = paint(torch.cat([strokes, dots((80, 40))]), torch.zeros(3, HEIGHT, WIDTH), None, "auto")
    assert bool(moves(strokes, task(target, parts), parts)) == moved


@pytest.mark.parametrize(("share", "count"), [(0.3, 3), (0.05, 0), (0.59, 5)])
def test_at_most_a_share_is_moved(share: float, count: int) -> None:
    parts = (Segment(10, None, 1.0),)
    useless = dots(*((10 + 9 * n, 55) for n in range(10)), radius=0.01)
    target = torch.ones(3, HEIGHT, WIDTH)
    target[:, 50:] = 0
    found = moves(useless, task(target, parts), parts, share)
    assert sum(len(move.fresh) for move in found) == count


def test_fresh_strokes_are_as_wide_as_their_share_of_the_area() -> None:
    """0.35 times the root of the pixels for each stroke, at least a pixel, at most a twentieth."""
    target = torch.zeros(3, HEIGHT, WIDTH)
    target[:, 10:40, 20:60] = 1  # 1,200 pixels
    for count, radius in ((12, 0.35 * 10), (300, 1.0), (3, 5.0)):
        parts = (Segment(count, None, 1.0),)
        useless = dots(*[(90.0, 50.0)] * count, radius=0.001, grey=0.0)
        (move,) = moves(useless, task(target, parts), parts)
        assert move.fresh[:, 6:8].unique().tolist() == pytest.approx([radius / WIDTH], rel=0.01)


def test_fresh_strokes_keep_apart_and_have_the_colour_of_a_wide_place() -> None:
    """20 on 1,200 pixels of stripes 4 pixels wide: grey, as wide ones see them."""
    target = torch.zeros(3, HEIGHT, WIDTH)
    target[:, 10:40, 20:60] = (torch.arange(40) // 4 % 2).float()
    parts = (Segment(4, None, 1.0),)
    (move,) = moves(dots(*[(90.0, 50.0)] * 4, radius=0.001, grey=0.0), task(target, parts), parts, 1.0)
    assert (move.fresh[:, 10] - 0.5).abs().max() < 0.25
    target[:, 10:40, 20:60] = 1
    parts = (Segment(40, None, 1.0),)
    (move,) = moves(dots(*[(90.0, 50.0)] * 40, radius=0.001, grey=0.0), task(target, parts), parts)
    assert torch.pdist(middles(move.fresh)).min() > 4


def test_strokes_stay_in_their_part() -> None:
    """Each object's useless stroke goes to its own error, though the other's is greater."""
    left, right = torch.zeros(HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH)
    left[:, :40], right[:, 60:] = 1, 1
    parts = (Segment(2, 0), Segment(2, 1, 1.0))
    strokes = dots((10, 10), (10, 10), (90, 10), (90, 10), grey=0.0)
    objective = task(spots((20, 40)) + 0.7 * spots((80, 40)), parts, left, right)
    first, second = moves(strokes, objective, parts)
    assert (first.slots.tolist(), second.slots.tolist()) == ([0, 1], [2, 3])
    assert (middles(first.fresh) - torch.tensor([20, 40])).abs().max() < 3
    assert (middles(second.fresh) - torch.tensor([80, 40])).abs().max() < 3


def test_what_a_later_part_hides_is_out_of_reach() -> None:
    """The greater error lies under the object, which is painted later: the background's stroke leaves it."""
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[:, 50:] = 1
    parts = (Segment(2, None), Segment(1, 0, 1.0))
    strokes = torch.cat([dots((10, 10), (10, 10), grey=0.0), dots((70, 10))])
    target = spots((75, 40), (85, 40), (80, 48), (70, 10)) + 0.7 * spots((20, 40))
    (move, *_) = moves(strokes, task(target, parts, mask), parts)
    assert move.slots.tolist() == [0, 1]
    assert (middles(move.fresh) - torch.tensor([20, 40])).abs().max() < 3


def test_the_error_counts_by_its_weight() -> None:
    parts = (Segment(2, None, 1.0),)
    for here, there in (((20, 40), (80, 40)), ((80, 40), (20, 40))):
        weight = torch.full((HEIGHT, WIDTH), 0.2)
        weight[:, here[0] - 15 : here[0] + 15] = 1
        objective = task(spots(here, there), parts, weight=weight)
        (move,) = moves(dots((50, 10), (50, 10), grey=0.0), objective, parts)
        assert (middles(move.fresh) - torch.tensor(here)).abs().max() < 3
