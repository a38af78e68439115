"""Who is who in a group: people whom a mask joins, told apart by their faces.

Each place belongs to the face that is nearest, in units of that face's size, where a column below a face is
near to it. In doubtful places between two people the picture decides: they are flooded from what is sure, and
meet at an edge (watershed, Meyer 1992). A decoder of clicks moves the doubt to where it sees one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.guidance import Box, Point
from semantic_guidance.guidance.asked import Ask
from semantic_guidance.guidance.parts import Labels, View, flooded
from semantic_guidance.guidance.refine import Plane

_ALIKE = 0.55  # of the widest face in a shape: narrower ones are in the background, or on a shirt
_LEAST_WIDTH = 4.0  # pixels of a view
_INSIDE = 0.5  # share of a face's box that is in the shape of a person
_BREAST = (1.0, 1.7, 0.75)  # sides of the box from its top where a breast is, and share of it in the shape
_DOWN = 0.2  # how much a step down from a face counts against one to the side
_SURE = 0.62  # of the distance to the second nearest face, up to which a place belongs to the nearest
_FAR = 3.0  # distance from which a place is rather of something else
_LEAST_REST = 0.12  # of a shape, that is clearly of something else for there to be something else
_TORSO = 1.3  # sides of the face's box from its middle to that of the breast
_HEARD = 0.35  # weight of what the decoder of clicks says


def parted(
    view: View, solid: NDArray[np.bool_], faces: Sequence[Box], ask: Ask | None = None
) -> Labels | None:
    """The people in a shape, each with what is theirs; None if it does not hold several.

    Args:
        view: the picture.
        solid: ``[H, W]`` the shape.
        faces: boxes in pixels of the view.
        ask: tells what lies under a place.

    Returns:
        Labels ``[H, W]`` from 1 on that fill the shape: people, and last, perhaps, what is far from all.
    """
    own = people(solid, faces)
    if len(own) < 2:
        return None
    away = np.stack([distances(box, *solid.shape) for box in own])
    if ask is not None:
        away *= _doubts(own, solid.shape, ask)
    far = solid & (away.min(axis=0) > _FAR / _SURE)
    if far.sum() >= _LEAST_REST * solid.sum():
        away = np.concatenate([away, np.full_like(away[:1], _FAR)])
    order = np.sort(away, axis=0)
    sure = solid & (order[0] <= _SURE * order[1])
    labels = _attached(np.where(sure, away.argmin(axis=0) + 1, 0).astype(np.int32), own)
    clear = [box for n, box in enumerate(own, start=1) if (labels == n).any()]
    if len(clear) < len(own):  # one hides the other
        return parted(view, solid, clear, ask)
    labels = _flooded_to_edges(view, labels, solid)
    return flooded(_attached(labels, own), solid)


def people(solid: NDArray[np.bool_], faces: Sequence[Box]) -> list[Box]:
    """Those of the faces that mark a person of a shape ``[H, W]``.

    They are in it, with a breast below, unlike a doll's or a mask's, and not much smaller than others.
    """
    inside = [
        box
        for box in faces
        if box[2] >= _LEAST_WIDTH and _share(solid, box) >= _INSIDE and _has_breast(solid, box)
    ]
    widest = max((box[2] for box in inside), default=0.0)
    return [box for box in inside if box[2] >= _ALIKE * widest]


def _has_breast(solid: NDArray[np.bool_], box: Box) -> bool:
    """Whether a shape goes on below a face, or, in profile, beside that; or the frame cuts it."""
    x, y, w, h = box
    first, last, share = _BREAST
    top = y + first * h
    if top >= solid.shape[0] - 1:
        return True
    return max(_share(solid, (x + side * w, top, w, (last - first) * h)) for side in (-0.5, 0, 0.5)) >= share


def _span(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a box, at least one pixel if it is within the picture."""
    x, y, w, h = box
    return (
        slice(max(0, int(y)), min(height, max(int(y) + 1, round(y + h)))),
        slice(max(0, int(x)), min(width, max(int(x) + 1, round(x + w)))),
    )


def _share(solid: NDArray[np.bool_], box: Box) -> float:
    part = solid[_span(box, *solid.shape)]
    return float(part.mean()) if part.size else 0.0


def distances(box: Box, height: int, width: int) -> Plane:
    """How far each pixel is from the middle of a face, in sides of its box: ``[height, width]``."""
    x, y, w, h = box
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
    across, down = (columns - x - w / 2) / w, (rows - y - h / 2) / h
    return np.asarray(np.hypot(across, np.where(down > 0, _DOWN * down, down)), np.float32)


def _doubts(faces: list[Box], size: tuple[int, ...], ask: Ask) -> NDArray[np.float32]:
    """Factors of the distances ``[N, H, W]``, smaller where the decoder sees a person."""
    height, width = size
    clicks = []
    for x, y, w, h in faces:
        middle = float(np.clip(x + w / 2, 0.5, width - 0.5))
        below = min(height - 0.5, y + h * (0.5 + _TORSO))
        clicks.append([Point(middle, float(np.clip(y + h / 2, 0.5, height - 0.5))), Point(middle, below)])
    questions = []
    for n, own in enumerate(clicks):
        others = [point._replace(positive=False) for m, each in enumerate(clicks) if m != n for point in each]
        questions.append([*own, *others])
    masks, _ = ask(questions, (height, width))
    return np.exp(-_HEARD * masks).astype(np.float32)


def _attached(labels: Labels, faces: list[Box]) -> Labels:
    """The labels where they are joined to their faces; those beyond the faces' are what they are."""
    out = np.where(labels > len(faces), labels, 0).astype(np.int32)
    for n, box in enumerate(faces, start=1):
        _, pieces = cv2.connectedComponents((labels == n).astype(np.uint8), connectivity=4)
        counts = np.bincount(pieces[_span(box, *labels.shape)].ravel(), minlength=int(pieces.max()) + 1)
        counts[0] = 0
        if counts.any():
            out[pieces == counts.argmax()] = n
    return out


def _flooded_to_edges(view: View, labels: Labels, solid: NDArray[np.bool_]) -> Labels:
    """Labels spread within a shape, slowly over edges of the picture."""
    off = int(labels.max()) + 1
    basins = np.where(solid, labels, off).astype(np.int32)
    pixels = np.clip(view.lab * (2.55, 1, 1) + (0, 128, 128), 0, 255).astype(np.uint8)
    cv2.watershed(np.ascontiguousarray(pixels), basins)
    return np.where(solid & (basins > 0) & (basins < off), basins, 0).astype(np.int32)
