"""Oklab, a space in which equal distances look equal, and colours that stand for many in it.

After B. Ottosson, "A perceptual color space for image processing", 2020. Needs neither torch nor OpenCV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
"""From linear sRGB to the responses of the eye's cones."""

TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
"""From the cube roots of these to lightness, green to red, blue to yellow."""

ROUNDS = 30


def to_oklab(colors: NDArray[np.floating]) -> Array:
    """Oklab of sRGB colours ``[..., 3]`` in [0, 1]: lightness in [0, 1], a and b about 0."""
    values = np.asarray(colors, np.float64)
    linear = np.where(values <= 0.04045, values / 12.92, ((values.clip(0) + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ TO_CONES.T) @ TO_OKLAB.T)


def from_oklab(colors: NDArray[np.floating]) -> Array:
    """sRGB colours ``[..., 3]`` in [0, 1] of Oklab ones, clipped to what can be shown."""
    cones = (np.asarray(colors, np.float64) @ np.linalg.inv(TO_OKLAB).T) ** 3
    linear = (cones @ np.linalg.inv(TO_CONES).T).clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).clip(0, 1)


def nearest(colors: NDArray[np.floating], palette: NDArray[np.floating]) -> NDArray[np.intp]:
    """``[N]`` index of the colour of ``[K, 3]`` that looks most like each of ``[N, 3]``, all sRGB."""
    return _closest(to_oklab(colors), to_oklab(palette))


def representatives(colors: NDArray[np.floating], weights: NDArray[np.floating], count: int) -> Array:
    """Colours that stand for many: k-means in Oklab, from those that are furthest from each other.

    Args:
        colors: ``[N, 3]`` sRGB in [0, 1], at least one.
        weights: ``[N]`` above 0, how much each counts.
        count: of colours, at least 1.

    Returns:
        ``[K, 3]`` sRGB; K is `count`, or less where there are fewer.
    """
    points, shares = to_oklab(colors), np.asarray(weights, np.float64)
    centers = np.average(points, axis=0, weights=shares)[None]
    centers = points[_closest(centers, points)]
    far = np.full(len(points), np.inf)
    while len(centers) < count:
        far = np.minimum(far, ((points - centers[-1]) ** 2).sum(axis=1))
        if not (far * shares).max() > 0:
            break
        centers = np.concatenate([centers, points[(far * shares).argmax()][None]])
    for _ in range(ROUNDS):
        own = _closest(points, centers)
        for number in range(len(centers)):
            if (mine := own == number).any():
                centers[number] = np.average(points[mine], axis=0, weights=shares[mine])
    return from_oklab(centers)


def _closest(points: Array, centers: Array) -> NDArray[np.intp]:
    """``[N]`` which of ``[K, 3]`` is closest to each of ``[N, 3]``."""
    return np.asarray(((centers**2).sum(axis=1) - 2 * points @ centers.T).argmin(axis=1), np.intp)
