"""Thin parts that a mask lacks: legs, antennae, stems, which hang on the object, end, and are half seen.

A line is taken where the picture has a ridge (a top-hat of either sign, in any colour), the segmenter has
some belief, and the line begins at the object. A line that goes on beyond where belief ends, or on the other
side of the object, such as a wire, a branch or the horizon, is not a part of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[Any]  # [H, W]

_WIDTH = 0.02  # of the longer side: structures narrower than this are ridges
_CONTRAST = 0.25  # of [0, 1], between a ridge and what is beside it
_LOW, _SEED = 0.04, 0.15  # belief that every pixel of a part needs, and one of them
_SHORTEST, _SLENDER = 0.02, 6.0  # least length of a part, of the side and in thicknesses
_THICK = 0.55  # greatest thickness, in a ridge's width
_GAP = 0.01  # of the side, from the object to where the part is seen
_LARGEST = 0.1  # of the object's area
_MAIN = 0.3  # of the largest piece's area: smaller pieces have no parts
_LOOK = 0.05  # of the side, along which a line is followed
_AFTER, _ACROSS = 0.8, 0.6  # share of that in which it is seen again


class _Part(NamedTuple):
    """A line: pixels ``[N, 2]`` (row, column), its root, its tip, its length and its thickness in pixels."""

    pixels: Plane
    root: Plane
    tip: Plane
    length: float
    thickness: float


def ridges(seen: NDArray[np.uint8], width: int) -> Plane:
    """Contrast in [0, 1] of what is narrower than `width` pixels with its surroundings, ``[H, W]``."""
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    smooth = cv2.GaussianBlur(seen, (0, 0), 0.7)
    bright, dark = (cv2.morphologyEx(smooth, way, shape) for way in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))
    return np.maximum(bright, dark).max(-1).astype(np.float32) / 255


def _goes_on(ridge: Plane, start: Plane, along: Plane, threshold: float) -> bool:
    """Whether a line is seen beyond `start` (row, column), in a widening beam along the unit vector."""
    height, width = ridge.shape
    steps = np.arange(3, max(8, round(_LOOK * max(ridge.shape))))[:, None, None]
    across = np.arange(-3, 4)[None, :, None] * np.array([-along[1], along[0]]) * (0.7 + 0.05 * steps)
    rows, columns = np.moveaxis(np.rint(start + steps * along + across).astype(int), -1, 0)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = np.where(inside, ridge[rows.clip(0, height - 1), columns.clip(0, width - 1)], 0) > _CONTRAST
    return bool(inside[:, 3].mean() >= 0.5 and found.any(1).mean() > threshold)


def _beyond(solid: Plane, part: _Part, reach: float) -> Plane | None:
    """Where the line through a part leaves the object on its other side; None if outside the frame."""
    along = (part.root - part.tip) / part.length
    entered = False
    for step in range(1, 2 * sum(solid.shape)):
        at = part.root + step * along
        row, column = int(at[0]), int(at[1])
        if not (0 <= row < solid.shape[0] and 0 <= column < solid.shape[1]):
            return None
        if entered and not solid[row, column]:
            return np.asarray(at)
        entered = entered or bool(solid[row, column]) or step > 2 * reach
    return None


def _measured(pixels: Plane, away: Plane, thickness: float) -> _Part:
    from_object = away[pixels[:, 0], pixels[:, 1]]
    root = pixels[from_object.argmin()].astype(float)
    reach = np.linalg.norm(pixels - root, axis=1)
    return _Part(pixels, root, pixels[reach.argmax()].astype(float), float(reach.max()), thickness)


def _is_part(part: _Part, ridge: Plane, solid: Plane, away: Plane, reach: float) -> bool:
    """Whether a line is slender, leads away from the object, and ends."""
    side = max(solid.shape)
    wide = _THICK * _WIDTH * side + 2
    if part.length < max(_SHORTEST * side, _SLENDER * part.thickness) or part.thickness > wide:
        return False
    row, column = part.tip.astype(int)
    if len(part.pixels) > wide * part.length or away[row, column] < 0.4 * part.length:
        return False
    outer = part.pixels[np.linalg.norm(part.pixels - part.root, axis=1) > 0.6 * part.length].mean(0)
    ahead = (part.tip - outer) / max(float(np.linalg.norm(part.tip - outer)), 1e-6)
    if _goes_on(ridge, part.tip, ahead, _AFTER):
        return False
    exit_ = _beyond(solid, part, reach)
    return exit_ is None or not _goes_on(ridge, exit_, (part.root - part.tip) / part.length, _ACROSS)


def _main(solid: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask's large pieces."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(areas >= _MAIN * areas.max(initial=1))
    return np.isin(labels, large).astype(np.uint8)


def _lines(
    seen: NDArray[np.uint8], belief: Plane, solid: NDArray[np.uint8]
) -> tuple[Plane, NDArray[np.uint8]]:
    """Ridges ``[H, W]``, and their pixels that may belong to a part, off the rim of the mask."""
    ridge = ridges(seen, max(7, round(_WIDTH * max(solid.shape))) | 1)
    held = ((ridge > _CONTRAST) & (belief > _LOW)).astype(np.uint8)
    able = np.asarray(cv2.morphologyEx(held, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    able[cv2.dilate(solid, np.ones((5, 5), np.uint8)) > 0] = 0
    return ridge, able


def thin_parts(seen: NDArray[np.uint8], belief: Plane, mask: Plane) -> NDArray[np.bool_]:
    """Thin parts of the object that its mask lacks.

    Args:
        seen: ``[H, W, 3]`` bytes.
        belief: ``[H, W]`` in [0, 1], what the segmenter holds for the object, however weakly.
        mask: ``[H, W]`` in [0, 1], above one half where the object is.

    Returns:
        ``[H, W]``, joined to the mask, mostly outside it.
    """
    solid = (mask > 0.5).astype(np.uint8)
    found, main = np.zeros(solid.shape, np.uint8), _main(solid)
    if not main.any() or main.all():
        return found > 0
    height, width = solid.shape
    ridge, able = _lines(seen, belief, solid)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(able)
    within = cv2.distanceTransform(able, cv2.DIST_L2, cv2.DIST_MASK_3)
    kind = cv2.DIST_LABEL_PIXEL
    away, nearest = cv2.distanceTransformWithLabels(1 - main, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=kind)
    where = np.zeros((int(nearest.max()) + 1, 2), int)
    where[nearest[main > 0]] = np.argwhere(main > 0)
    reach = 2.5 + max(2.0, _GAP * max(solid.shape))
    for label in np.unique(labels[(away <= reach) & (able > 0)]):
        left, top, wide, high, area = stats[label]
        short = max(wide, high) < _SHORTEST * max(solid.shape)
        cut = left <= 1 or top <= 1 or left + wide >= width - 1 or top + high >= height - 1
        if short or cut or area > _LARGEST * main.sum():
            continue
        pixels = np.argwhere(labels[top : top + high, left : left + wide] == label) + np.array([top, left])
        rows, columns = pixels.T
        part = _measured(pixels, away, 2 * float(within[rows, columns].max()))
        if belief[rows, columns].max() < _SEED or not _is_part(part, ridge, solid, away, reach):
            continue
        found[rows, columns] = 1
        root = part.root.astype(int)
        joint = where[nearest[root[0], root[1]]]
        ends = [(int(column), int(row)) for row, column in (root, joint)]
        cv2.line(found, ends[0], ends[1], 1, max(1, round(part.thickness / 2)))
    return found > 0
