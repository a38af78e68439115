"""Faces, by which people are recognised: MediaPipe's BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import Box, Instance
from semantic_guidance.guidance.refine import grown
from semantic_guidance.images.arrays import to_bytes

WEIGHTS = Path(__file__).parent / "weights" / "faces.tflite"
_SIDE, _GRID = 192, 48  # of the network's square input, and of its cells, each of which answers for one face
_OUTPUTS = ["reshaped_regressor_face_4", "reshaped_classifier_face_4"]
_MIN_SCORE, _MAX_OVERLAP = 0.65, 0.3
_MIN_WIDTH = 0.025  # of a face, in units of the picture's longer side: smaller ones are ignored
_MAX_FACES = 4
_HEAD = (0.62, 0.78, 0.06)  # half sides of the ellipse round a face and its rise, in sides of the face's box
# Right eye, left eye, tip of the nose, mouth: reach in distances between the eyes, and importance.
_FEATURES = ((0.32, 1.0), (0.32, 1.0), (0.3, 0.7), (0.45, 1.0))

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture.

    Attributes:
        score: how sure it is, in [0, 1].
        box: (x, y, width, height) in pixels, from the brows to the chin.
        points: ``[4, 2]`` (x, y) in pixels: right eye, left eye, tip of the nose, mouth.
    """

    score: float
    box: Box
    points: Array

    def instance(self, mask: Tensor) -> Instance | None:
        """The head within the mask ``[1, H, W]`` of the objects; None if less than half is within."""
        x, y = self._places(*mask.shape[-2:])
        _, _, wide, high = self.box
        across, down, rise = _HEAD[0] * wide, _HEAD[1] * high, _HEAD[2] * high
        distance = np.sqrt((x / across) ** 2 + ((y + rise) / down) ** 2)
        inside = np.clip((1 - distance) * across / 4 + 0.5, 0, 1)  # soft over four pixels
        head = torch.from_numpy(inside.astype(np.float32))[None].to(mask) * mask
        if float((head > 0.5).sum()) < 0.5 * np.pi * across * down:
            return None
        return Instance.from_mask(head, "face", self.score)

    def focus(self, height: int, width: int) -> Tensor:
        """Importance of each pixel for recognising the face ``[1, height, width]``, in [0, 1]."""
        rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
        unit = max(float(np.hypot(*(self.points[0] - self.points[1]))), 0.2 * self.box[2])
        total = np.zeros((height, width), np.float32)
        for (px, py), (reach, importance) in zip(self.points, _FEATURES, strict=True):
            squared = ((columns - px) ** 2 + (rows - py) ** 2) / (reach * unit) ** 2
            total = np.maximum(total, importance * np.exp(-squared / 2))
        return torch.from_numpy(total)[None]

    def _places(self, height: int, width: int) -> tuple[Array, Array]:
        """Each pixel's offset from the face's centre, in pixels across and down the face, which may tilt."""
        x, y, w, h = self.box
        rows, columns = np.mgrid[:height, :width].astype(np.float32) + 0.5
        dx, dy = columns - (x + w / 2), rows - (y + h / 2)
        between = self.points[1] - self.points[0]
        ux, uy = between / max(float(np.hypot(*between)), 1e-6)
        return dx * ux + dy * uy, dy * ux - dx * uy


def find_faces(image: Tensor, boxes: Iterable[Box] = ()) -> list[Face]:
    """The largest faces of a picture ``[3, H, W]`` in [0, 1], at most four, largest first.

    Args:
        image: the picture.
        boxes: (x, y, width, height) in pixels, where to look more closely.
    """
    pixels = to_bytes(image.detach().float().cpu())
    height, width = pixels.shape[:2]
    faces = _look(pixels, (0, 0))
    for left, top, across, down in boxes:
        x, y, w, h = grown((int(left), int(top), int(across), int(down)), 0.1, height, width)
        if w * h < 0.5 * height * width:
            faces += _look(pixels[y : y + h, x : x + w], (x, y))
    least = _MIN_WIDTH * max(height, width)
    faces = [face for face in faces if face.box[2] >= least]
    if not faces:
        return []
    kept = cv2.dnn.NMSBoxes(
        [face.box for face in faces], [face.score for face in faces], _MIN_SCORE, _MAX_OVERLAP
    )
    return sorted((faces[index] for index in np.ravel(kept)), key=lambda face: -face.box[2])[:_MAX_FACES]


def _look(pixels: NDArray[np.uint8], corner: tuple[int, int]) -> list[Face]:
    """The faces in a part ``[h, w, 3]`` of a picture that begins at its pixel `corner` (x, y)."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    scale = _SIDE / side
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = cv2.resize(pixels, size, interpolation=shrinks)
    network = _network()
    network.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5,) * 3))
    numbers, scores = (np.asarray(out) for out in network.forward(_OUTPUTS))
    certain = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -50, 50)))
    chosen = np.flatnonzero(certain > _MIN_SCORE)
    rows, columns = np.divmod(chosen, _GRID)
    cells = (np.stack([columns, rows], axis=1) + 0.5) * (_SIDE / _GRID) - (left, top)
    origins = (cells / scale + corner)[:, None]
    # The box's centre and sides, then points of the face; all but the sides are relative to the cell.
    pairs = numbers.reshape(-1, 8, 2)[chosen] / scale
    corners = pairs[:, :1] - pairs[:, 1:2] / 2 + origins
    boxes = np.concatenate([corners, pairs[:, 1:2]], axis=1).reshape(-1, 4).tolist()
    points = (pairs[:, 2:6] + origins).astype(np.float32)
    return [
        Face(score, tuple(box), four)
        for score, box, four in zip(certain[chosen].tolist(), boxes, points, strict=True)
    ]


@lru_cache(maxsize=1)
def _network() -> cv2.dnn.Net:
    # OpenCV 5 has two engines; the new one gives only the last of the outputs.
    engine = [cv2.dnn.ENGINE_CLASSIC] if hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
    return cv2.dnn.readNetFromTFLite(str(WEIGHTS), *engine)
