"""A dense actor at work: all of a picture first, then squares of it where it is still wrong.

There are always more strokes than wanted, of which those that help most stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.dense.strokes import (
    CELLS,
    SCALES,
    Level,
    choose,
    decode,
    level_of,
    whole,
)
from semantic_guidance.agents.dense.view import closer, object_square, observe, state_of
from semantic_guidance.agents.problem import Part, foreground_weight
from semantic_guidance.agents.window.rollout import CANDIDATES, Rollout
from semantic_guidance.renderer.backends.base import Backend

SURPLUS = 2.5
"""Strokes made for each stroke of the budget before any are dropped."""

STEPS = 5
"""Looks at the whole picture and at the object."""

MOST = 128
"""Strokes of a level in one of these, at most."""

ROUNDS = 8
"""Looks at squares, after each of which there are as many strokes as wanted."""

SIDES = (0.5, 0.35, 0.25, 0.18)
"""Of these squares, in units of the part's extent."""

SQUARES = 4
"""Of a part in one round, at most."""

CLOSE_STROKES = 48
"""Strokes in such a square, at most."""


PRUNINGS = 6
"""Passes in which strokes are dropped."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture squashed to a square, and what is known about it.

    Attributes:
        target: ``[3, S, S]`` in [0, 1].
        mask: ``[1, S, S]`` of its object; nothing if there is none.
        focus: ``[1, S, S]`` in [0, 1].
        box: ``[4]`` (x, y, width, height) of the object, in units of the square.
    """

    target: Tensor
    mask: Tensor
    focus: Tensor
    box: Tensor


class DensePainter:
    """Paints scenes with an actor.

    Args:
        actor: in evaluation mode.
    """

    def __init__(self, actor: DenseActor) -> None:
        self.actor = actor

    @torch.no_grad()
    def paint(
        self,
        scene: Scene,
        canvas: Tensor,
        counts: Sequence[int],
        backend: str | Backend = "auto",
        stopped: Callable[[], bool] = lambda: False,
    ) -> list[Tensor]:
        """The strokes with which the actor paints a picture.

        Args:
            scene: the picture.
            canvas: ``[3, S, S]`` before the first stroke.
            counts: greatest number of strokes of each level, the background first. Without a second one, the
                object is not painted.
            backend: that renders.
            stopped: whether there are to be no more looks, asked after each.

        Returns:
            Packed strokes ``[N, 13]`` of each level, in units of the square, to be painted one level after
            the other: those of the background under the mask's complement, those of the object under the
            mask.
        """
        painting = _Painting(self.actor, scene, canvas, counts, backend)
        wanted = [math.ceil(SURPLUS * count) for count in counts]
        for step in range(STEPS):
            painting.look(step, [math.ceil(count / (STEPS - step)) for count in painting.left(wanted)])
            if stopped():
                break
        painting.prune(counts)
        for _ in range(ROUNDS):
            before = painting.canvas
            for part, count in enumerate(counts):
                painting.look_closer(part, min(CLOSE_STROKES, count))
            painting.prune(counts)
            if stopped() or torch.equal(before, painting.canvas):
                break
        return [easel.strokes for easel in painting.easels]


class _Painting:
    """A painting in progress.

    Attributes:
        easels: of each level, one on top of the other.
    """

    def __init__(
        self,
        actor: DenseActor,
        scene: Scene,
        canvas: Tensor,
        counts: Sequence[int],
        backend: str | Backend,
    ) -> None:
        self.actor, self.scene = actor, scene
        self.square = object_square(scene.box[None])
        parts = _parts(scene, counts, actor.guided)
        self.easels = [Rollout(scene.target, part, canvas, backend) for part in parts]
        target = scene.target[None]
        places, shows = (whole(target), self.square), [_batched(part.show) for part in parts]
        self.levels = [level_of(target, *each) for each in zip(shows, places, SCALES, strict=False)]
        # The object's are its second level's.
        self.close = [level_of(target, shows[0], whole(target), SCALES[1]), *self.levels[1:]]

    @property
    def canvas(self) -> Tensor:
        """``[3, S, S]`` with the strokes of all levels on it."""
        return self.easels[-1].canvas

    def left(self, wanted: Sequence[int]) -> list[int]:
        """How many strokes of each level there could still be, `MOST` in each step."""
        return [max(0, n - len(easel.strokes)) for n, easel in zip(wanted, self.easels, strict=True)]

    def look(self, step: int, counts: Sequence[int]) -> None:
        """Add strokes of each level for all of the picture and of the object."""
        scene, guided, grid = self.scene, self.actor.guided, min(step, 1)
        state = state_of(
            self.canvas[None],
            scene.target[None],
            scene.mask[None],
            scene.focus[None],
            self.square,
            torch.tensor([step], dtype=torch.int64),
        )
        seen = observe(state, guided, self.actor.steps)
        answers = self.actor(seen, closer(seen, self.square) if len(self.easels) > 1 else None)
        for part, (raw, level, count) in enumerate(zip(answers, self.levels, counts, strict=True)):
            count = min(count, MOST, raw[grid].shape[1])
            self._top(part).add(decode(choose(raw[grid], CELLS[grid], count), level).pack()[0])

    def look_closer(self, part: int, count: int) -> None:
        """Add strokes of one level in those squares where its error is greatest, `count` in each."""
        easel = self._top(part)
        if not count or not bool(easel.part.weight.any()):
            return
        windows = easel.candidates(SIDES, CANDIDATES)[:SQUARES]
        batch, side = len(windows), easel.longer
        places = [[each.left / side, each.top / side, each.side / side, each.side / side] for each in windows]
        square, show = torch.tensor(places, dtype=torch.float32), self.close[part].show
        mask = self.scene.mask[None] if show is None else show
        focus = self.scene.focus[None] * part  # on the background there is none
        planes = (easel.canvas[None], self.scene.target[None], mask, focus)
        canvas, target, mask, focus = (plane.expand(batch, -1, -1, -1) for plane in planes)
        state = state_of(
            canvas, target, mask, focus, square, torch.full((batch,), self.actor.steps, dtype=torch.int64)
        )
        seen = closer(observe(state, self.actor.guided, self.actor.steps), square)
        ((_, raw),) = self.actor(None, seen)
        chosen = choose(raw, CELLS[1], count)
        level = Level(None, square, self.close[part].means.expand(batch, -1, -1, -1), self.close[part].scales)
        for strokes in decode(chosen, level).pack():
            easel.add(strokes)

    def prune(self, counts: Sequence[int]) -> None:
        """Keep so many strokes of each level."""
        for part, count in enumerate(counts):
            self._top(part).prune(count, PRUNINGS)

    def _top(self, part: int) -> Rollout:
        """The easel of a level, on what the levels below it are now."""
        easel = self.easels[part]
        if part:
            easel.move(self.easels[part - 1].canvas)
        return easel


def _parts(scene: Scene, counts: Sequence[int], guided: bool) -> list[Part]:
    """What is painted at each level."""
    mask, focus = scene.mask[0], scene.focus[0]
    if not guided:
        return [Part(None, None, torch.ones_like(mask), counts[0])]
    ground = Part(None, 1 - mask, 1 - mask, counts[0])
    return [ground, *(Part(0, mask, foreground_weight(mask, focus), count) for count in counts[1:])]


def _batched(show: Tensor | None) -> Tensor | None:
    return None if show is None else show[None, None]
