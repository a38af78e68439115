"""Packed strokes: 13 numbers each, in tensors and arrays alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import NotFiniteError

NUMBERS = 13
"""Numbers of a packed stroke."""

POINTS, RADIUS, OPACITY, COLOR = slice(0, 6), slice(6, 8), slice(8, 10), slice(10, 13)
"""Where a packed stroke ``[..., 13]`` has its three points (x, y), two radii, two opacities, and RGB."""

START, CONTROL, END = slice(0, 2), slice(2, 4), slice(4, 6)
"""Where it has each of the points."""


def check_finite(vectors: NDArray[Any]) -> None:
    """Check that packed strokes ``[..., N, 13]`` are finite: renderers rely on it.

    Raises:
        NotFiniteError: a number is infinite or NaN.
    """
    finite = np.isfinite(vectors)
    if not finite.all():
        stroke = int(np.argwhere(~finite.all(axis=-1))[0, -1])
        raise NotFiniteError(f"stroke {stroke} holds numbers that are infinite or NaN, wanted finite ones")
