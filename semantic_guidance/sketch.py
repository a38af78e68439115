"""The picture as the painter works from it: small, with weights and a budget for each part."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.renderer.objective import Run
from semantic_guidance.types import Guidance, Strokes

Array = NDArray[np.float32]

FILM_MARKS = (0.1, 0.25, 0.5, 0.75)
FILM_FACTOR = 0.03
"""Weight of the unfinished painting's error at `FILM_MARKS`, against 1 of the finished one."""

OBJECT_WEIGHT = 0.4
"""Share of the objects' pixels in the whole error's weight; an object is always worth more than its area."""

WEIGHT_RANGE = (3.0, 20.0)
"""Bounds of an object pixel's weight against a background pixel's."""


def foreground_share(area: float) -> float:
    """Share of the strokes that objects get which cover `area` (0 to 1) of the picture."""
    return 0.0 if area == 0 else min(0.9, area + 0.35 * (1 - area))


@dataclass(frozen=True)
class Sketch:
    """The picture at the size at which its strokes are found.

    Attributes:
        target: ``[h, w, 3]`` the picture.
        masks: ``[M, h, w]`` of its objects.
        weight: ``[h, w]`` of its pixels' errors.
        counts: strokes of the background, then of each object.
        stretch: what turns (x, y) in units of the sketch's longer side into units of the picture's; not
            quite 1 where the sketch's sides were rounded.
    """

    target: Array
    masks: Array
    weight: Array
    counts: tuple[int, ...]
    stretch: tuple[float, float]

    @staticmethod
    def of(picture: Tensor, guidance: Guidance, side: int, strokes: int) -> Sketch:
        """The sketch of `picture` ``[3, H, W]``, with about ``side`` squared pixels for 300 strokes."""
        height, width = picture.shape[-2:]
        length = side * min(max(1.0, math.sqrt(strokes / 300)), 8.0)
        scale = min(length / math.sqrt(height * width), 8 * length / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))  # as OpenCV has it
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR

        def shrink(values: Tensor) -> Array:
            array = values.permute(1, 2, 0).contiguous().numpy()
            return np.asarray(cv2.resize(array, small, interpolation=method), np.float32)

        target = shrink(picture).reshape(small[1], small[0], 3)
        masks = np.zeros((len(guidance.instances), small[1], small[0]), np.float32)
        for index, instance in enumerate(guidance.instances):
            masks[index] = shrink(instance.mask)
        unit = max(small) / max(height, width)
        stretch = (width / small[0] * unit, height / small[1] * unit)
        weight = _weight(masks, shrink(guidance.focus).reshape(masks.shape[1:]))
        return Sketch(target, masks, weight, _counts(masks, strokes), stretch)

    @property
    def mask(self) -> Array:
        """``[h, w]`` union of the objects."""
        return self.masks.max(axis=0) if len(self.masks) else np.zeros_like(self.weight)

    @property
    def paper(self) -> tuple[float, float, float]:
        """Colour of the empty canvas: the picture's mean."""
        red, green, blue = (round(float(value), 6) for value in self.target.mean(axis=(0, 1)))
        return red, green, blue

    def to_picture(self, vectors: Tensor) -> Strokes:
        """Packed strokes ``[N, 13]`` of the sketch as strokes ``[1, N]`` of the picture."""
        strokes = Strokes.unpack(vectors[None])
        return replace(strokes, points=strokes.points * torch.tensor(self.stretch))


def _weight(masks: Array, focus: Array) -> Array:
    """Weight of each pixel's error: objects get `OBJECT_WEIGHT` of it all, more where the focus is."""
    if not len(masks):
        return np.ones_like(focus)
    union = masks.max(axis=0)
    area = min(max(float(union.mean()), 1e-4), 1.0)
    ratio = OBJECT_WEIGHT / (1 - OBJECT_WEIGHT) * (1 - area) / area
    return np.asarray(1 + (min(max(ratio, WEIGHT_RANGE[0]), WEIGHT_RANGE[1]) * (1 + focus) - 1) * union)


def _counts(masks: Array, strokes: int) -> tuple[int, ...]:
    """Strokes of the background, then of each object: by the square root of its area."""
    if not len(masks):
        return (strokes,)
    foreground = round(strokes * foreground_share(float(masks.max(axis=0).mean())))
    sizes = np.sqrt(masks.mean(axis=(1, 2)))
    bounds = np.round(np.cumsum(sizes) / sizes.sum() * foreground).astype(int)
    return (strokes - foreground, *np.diff(bounds, prepend=0).tolist())


def film_runs(groups: list[tuple[int, int | None]]) -> list[Run]:
    """Runs of (strokes, mask) groups, cut where the film counts."""
    total = sum(count for count, _ in groups)
    marks = {round(share * total) for share in FILM_MARKS} - {total}
    runs, painted = [], 0
    for count, mask in groups:
        cuts = [*sorted(mark for mark in marks if painted < mark < painted + count), painted + count]
        for cut in cuts:
            factor = 1.0 if cut == total else FILM_FACTOR if cut in marks else 0.0
            if cut > painted:
                runs.append(Run(cut - painted, mask, factor))
            painted = cut
    return runs
