"""Refinement: what it finds, and each of its steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painter.views import Ladder
from semantic_guidance.renderer.backends.cpu.pool import POOL
from semantic_guidance.renderer.backends.cpu.threads import renderer_threads
from semantic_guidance.renderer.objective import ZoomedObjective
from tests.ladders import still
from tests.toys import (
    HALF,
    RATES,
    STILL,
    Toy,
    ground,
    paint,
    refiner_of,
    toy_refiner,
    trace,
)


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
