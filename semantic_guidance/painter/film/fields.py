"""Fields of offsets, in pixels, over a picture."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@functools.lru_cache(2)
def grid(height: int, width: int) -> tuple[Array, Array]:
    """Columns and rows of all pixels, ``[h, w]`` each, not to be changed."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def total(values: Array) -> Array:
    """``[h, w]`` sums over the channels of ``[h, w, C]``; as a plain sum, but faster for few channels."""
    return functools.reduce(np.add, np.moveaxis(values, -1, 0))


def looked_up(values: Array, flow: Array) -> Array:
    """Values ``[h, w]`` or ``[h, w, C]`` at the places to which a flow leads."""
    x, y = grid(*flow.shape[:2])
    moved = cv2.remap(
        values, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


def inside(flow: Array) -> NDArray[np.bool_]:
    """``[h, w]`` where a flow leads to another place of the picture."""
    height, width = flow.shape[:2]
    x, y = grid(height, width)
    x, y = x + flow[..., 0], y + flow[..., 1]
    return np.asarray((x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5))
