"""Legible text: lines of letters, found by what letters have in common. No network looks.

Letters of a line are strokes of one width, all darker or all lighter than what is behind them, about equally
high, close to one another and standing on one line (after Epshtein et al. 2010, "Detecting text in natural
scenes with stroke width transform", and Neumann & Matas 2012, who group and verify components alike). What
repeats one shape (windows, bricks, fences) or none (foliage, fur) is not text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.check import check_picture
from semantic_guidance.core.guidance import Box, Guidance
from semantic_guidance.images.arrays import to_bytes

_LONGEST = 1024  # pixels of the longer side at which the smallest letters are looked for
_LEVELS = 4  # sizes of letters, each twice the last one's
_SMALL = 32  # pixels: no smaller picture is looked at
_LETTER = (6, 22)  # heights of letters that a level is for, in its pixels
_REACH = 15  # pixels: side of the neighbourhood in which letters are dark or light
_MIN_CONTRAST = 28  # of 255, of a letter against its surroundings
_MIN_LETTERS, _FEW = 4, 6  # of a line, and below which more is asked of them
_MAX_SLOPE = math.tan(math.radians(14))
_MOST = 4000  # components of a level that are looked at

Bytes = NDArray[np.uint8]
Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Parts = NDArray[np.int32]
"""``[N, 5]`` left, top, width, height and area of components, as OpenCV gives them."""


@dataclass(frozen=True)
class TextLine:
    """A line of text, in pixels of the picture.

    Attributes:
        start: (x, y) of the middle of its left end.
        end: (x, y) of the middle of its right end.
        height: of its tallest letters, across the line.
        letters: how many were seen apart.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    height: float
    letters: int

    @property
    def box(self) -> Box:
        """(x, y, width, height) round it."""
        (x0, y0), (x1, y1) = self.start, self.end
        length = max(math.hypot(x1 - x0, y1 - y0), 1e-6)
        across = self.height / 2 * abs(x1 - x0) / length
        aside = self.height / 2 * abs(y1 - y0) / length
        left, top = min(x0, x1) - aside, min(y0, y1) - across
        return left, top, max(x0, x1) + aside - left, max(y0, y1) + across - top

    def focus(self, height: int, width: int) -> Tensor:
        """Importance of each pixel ``[1, height, width]`` in [0, 1]: one on the line, soft at its edges."""
        plane = np.zeros((height, width), np.float32)
        reach = 1.2 * self.height
        x, y, wide, high = self.box
        left, top = max(0, int(x - reach)), max(0, int(y - reach))
        right, bottom = min(width, int(x + wide + reach) + 1), min(height, int(y + high + reach) + 1)
        if right > left and bottom > top:
            rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32) + 0.5
            ux, uy = np.subtract(self.end, self.start)
            length = max(float(np.hypot(ux, uy)), 1e-6)
            dx, dy = columns - self.start[0], rows - self.start[1]
            along, across = (dx * ux + dy * uy) / length, np.abs(dy * ux - dx * uy) / length
            beyond = np.maximum(np.maximum(-along, along - length), across - self.height / 2)
            plane[top:bottom, left:right] = np.clip(1 - beyond / (0.5 * self.height), 0, 1)
        return torch.from_numpy(plane)[None]


def find_text(image: Tensor) -> list[TextLine]:
    """The lines of text in a picture ``[3, H, W]`` in [0, 1], those with most letters first.

    Letters must be at least about 6 pixels high where the picture's longer side is 1,024, and lines must run
    within 14 degrees of the horizontal.

    Raises:
        ValueError: the image is not ``[3, H, W]``.
    """
    check_picture("image", image)
    gray = cv2.cvtColor(to_bytes(image.detach().float().cpu()), cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    if min(height, width) < _SMALL:
        return []
    found: list[TextLine] = []
    scale = min(2.0, _LONGEST / max(height, width))
    for level in range(_LEVELS):
        zoom = scale / 2**level
        size = (round(width * zoom), round(height * zoom))
        if min(size) < 2 * _LETTER[0]:
            break
        seen = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
        back = (width / size[0], height / size[1])
        for darker in (True, False):
            found += [_scaled(line, back) for line in _lines(np.asarray(seen, np.uint8), darker)]
    return _kept(found)


def text_focus(lines: Iterable[TextLine], height: int, width: int) -> Tensor:
    """Importance of each pixel ``[1, height, width]`` in [0, 1] for reading these lines."""
    total = torch.zeros(1, height, width, dtype=torch.float32)
    for line in lines:
        total = torch.maximum(total, line.focus(height, width))
    return total


def with_text(image: Tensor, guidance: Guidance) -> Guidance:
    """`guidance` of a picture ``[3, H, W]`` with its lines of text in the focus, off the objects, too."""
    lines = find_text(image)
    if not lines:
        return guidance
    found = text_focus(lines, *image.shape[1:]).to(guidance.focus)
    return replace(guidance, focus=torch.maximum(guidance.focus, found))


def _scaled(line: TextLine, back: tuple[float, float]) -> TextLine:
    """A line in units that are `back` (x, y) as large."""
    kx, ky = back
    (x0, y0), (x1, y1) = line.start, line.end
    return TextLine((x0 * kx, y0 * ky), (x1 * kx, y1 * ky), line.height * ky, line.letters)


def _kept(found: Sequence[TextLine]) -> list[TextLine]:
    """Those lines that are not for the most part within one of more letters."""
    kept: list[TextLine] = []
    for line in sorted(found, key=lambda each: -each.letters):
        x, y, w, h = line.box
        for other in kept:
            left, top, across, down = other.box
            wide = min(x + w, left + across) - max(x, left)
            high = min(y + h, top + down) - max(y, top)
            if wide > 0 and high > 0 and wide * high > 0.4 * min(w * h, across * down):
                break
        else:
            kept.append(line)
    return kept


def _ink(gray: Bytes, darker: bool) -> Bytes:
    """Where a picture ``[H, W]`` is darker (or lighter) than halfway between its neighbourhood's extremes.

    Bernsen's threshold (1986); nothing where they hardly differ.
    """
    near = np.ones((_REACH, _REACH), np.uint8)
    high, low = cv2.dilate(gray, near), cv2.erode(gray, near)
    middle = cv2.addWeighted(high, 0.5, low, 0.5, 0)
    side = cv2.compare(gray, middle, cv2.CMP_LT if darker else cv2.CMP_GT)
    marked = cv2.threshold(cv2.subtract(high, low), 2 * _MIN_CONTRAST, 1, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.bitwise_and(side, marked), np.uint8)


def _lines(gray: Bytes, darker: bool) -> Iterator[TextLine]:
    """The lines in bytes ``[H, W]`` whose letters are dark, or light, and as high as `_LETTER` says."""
    ink = _ink(gray, darker)
    _, found, table, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    labels, stats = np.asarray(found, np.int32), np.asarray(table, np.int32)
    w, h, area = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_AREA]
    fill = area / (w * h)
    good = (h >= _LETTER[0]) & (h <= _LETTER[1]) & (w <= 2.2 * h) & (w >= 0.1 * h) & (fill > 0.15)
    good[0] = False
    numbers = np.flatnonzero(good)[:_MOST]
    parts = stats[numbers]
    for group in _groups(parts):
        line = _line(parts[group])
        if line is not None and _is_written(gray, labels, numbers[group], parts[group]):
            yield line


def _groups(parts: Parts) -> list[NDArray[np.intp]]:
    """Rows of components: each tied to its next one on the right."""
    following = np.full(len(parts), -1)
    band = 2 * _LETTER[1]
    middles = parts[:, cv2.CC_STAT_TOP] + parts[:, cv2.CC_STAT_HEIGHT] / 2
    rows = (middles // band).astype(int)
    for row in np.unique(rows):
        mine, near = np.flatnonzero(rows == row), np.flatnonzero(np.abs(rows - row) <= 1)
        gaps = _gaps(parts[mine], parts[near])
        nearest = gaps.argmin(axis=1)
        there = np.isfinite(gaps[np.arange(len(mine)), nearest])
        following[mine[there]] = near[nearest[there]]
    group = np.arange(len(parts))
    for index in np.argsort(-parts[:, cv2.CC_STAT_LEFT], kind="stable"):  # what is on the right is done
        if following[index] >= 0:
            group[index] = group[following[index]]
    order = np.argsort(group, kind="stable")
    split = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return [each for each in split if len(each) >= _MIN_LETTERS]


def _gaps(mine: Parts, others: Parts) -> Array:
    """``[N, M]`` pixels from each component to those that may follow it in a line, infinite for others."""
    x, y, w, h, _ = (column.astype(np.float32)[:, None] for column in mine.T)
    left, top, across, down, _ = (column.astype(np.float32)[None] for column in others.T)
    gap = left - (x + w)
    tall, low = np.maximum(h, down), np.minimum(h, down)
    beside = np.minimum(y + h, top + down) - np.maximum(y, top)
    tied = (left > x) & (left + across > x + w) & (gap > -0.3 * tall) & (gap < 1.3 * tall)
    tied &= (beside > 0.5 * low) & (tall < 2 * low + 1)
    return np.where(tied, gap, np.inf).astype(np.float32)


def _line(parts: Parts) -> TextLine | None:
    """The line that components ``[N, 5]`` stand on; None if they stand on none, or are no letters."""
    x, y, w, h, area = parts.astype(np.float64).T
    size = float(np.percentile(h, 80))
    center = x + w / 2
    slope, level = _straight(center, y + h)
    standing = _share_on(center, y + h, slope, level, size)
    hanging = _share_on(center, y, *_straight(center, y), size)
    few = len(parts) < _FEW
    if abs(slope) > _MAX_SLOPE or standing < (0.85 if few else 0.7) or hanging < (0.6 if few else 0.5):
        return None
    order = np.argsort(center, kind="stable")
    gaps = (x[order][1:] - (x + w)[order][:-1]) / size
    aspect, fill = w / h, area / (w * h)
    # Windows, bricks, fences and stitches: narrow, solid, or all the same.
    if np.median(aspect) < 0.52 or np.median(fill) < 0.2 or float((fill > 0.82).mean()) > 0.5:
        return None
    if np.median(gaps) > 0.5 or max(float(np.std(aspect)), 1.5 * float(np.std(fill))) < 0.09:
        return None
    if float(np.std(h)) > (0.17 if few else 0.25) * float(np.mean(h)):
        return None
    left, right = float(x.min()), float((x + w).max())
    start, end = ((edge, slope * edge + level - size / 2) for edge in (left, right))
    return TextLine(start, end, size, len(parts))


def _straight(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and level of the line by most of the points ``[N]``: the median of slopes (Theil 1950)."""
    dx = x[:, None] - x[None]
    far = dx > 0.3 * np.ptp(x)
    slope = float(np.median((y[:, None] - y[None])[far] / dx[far])) if far.any() else 0.0
    return slope, float(np.median(y - slope * x))


def _share_on(x: Floats, y: Floats, slope: float, level: float, size: float) -> float:
    """The share of points ``[N]`` that are on a line, as letters of a height are."""
    return float((np.abs(y - slope * x - level) <= 0.1 * size + 0.75).mean())


def _is_written(gray: Bytes, labels: NDArray[np.int32], numbers: NDArray[np.intp], parts: Parts) -> bool:
    """Whether components are strokes of one width and one tone on a plain ground.

    Args:
        gray: ``[H, W]``.
        labels: ``[H, W]`` number of each pixel's component, 0 for none.
        numbers: ``[N]`` of the components.
        parts: ``[N, 5]`` their boxes.
    """
    left, top = parts[:, :2].min(axis=0)
    right, bottom = (parts[:, :2] + parts[:, 2:4]).max(axis=0)
    window = slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1)
    seen, owner = gray[window].astype(np.float32), labels[window]
    ground = seen[owner == 0]
    if not len(ground):
        return False
    mine = np.isin(owner, numbers)
    depth = cv2.distanceTransform(mine.astype(np.uint8), cv2.DIST_L2, 3)[mine]
    each = np.searchsorted(np.sort(numbers), owner[mine])
    count = np.bincount(each)
    tone = np.bincount(each, seen[mine]) / count
    deepest = np.zeros(len(count), np.float32)
    np.maximum.at(deepest, each, depth)
    width = 2 * deepest - 1
    # The depth of a stroke is on average half of its greatest, that of a disc a third.
    round_ones = float(np.median(deepest * count / np.bincount(each, depth)))
    contrast = max(1.0, abs(float(np.median(ground)) - float(np.median(tone))))
    uneven = float(np.std(tone)) / contrast
    noise = float(np.median(np.abs(ground - np.median(ground)))) / contrast
    few = len(parts) < _FEW
    return (
        contrast > 1.3 * _MIN_CONTRAST
        and float(np.median(width)) < 0.36 * float(np.percentile(parts[:, 3], 80))
        and float(np.std(width)) < (0.36 if few else 0.45) * float(np.mean(width))
        and round_ones < 2.5
        and uneven < (0.12 if few else 0.16)
        # Print is of one tone, and may then lie on anything.
        and noise < ((0.3 if few else 0.45) if uneven < 0.06 else 0.17 if few else 0.21)
    )
