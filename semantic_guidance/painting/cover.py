"""What a transparent picture shows of its painting: a cover round canvas and strokes together.

Many strokes, each under a soft mask, cover more than the mask: n of them 1 - (1 - m)^n. So what is half
transparent is painted whole, and limited once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rectangle = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


@dataclass(frozen=True, eq=False)
class Cover:
    """How much of a canvas is seen, and what is seen in its place.

    Attributes:
        share: ``[H, W]`` in [0, 1] of the canvas.
        beyond: ``[3, H, W]`` what is seen in its place.
    """

    share: Array
    beyond: Array

    def limited(self, picture: Array, rectangle: Rectangle | None = None) -> Array:
        """A part ``[3, h, w]`` of the canvas, all of it if no rectangle is named, as it is seen; in place."""
        top, bottom, left, right = rectangle or (0, None, 0, None)
        beyond = self.beyond[:, top:bottom, left:right]
        picture -= beyond
        picture *= self.share[top:bottom, left:right]
        picture += beyond
        return picture


def united(one: Rectangle | None, other: Rectangle | None) -> Rectangle | None:
    """The smallest rectangle that holds both."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])
