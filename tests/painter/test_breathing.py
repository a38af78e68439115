"""Which strokes there are while they are refined, on toy problems."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.problem import Parts
from semantic_guidance.painter import refine
from semantic_guidance.painter.presets import RefineConfig
from tests.ladders import still
from tests.toys import (
    Toy,
    paint,
    refiner_of,
    toy_refiner,
    trace,
)


def ranked(count: int) -> Tensor:
    """Strokes that differ, of which each is worth more than the one before it."""
    start = torch.rand(count, 13, generator=torch.Generator().manual_seed(0))
    start[:, 6:8] = 0.1 + 0.1 * start[:, 6:8]
    start[:, 12] = torch.linspace(0.4, 0.6, count)
    return start


class TestBreathing:
    """Which strokes there are, on toy problems."""

    def test_every_part_has_as_many_strokes_as_its_crowd(self) -> None:
        """By hand, of ten and of six: 5 times, 3.344, 2.236, 1.495 and 1; then 1.5, 1.225 and 1."""
        config = RefineConfig(steps=100, breaths=1, breathing=(0.4, 0.8), prunes=2)
        parts = np.repeat([-1, 0], [50, 30])
        toy = Toy(torch.ones_like)
        refiner = toy_refiner(torch.rand(80, 13), toy, config, parts=parts, counts={-1: 10, 0: 6})
        found = [(50, 30)]

        def tell(share: float) -> None:
            assert len(refiner.vectors) == len(refiner.parts)
            assert refiner.parts.tolist() == sorted(refiner.parts)
            found.append(tuple(int((refiner.parts == part).sum()) for part in (-1, 0)))  # type: ignore[arg-type]

        refiner.run(tell)
        wanted = [(50, 30)] * 5 + [(33, 20)] * 5 + [(22, 13)] * 5 + [(15, 9)] * 5 + [(10, 6)] * 20
        wanted += [(15, 9)] * 17 + [(12, 7)] * 17 + [(10, 6)] * 26
        assert found[1:] == wanted
        # Gradients are those of the strokes that there are.
        assert toy.parts[-1] == [-1] * 10 + [0] * 6

    def test_if_parts_are_not_bound_strokes_go_where_the_error_is(self) -> None:
        """Three quarters of it are in part 0, the right two fifths, whose strokes are worth more."""
        toy = Toy(torch.zeros_like, lambda strokes: strokes[:, 12])
        toy.error = torch.full((40, 100), 1 / 6)
        toy.error[:, 60:] = 3 / 4
        start = ranked(20)
        parts = np.repeat([-1, 0], [10, 10])
        start[:, 12] = torch.cat([torch.linspace(0.1, 0.6, 10), torch.linspace(0.52, 0.9, 10)])
        config = replace(still(20), breaths=1, breathing=(0.5, 0.9), growth=1.4, prunes=1)
        refiner = toy_refiner(start, toy, config, parts=parts, bound=False)
        counts: list[tuple[int, ...]] = []
        refiner.run(
            lambda share: counts.append(tuple(int((refiner.parts == part).sum()) for part in (-1, 0)))
        )
        assert counts[9] == (10, 10)
        assert counts[10] == (12, 16)  # 8 of which are born: 0.1 of 0.4 in the background, 0.3 in part 0
        assert sum(counts[-1]) == 20
        assert counts[-1][1] > 10

    def test_the_strokes_that_help_least_are_dropped_a_third_at_a_time(self) -> None:
        """What each is worth is asked anew: the twin of a dropped one is worth more, and stays."""
        start = ranked(9)
        asked: list[int] = []

        def worth(strokes: Tensor) -> Tensor:
            asked.append(len(strokes))
            lone = (strokes[:, :1] == start[0, :1]).sum() == 1
            values = strokes[:, 12].clone()
            return values if not lone else torch.where(strokes[:, 0] == start[0, 0], 1.0, values)

        start[1] = start[0]
        toy = Toy(torch.zeros_like, worth)
        found = toy_refiner(start, toy, still(3, surplus_until=0.0), counts={-1: 6}).run()
        assert asked == [9, 8, 7]
        assert torch.equal(found, start[[1, 4, 5, 6, 7, 8]])

    def test_momentum_stays_with_its_stroke(self) -> None:
        """Others that are dropped at the fifth of 30 steps, or born at the tenth, change nothing for it."""
        start = ranked(8)

        def bowl(at: Tensor) -> Tensor:
            slope = at - 0.3
            slope[:, 12] = 0  # so that the order of their worth stays
            return slope

        config = replace(still(30), surplus=2.0, surplus_until=1 / 6, surplus_prunes=1)
        alone = toy_refiner(start, Toy(bowl), still(30)).run()
        fewer = toy_refiner(start, Toy(bowl), config, counts={-1: 4}).run()
        assert torch.equal(fewer, alone[4:])
        config = replace(still(30), breaths=1, breathing=(1 / 3, 1.0), prunes=1)
        alone, more = (trace(toy_refiner(start, Toy(bowl), each)) for each in (still(30), config))
        assert [len(strokes) for strokes in more] == [8] * 11 + [12] * 17 + [8] * 3
        for before, after in zip(alone[11:28], more[11:28], strict=True):
            assert torch.equal(after[:8], before)

    def test_a_newborn_stroke_starts_afresh_on_top_of_its_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It goes downhill at once, by the rate of its age, whatever the momentum of the others is."""
        born: list[tuple[Any, ...]] = []

        def newborn(
            objective: Toy, canvas: Tensor, births: dict[int, int], counts: dict[int, int], rng: Any
        ) -> tuple[Tensor, Parts]:
            born.append((births, counts))
            return torch.full((2, 13), 0.2), np.array([-1, 0])

        monkeypatch.setattr(refine, "newborn", newborn)
        # The others climb: where a stroke is at 0.2, the slope is the other way.
        toy = Toy(lambda at: torch.where(at < 0.3, 1.0, -1.0))
        start = torch.full((4, 13), 0.6)
        start[:, 6:8] = 0.29
        config = replace(still(100), breaths=1, breathing=(0.8, 1.0), position_rate=0.01)
        parts, counts = np.array([-1, -1, 0, 0]), {-1: 2, 0: 2}
        refiner = toy_refiner(start, toy, config, parts=parts, counts=counts)
        path: list[Tensor] = []
        ages: list[list[float]] = []

        def tell(share: float) -> None:
            path.append(refiner.vectors.clone())
            ages.append(refiner.age[:, 0].tolist())

        refiner.run(tell)
        assert born[0] == ({-1: 1, 0: 1}, counts)
        assert ages[80] == [81, 81, 1, 81, 81, 1]
        # The first step is at 0.6 (1 - 1/40), the others' at 1 - 0.9 (0.8 - 0.2) / 0.8.
        moved = path[80][:, 0] - torch.cat([path[79][:2, 0], torch.tensor([0.2])] * 2)
        assert (path[79][0] == path[79][2]).all()
        wanted = torch.tensor([0.325, 0.325, -0.585] * 2) * 0.01 * 0.05
        assert torch.allclose(moved, wanted, rtol=1e-3)

    def test_strokes_are_born_in_units_of_the_picture(self) -> None:
        """Where the error is seen, at (32, 22) of 100 pixels, though a view has it a quarter as large."""
        toy = Toy(torch.zeros_like)
        toy.scale, toy.error = torch.full((13,), 4.0), torch.zeros(40, 100)
        toy.error[20:24, 30:34] = 1
        refiner = toy_refiner(torch.zeros(8, 13), toy, still(1))
        refiner._grow({-1: 1})
        start, control, end = refiner.vectors[8:, :6].unflatten(1, (3, 2)).unbind(1)
        middle = (start + 2 * control + end) / 4 * 4 * 100
        assert (middle - torch.tensor([32, 22])).abs().max() < 2

    def test_strokes_are_born_where_those_that_there_are_leave_an_error(self) -> None:
        left = torch.tensor([[0.25, 0.5] * 3 + [0.1, 0.1, 1, 1, 1, 1, 1]])
        right = torch.tensor([[0.75, 0.5] * 3 + [0.05, 0.05, 1, 1, 0, 0, 0]])
        refiner = refiner_of(left, paint(torch.cat([left, right])), still(1), spacing=8)
        refiner._grow({-1: 1})
        middle = (refiner.vectors[1, :2] + 2 * refiner.vectors[1, 2:4] + refiner.vectors[1, 4:6]) / 4
        assert (middle - torch.tensor([0.75, 0.5])).abs().max() < 0.05

    def test_strokes_are_judged_as_a_view_has_them(self) -> None:
        seen = []
        toy = Toy(torch.zeros_like, lambda strokes: seen.append(strokes) or strokes[:, 12])  # type: ignore[func-returns-value]
        toy.seen = lambda strokes: 4 * strokes  # type: ignore[method-assign]
        start = ranked(6)
        toy_refiner(start, toy, still(1), counts={-1: 5}).run()
        assert torch.equal(seen[0], 4 * start)
