"""Palettes: colours by name, from files, or chosen from a picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError

if TYPE_CHECKING:  # torch and OpenCV are imported where they are used: few plots need them
    from torch import Tensor

MAX_COLORS = 64
MAX_BYTES = 1 << 16  # of a palette file
PIXELS = 20_000  # of a picture that are sampled
ROUNDS = 30
HEX = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")

Color = tuple[float, float, float]


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


def read_palette(path: Path) -> tuple[Color, ...]:
    """The colours in a file: hex colours anywhere in a text, or a GIMP palette (``.gpl``).

    Raises:
        OSError: it cannot be read.
        InputError: it holds no colours, or too many.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted a file of colours")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8", "replace")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, wanted a file of colours") from None
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror}), wanted a file of colours") from None
    if text.lstrip("\ufeff").startswith("GIMP Palette"):
        lines = re.findall(r"^\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\b", text, re.MULTILINE)
        found = [tuple(min(int(number), 255) / 255 for number in line) for line in lines]
    else:
        found = [parse_color(match[0]) for match in HEX.finditer(text)]
    colors = tuple(dict.fromkeys((red, green, blue) for red, green, blue in found))
    if not 1 <= len(colors) <= MAX_COLORS:
        raise InputError(
            f"{path}: there are {len(colors)} colours in it, wanted 1 to {MAX_COLORS}, such as #c0ffee"
        )
    return colors


def choose_colors(colors: Tensor, weights: Tensor, count: int, seed: int = 0) -> Tensor:
    """Colours that stand for many: k-means in CIELAB.

    Args:
        colors: ``[N, 3]`` RGB in [0, 1].
        weights: ``[N]`` at least 0, how much each counts.
        count: of colours to choose, at least 1.
        seed: of the first guess.

    Returns:
        ``[K, 3]`` RGB in [0, 1], dark to light; K is `count`, or less where there are fewer.
    """
    import torch

    rng = np.random.default_rng(seed)
    shares = weights.double().numpy().clip(1e-9)
    shares = shares / shares.sum()
    rgb = colors.float().numpy()
    if len(rgb) > PIXELS:
        rgb, shares = rgb[rng.choice(len(rgb), PIXELS, p=shares)], np.full(PIXELS, 1 / PIXELS)
    points = to_lab(rgb)
    centers = points[rng.choice(len(points), p=shares)][None]
    while len(centers) < count:  # k-means++: far from those chosen so far
        far = ((points[:, None] - centers) ** 2).sum(axis=2).min(axis=1) * shares
        if far.sum() < 1e-9:
            break
        centers = np.concatenate([centers, points[rng.choice(len(points), p=far / far.sum())][None]])
    for _ in range(ROUNDS):
        nearest = ((points[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        for k in range(len(centers)):
            if (share := shares * (nearest == k)).sum() > 0:
                centers[k] = (points * share[:, None]).sum(axis=0) / share.sum()
    centers = centers[np.argsort(centers[:, 0])]
    return torch.from_numpy(from_lab(centers.astype(np.float32)))


def nearest_color(colors: Tensor, palette: Tensor) -> Tensor:
    """``[N]`` index of the colour of ``[K, 3]`` nearest to each of ``[N, 3]``, in RGB, as errors are."""
    import torch

    return torch.cdist(colors, palette).argmin(dim=1)


def to_lab(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB of RGB ``[N, 3]`` in [0, 1]."""
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(colors)[None], cv2.COLOR_RGB2LAB)[0], np.float32)


def from_lab(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """RGB in [0, 1] of CIELAB ``[N, 3]``, clipped to what can be shown."""
    import cv2

    rgb = cv2.cvtColor(np.ascontiguousarray(colors)[None], cv2.COLOR_LAB2RGB)[0]
    return np.asarray(rgb.clip(0, 1), np.float32)
