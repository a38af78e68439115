"""Refinements of toy problems: of a few strokes on grey, and of functions of the strokes themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semantic_guidance import Strokes, render
from semantic_guidance.agents.problem import Parts, Problem
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painter.views import Ladder
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.objective import Segment
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
