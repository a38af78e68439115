"""Which strokes stay and which are born, and in which order they are painted."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.agents.problem import Parts, on_top, parts_of, runs
from semantic_guidance.painter.population import helpful, newborn, shared_out, worth
from semantic_guidance.painter.views import segments_of
from semantic_guidance.renderer.objective import Objective, Segment

HEIGHT, WIDTH = 60, 100

part_lists = st.lists(st.integers(-1, 3), max_size=30)
sorted_parts = part_lists.map(sorted)


def array(parts: list[int]) -> Parts:
    return np.array(parts, np.intp)


class TestOrder:
    """Strokes and their parts, for any strokes."""

    @given(part_lists)
    def test_runs_are_what_they_are_made_of(self, parts: list[int]) -> None:
        found = list(runs(parts))
        assert [part for part, count in found for _ in range(count)] == parts
        assert all(count > 0 for _, count in found)
        assert all(one != other for (one, _), (other, _) in itertools.pairwise(found))

    @given(part_lists)
    def test_segments_and_parts_are_the_same_both_ways(self, parts: list[int]) -> None:
        segments = segments_of(array(parts))
        assert parts_of(segments).tolist() == parts
        assert parts_of(segments).dtype == np.intp
        assert [segment.weight for segment in segments[-1:]] == [1.0] * bool(parts)

    def test_parts_by_hand(self) -> None:
        assert parts_of((Segment(2, None), Segment(0, 2), Segment(1, 3), Segment(3, 0))).tolist() == [
            *(-1, -1, 3, 0, 0, 0)
        ]
        assert parts_of(()).shape == (0,)
        segments = segments_of(array([-1] * 50 + [0] * 50))
        assert [(each.count, each.mask, each.weight) for each in segments] == [
            (10, None, 0.03),
            (15, None, 0.03),
            (25, None, 0.03),
            (25, 0, 0.03),
            (25, 0, 1.0),
        ]

    def test_fresh_strokes_are_on_top_of_their_part_by_hand(self) -> None:
        assert on_top(array([-1, -1, 0, 1]), array([1, -1, 0, -1])).tolist() == [0, 1, 5, 7, 2, 6, 3, 4]
        # Of a new part: on those of a lower number, and below all else if there are none.
        assert on_top(array([-1, 2]), array([1, 0])).tolist() == [0, 3, 2, 1]
        assert on_top(array([1, 1]), array([-1, 0, 2])).tolist() == [2, 3, 0, 1, 4]
        assert on_top(array([]), array([1, -1, 1])).tolist() == [1, 0, 2]
        # A part that was painted in two goes: on the last one.
        assert on_top(array([0, 1, 0, 1]), array([0])).tolist() == [0, 1, 2, 4, 3]

    @given(part_lists, part_lists)
    def test_fresh_strokes_are_on_top_of_their_part(self, parts: list[int], fresh: list[int]) -> None:
        order = on_top(array(parts), array(fresh)).tolist()
        count = len(parts)
        assert sorted(order) == list(range(count + len(fresh)))  # each once
        place = {stroke: position for position, stroke in enumerate(order)}
        assert [stroke for stroke in order if stroke < count] == list(range(count))
        for part in set(fresh):
            mine = [count + n for n, each in enumerate(fresh) if each == part]
            where = [place[stroke] for stroke in mine]
            assert where == list(range(where[0], where[0] + len(mine)))  # together, and in their order
            if part in parts:
                last = max(n for n, each in enumerate(parts) if each == part)
                assert where[0] == place[last] + 1

    @given(sorted_parts, part_lists)
    def test_parts_that_are_in_order_stay_so(self, parts: list[int], fresh: list[int]) -> None:
        both = array(parts + fresh)
        assert both[on_top(array(parts), array(fresh))].tolist() == sorted(parts + fresh)


class TestHelpful:
    """Those that stay."""

    def test_by_hand(self) -> None:
        costs = np.array([3.0, 1.0, -2.0, 5.0, 0.0, 4.0], np.float32)
        parts = array([-1, -1, -1, 0, 0, 1])
        assert helpful(costs, parts, {-1: 1, 0: 1}).tolist() == [0, 3, 5]
        assert helpful(costs, parts, {-1: 2, 1: 0}).tolist() == [0, 1, 3, 4]
        assert helpful(costs, parts, {-1: 9, 0: 2}).tolist() == [0, 1, 2, 3, 4, 5]

    def test_of_those_that_help_as_much_the_later_ones_stay(self) -> None:
        stay = helpful(np.zeros(50, np.float32), np.full(50, -1), {-1: 3})
        assert stay.tolist() == [47, 48, 49]

    @given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-5, 5)), max_size=30), st.data())
    def test_the_best_of_each_part_stay(self, strokes: list[tuple[int, int]], data: st.DataObject) -> None:
        parts, costs = [part for part, _ in strokes], [cost for _, cost in strokes]
        counts = data.draw(st.dictionaries(st.integers(-1, 2), st.integers(0, 12)))
        stay = helpful(np.array(costs, np.float32), array(parts), counts).tolist()
        assert stay == sorted(set(stay))
        for part, there in Counter(parts).items():
            mine = [n for n in stay if parts[n] == part]
            assert len(mine) == min(there, counts.get(part, there))
            best = sorted((costs[n] for n in range(len(parts)) if parts[n] == part), reverse=True)
            assert sorted((costs[n] for n in mine), reverse=True) == best[: len(mine)]


def test_what_strokes_are_worth_early_counts_too() -> None:
    """By removing each: from the finished painting, and with its weight from what a tenth and 3 of 10 give.

    Half of the strokes are too many for an unfinished painting, though it has a weight.
    """
    generator = torch.Generator().manual_seed(0)
    strokes = torch.rand(10, 13, generator=generator)
    strokes[:, 6:8] = 0.1 + 0.1 * strokes[:, 6:8]
    strokes[4:, :2] = strokes[4:, 2:4] = strokes[4:, 4:6] = torch.rand(6, 2, generator=generator)
    mask, target, blank, weight = (
        torch.rand(*shape, generator=generator) for shape in ((1, 24, 32), (3, 24, 32), (3, 24, 32), (24, 32))
    )
    counts, masks, weights = (1, 2, 2, 5), (None, 0, 0, None), (0.5, 0.25, 4.0, 1.0)
    segments = tuple(map(Segment, counts, masks, weights))
    objective = Objective(segments, mask, blank, target, weight)

    def errors(painted: Tensor) -> list[float]:
        canvas, found = blank[None], []
        for stroke, shown in enumerate([None] + [mask[None]] * 4 + [None] * 5):
            one = Strokes.unpack(painted[None, stroke : stroke + 1])
            canvas = render(one, canvas, shown, 1.5)
            missed = ((canvas[0] - target) ** 2).mean(dim=0)
            found.append(float((weight * missed).sum() / weight.sum()))
        return [found[0], found[2], found[9]]

    whole, wanted, halved = errors(strokes), [], []
    for n in range(10):
        without = strokes.clone()
        without[n, 8:10] = 0
        rises = [one - other for one, other in zip(errors(without), whole, strict=True)]
        wanted.append(0.5 * rises[0] + 0.25 * rises[1] + rises[2])
        halved.append(0.25 * rises[0] + 0.125 * rises[1] + rises[2])
    assert worth(objective, strokes, 1.5).tolist() == pytest.approx(wanted, abs=1e-6)
    assert worth(objective, strokes, 1.5, unfinished=0.5).tolist() == pytest.approx(halved, abs=1e-6)
    assert max(map(abs, wanted)) > 1e-3
    assert max(abs(one - other) for one, other in zip(wanted, halved, strict=True)) > 1e-3


def task(target: Tensor, *masks: Tensor, weight: Tensor | None = None) -> Objective:
    """The picture on black."""
    return Objective(
        (Segment(1, None, 1.0),),
        torch.stack(masks) if masks else torch.empty(0, HEIGHT, WIDTH),
        torch.zeros(3, HEIGHT, WIDTH),
        target,
        torch.ones(HEIGHT, WIDTH) if weight is None else weight,
    )


def born(
    objective: Objective, births: dict[int, int], counts: dict[int, int], seed: int = 0
) -> tuple[Tensor, list[int]]:
    """Fresh strokes on an empty canvas, and their parts."""
    strokes, parts = newborn(objective, objective.blank, births, counts, np.random.default_rng(seed))
    assert strokes.shape == (len(parts), 13)
    return strokes, parts.tolist()


def middles(strokes: Tensor) -> Tensor:
    """(column, row) in pixels of each stroke's middle."""
    return (strokes[:, :2] + 2 * strokes[:, 2:4] + strokes[:, 4:6]) / 4 * WIDTH


def spots(*places: tuple[int, int]) -> Tensor:
    """White squares of 8 pixels round (column, row), on black."""
    picture = torch.zeros(3, HEIGHT, WIDTH)
    for column, row in places:
        picture[:, row - 4 : row + 4, column - 4 : column + 4] = 1
    return picture


def test_fresh_strokes_are_shared_out_by_weighted_error() -> None:
    """By hand: two spots of the same error, the object's of three times the weight."""
    mask, later = torch.zeros(2, HEIGHT, WIDTH)
    mask[:, 50:], later[30:, :50] = 1, 1
    weight = 1 + 2 * mask
    target = spots((20, 10), (80, 10))
    objective = task(target, mask, later, weight=weight)
    assert shared_out(objective, objective.blank, 40, [-1, 0, 1]) == {-1: 10, 0: 30, 1: 0}
    assert shared_out(objective, target, 5, [-1, 0, 1]) == {-1: 0, 0: 0, 1: 0}


class TestNewborn:
    """Those that are born."""

    def test_they_go_where_the_error_is(self) -> None:
        objective = task(spots((20, 10), (80, 10), (30, 48)))
        canvas = spots((20, 10), (80, 10))  # that is painted already
        strokes, parts = newborn(objective, canvas, {-1: 1}, {-1: 3}, np.random.default_rng(0))
        assert parts.tolist() == [-1]
        assert (middles(strokes) - torch.tensor([30, 48])).abs().max() < 3
        assert torch.allclose(strokes[:, 10:], torch.ones(1, 3), atol=0.2)

    def test_as_many_as_are_to_be(self) -> None:
        mask = torch.ones(HEIGHT, WIDTH)
        strokes, parts = born(task(spots((20, 40)), mask, mask), {-1: 2, 0: 0, 1: 3}, {-1: 40, 0: 40, 1: 40})
        assert parts == [-1] * 2 + [1] * 3
        strokes, parts = born(task(spots((20, 40))), {-1: 0}, {-1: 40})
        assert len(strokes) == 0

    @pytest.mark.parametrize(("count", "radius"), [(12, 0.35 * 10), (300, 1.0), (3, 5.0)])
    def test_they_are_as_wide_as_their_share_of_the_area(self, count: int, radius: float) -> None:
        """0.35 times the root of the pixels for each stroke, at least a pixel, at most a twentieth."""
        target = torch.zeros(3, HEIGHT, WIDTH)
        target[:, 10:40, 20:60] = 1  # 1,200 pixels
        strokes, _ = born(task(target), {-1: 2}, {-1: count})
        assert strokes[:, 6:8].unique().tolist() == pytest.approx([radius / WIDTH], rel=0.01)

    def test_they_keep_apart(self) -> None:
        """A radius and a half, 5.75 pixels; each lowers the error near it as if it were painted."""
        target = torch.zeros(3, HEIGHT, WIDTH)
        target[:, 10:40, 20:60] = 1
        strokes, _ = born(task(target), {-1: 20}, {-1: 10})
        assert torch.pdist(middles(strokes)).min() > 4

    def test_they_have_the_colour_of_a_wide_place(self) -> None:
        """Of stripes 4 pixels wide, grey."""
        target = torch.zeros(3, HEIGHT, WIDTH)
        target[:, 10:40, 20:60] = (torch.arange(40) // 4 % 2).float()
        strokes, _ = born(task(target), {-1: 4}, {-1: 4})
        assert (strokes[:, 10] - 0.5).abs().max() < 0.25

    def test_they_stay_in_their_part(self) -> None:
        """Each object's goes to its own error, though the other's is greater."""
        left, right = torch.zeros(HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH)
        left[:, :40], right[:, 60:] = 1, 1
        objective = task(spots((20, 40)) + 0.7 * spots((80, 40)), left, right)
        strokes, parts = born(objective, {0: 1, 1: 1}, {0: 2, 1: 2})
        assert parts == [0, 1]
        assert (middles(strokes) - torch.tensor([[20, 40], [80, 40]])).abs().max() < 3

    def test_what_a_later_part_hides_is_out_of_reach(self) -> None:
        """The greater error lies under the object, which is painted later: the background's leaves it."""
        mask = torch.zeros(HEIGHT, WIDTH)
        mask[:, 50:] = 1
        target = spots((75, 40), (85, 40), (80, 48), (70, 10)) + 0.7 * spots((20, 40))
        strokes, _ = born(task(target, mask), {-1: 1}, {-1: 4})
        assert (middles(strokes) - torch.tensor([20, 40])).abs().max() < 3

    def test_the_error_counts_by_its_weight(self) -> None:
        for here, there in (((20, 40), (80, 40)), ((80, 40), (20, 40))):
            weight = torch.full((HEIGHT, WIDTH), 0.2)
            weight[:, here[0] - 15 : here[0] + 15] = 1
            strokes, _ = born(task(spots(here, there), weight=weight), {-1: 1}, {-1: 2})
            assert (middles(strokes) - torch.tensor(here)).abs().max() < 3

    def test_a_part_in_a_corner_is_seen_as_it_is_in_the_whole(self) -> None:
        """Only its surroundings are looked at; places are those of the picture, at its far corner too."""
        mask = torch.zeros(HEIGHT, WIDTH)
        mask[50:, 88:] = 1
        target = torch.zeros(3, HEIGHT, WIDTH)
        target[:, 50:, 92:94] = 1  # an upright bar
        strokes, _ = born(task(target, mask), {0: 1}, {0: 9})
        assert (middles(strokes)[0, 0] - 93).abs() < 1
        assert 50 < middles(strokes)[0, 1] < 60
        across = (strokes[0, 4:6] - strokes[0, :2]).abs()
        assert across[1] > 3 * across[0]

    def test_where_there_is_no_error_any_place_will_do(self) -> None:
        strokes, _ = born(task(torch.zeros(3, HEIGHT, WIDTH)), {-1: 3}, {-1: 3})
        assert bool(strokes.isfinite().all())
