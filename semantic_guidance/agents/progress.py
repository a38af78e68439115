"""A part of a picture in progress: strokes that help are added, and the least useful ones dropped."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semantic_guidance.agents.problem import Part, paint
from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.objective import Objective, Segment

PRUNINGS = 3
"""Passes in which strokes are dropped: what a stroke is worth changes when its neighbours go."""

USELESS = (1e-3, 1e-8)
"""A stroke must lower the error by this share of the mean over strokes, and by this much."""


class Progress:
    """A part in progress.

    Args:
        target: ``[3, h, w]`` the picture.
        part: what of it is painted.
        canvas: ``[3, h, w]`` in [0, 1], before the first stroke.
        backend: that renders.

    Attributes:
        strokes: ``[N, 13]`` packed, so far.
        canvas: ``[3, h, w]`` with the strokes on it.
    """

    def __init__(self, target: Tensor, part: Part, canvas: Tensor, backend: str | Backend) -> None:
        self.target, self.part, self.backend = target, part, backend
        self.blank = self.canvas = canvas
        self.masks = (
            torch.empty(0, *canvas.shape[1:], dtype=torch.float32) if part.show is None else part.show[None]
        )
        self.strokes = torch.empty(0, NUMBERS, dtype=torch.float32)

    def add(self, strokes: Tensor) -> Tensor:
        """Paint the strokes ``[N, 13]`` that lower the error; returns which these are, ``[N]`` booleans."""
        kept = torch.ones(len(strokes), dtype=torch.bool)
        for _ in range(2):
            if not bool(kept.any()):
                return kept
            gains = self._gains(strokes[kept], self.canvas)
            kept[kept.clone()] = gains > max(USELESS[0] * float(gains.clamp(min=0).mean()), USELESS[1])
        painted = self._painted(strokes[kept], self.canvas)
        # Each may help only because it repairs what another one did.
        if self._error(painted) >= self._error(self.canvas) - USELESS[1]:
            return torch.zeros_like(kept)
        self.canvas = painted
        self.strokes = torch.cat([self.strokes, strokes[kept]])
        return kept

    def prune(self, count: int, passes: int = PRUNINGS) -> None:
        """Keep the `count` strokes that help most, those that help least dropped in some passes."""
        for left in range(passes, 0, -1):
            surplus = len(self.strokes) - count
            if surplus <= 0:
                break
            gains = self._gains(self.strokes, self.blank)
            order = gains.argsort(stable=True)[math.ceil(surplus / left) :]
            self.strokes = self.strokes[order.sort().values]
        self.canvas = self._painted(self.strokes, self.blank)

    def move(self, canvas: Tensor) -> None:
        """Put the strokes on another canvas ``[3, h, w]``: what lies under the part has changed."""
        self.blank = canvas
        self.canvas = self._painted(self.strokes, canvas)

    def errors(self) -> Tensor:
        """Weighted squared error per pixel ``[h, w]``."""
        return self._errors(self.canvas)

    def _errors(self, canvas: Tensor) -> Tensor:
        return ((canvas - self.target) ** 2).sum(dim=0) * self.part.weight

    def _error(self, canvas: Tensor) -> float:
        """Weighted mean squared error, as in `_gains`."""
        return float(self._errors(canvas).double().sum()) / float(self.part.weight.numpy().sum() + 1e-6) / 3

    def _gains(self, strokes: Tensor, blank: Tensor) -> Tensor:
        """What the weighted error would rise by without each of the strokes ``[N, 13]``."""
        segments = (Segment(len(strokes), 0 if len(self.masks) else None, 1.0),)
        weight = self.part.weight + 1e-6
        objective = Objective(segments, self.masks, blank, self.target, weight, self.backend)
        return objective.removal_costs(strokes, 1.0)[0]

    def _painted(self, strokes: Tensor, blank: Tensor) -> Tensor:
        return paint(strokes, blank, self.part.show, self.backend)
