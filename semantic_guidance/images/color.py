"""Colours: by name, chosen from a picture, in other spaces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch and OpenCV are imported where they are used: few plots need them
    from torch import Tensor

MAX_COLORS = 64
CELL = 0.04  # of colours that are counted together
STRETCH = np.array([1.0, 2.0, 2.0])  # of Oklab, which sees less difference in hue and chroma than CIEDE2000
DISTINCT = 0.15  # a colour as far from all that are chosen is missed, if it and those within `NEAR` have
NEAR, LEAST_SHARE = 0.08, 0.003  # at least this share
GUESSES = 1024  # cells among which first guesses are sought
ROUNDS = 30
HEX = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")

Color = tuple[float, float, float]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in lightness (ITU-R BT.601)."""
Array = NDArray[np.float64]

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
FROM_ROOTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
"""From linear sRGB to cones, and from their cube roots to Oklab: https://bottosson.github.io/posts/oklab."""


def parse_color(word: str) -> Color:
    """RGB in [0, 1] of ``#rrggbb`` or ``#rgb``.

    >>> parse_color("#f00")
    (1.0, 0.0, 0.0)

    Raises:
        ValueError: it is neither.
    """
    if not HEX.fullmatch(word.strip()):
        raise ValueError(f"{word!r} is not a colour, wanted one such as #c0ffee or #fff")
    digits = word.strip()[1:]
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    red, green, blue = (int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4))
    return red, green, blue


def choose_colors(colors: Tensor, weights: Tensor, count: int) -> Tensor:
    """Colours that stand for many: k-means in Oklab, and what is small but unlike all others.

    Each first guess is the one that lowers the error most. K-means forgets what covers little, such as the
    yellow of an eye: so in the end the colours that would be missed least give way to distinct ones.

    Args:
        colors: ``[N, 3]`` RGB in [0, 1].
        weights: ``[N]`` at least 0, how much each counts.
        count: of colours to choose, at least 1.

    Returns:
        ``[K, 3]`` RGB in [0, 1], dark to light; K is `count`, or less where there are fewer.
    """
    import torch

    return torch.from_numpy(chosen_colors(colors.numpy(), weights.double().numpy(), count)).float()


def chosen_colors(colors: NDArray[np.floating[Any]], weights: Array, count: int) -> Array:
    """The same of arrays, without torch; see `choose_colors`."""
    points, shares = _cells(to_oklab(colors) * STRETCH, weights.clip(1e-12))
    likely = points[np.argsort(-shares, kind="stable")[:GUESSES]]
    apart = _apart(points, likely)
    centers: list[Array] = []
    left = np.full(len(points), np.inf)
    while len(centers) < count and (left * shares).sum() > 1e-9:
        best = (np.minimum(left[:, None], apart) * shares[:, None]).sum(axis=0).argmin()
        left = np.minimum(left, apart[:, best])
        centers.append(likely[best])
    chosen = _means(points, shares, np.array(centers), ROUNDS)
    enough = ((apart < NEAR**2) * shares[:, None]).sum(axis=0) >= LEAST_SHARE
    for _ in range(count // 2):
        missed = _apart(likely, chosen).min(axis=1) * enough
        if missed.max() < DISTINCT**2:
            break
        chosen[_spare(points, shares, chosen)] = likely[missed.argmax()]
        chosen = _means(points, shares, chosen, 3)
    return from_oklab(chosen[np.argsort(chosen[:, 0])] / STRETCH)


def _cells(points: Array, weights: Array) -> tuple[Array, Array]:
    """Points ``[N, 3]`` by cells: the mean ``[C, 3]`` of each, and its share ``[C]`` of the weights."""
    places = np.unique(np.floor(points / CELL), axis=0, return_inverse=True)[1].reshape(-1)
    sums = np.bincount(places, weights)
    means = [np.bincount(places, weights * column) / sums for column in points.T]
    return np.stack(means, axis=1), sums / sums.sum()


def _apart(points: Array, others: Array) -> Array:
    """``[N, M]`` squared distances."""
    return np.asarray(((points[:, None] - others) ** 2).sum(axis=2))


def _means(points: Array, shares: Array, centers: Array, rounds: int) -> Array:
    """The centres ``[K, 3]`` after some rounds of k-means."""
    for _ in range(rounds):
        nearest = _apart(points, centers).argmin(axis=1)
        for k in np.unique(nearest):
            centers[k] = np.average(points[nearest == k], axis=0, weights=shares[nearest == k])
    return centers


def _spare(points: Array, shares: Array, centers: Array) -> int:
    """The centre without which the error grows least."""
    apart = np.concatenate([_apart(points, centers), np.full((len(points), 1), np.inf)], axis=1)
    first, second = np.partition(apart, 1, axis=1)[:, :2].T
    costs = np.bincount(apart.argmin(axis=1), shares * (second - first), minlength=len(centers))
    return int(costs.argmin())


def nearest_color(colors: Tensor, palette: Tensor) -> Tensor:
    """``[N]`` index of the colour of ``[K, 3]`` nearest to each of ``[N, 3]``, in RGB, as errors are."""
    import torch

    return torch.cdist(colors, palette).argmin(dim=1)


def most_alike(colors: Tensor, palette: Tensor) -> Tensor:
    """``[N]`` index of the colour of ``[K, 3]`` that looks most like each of ``[N, 3]``, in Oklab.

    It is for so many colours that the nearest one is a small step away, or one beyond what there is.
    """
    import torch

    def points(rgb: Tensor) -> Tensor:
        light = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
        roots = (light @ rgb.new_tensor(TO_CONES).T) ** (1 / 3)
        return roots @ rgb.new_tensor(FROM_ROOTS).T * rgb.new_tensor(STRETCH)

    here, there = points(colors), points(palette)
    return ((there**2).sum(dim=1) / 2 - here @ there.T).argmin(dim=1)


def to_lab(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB of RGB ``[N, 3]`` in [0, 1]."""
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(colors)[None], cv2.COLOR_RGB2LAB)[0], np.float32)


def from_lab(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """RGB in [0, 1] of CIELAB ``[N, 3]``, clipped to what can be shown."""
    import cv2

    rgb = cv2.cvtColor(np.ascontiguousarray(colors)[None], cv2.COLOR_LAB2RGB)[0]
    return np.asarray(rgb.clip(0, 1), np.float32)


def linear(rgb: Array) -> Array:
    """Light of sRGB in [0, 1], IEC 61966-2-1."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clip(0) + 0.055) / 1.055) ** 2.4)


def encoded(light: Array) -> Array:
    """sRGB in [0, 1] of light, clipped to what can be shown."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def to_oklab(rgb: NDArray[np.floating[Any]]) -> Array:
    """Oklab ``[N, 3]`` of sRGB ``[N, 3]`` in [0, 1]."""
    return np.asarray(np.cbrt(linear(rgb.astype(np.float64)) @ TO_CONES.T) @ FROM_ROOTS.T)


def from_oklab(points: Array) -> Array:
    """sRGB in [0, 1] of Oklab ``[N, 3]``, clipped to what can be shown."""
    return encoded((points @ np.linalg.inv(FROM_ROOTS).T) ** 3 @ np.linalg.inv(TO_CONES).T)
