"""Refinement for palettes and brushes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from semantic_guidance.agents.problem import parts_of
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.objective import Segment
from tests.ladders import still
from tests.toys import (
    HALF,
    STILL,
    Toy,
    paint,
    refiner_of,
    toy_refiner,
    trace,
)


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
