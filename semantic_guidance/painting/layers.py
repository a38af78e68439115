"""Layers of strokes as plain numbers, and the pixels that strokes may touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.packed import POINTS, RADIUS
from semantic_guidance.renderer.definition import FARTHEST

Array = NDArray[np.float32]
Level = Literal["background", "foreground"]
Compositing = Literal["over", "seed"]
Ends = Literal["round", "square", "filbert"]
SOFTNESS = 1.0
"""Pixels of a stroke's soft edge."""


@dataclass(frozen=True, eq=False)
class DrawnLayer:
    """Consecutive strokes under one mask: a `painting.Layer` as numbers.

    Attributes:
        strokes: ``[N, 13]`` packed, contiguous, in the order in which they are painted.
        level: see `painting.Layer`.
        instance: see `painting.Layer`.
        mask: see `painting.Layer`.
        compositing: see `painting.Layer`.
        ends: see `painting.Layer`.
        load: ``[N]``, see `painting.Layer`.
        locked: see `painting.Layer`.
        keys: ``[N]``, see `painting.Layer`.
    """

    strokes: Array
    level: Level = "background"
    instance: int = 0
    mask: int | None = None
    compositing: Compositing = "over"
    ends: Ends = "round"
    load: Array | None = None
    locked: bool = False
    keys: NDArray[np.int64] | None = None


def boxes(strokes: Array, height: int, width: int, ends: Ends = "round") -> NDArray[np.int64]:
    """Rectangles ``[N, 4]`` of the pixels that packed strokes may touch on a canvas; some are empty.

    They are those of the control points, which contain the curves, and of the corners of ends.
    """
    scale = max(height, width)
    points = strokes[:, POINTS].astype(np.float64).reshape(-1, 3, 2) * scale
    radius = strokes[:, RADIUS].astype(np.float64).max(axis=1, keepdims=True) * scale
    reach = FARTHEST[ends] * (radius + SOFTNESS / 2) + 0.5
    sides = np.array([width, height])
    low = np.floor(points.min(axis=1) - reach).clip(0, sides).astype(np.int64)
    high = np.ceil(points.max(axis=1) + reach).clip(0, sides).astype(np.int64)
    return np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], axis=1)
