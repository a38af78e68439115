from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.painter import refine
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painter.relocate import Move
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.objective import Objective, Segment, ZoomedObjective

STILL = RefineConfig(steps=150, relocate_at=())


def paint(vectors: Tensor, size: int = 64) -> Tensor:
    return render(Strokes.unpack(vectors[None]), torch.full((1, 3, size, size), 0.5))[0]


def objective_for(target: Tensor, count: int, **changes: object) -> Objective:
    size = target.shape[-1]
    plain = Objective(
        (Segment(count, None, 1.0),),
        torch.empty(0, size, size),
        torch.full((3, size, size), 0.5),
        target,
        torch.ones(size, size),
    )
    return replace(plain, **changes)


KNOWN = torch.tensor([[0.2, 0.3, 0.5, 0.2, 0.8, 0.5, 0.08, 0.05, 1.0, 0.8, 0.9, 0.2, 0.1]])


def test_a_stroke_finds_the_stroke_that_was_painted() -> None:
    """A toy problem with a known optimum."""
    start = KNOWN + torch.tensor([[0.04] * 6 + [0.02, 0.02, -0.3, -0.2, -0.3, 0.3, 0.3]])
    objective = objective_for(paint(KNOWN), 1)
    found = Refiner(start, objective, STILL).run()
    before, _ = objective.gradient(start, 1.0)
    after, _ = objective.gradient(found, 1.0)
    assert after < before / 1000
    assert torch.allclose(found[:, :8], KNOWN[:, :8], atol=0.01)
    assert torch.allclose(found[:, 10:], KNOWN[:, 10:], atol=0.05)


def test_a_hidden_stroke_is_moved_to_where_the_error_is() -> None:
    spot = torch.tensor([[0.85, 0.85, 0.85, 0.85, 0.85, 0.85, 0.07, 0.07, 1, 1, 0.0, 0.0, 1.0]])
    hidden = torch.tensor([[0.3, 0.3, 0.35, 0.3, 0.4, 0.3, 0.02, 0.02, 1, 1, 0.0, 1.0, 0.0]])
    target = paint(torch.cat([KNOWN, spot]))
    objective = objective_for(target, 2)
    start = torch.cat([hidden, KNOWN])
    config = replace(STILL, relocate_at=(0.1,), relocate_share=0.5)
    found = Refiner(start, objective, config).run()
    stuck = Refiner(start, objective, STILL).run()
    assert objective.gradient(found, 1.0)[0] < 0.1 * objective.gradient(stuck, 1.0)[0]
    assert torch.allclose(found[0, 10:], KNOWN[0, 10:], atol=0.1)  # the moved stroke is now on top
    assert (found[1, :6] - 0.85).abs().max() < 0.15


def test_weight_decides_where_the_error_is_left() -> None:
    """One stroke, two spots: it goes where the weight is."""
    left = torch.tensor([[0.25, 0.5] * 3 + [0.1, 0.1, 1, 1, 1, 1, 1]])
    right = torch.tensor([[0.75, 0.5] * 3 + [0.1, 0.1, 1, 1, 0, 0, 0]])
    target = paint(torch.cat([left, right]))
    start = torch.tensor([[0.5, 0.5] * 3 + [0.2, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5]])
    for side, spot in ((slice(0, 32), left), (slice(32, 64), right)):
        weight = torch.full((64, 64), 0.01)
        weight[:, side] = 1
        objective = objective_for(target, 1, weight=weight)
        found = Refiner(start, objective, replace(STILL, softness=(8.0, 1.0))).run()
        assert abs(paint(found)[0, :, side] - paint(spot)[0, :, side]).mean() < 0.03


def test_the_same_seed_gives_the_same_strokes() -> None:
    vectors = torch.rand(40, 13, generator=torch.Generator().manual_seed(0))
    vectors[:, 6:8] *= 0.1
    target = torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(1))
    config = RefineConfig(steps=30)
    first, again = (Refiner(vectors, objective_for(target, 40), config, seed=7).run() for _ in range(2))
    assert torch.equal(first, again)


def test_no_strokes() -> None:
    objective = objective_for(torch.zeros(3, 16, 16), 0)
    assert Refiner(torch.zeros(0, 13), objective, STILL).run().shape == (0, 13)


class Toy:
    """Minimises a function of the packed strokes themselves; nothing is painted.

    Args:
        slope: its gradient.
    """

    def __init__(self, slope: Callable[[Tensor], Tensor]) -> None:
        self.slope, self.softness = slope, []
        self.target, self.renderer = torch.zeros(3, 40, 100), self
        self.segments = (Segment(8, None, 1.0),)

    def steady(self) -> Callable[[Callable[[], Any]], Any]:
        return lambda function: function()

    def gradient(self, strokes: Tensor, softness: float) -> tuple[float, Tensor]:
        self.softness.append(softness)
        return 0.0, self.slope(strokes)


def trace(refiner: Refiner) -> Tensor:
    """The strokes ``[steps + 1, N, 13]`` before the first step and after each."""
    vectors = [refiner.vectors.clone()]
    refiner.run(lambda share: vectors.append(refiner.vectors.clone()))
    return torch.stack(vectors)


RATES = torch.tensor([0.005] * 6 + [0.003] * 2 + [0.08] * 2 + [0.02] * 3)
HALF = torch.full((8, 13), 0.5)
HALF[:, 6:8] = 0.15


class TestDescent:
    """The steps themselves, on toy problems."""

    def test_steps_follow_the_rates(self) -> None:
        """Downhill at a constant slope Adam goes by just the rate: 1, 0.515 at half time, near 0.03."""
        steps = 50
        config = RefineConfig(steps=steps, relocate_at=(), position_rate=0.001, opacity_rate=0.01)
        start = torch.full((8, 13), 0.9)
        start[:, 6:8] = 0.25
        moved = -trace(Refiner(start, Toy(torch.ones_like), config)).diff(dim=0)  # type: ignore[arg-type]
        rates = torch.tensor([0.001] * 6 + [0.003] * 2 + [0.01] * 2 + [0.02] * 3)
        assert torch.allclose(moved[0], rates.expand(8, 13), rtol=1e-3)
        assert torch.allclose(moved[25], 0.515 * rates.expand(8, 13), rtol=1e-3)
        assert torch.allclose(moved[-1], 0.031 * rates.expand(8, 13), rtol=2e-2)
        assert torch.allclose(moved.sum(dim=0), rates.expand(8, 13) * (steps * 0.515 + 0.485), rtol=1e-3)

    def test_steps_follow_the_softness(self) -> None:
        toy = Toy(torch.ones_like)
        Refiner(HALF, toy, RefineConfig(steps=10, relocate_at=())).run()  # type: ignore[arg-type]
        wanted = [2 ** (1 - step / 6) for step in range(6)] + [1.0] * 4
        assert toy.softness == pytest.approx(wanted)

    def test_it_is_adam(self) -> None:
        """The plain twin is torch's, on a bowl that is steeper for some numbers than for others."""
        bowl = torch.rand(8, 13, generator=torch.Generator().manual_seed(0)) + 0.1
        goal = 0.5 + 0.3 * torch.rand(8, 13, generator=torch.Generator().manual_seed(1))
        goal[:, 6:8] *= 0.3
        config = RefineConfig(steps=60, relocate_at=())
        found = trace(Refiner(HALF, Toy(lambda at: bowl * (at - goal)), config))  # type: ignore[arg-type]
        columns = [column.clone().requires_grad_() for column in HALF.T]
        groups = [
            {"params": [column], "lr": float(rate)} for column, rate in zip(columns, RATES, strict=True)
        ]
        adam = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-12)
        falling = torch.optim.lr_scheduler.LambdaLR(adam, config.rate_at)
        for step in range(60):
            for column, steep, wanted in zip(columns, bowl.T, goal.T, strict=True):
                column.grad = steep * (column.detach() - wanted)
            adam.step()
            falling.step()
            twin = torch.stack([column.detach() for column in columns], dim=1)
            assert torch.allclose(found[step + 1], twin, atol=2e-5)

    @pytest.mark.parametrize("downhill", [1.0, -1.0])
    def test_strokes_stay_within_the_bounds(self, downhill: float) -> None:
        config = RefineConfig(
            steps=40, relocate_at=(), position_rate=1, radius_rate=1, opacity_rate=1, color_rate=1
        )
        found = Refiner(HALF, Toy(lambda at: downhill * torch.ones_like(at)), config).run()  # type: ignore[arg-type]
        low = torch.tensor([-0.25] * 6 + [0.006] * 2 + [0.05] * 2 + [0.0] * 3)
        high = torch.tensor([1.25] * 6 + [0.3] * 2 + [1.0] * 5)
        assert torch.allclose(found, (low if downhill > 0 else high).expand(8, 13))

    def test_strokes_are_moved_at_their_times(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []

        def nothing(strokes: Tensor, objective: Any, parts: Any, softness: float, share: float, rng: Any):
            seen.append((len(toy.softness), softness, share))
            return iter(())

        toy = Toy(torch.ones_like)
        monkeypatch.setattr(refine, "relocate", nothing)
        Refiner(HALF, toy, RefineConfig(steps=100)).run()  # type: ignore[arg-type]
        assert [step for step, _, _ in seen] == [8, 16, 24, 32, 40, 48, 56, 64]
        assert [softness for _, softness, _ in seen] == pytest.approx(
            [max(1.0, 2 ** (1 - step / 60)) for step, _, _ in seen]
        )
        assert {share for _, _, share in seen} == {0.3}

    def test_momentum_stays_with_its_stroke(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Painting in another order from the tenth step on gives the same strokes in another order."""
        start = torch.rand(8, 13, generator=torch.Generator().manual_seed(0))
        start[:, 6:8] = 0.1 + 0.1 * start[:, 6:8]
        order = torch.tensor([3, 0, 7, 1, 2, 6, 5, 4])
        monkeypatch.setattr(refine, "relocate", lambda *_: iter([Move(torch.arange(8), order, start[:0])]))
        config = RefineConfig(steps=30, relocate_at=(1 / 3,))

        def bowl(at: Tensor) -> Tensor:
            return at - 0.3

        moved = Refiner(start, Toy(bowl), config).run()  # type: ignore[arg-type]
        stayed = Refiner(start, Toy(bowl), replace(config, relocate_at=())).run()  # type: ignore[arg-type]
        assert torch.equal(moved, stayed[order])

    def test_a_moved_stroke_starts_afresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It goes downhill at once, at the rate of the time, whatever its predecessor's momentum was."""
        fresh = torch.full((1, 13), 0.2)
        move = Move(torch.tensor([2, 5]), torch.tensor([5]), fresh)
        monkeypatch.setattr(refine, "relocate", lambda *_: iter([move]))
        config = RefineConfig(steps=20, relocate_at=(0.5,))
        # The others climb: where a stroke is at 0.2, the slope is the other way.
        slope = Toy(lambda at: torch.where(at < 0.3, 1.0, -1.0))
        start = torch.full((8, 13), 0.6)
        start[5, 0] = 0.5
        start[:, 6:8], fresh[:, 6:8] = 0.29, 0.2
        path = trace(Refiner(start, slope, config))  # type: ignore[arg-type]
        assert torch.allclose(path[11, 5, :6], 0.2 - config.rate_at(10) * RATES[:6], atol=1e-5)
        assert path[11, 2, 0] > path[10, 5, 0]  # the stroke that stays is one of the first of the slots now

    def test_zoomed_objectives_are_added(self) -> None:
        """Where they pull harder, and the other way, they win."""
        seen = []

        def part(at: Tensor) -> Tensor:
            seen.append(at.clone())
            return -torch.ones_like(at)

        scale, shift = torch.full((13,), 3.0), torch.full((13,), 0.25)
        for factor, sign in ((0.5, 1.0), (0.2, -1.0)):  # 3 times 0.5 is above 1, 3 times 0.2 is not
            zoom = ZoomedObjective(Toy(part), scale, shift, factor)  # type: ignore[arg-type]
            config = RefineConfig(steps=1, relocate_at=())
            found = Refiner(HALF, Toy(torch.ones_like), config, 0, [zoom]).run()  # type: ignore[arg-type]
            assert torch.equal((found - HALF).sign(), torch.full((8, 13), sign))
            assert torch.allclose(seen[-1], 3 * HALF + 0.25)


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
        refiner = Refiner(strokes, objective_for(target, 2), STILL, tools=self.tools(colors=torch.eye(3)))
        # A half-covered pixel's error has its best colour elsewhere: an edge of a pixel round a dot of six.
        assert refiner._wanted_colors(1.0)[0].tolist() == pytest.approx(wanted, abs=0.05)
        assert float((refiner._wanted_colors(1.0)[0] - dot[0, 10:]).abs().max()) > 0.3

    def test_colours_and_brushes_are_free_at_first_and_then_taken_from_what_there_is(self) -> None:
        steps = 20
        config = RefineConfig(steps=steps, relocate_at=())
        palette, radii = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), torch.tensor([0.05, 0.1])
        target = torch.full((3, 64, 64), 0.9)
        start = torch.tensor([[0.3, 0.4] * 3 + [0.09, 0.09, 1, 1, 0.4, 0.4, 0.4]])
        refiner = Refiner(
            start, objective_for(target, 1), config, tools=self.tools(colors=palette, radii=radii)
        )
        fitted = []
        painted = refiner.run(lambda share: fitted.append(refiner.fitted))
        assert fitted == [step >= 0.4 * steps for step in range(steps)]
        assert painted[0, 10:].tolist() == [1, 1, 1]
        assert float(painted[0, 6]) in (pytest.approx(0.05), pytest.approx(0.1))

    def test_what_is_taken_from_what_there_is_stays(self) -> None:
        """Once brushes are taken, the radius rests; so does the colour between one choice and the next."""
        config = RefineConfig(steps=20, relocate_at=(), opacity_rate=0.01)
        seen = []

        def slope(at: Tensor) -> Tensor:
            seen.append(at.clone())
            return torch.ones_like(at)

        for changes, resting in (
            ({"radii": torch.tensor([0.05, 0.1])}, slice(6, 8)),
            ({"colors": torch.eye(3)}, slice(10, 13)),
        ):
            seen.clear()
            refiner = Refiner(HALF, Toy(slope), config, tools=self.tools(**changes))  # type: ignore[arg-type]
            refiner._wanted_colors = lambda softness, refiner=refiner: refiner.vectors[:, 10:].clone()  # type: ignore[method-assign, misc]
            moving = (trace(refiner).diff(dim=0) != 0).all(dim=1)
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
        config = RefineConfig(steps=40, relocate_at=())
        Refiner(HALF, Toy(torch.ones_like), config, tools=tools).run(tick)  # type: ignore[arg-type]
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
        parts = (Segment(4, None, 1.0), Segment(4, 0, 1.0))
        refiner = Refiner(start, Toy(torch.zeros_like), STILL, tools=tools, parts=parts)  # type: ignore[arg-type]
        refiner._sort_colors(palette)
        assert refiner.vectors[:, 10].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
        assert torch.equal(refiner.vectors, start[[1, 2, 0, 3, 4, 6, 5, 7]])
        assert refiner.ranks.tolist() == pytest.approx([13 / 4, 15 / 4])
        # The order of the colours is kept from then on, wherever they are needed.
        refiner.vectors[:, 10:] = 1 - refiner.vectors[:, 10:]
        refiner._sort_colors(palette)
        assert refiner.vectors[:, 10].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
