"""YuNet, a small face detector (Wu, Peng & Yu 2023, doi:10.1007/s11633-023-1423-y), run by OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "weights" / "faces.onnx"
_STRIDES = (8, 16, 32)  # pixels from one cell of an output to the next; each cell answers for one face
_LARGE = 1 << 20  # pixels
_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES]

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Found:
    """Faces, each perhaps many times.

    Attributes:
        boxes: ``[N, 4]`` x, y, width, height in pixels, from the brows to the chin.
        points: ``[N, 5, 2]`` (x, y) in pixels: right eye, left eye, tip of the nose, right and left corner of
            the mouth.
        scores: ``[N]`` how sure the network is, in [0, 1].
    """

    boxes: Array
    points: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Found:
        return Found(self.boxes[chosen], self.points[chosen], self.scores[chosen])

    def moved(self, matrix: Array) -> Found:
        """Where they are in another picture, to which ``[2, 3]`` maps pixels without shearing them.

        Boxes stay upright, about the centre to which theirs is mapped.
        """
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        middles = (self.boxes[:, :2] + self.boxes[:, 2:] / 2) @ matrix[:, :2].T + matrix[:, 2]
        sides = self.boxes[:, 2:] * scale
        points = self.points @ matrix[:, :2].T + matrix[:, 2]
        if np.linalg.det(matrix[:, :2]) < 0:  # mirrored: right eyes are left ones
            points = points[:, [1, 0, 2, 4, 3]]
        boxes = np.concatenate([middles - sides / 2, sides], axis=1)
        return Found(boxes.astype(np.float32), points.astype(np.float32), self.scores)

    @staticmethod
    def joined(parts: list[Found]) -> Found:
        """All of several."""
        return Found(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )


def overlaps(box: Array, boxes: Array) -> Array:
    """Intersection over union of a box ``[4]`` (x, y, width, height) with each of ``[N, 4]``."""
    ends, others = box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:]
    common = np.clip(np.minimum(ends, others) - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(axis=1)
    return np.asarray(common / (box[2:].prod() + boxes[:, 2:].prod(axis=1) - common), np.float32)


def detect(pixels: Pixels, least: float) -> Found:
    """Faces of 10 to 300 pixels in a picture ``[h, w, 3]`` of RGB bytes with a score of at least `least`."""
    height, width = (-(-side // _STRIDES[-1]) * _STRIDES[-1] for side in pixels.shape[:2])
    padded = np.zeros((1, 3, height, width), np.float32)
    padded[0, :, : pixels.shape[0], : pixels.shape[1]] = pixels[..., ::-1].transpose(2, 0, 1)
    network = _network()
    network.setInput(padded)
    outputs = [np.asarray(out)[0] for out in network.forward(_OUTPUTS)]
    if height * width > _LARGE:
        _network.cache_clear()  # it keeps some 70 bytes a pixel; another one is read at once
    parts = []
    for stride, kinds, objects, boxes, points in zip(
        _STRIDES, outputs[:3], outputs[3:6], outputs[6:9], outputs[9:], strict=True
    ):
        scores = np.sqrt(np.clip(kinds[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        chosen = np.flatnonzero(scores >= least)
        rows, columns = np.divmod(chosen, width // stride)
        cells = np.stack([columns, rows], axis=1).astype(np.float32)
        sides = np.exp(boxes[chosen, 2:]) * stride
        corners = (cells + boxes[chosen, :2]) * stride - sides / 2
        marks = (points[chosen].reshape(-1, 5, 2) + cells[:, None]) * stride
        parts.append(Found(np.concatenate([corners, sides], axis=1), marks, scores[chosen]))
    return Found.joined(parts)


@lru_cache(maxsize=1)
def _network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(str(WEIGHTS))
