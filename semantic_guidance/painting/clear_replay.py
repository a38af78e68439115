"""A painting without its canvas, as it appears stroke after stroke: colours and how much covers them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.images.arrays import resample_array
from semantic_guidance.images.fill import SURE, filled
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.cover import Rectangle, united
from semantic_guidance.painting.drawing import Array, Drawing, Replay

ROWS = 256
"""Rows that are worked on at a time."""


class ClearReplay:
    """What `Drawing.cut_out` shows, as it appears.

    The strokes' own colour and alpha are those of one canvas on black and one on white. A textured brush
    covers what flat strokes cover, so there are two canvases of each; what it leaves bare shows the colour of
    the flat ones. Of objects alone, it is what covers them. Under a cover, canvas and all are seen from the
    beginning.

    Args:
        drawing: what is painted.
        size: pixels of the longer side, those of the painting if None.
        filled: whether what is transparent has the colours that will be there in the end, which do not show:
            else they are black. Formats that lose something mix them with those beside them.
    """

    def __init__(self, drawing: Drawing, size: int | None = None, filled: bool = False) -> None:
        self._drawing, self._size, self._filled = drawing, size, filled
        self.height, self.width = drawing.sides(size)
        self._limit: Array | None = None  # of alpha, [H, W]
        if drawing.transparent == "object":
            self._limit = drawing.object_mask(size)[0]
        plain = replace(drawing, cover=None, transparent=None)
        self._whole: Replay | None = None
        if drawing.cover is not None:
            share = resample_array(drawing.cover, self.height, self.width)[0]
            self._limit = share if self._limit is None else self._limit * share
            self._whole = Replay(plain, size)
            self._replays = [self._whole]
            return
        brush, paper = drawing.brush, drawing.brush.on_paper
        bare = replace(brush, light=None) if paper else Brush()  # paper is no part of it, nor the light on it
        grounds = _grounds(plain, bare)
        low, high = (replace(each, layers=()).render(1)[:, :1, :1] for each in grounds)  # of tinted paper
        self._low, self._span = low, high - low
        self._black, self._white = (Replay(each, size) for each in grounds)
        self._replays = [self._black, self._white]
        self._textured: list[Replay] = []
        if not paper and brush.style != "flat":
            self._textured = [Replay(each, size) for each in _grounds(plain, brush)]
            self._replays += self._textured

    def paint(self, count: int) -> Rectangle | None:
        """Paint until `count` strokes are there; see `Replay.paint`."""
        changed: Rectangle | None = None
        for replay in self._replays:
            changed = united(changed, replay.paint(count))
        return changed

    def put(self, out: NDArray[np.uint8], changed: Rectangle) -> None:
        """Write a rectangle of it as bytes: red, green, blue and alpha, which are not multiplied.

        Args:
            out: ``[H, W, 4]``.
            changed: top, bottom, left and right.
        """
        for top, bottom, left, right in _strips(changed):
            part = self._part((top, bottom, left, right))
            np.rint(part.clip(0, 1) * 255, out=part)
            out[top:bottom, left:right] = part.transpose(1, 2, 0)

    def _part(self, place: Rectangle) -> Array:
        """A rectangle ``[4, h, w]``."""
        top, bottom, left, right = place
        here = (slice(top, bottom), slice(left, right))
        if self._whole is not None:
            color = self._whole.easel().part(*place)
            alpha = np.ones_like(color[:1])
        else:
            black, white = (each.easel().part(*place) for each in (self._black, self._white))
            alpha = (1 - ((white - black) / self._span).mean(axis=0, keepdims=True)).clip(0, 1)
            black -= (1 - alpha) * self._low
            color = (black / alpha.clip(1e-6)).clip(0, 1)
            if self._filled or self._textured:
                color = np.where(alpha < SURE, self._finished[:, *here], color)
            if self._textured:
                dark, bright = (each.easel().part(*place) for each in self._textured)
                color = dark + (bright - dark) * color
            if not self._filled:
                color *= alpha > 0
        if self._limit is not None:
            alpha = alpha * self._limit[here]
        return np.concatenate([color, alpha])

    @cached_property
    def _finished(self) -> Array:
        """The flat colours of all strokes, ``[3, H, W]``, continued to where none is."""
        if self._drawing.brush.on_paper:
            picture = replace(self._drawing, transparent="painting").cut_out(self._size)
            return filled(picture[:3] * picture[3:], picture[3])
        flat = replace(self._drawing, brush=Brush(), transparent="painting").cut_out(self._size)
        return filled(flat[:3] * flat[3:], flat[3])


def _grounds(drawing: Drawing, brush: Brush) -> list[Drawing]:
    """The strokes on black and on white, by a brush."""
    canvas = replace(drawing, start=None, brush=brush)
    return [replace(canvas, background=(shade, shade, shade)) for shade in (0.0, 1.0)]


def _strips(place: Rectangle) -> Iterator[Rectangle]:
    top, bottom, left, right = place
    for row in range(top, bottom, ROWS):
        yield row, min(bottom, row + ROWS), left, right
