"""A dense actor at work: step by step, with more strokes than wanted, of which those that help most stay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.dense.strokes import CELLS, Level, choose, decode, levels_of
from semantic_guidance.agents.dense.view import object_square, observe, state_of
from semantic_guidance.agents.problem import Part, foreground_weight
from semantic_guidance.agents.progress import Progress
from semantic_guidance.renderer.backends.base import Backend

SURPLUS = 1.35
"""Strokes made for each stroke of the budget; the least useful ones are dropped at the end."""

MOST = 48
"""Strokes that a level gets in a step, at most: more of them would be in each other's way."""


class DensePainter:
    """Paints squashed pictures with an actor.

    Args:
        actor: in evaluation mode.
    """

    def __init__(self, actor: DenseActor) -> None:
        self.actor = actor

    @torch.no_grad()
    def paint(
        self,
        target: Tensor,
        mask: Tensor,
        focus: Tensor,
        box: Tensor,
        canvas: Tensor,
        counts: Sequence[int],
        backend: str | Backend = "auto",
    ) -> list[Tensor]:
        """The strokes with which the actor paints a picture.

        Args:
            target: ``[3, S, S]`` the squashed picture.
            mask: ``[1, S, S]`` of its object; nothing if there is none.
            focus: ``[1, S, S]`` in [0, 1].
            box: ``[4]`` (x, y, width, height) of the object, in units of the squashed picture.
            canvas: ``[3, S, S]`` before the first stroke.
            counts: greatest number of strokes of each level, the background first. Without a second one, the
                object is not painted.
            backend: that renders.

        Returns:
            Packed strokes ``[N, 13]`` of each level, in units of the square, to be painted one level after
            the other: those of the background under the mask's complement, those of the object under the
            mask.
        """
        square = object_square(box[None])
        levels = levels_of(target[None], mask[None], square, self.actor.guided)[: len(counts)]
        parts = _parts(mask[0], focus[0], counts, self.actor.guided)
        easels = [Progress(target, part, canvas, backend) for part in parts]
        wanted = [math.ceil(SURPLUS * count) for count in counts]
        steps = max(self.actor.steps, math.ceil(max(wanted) / MOST))
        for step in range(steps):
            now = state_of(
                easels[-1].canvas[None], target[None], mask[None], focus[None], square, torch.tensor([step])
            )
            seen = observe(now, square, self.actor.guided, self.actor.steps)
            grids = self.actor(seen[: len(counts)])
            for n, easel in enumerate(easels):
                left = wanted[n] - len(easel.strokes)
                count = min(MOST, math.ceil(left / (steps - step)))
                if n:
                    easel.move(easels[n - 1].canvas)
                easel.add(_strokes(grids[n], levels[n], count, step))
        for n, (easel, count) in enumerate(zip(easels, counts, strict=True)):
            if n:
                easel.move(easels[n - 1].canvas)
            easel.prune(count)
        return [easel.strokes for easel in easels]


def _strokes(grids: tuple[Tensor, Tensor], level: Level, count: int, step: int) -> Tensor:
    """Packed strokes ``[count, 13]`` of a level's best cells: coarse ones at first, fine ones later."""
    grid = min(step, 1)
    return decode(choose(grids[grid], CELLS[grid], count), level).pack()[0]


def _parts(mask: Tensor, focus: Tensor, counts: Sequence[int], guided: bool) -> list[Part]:
    """What is painted at each level, of mask and focus ``[S, S]``."""
    if not guided:
        return [Part(None, None, torch.ones_like(mask), counts[0])]
    ground = Part(None, 1 - mask, 1 - mask, counts[0])
    return [ground, *(Part(0, mask, foreground_weight(mask, focus), count) for count in counts[1:])]
