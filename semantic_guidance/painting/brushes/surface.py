"""What the paint lies on, the light that falls on it, and the water in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painting.brushes.light import UPPER_LEFT, Light, towards

Array = NDArray[np.float32]

TEETH = ((3.2, 0.7), (1.3, 1.0), (0.55, 0.55), (0.23, 0.4), (0.1, 0.3))
"""Sizes of the paper's bumps in details, coarse to fine, and how much there is of each."""

STRIP = 1 << 16
"""Pixels on which light falls at a time."""

DEVIATION = 1.1
"""Of the sum of these bumps where pixels are as large as details."""


def noise(height: int, width: int, cells: float, seed: tuple[int, ...]) -> Array:
    """Normal noise ``[height, width]`` whose bumps are the same at any size.

    Args:
        height: in pixels.
        width: in pixels.
        cells: bumps along the longer side.
        seed: of the noise.
    """
    longer = max(height, width)
    sides = [max(2, round(side * cells / longer)) for side in (height, width)]
    small = np.random.default_rng(seed).standard_normal(sides, dtype=np.float32)
    way = cv2.INTER_AREA if cells > longer else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (width, height), interpolation=way), np.float32)


def tooth(height: int, width: int, details: int, seed: int) -> Array:
    """The surface of rough paper ``[height, width]``, uniform in [0, 1] over many small pixels.

    Pixels that are larger than details see their mean: paper is smooth from afar.

    Args:
        height: in pixels.
        width: in pixels.
        details: how many fine ones there are along the longer side; bumps that are finer than pixels are left
            out, but for the first three, of which pixels show the mean.
        seed: of the paper.
    """
    total = np.zeros((height, width), np.float32)
    for number, (size, weight) in enumerate(TEETH):
        cells = details / size
        if number < 3 or cells < 1.2 * max(height, width):
            total += weight * noise(height, width, cells, (seed, number))
    total /= DEVIATION
    return np.asarray(1 / (1 + np.exp(-1.7 * total)), np.float32)  # nearly the normal distribution's integral


def bled(color: Array, wet: Array, unit: float, seed: int) -> Array:
    """`color` ``[H, W, 3]`` once wet paint has run into other wet paint, nowhere else.

    Args:
        color: of the paint.
        wet: ``[H, W]`` in [0, 1] how wet it is.
        unit: pixels of a detail.
        seed: of where it runs.
    """
    height, width = wet.shape
    wet = np.clip((wet - 0.2) / 0.5, 0, 1)
    for size, strength in ((9.0, 1.0), (3.5, 0.8)):
        sigma = size * unit
        if sigma < 0.4:
            continue
        around = cv2.GaussianBlur(wet, (0, 0), sigma)
        mixed = cv2.GaussianBlur(color * wet[..., None], (0, 0), sigma) / np.maximum(around, 1e-3)[..., None]
        fingers = noise(height, width, 1024 / (1.6 * size), (seed, 11, int(size)))
        share = strength * wet * np.clip(around * 1.3, 0, 1) / (1 + np.exp(-3.0 * fingers))
        color = color + share[..., None] * (mixed - color)
    return np.asarray(color, np.float32)


def lit(color: Array, height: Array, strength: float, gloss: float, light: Light = UPPER_LEFT) -> Array:
    """`color` ``[H, W, 3]`` with the light and shade of a surface ``[H, W]``.

    Args:
        color: of the paint.
        height: in pixels.
        strength: of light and shade; 0 leaves the colour as it is.
        gloss: brightness of the highlights.
        light: where it comes from.
    """
    right, down, out = towards(light)
    smooth = cv2.GaussianBlur(height, (0, 0), 0.7)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    del smooth
    # Half way between the light and the eye, which looks straight down.
    half = np.array([right, down, out + 1]) / np.linalg.norm([right, down, out + 1])
    flat = float(half[2]) ** 60
    result = np.empty(color.shape, np.float32)
    step = max(1, STRIP // color.shape[1])
    for top in range(0, len(color), step):  # else in between it takes eight times the memory of the picture
        rows = slice(top, top + step)
        x, y = dx[rows], dy[rows]
        norm = 1 / np.sqrt(1 + x * x + y * y)
        shade = np.maximum(out - right * x - down * y, 0) * norm
        relief = 1 + strength * (shade / out - 1)
        glint = np.clip((half[2] - half[0] * x - half[1] * y) * norm, 0, 1) ** 60
        shine = gloss * np.clip(glint - flat, 0, 1)
        result[rows] = np.clip(color[rows] * relief[..., None] + shine[..., None], 0, 1)
    return result
