"""Painting in windows as an environment, for the analytic policy gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semantic_guidance.agents.window.view import Array, observe, strokes_of
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.learning.algorithms.apg import Environment
from semantic_guidance.renderer import render


@dataclass(frozen=True, eq=False)
class WindowState:
    """A batch of windows, ``[B, C, S, S]`` each.

    Attributes:
        canvas: RGB in [0, 1].
        target: RGB in [0, 1].
        show: one channel in [0, 1], where strokes show.
        weight: one channel in [0, 1], how much a pixel's error counts.
        strokes: those that were just painted, in units of the window.
    """

    canvas: Tensor
    target: Tensor
    show: Tensor
    weight: Tensor
    strokes: Strokes | None = None

    @staticmethod
    def of(planes: Array, device: torch.device | None = None) -> WindowState:
        """The windows of `Episodes.windows`'s ``[B, S, S, 8]``."""
        parts = torch.from_numpy(planes).permute(0, 3, 1, 2).to(device).split([3, 3, 1, 1], dim=1)
        return WindowState(*(part.contiguous() for part in parts))


def error(state: WindowState) -> Tensor:
    """Root of the weighted mean squared error, ``[B]``.

    The root keeps the first looks at an empty canvas, where the errors are large, from outvoting the details.
    """
    squared = (state.canvas - state.target).square().mean(dim=1, keepdim=True) * state.weight
    return (squared.sum(dim=(1, 2, 3)) / (state.weight.sum(dim=(1, 2, 3)) + 1) + 1e-4).sqrt()


def window_environment() -> Environment[WindowState]:
    """An action is a network's raw answer, see `strokes_of`; an episode has no end of its own."""

    def transition(state: WindowState, raw: Tensor) -> WindowState:
        strokes = strokes_of(raw, state.target)
        return replace(state, canvas=render(strokes, state.canvas, state.show), strokes=strokes)

    return Environment(
        transition=transition,
        reward=lambda before, after: error(before) - error(after),
        terminal=lambda state: torch.zeros(len(state.canvas), dtype=torch.bool, device=state.canvas.device),
        observation=lambda state: observe(state.canvas, state.target, state.show, state.weight),
        detach=lambda state: replace(state, canvas=state.canvas.detach()),
    )
