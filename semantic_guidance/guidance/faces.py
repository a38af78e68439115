"""Faces: looked for at every size, and seen again from near and upright before they are believed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import Box
from semantic_guidance.guidance.yunet import Array, Found, Pixels, detect, overlaps
from semantic_guidance.images.arrays import to_bytes

_FINEST, _MOST_PIXELS = (
    2.0,
    3.2e6,
)  # how much pictures are enlarged, and up to how many pixels
_LARGEST = 8e6  # pixels of which a picture is looked at; larger ones are made smaller
_TILE, _OVERLAP = 1536, 192  # sides of the tiles of a look, in pixels; larger faces are seen in coarser looks
_COARSEST = 100  # pixels of the longer side of the smallest look
_TURNS, _TURNED_SIDE = (
    (-45.0, 45.0),
    480,
)  # degrees; longer side of a turned picture, in pixels
_MIN_LOOK, _MIN_FIRST, _MIN_TURNED = (
    0.3,
    0.45,
    0.6,
)  # scores that count, of candidates, and if turned
_SAME = 0.35  # overlap of two boxes (intersection over union) from which they are one face
_MAX_CANDIDATES, _MAX_FACES = 128, 64
_MIN_WIDTH = 9.0  # of a face, in pixels of the picture
_REACH = (10.0, 300.0)  # widths of faces that the network knows, in pixels of its input
# How a candidate is seen again, each time from where it was found before: width of its face and side of the
# look, in pixels, and whether it is mirrored.
_AGAIN = ((32, 96, True), (44, 128, True), (60, 160, False))
_SLOPE, _MIDDLE = 11.5, 0.51  # logistic, from the mean score of all looks to a probability; see runs/faces
_MIN_CONFIDENCE = 0.5
# Right eye, left eye, tip of the nose, mouth: reach in distances between the eyes, and importance.
_FEATURES = ((0.32, 1.0), (0.32, 1.0), (0.3, 0.7), (0.45, 1.0))
_PROFILE = 0.2  # distance between the eyes in widths of the face, below which it is seen from the side
_WITHIN = 3.0  # reaches of a feature beyond which it does not count


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture.

    Attributes:
        confidence: probability in [0, 1] that a person would call it a face.
        box: (x, y, width, height) in pixels, from the brows to the chin.
        points: ``[4, 2]`` (x, y) in pixels: right eye, left eye, tip of the nose, mouth.
    """

    confidence: float
    box: Box
    points: Array

    @property
    def tilt(self) -> tuple[float, float]:
        """Unit vector (x, y) from the right eye to the left one; level in profile."""
        x, y = (self.points[1] - self.points[0]).tolist()
        apart = float(np.hypot(x, y))
        return (x / apart, y / apart) if apart > _PROFILE * self.box[2] else (1.0, 0.0)

    def focus(self, height: int, width: int) -> Tensor:
        """Importance of each pixel for recognising the face ``[1, height, width]``, in [0, 1]."""
        total = torch.zeros(1, height, width, dtype=torch.float32)
        self.mark(total)
        return total

    def mark(self, focus: Tensor) -> None:
        """Raise the importance ``[1, H, W]`` of pixels, in place, to what they have for this face."""
        height, width = focus.shape[-2:]
        eyes = float(np.hypot(*(self.points[0] - self.points[1])))
        unit = max(eyes, _PROFILE * self.box[2])
        for (px, py), (share, importance) in zip(self.points.tolist(), _FEATURES, strict=True):
            reach = share * unit
            left, right = span(px, _WITHIN * reach, width)
            top, bottom = span(py, _WITHIN * reach, height)
            rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32) + 0.5
            squared = ((columns - px) ** 2 + (rows - py) ** 2) / reach**2
            near = torch.from_numpy(importance * np.exp(-squared / 2)).to(focus)
            part = focus[0, top:bottom, left:right]
            torch.maximum(part, near, out=part)


def span(middle: float, reach: float, size: int) -> tuple[int, int]:
    """First pixel, and the one after the last, of a line of `size` within `reach` of its `middle`."""
    first = min(max(int(middle - reach), 0), size)
    return first, max(first, min(size, int(middle + reach) + 1))


def find_faces(image: Tensor) -> list[Face]:
    """The faces of a picture ``[3, H, W]`` in [0, 1], at most 64, the largest and most central first.

    From 9 pixels to all of the picture wide, of people, statues, paintings and many drawings, also in profile
    and tilted by up to 75 degrees. About 0.3 s of one core for 1024 x 768 pixels.
    """
    pixels = to_bytes(image.detach().float().cpu())
    height, width = pixels.shape[:2]
    seen, looks = _first_looks(pixels)
    kept, second = _candidates(seen, looks, _scales(height, width))
    if not len(kept):
        return []
    scores = [kept.scores, second]
    for how in _AGAIN:
        kept = _again(pixels, kept, *how)
        scores.append(kept.scores)
    certain = 1 / (1 + np.exp(-_SLOPE * (np.nanmean(np.stack(scores), axis=0) - _MIDDLE)))
    faces = [
        Face(float(certain[index]), _box(kept.boxes[index]), _four(kept.points[index]))
        for index in _distinct(kept.boxes, certain)
    ]
    return sorted(faces, key=lambda face: -prominence(face.box, height, width))[:_MAX_FACES]


def prominence(box: Box, height: int, width: int) -> float:
    """How much a face draws the eye: its width, half of that in the corners of the picture."""
    x, y, w, h = box
    off = np.hypot((x + w / 2) / width - 0.5, (y + h / 2) / height - 0.5) / np.hypot(0.5, 0.5)
    return float(w * (1 - 0.5 * min(off, 1.0)))


def _box(numbers: Array) -> Box:
    x, y, width, height = numbers.tolist()
    return x, y, width, height


def _four(points: Array) -> Array:
    """Eyes, nose and the middle of the mouth, of eyes, nose and the mouth's corners."""
    return np.concatenate([points[:3], points[3:].mean(axis=0, keepdims=True)])


def _scales(height: int, width: int) -> list[float]:
    """Enlargements at which a picture is looked at, from fine to coarse, each half of the one before."""
    area = height * width
    finest = min(_FINEST, max(1.0, float(np.sqrt(_MOST_PIXELS / area))), float(np.sqrt(_LARGEST / area)))
    halvings = max(0, int(np.log2(max(height, width) * finest / _COARSEST)))
    return [finest / 2**step for step in range(halvings + 1)]


def _resized(pixels: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=shrinks), np.uint8)


def _first_looks(pixels: Pixels) -> tuple[Found, NDArray[np.int64]]:
    """All that is found at all scales, then in the turned picture; and the number of the look of each."""
    height, width = pixels.shape[:2]
    parts = []
    for scale in _scales(height, width):
        small = _resized(pixels, scale)
        across, down = width / small.shape[1], height / small.shape[0]
        back = np.array([[across, 0, 0], [0, down, 0]], np.float32)
        parts.append(_tiled(small).moved(back))
    small = _resized(pixels, min(1.0, _TURNED_SIDE / max(height, width)))
    for angle in _TURNS:
        turned, matrix = _turned(small, angle)
        back = cv2.invertAffineTransform(matrix).astype(np.float32) * np.float32(width / small.shape[1])
        parts.append(detect(turned, _MIN_TURNED).moved(back))
    looks = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return Found.joined(parts), looks


def _tiled(pixels: Pixels) -> Found:
    """What is found in a picture of any size, in tiles that overlap, so that memory is bounded."""
    height, width = pixels.shape[:2]
    parts = []
    for top in range(0, max(1, height - _OVERLAP), _TILE - _OVERLAP):
        for left in range(0, max(1, width - _OVERLAP), _TILE - _OVERLAP):
            corner = np.array([[1, 0, left], [0, 1, top]], np.float32)
            parts.append(detect(pixels[top : top + _TILE, left : left + _TILE], _MIN_LOOK).moved(corner))
    return Found.joined(parts)


def _turned(pixels: Pixels, angle: float) -> tuple[Pixels, Array]:
    """A picture turned by so many degrees, all of it to be seen; and the matrix ``[2, 3]`` to its pixels."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (round(height * sine + width * cosine), round(height * cosine + width * sine))
    matrix[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)
    return np.asarray(cv2.warpAffine(pixels, matrix, size), np.uint8), matrix.astype(np.float32)


def _candidates(seen: Found, looks: NDArray[np.int64], scales: list[float]) -> tuple[Found, Array]:
    """The best look at each face, and the score ``[N]`` of the next best at another scale.

    It is not a number where a face is within the network's reach at one scale only.
    """
    left = seen.boxes[:, 2] >= _MIN_WIDTH
    chosen: list[int] = []
    seconds: list[float] = []
    for index in np.argsort(-seen.scores, kind="stable"):
        if not left[index]:
            continue
        same = left & (overlaps(seen.boxes[index], seen.boxes) > _SAME)
        left &= ~same
        if seen.scores[index] < _MIN_FIRST or len(chosen) == _MAX_CANDIDATES:
            break
        width = float(seen.boxes[index, 2])
        others = [
            float(seen.scores[same & (looks == look)].max(initial=0.0))
            for look, scale in enumerate(scales)
            if look != looks[index] and _REACH[0] <= width * scale <= _REACH[1]
        ]
        chosen.append(int(index))
        seconds.append(max(others, default=np.nan))
    return seen[np.array(chosen, np.int64)], np.array(seconds, np.float32)


def _distinct(boxes: Array, certain: Array) -> list[int]:
    """Numbers of the faces to believe, surest first, each once: two looks may have ended at the same one."""
    chosen: list[int] = []
    for index in np.argsort(-certain, kind="stable").tolist():
        if certain[index] < _MIN_CONFIDENCE or boxes[index, 2] < _MIN_WIDTH:
            continue
        if not (overlaps(boxes[index], boxes[np.array(chosen, np.int64)]) > _SAME).any():
            chosen.append(index)
    return chosen


def _again(pixels: Pixels, faces: Found, wide: int, side: int, mirror: bool) -> Found:
    """Faces as they are when seen again, each upright in a square of `side` pixels and `wide` pixels wide.

    One that is not found again is where it was, with a score of 0.
    """
    parts = []
    columns = 1024 // side
    for first in range(0, len(faces), columns):
        numbers = range(first, min(first + columns, len(faces)))
        squares = [_upright(pixels, faces, number, wide, side, mirror) for number in numbers]
        found = detect(np.concatenate([square for square, _ in squares], axis=1), 0.05)
        for place, (number, (_, matrix)) in enumerate(zip(numbers, squares, strict=True)):
            matrix[0, 2] += place * side
            one = np.array([number])
            near = overlaps(faces[one].moved(matrix).boxes[0], found.boxes) > _SAME
            if near.any():
                best = found[near][np.array([np.argmax(found.scores[near])])]
                parts.append(best.moved(cv2.invertAffineTransform(matrix).astype(np.float32)))
            else:
                parts.append(replace(faces[one], scores=np.zeros(1, np.float32)))
    return Found.joined(parts) if parts else faces


def _upright(
    pixels: Pixels, faces: Found, number: int, wide: int, side: int, mirror: bool
) -> tuple[Pixels, Array]:
    """A face in the middle of a square of `side` pixels, `wide` pixels wide, its eyes level.

    Returns:
        The square, and the matrix ``[2, 3]`` from the picture's pixels to its own.
    """
    x, y, width, height = (float(value) for value in faces.boxes[number])
    face = Face(1.0, (x, y, width, height), faces.points[number])
    reach = 0.75 * side / wide * width  # of what is seen from its middle, whatever the angle, in pixels
    left, right = span(x + width / 2, reach, pixels.shape[1])
    top, bottom = span(y + height / 2, reach, pixels.shape[0])
    part = _resized(pixels[top:bottom, left:right], wide / width)
    sx, sy = part.shape[1] / (right - left), part.shape[0] / (bottom - top)
    centre = ((x + width / 2 - left) * sx, (y + height / 2 - top) * sy)
    turn = cv2.getRotationMatrix2D(centre, float(np.degrees(np.arctan2(*face.tilt[::-1]))), 1.0)
    turn[:, 2] += np.subtract(side / 2, centre)
    square = np.asarray(cv2.warpAffine(part, turn, (side, side)), np.uint8)
    shrink = np.array([[sx, 0, -left * sx], [0, sy, -top * sy], [0, 0, 1]])
    matrix = (turn @ shrink).astype(np.float32)
    if mirror:
        square, matrix = square[:, ::-1], matrix * np.array([[-1], [1]], np.float32)
        matrix[0, 2] += side
    return square, matrix
