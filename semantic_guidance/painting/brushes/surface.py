"""What the paint lies on, and the light that falls on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LIGHT = (-0.45, -0.60, 0.66)  # towards the light: left, up, out of the picture


def tooth(height: int, width: int, unit: float, seed: int) -> Array:
    """The surface of rough paper ``[height, width]``, uniform in [0, 1] over many pixels.

    Args:
        height: in pixels.
        width: in pixels.
        unit: pixels of a fine detail.
        seed: of the paper.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for size, weight in ((0.55, 0.55), (1.3, 1.0), (3.2, 0.7)):
        side = max(1.0, size * unit)
        small = (max(2, round(height / side)), max(2, round(width / side)))
        white = rng.standard_normal(small, dtype=np.float32)
        total += weight * cv2.resize(white, (width, height), interpolation=cv2.INTER_CUBIC)
    total /= max(float(total.std()), 1e-6)
    return np.asarray(1 / (1 + np.exp(-1.7 * total)), np.float32)  # nearly the normal distribution's integral


def lit(color: Array, height: Array, strength: float, gloss: float) -> Array:
    """`color` ``[H, W, 3]`` with the light and shade of a surface ``[H, W]``.

    Args:
        color: of the paint.
        height: in pixels.
        strength: of light and shade; 0 leaves the colour as it is.
        gloss: brightness of the highlights.
    """
    smooth = cv2.GaussianBlur(height, (0, 0), 0.7)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    norm = 1 / np.sqrt(1 + dx * dx + dy * dy)
    shade = (LIGHT[2] - LIGHT[0] * dx - LIGHT[1] * dy) * norm
    relief = 1 + strength * (shade / LIGHT[2] - 1)
    # Half way between the light and the eye, which looks straight down.
    half = np.array([LIGHT[0], LIGHT[1], LIGHT[2] + 1]) / np.linalg.norm([LIGHT[0], LIGHT[1], LIGHT[2] + 1])
    glint = np.clip((half[2] - half[0] * dx - half[1] * dy) * norm, 0, 1) ** 60
    flat = float(half[2]) ** 60
    light = gloss * np.clip(glint - flat, 0, 1)
    return np.asarray(np.clip(color * relief[..., None] + light[..., None], 0, 1), np.float32)
