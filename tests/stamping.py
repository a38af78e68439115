"""The reference code's stamping, as its code has it, with OpenCV: what the renderer is compared with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def stamp(vector: NDArray[np.float32], width: int = 128) -> NDArray[np.float32]:
    """Alpha ``[width, width]`` of an LTP stroke ``x0 y0 x1 y1 x2 y2 z0 z2 w0 w2``; its x is the row."""
    x0, y0, x1, y1, x2, y2, z0, z2, w0, w2 = (float(value) for value in vector[:10])
    x1, y1 = x0 + (x2 - x0) * x1, y0 + (y2 - y0) * y1
    x0, y0, x1, y1, x2, y2 = (int(v * (2 * width - 1) + 0.5) for v in (x0, y0, x1, y1, x2, y2))
    z0, z2 = int(1 + z0 * width // 2), int(1 + z2 * width // 2)
    canvas = np.zeros((2 * width, 2 * width), np.float32)
    for i in range(100):
        t = i / 100
        x = int((1 - t) ** 2 * x0 + 2 * t * (1 - t) * x1 + t * t * x2)
        y = int((1 - t) ** 2 * y0 + 2 * t * (1 - t) * y1 + t * t * y2)
        radius = int((1 - t) * z0 + t * z2)
        cv2.circle(canvas, (y, x), radius, (1 - t) * w0 + t * w2, -1)
    return cv2.resize(canvas, (width, width))


def random_ltp_vectors(count: int, seed: int, widest: float = 1.0) -> NDArray[np.float32]:
    """Uniform LTP vectors ``[count, 13]``, radii scaled by `widest`."""
    vectors = np.random.default_rng(seed).random((count, 13), dtype=np.float32)
    vectors[:, 6:8] *= widest
    return vectors
