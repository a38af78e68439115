"""Painting in windows as an environment, for the analytic policy gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semantic_guidance.agents.window.view import Array, observe, strokes_of
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.learning.algorithms.apg import Environment
from semantic_guidance.renderer import render


@dataclass(frozen=True)
class View:
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
    def of(planes: Array, device: torch.device | None = None) -> View:
        """The windows of `Easels.windows`'s ``[B, S, S, 8]``."""
        parts = torch.from_numpy(planes).permute(0, 3, 1, 2).to(device).split([3, 3, 1, 1], dim=1)
        return View(*(part.contiguous() for part in parts))


def error(view: View) -> Tensor:
    """Root of the weighted mean squared error, ``[B]``.

    The root keeps the first looks at an empty canvas, where the errors are large, from outvoting the details.
    """
    squared = (view.canvas - view.target).square().mean(dim=1, keepdim=True) * view.weight
    return (squared.sum(dim=(1, 2, 3)) / (view.weight.sum(dim=(1, 2, 3)) + 1) + 1e-4).sqrt()


def window_environment() -> Environment[View]:
    """An action is a network's raw answer, see `view.strokes_of`; an episode has no end of its own."""

    def transition(view: View, raw: Tensor) -> View:
        strokes = strokes_of(raw, view.target)
        return replace(view, canvas=render(strokes, view.canvas, view.show), strokes=strokes)

    return Environment(
        transition=transition,
        reward=lambda before, after: error(before) - error(after),
        terminal=lambda view: torch.zeros(len(view.canvas), dtype=torch.bool, device=view.canvas.device),
        observation=lambda view: observe(view.canvas, view.target, view.show, view.weight),
        detach=lambda view: replace(view, canvas=view.canvas.detach()),
    )
