from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.agents.problem import Parts, Problem, parts_of
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.painter import refine
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painter.views import Ladder
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.backends.cpu.pool import POOL
from semantic_guidance.renderer.backends.cpu.threads import renderer_threads
from semantic_guidance.renderer.objective import Segment, ZoomedObjective
from tests.ladders import PLACE, counts_of, ladder_of, still

STILL = still(150)


def ground(count: int) -> Parts:
    """Strokes of the background."""
    return np.full(count, -1)


def paint(vectors: Tensor, size: int = 64) -> Tensor:
    return render(Strokes.unpack(vectors[None]), torch.full((1, 3, size, size), 0.5))[0]


def problem_for(target: Tensor, **changes: Any) -> Problem:
    """The picture at its own size, on grey."""
    height, width = target.shape[-2:]
    problem = Problem.of(target, Guidance.none(height, width), math.sqrt(height * width), 1, 0.0)
    return replace(problem, ground=(0.5, 0.5, 0.5), **changes)


def refiner_of(
    strokes: Tensor,
    target: Tensor,
    config: RefineConfig,
    spacing: float = 3.0,
    counts: Mapping[int, int] | None = None,
    seed: int = 0,
    tools: Tools | None = None,
    **changes: Any,
) -> Refiner:
    """Of strokes of the background, all of which are wanted."""
    parts = ground(len(strokes))
    ladder = ladder_of(problem_for(target, **changes), spacing)
    return Refiner(strokes, parts, counts or counts_of(parts), ladder, config, seed, tools)


def error(vectors: Tensor, target: Tensor) -> float:
    return float(((paint(vectors, target.shape[-1]) - target) ** 2).mean())


KNOWN = torch.tensor([[0.2, 0.3, 0.5, 0.2, 0.8, 0.5, 0.08, 0.05, 1.0, 0.8, 0.9, 0.2, 0.1]])


def test_a_stroke_finds_the_stroke_that_was_painted() -> None:
    """A toy problem with a known optimum."""
    start = KNOWN + torch.tensor([[0.04] * 6 + [0.02, 0.02, -0.3, -0.2, -0.3, 0.3, 0.3]])
    target = paint(KNOWN)
    found = refiner_of(start, target, STILL).run()
    assert error(found, target) < error(start, target) / 1000
    assert torch.allclose(found[:, :8], KNOWN[:, :8], atol=0.01)
    assert torch.allclose(found[:, 10:], KNOWN[:, 10:], atol=0.05)


def test_a_hidden_stroke_is_dropped_and_one_is_born_where_the_error_is() -> None:
    spot = torch.tensor([[0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.07, 0.07, 1, 1, 0.0, 0.0, 1.0]])
    hidden = torch.tensor([[0.3, 0.3, 0.35, 0.3, 0.4, 0.3, 0.02, 0.02, 1, 1, 0.0, 1.0, 0.0]])
    target = paint(torch.cat([KNOWN, spot]))
    start = torch.cat([hidden, KNOWN])
    breath = replace(STILL, steps=100, breaths=1, breathing=(0.1, 0.5))
    found = refiner_of(start, target, breath).run()
    stuck = refiner_of(start, target, replace(breath, breaths=0)).run()
    assert error(found, target) < 0.1 * error(stuck, target)
    assert torch.allclose(found[0, 10:], KNOWN[0, 10:], atol=0.1)  # the one that was born is on top
    assert (found[1, :6] - 0.85).abs().max() < 0.15
    assert torch.allclose(found[1, 10:], spot[0, 10:], atol=0.1)


def test_weight_decides_where_the_error_is_left() -> None:
    """One stroke, two spots: it goes where the weight is."""
    left = torch.tensor([[0.25, 0.5] * 3 + [0.1, 0.1, 1, 1, 1, 1, 1]])
    right = torch.tensor([[0.75, 0.5] * 3 + [0.1, 0.1, 1, 1, 0, 0, 0]])
    target = paint(torch.cat([left, right]))
    start = torch.tensor([[0.5, 0.5] * 3 + [0.2, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5]])
    for side, spot in ((slice(0, 32), left), (slice(32, 64), right)):
        weight = torch.full((64, 64), 0.01)
        weight[:, side] = 1
        config = replace(STILL, softness=(8.0 / 3, 1.0))
        found = refiner_of(start, target, config, weight=weight).run()
        assert abs(paint(found)[0, :, side] - paint(spot)[0, :, side]).mean() < 0.03


def noise(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Small strokes anywhere, and a picture ``[3, 48, 48]``."""
    vectors = torch.rand(count, 13, generator=torch.Generator().manual_seed(seed))
    vectors[:, 6:8] *= 0.1
    return vectors, torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(seed + 1))


def test_the_same_seed_gives_the_same_strokes() -> None:
    vectors, target = noise(40)
    config, counts = RefineConfig(steps=30), {-1: 8}
    found = [refiner_of(vectors, target, config, counts=counts, seed=seed).run() for seed in (7, 7, 8)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.usefixtures("two_threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    vectors, target = noise(200)
    found = []
    for threads in (2, 1):
        with renderer_threads(threads):
            assert POOL.count == threads
            found.append(refiner_of(vectors, target, RefineConfig(steps=20), counts={-1: 40}).run())
    assert torch.equal(*found)


def test_no_strokes() -> None:
    assert refiner_of(torch.zeros(0, 13), torch.zeros(3, 16, 16), STILL).run().shape == (0, 13)


class Toy:
    """A view with one term: a function of the packed strokes themselves; nothing is painted.

    Args:
        slope: its gradient.
        worth: of each stroke ``[N]``; the number is what it costs to remove it.
        size: of the view.
    """

    def __init__(
        self,
        slope: Callable[[Tensor], Tensor],
        worth: Callable[[Tensor], Tensor] = lambda strokes: strokes[:, 12],
        size: int = 100,
    ) -> None:
        self.slope, self.worth, self.size = slope, worth, size
        self.softness: list[float] = []
        self.parts: list[list[int]] = []
        self.segments: tuple[Segment, ...] = ()
        self.close: dict[int, float] = {}
        self.place, self.objective, self.scale = PLACE, self, torch.ones(13)
        self.target, self.masks = torch.rand(3, 40, 100), torch.zeros(1, 40, 100)
        self.masks[:, :, 60:], self.error = 1, torch.ones(40, 100)

    def closeness(self, counts: Mapping[int, int]) -> dict[int, float]:
        return {part: self.close.get(part, 1.0) for part in counts}

    def terms(self, parts: Parts, unfinished: float = 1.0) -> list[Any]:
        self.parts.append(parts.tolist())
        return [self]

    def seen(self, strokes: Tensor) -> Tensor:
        return strokes

    def gradient(self, strokes: Tensor, softness: float) -> tuple[float, Tensor]:
        self.softness.append(softness)
        return 0.0, self.slope(strokes)

    def removal_costs(self, strokes: Tensor, softness: float) -> tuple[Tensor, Tensor]:
        return self.worth(strokes), self.target

    def painted(self, strokes: Tensor) -> Tensor:
        return self.target

    def error_map(self, canvas: Tensor) -> Tensor:
        return self.error


SPACING = 5.0
"""Of toys, in pixels."""


def toy_refiner(start: Tensor, toy: Toy, config: RefineConfig, **changes: Any) -> Refiner:
    """Of strokes of the background, in one view."""
    parts = changes.get("parts", ground(len(start)))
    settings = {"parts": parts, "counts": counts_of(parts), **changes}
    ladder = Ladder([(0.0, lambda: toy)], 100, settings.pop("spacing", SPACING))  # type: ignore[list-item, return-value]
    return Refiner(start, ladder=ladder, config=config, **settings)


def trace(refiner: Refiner) -> list[Tensor]:
    """The strokes ``[N, 13]`` before the first step and after each."""
    vectors = [refiner.vectors.clone()]
    refiner.run(lambda share: vectors.append(refiner.vectors.clone()))
    return vectors


RATES = torch.tensor([0.117 * 0.05] * 6 + [0.12 * 0.05] * 2 + [0.096] * 2 + [0.024] * 3)
"""By default, where strokes are a twentieth of the longer side apart."""

HALF = torch.full((8, 13), 0.5)
HALF[:, 6:8] = 0.15


class TestDescent:
    """The steps themselves, on toy problems."""

    def test_steps_follow_the_rates(self) -> None:
        """Downhill at a constant slope Adam goes by just the rate: 1, 0.6625 at half time, 0.1225 at last."""
        config = still(50, position_rate=0.02, opacity_rate=0.01, radius_rate=0.06, color_rate=0.02)
        start = torch.full((8, 13), 0.9)
        start[:, 6:8] = 0.25
        moved = -torch.stack(trace(toy_refiner(start, Toy(torch.ones_like), config))).diff(dim=0)
        rates = torch.tensor([0.001] * 6 + [0.003] * 2 + [0.01] * 2 + [0.02] * 3)
        assert torch.allclose(moved[0], rates.expand(8, 13), rtol=1e-3)
        assert torch.allclose(moved[10], rates.expand(8, 13), rtol=1e-3)
        assert torch.allclose(moved[25], 0.6625 * rates.expand(8, 13), rtol=1e-3)
        assert torch.allclose(moved[-1], 0.1225 * rates.expand(8, 13), rtol=2e-3)

    def test_more_strokes_take_shorter_steps(self) -> None:
        """Positions and radii by the spacing, opacities and colours as ever."""
        for spacing, factor in ((5.0, 1.0), (1.25, 0.25)):
            start, after = trace(toy_refiner(HALF, Toy(torch.ones_like), still(1), spacing=spacing))
            wanted = RATES * torch.tensor([factor] * 8 + [1.0] * 5)
            assert torch.allclose(start - after, wanted.expand(8, 13), rtol=1e-3)

    def test_strokes_of_a_part_that_is_painted_closely_take_shorter_steps(self) -> None:
        """Of positions and radii, by its own spacing; so do those that are born in it."""
        toy = Toy(torch.ones_like)
        toy.close = {0: 0.25}
        parts = np.repeat([-1, 0], [3, 5])
        config = still(100)
        start, after, *_ = trace(toy_refiner(HALF, toy, config, parts=parts))
        wanted = RATES * torch.tensor([[1.0] * 13] * 3 + [[0.25] * 8 + [1.0] * 5] * 5)
        assert torch.allclose(start - after, wanted, rtol=1e-3)
        refiner = toy_refiner(HALF, toy, config, parts=parts)
        refiner._grow({-1: 1, 0: 2})
        before = refiner.vectors.clone()
        refiner.descend(0, [torch.ones(11, 13)])
        moved = (before - refiner.vectors)[:, 0] / RATES[0]
        assert moved.tolist() == pytest.approx([1] * 4 + [0.25] * 7, rel=1e-2)

    def test_views_and_softness_follow_their_shares(self) -> None:
        """Edges in pixels of what is seen: 16 to 1 of the largest view, and no sharper than 0.7."""
        toys = {size: Toy(torch.ones_like, size=size) for size in (25, 50, 100)}
        shares = {25: 0.0, 50: 0.3, 100: 0.5}
        made: list[tuple[int, int]] = []

        def view(size: int) -> Toy:
            made.append((size, sum(len(toy.softness) for toy in toys.values())))
            return toys[size]

        ladder = Ladder(
            [(share, lambda size=size: view(size)) for size, share in shares.items()],  # type: ignore[misc]
            100,
            16 / 0.41,
        )
        Refiner(HALF, ground(8), {-1: 8}, ladder, still(10)).run()
        assert made == [(25, 0), (50, 3), (100, 5)]  # not before they are wanted
        assert toys[25].softness == pytest.approx([4, 4 * 16**-0.1, 4 * 16**-0.2])
        assert toys[50].softness == pytest.approx([8 * 16**-0.3, 8 * 16**-0.4])
        assert toys[100].softness == pytest.approx([16**share for share in (0.5, 0.4, 0.3, 0.2, 0.1)])
        blurred = Toy(torch.ones_like, size=25)
        Refiner(HALF, ground(8), {-1: 8}, replace(ladder, views=[(0.0, lambda: blurred)]), still(10)).run()  # type: ignore[arg-type, list-item, return-value]
        assert blurred.softness[:7] == pytest.approx([4 * 16 ** (-0.1 * step) for step in range(7)])
        assert blurred.softness[7:] == [0.7] * 3

    def test_it_is_adam(self) -> None:
        """The plain twin is torch's, on a bowl that is steeper for some numbers than for others."""
        bowl = torch.rand(8, 13, generator=torch.Generator().manual_seed(0)) + 0.1
        goal = 0.5 + 0.3 * torch.rand(8, 13, generator=torch.Generator().manual_seed(1))
        goal[:, 6:8] *= 0.3
        found = trace(toy_refiner(HALF, Toy(lambda at: bowl * (at - goal)), still(60)))
        columns = [column.clone().requires_grad_() for column in HALF.T]
        groups = [
            {"params": [column], "lr": float(rate)} for column, rate in zip(columns, RATES, strict=True)
        ]
        adam = torch.optim.Adam(groups, betas=(0.8, 0.99), eps=1e-12)
        falling = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: min(1, 1 - 0.9 * (step - 12) / 48))
        for step in range(60):
            for column, steep, wanted in zip(columns, bowl.T, goal.T, strict=True):
                column.grad = steep * (column.detach() - wanted)
            adam.step()
            falling.step()
            twin = torch.stack([column.detach() for column in columns], dim=1)
            assert torch.allclose(found[step + 1], twin, atol=2e-5)

    @pytest.mark.parametrize(("spacing", "least"), [(5.0, 0.004), (40.0, 0.0116)])
    @pytest.mark.parametrize("downhill", [1.0, -1.0])
    def test_strokes_stay_within_the_bounds(self, downhill: float, spacing: float, least: float) -> None:
        """Radii of at least 0.029 spacings and 0.4 pixels."""
        config = still(40, position_rate=20, radius_rate=20, opacity_rate=1, color_rate=1)
        toy = Toy(lambda at: downhill * torch.ones_like(at))
        found = toy_refiner(HALF, toy, config, spacing=spacing).run()
        low = torch.tensor([-0.25] * 6 + [least] * 2 + [0.05] * 2 + [0.0] * 3)
        high = torch.tensor([1.25] * 6 + [0.3] * 2 + [1.0] * 5)
        assert torch.allclose(found, (low if downhill > 0 else high).expand(8, 13))

    def test_objectives_of_a_view_are_added(self) -> None:
        """Where a part of the picture pulls harder, and the other way, it wins."""
        seen = []

        def part(at: Tensor) -> Tensor:
            seen.append(at.clone())
            return -torch.ones_like(at)

        scale, shift = torch.full((13,), 3.0), torch.full((13,), 0.25)
        for factor, sign in ((0.5, 1.0), (0.2, -1.0)):  # 3 times 0.5 is above 1, 3 times 0.2 is not
            zoom = ZoomedObjective(Toy(part), scale, shift, factor)  # type: ignore[arg-type]
            toy = Toy(torch.ones_like)
            toy.terms = lambda parts, unfinished, toy=toy, zoom=zoom: [toy, zoom]  # type: ignore[method-assign, misc]
            found = toy_refiner(HALF, toy, still(1)).run()
            assert torch.equal((found - HALF).sign(), torch.full((8, 13), sign))
            assert torch.allclose(seen[-1], 3 * HALF + 0.25)


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


class TestTools:
    """Strokes for palettes and brushes."""

    def tools(self, **changes: Any) -> Tools:
        return replace(Tools(None, None, 0.0, 1.0, False), **changes)

    def test_the_wanted_colour_of_an_opaque_stroke_is_the_mean_below_it(self) -> None:
        """Whatever colour it has, and whatever lies below it."""
        target = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
        dot = torch.tensor([[0.3, 0.4] * 3 + [0.1, 0.1, 1, 1, 0.9, 0.1, 0.6]])
        other = torch.tensor([[0.8, 0.8] * 3 + [0.1, 0.1, 1, 1, 0.0, 0.0, 1.0]])
        cover = 2 * (paint(torch.cat([dot[:, :10], torch.ones(1, 3)], dim=1)) - 0.5)[0]
        wanted = [float((cover**2 * plane).sum() / (cover**2).sum()) for plane in target]
        strokes = torch.cat([dot, other])
        refiner = refiner_of(strokes, target, STILL, tools=self.tools(colors=torch.eye(3)))
        # A half-covered pixel's error has its best colour elsewhere: an edge of a pixel round a dot of six.
        assert refiner._wanted_colors(1.0)[0].tolist() == pytest.approx(wanted, abs=0.05)
        assert float((refiner._wanted_colors(1.0)[0] - dot[0, 10:]).abs().max()) > 0.3

    def test_colours_and_brushes_are_free_at_first_and_then_taken_from_what_there_is(self) -> None:
        steps = 20
        palette, radii = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), torch.tensor([0.05, 0.1])
        target = torch.full((3, 64, 64), 0.9)
        start = torch.tensor([[0.3, 0.4] * 3 + [0.09, 0.09, 1, 1, 0.4, 0.4, 0.4]])
        refiner = refiner_of(start, target, still(steps), tools=self.tools(colors=palette, radii=radii))
        fitted = []
        painted = refiner.run(lambda share: fitted.append(refiner.fitted))
        assert fitted == [step >= 0.4 * steps for step in range(steps)]
        assert painted[0, 10:].tolist() == [1, 1, 1]
        assert float(painted[0, 6]) in (pytest.approx(0.05), pytest.approx(0.1))

    def test_what_is_taken_from_what_there_is_stays(self) -> None:
        """Once brushes are taken, the radius rests; so does the colour between one choice and the next."""
        config = still(20, opacity_rate=0.01)
        seen = []

        def slope(at: Tensor) -> Tensor:
            seen.append(at.clone())
            return torch.ones_like(at)

        for changes, resting in (
            ({"radii": torch.tensor([0.05, 0.1])}, slice(6, 8)),
            ({"colors": torch.eye(3)}, slice(10, 13)),
        ):
            seen.clear()
            refiner = toy_refiner(HALF, Toy(slope), config, tools=self.tools(**changes))
            refiner._wanted_colors = lambda softness, refiner=refiner: refiner.vectors[:, 10:].clone()  # type: ignore[method-assign, misc]
            moving = (torch.stack(trace(refiner)).diff(dim=0) != 0).all(dim=1)
            assert moving[:8].all()
            assert not moving[8:, resting].any()
            moving[8:, resting] = True
            assert moving.all()
            # What is painted is anything at first, and only then what there is.
            assert torch.allclose(seen[0], HALF)
            assert not torch.allclose(seen[8][:, resting], refiner.vectors[:, resting])

    def test_colours_are_found_anew_every_eighth_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        times: list[int] = []
        done = 0

        def count(self: Refiner, softness: float) -> Tensor:
            times.append(done)
            return self.vectors[:, 10:]

        def tick(share: float) -> None:
            nonlocal done
            done = round(40 * share)

        monkeypatch.setattr(Refiner, "_wanted_colors", count)
        tools = self.tools(colors=torch.eye(3))
        toy_refiner(HALF, Toy(torch.ones_like), still(40), tools=tools).run(tick)
        assert times == [16, 24, 32]

    def test_opaque_strokes_are_sorted_within_their_part(self) -> None:
        """By the colours' mean place in the painting; a part keeps its slots."""
        palette = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
        tools = self.tools(colors=palette, opaque=True)
        start = torch.rand(8, 13, generator=torch.Generator().manual_seed(3))
        start[:, 6:8] = 0.05
        start[:, 2:6] = start[:, :2].repeat(1, 2)
        colours = torch.tensor([1.0, 0, 0, 1, 0, 1, 0, 1])  # white comes later on average
        start[:, 10:] = colours[:, None]
        parts = parts_of((Segment(4, None, 1.0), Segment(4, 0, 1.0)))
        refiner = toy_refiner(start, Toy(torch.zeros_like), STILL, tools=tools, parts=parts)
        refiner._sort_colors(palette)
        assert refiner.vectors[:, 10].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
        assert torch.equal(refiner.vectors, start[[1, 2, 0, 3, 4, 6, 5, 7]])
        assert refiner.ranks.tolist() == pytest.approx([13 / 4, 15 / 4])
        assert refiner.parts.tolist() == [-1] * 4 + [0] * 4
        # The order of the colours is kept from then on, wherever they are needed.
        refiner.vectors[:, 10:] = 1 - refiner.vectors[:, 10:]
        refiner._sort_colors(palette)
        assert refiner.vectors[:, 10].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
