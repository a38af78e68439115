"""Who looks on while a painting is made: is shown its strokes, and may end it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.strokes import NUMBERS, Strokes
from semantic_guidance.images.color import Color
from semantic_guidance.painting.layers import Compositing, Ends, Level
from semantic_guidance.painting.painting import Layer

Told = Callable[[Sequence[Tensor]], bool]
"""Told the packed strokes ``[N, 13]`` that have been laid so far, group by group; says whether to go on."""


@dataclass(frozen=True, eq=False)
class Easel:
    """What strokes are painted on.

    Attributes:
        width: of the painting, in pixels.
        height: of the painting, in pixels.
        background: RGB in [0, 1] of the empty canvas.
        start: ``[3, h, w]`` in [0, 1], a picture on the canvas before the first stroke.
        masks: ``[1, h, w]`` each in [0, 1], under which strokes show, see `Painting`.
    """

    width: int
    height: int
    background: Color
    start: Tensor | None = None
    masks: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Run:
    """Consecutive strokes under one mask: a `painting.Layer` whose strokes are elsewhere.

    Attributes:
        count: of the strokes.
        mask: see `painting.Layer`; the masks are those of the `Easel`.
        level: see `painting.Layer`.
        instance: see `painting.Layer`.
        ends: see `painting.Layer`.
        compositing: see `painting.Layer`.
    """

    count: int
    mask: int | None = None
    level: Level = "background"
    instance: int = 0
    ends: Ends = "round"
    compositing: Compositing = "over"


@dataclass(frozen=True, eq=False)
class Sketch:
    """A painting at some time while it is made.

    Attributes:
        strokes: ``[N, 13]`` packed, in units of the painting's longer side, in the order in which they are
            painted; nobody else changes them.
        layers: runs of these.
    """

    strokes: Tensor = field(default_factory=lambda: torch.empty(0, NUMBERS, dtype=torch.float32))
    layers: tuple[Run, ...] = ()

    @staticmethod
    def of(layers: Sequence[Layer]) -> Sketch:
        """The strokes of a painting's layers."""
        if not layers:
            return Sketch()
        runs = (
            Run(len(each.strokes), each.mask, each.level, each.instance, each.ends, each.compositing)
            for each in layers
        )
        packed = torch.cat([each.strokes.pack()[0] for each in layers])
        return Sketch(packed.detach().clone(), tuple(runs))

    @property
    def painted(self) -> tuple[Layer, ...]:
        """The same as layers of a painting."""
        found, first = [], 0
        for each in self.layers:
            last = first + each.count
            strokes = Strokes.unpack(self.strokes[None, first:last])
            found.append(Layer(strokes, each.level, each.instance, each.mask, each.compositing, each.ends))
            first = last
        return tuple(found)


class Watch:
    """Looks on. This one wants nothing; a class that derives from it says what is wanted.

    It is asked in the thread in which the painting is made, and often: its answers should come at once.
    """

    @property
    def stopped(self) -> bool:
        """Whether the painting is to end now, as it is."""
        return False

    def due(self) -> bool:
        """Whether a sketch is wanted now; if not, none is made."""
        return False

    def begin(self, easel: Easel) -> None:
        """Told what is painted on: before the first sketch, and again if there are more masks at the end."""

    def sketch(self, sketch: Sketch) -> None:
        """Shown the strokes that there are: some that were due, and always those of the finished painting."""


@dataclass(frozen=True, eq=False)
class Onlooker:
    """A watch, and how strokes are shown to it.

    Attributes:
        watch: that looks on.
        layers: of packed strokes ``[N, 13]`` of the picture and what they depict ``[N]``, see `Parts`.
    """

    watch: Watch
    layers: Callable[[Tensor, NDArray[np.intp]], tuple[Layer, ...]]

    @property
    def stopped(self) -> bool:
        """Whether the painting is to end now."""
        return self.watch.stopped

    def told(self, laid: Callable[[], tuple[Tensor, NDArray[np.intp]]]) -> bool:
        """Show the strokes that there are, if it is time; says whether to go on.

        Args:
            laid: makes packed strokes ``[N, 13]`` of the picture, in painting order, and what they depict.
        """
        if self.watch.stopped:
            return False
        if self.watch.due():
            self.watch.sketch(Sketch.of(self.layers(*laid())))
        return not self.watch.stopped
