"""The picture as the painter works from it: small, with weights and a budget for each part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.images import resize_array
from semantic_guidance.renderer.objective import Objective, Run, View
from semantic_guidance.types import Guidance, Strokes
from semantic_guidance.windows import background_weight

Array = NDArray[np.float32]

FILM_MARKS = (0.1, 0.25, 0.5, 0.75)
FILM_FACTOR = 0.03
"""Weight of the unfinished painting's error at `FILM_MARKS`, against 1 of the finished one."""

OBJECT_WEIGHT = 0.4
"""Share of the objects' pixels in the whole error's weight; an object is always worth more than its area."""

WEIGHT_RANGE = (3.0, 20.0)
"""Bounds of an object pixel's weight against a background pixel's."""

FOCUS_WEIGHT = 2.0
"""An object's pixel of full focus counts 1 + this much."""

ZOOM_FACTOR = 0.4
"""Weight of an enlarged object's objective against that of the whole picture."""

ZOOM_SIDE = 128
"""An enlarged object has about this many pixels squared."""

ZOOM_MARGIN = 0.06
"""What is seen beside its box, as a share of the box."""

OBJECT_SHARE = 0.4
"""Share of the strokes that objects get beyond the share of their area."""

LEAST_ZOOM = 1.15
"""Objects that would be enlarged less are not."""


def foreground_share(guidance: Guidance, beyond: float = OBJECT_SHARE) -> float:
    """Share of the strokes that the objects get: that of their area, and `beyond` of the rest."""
    if not guidance.instances:
        return 0.0
    area = float(torch.stack([instance.mask for instance in guidance.instances]).amax(dim=0).mean())
    return min(0.95, area + beyond * (1 - area))


def length_factor(strokes: int) -> float:
    """Sides of the sketch for a number of strokes, against those for 300."""
    return min(max(1.0, math.sqrt(strokes / 300)), 8.0)


@dataclass(frozen=True)
class Sketch:
    """The picture at the size at which its strokes are found.

    Attributes:
        target: ``[h, w, 3]`` the picture.
        masks: ``[M, h, w]`` of its objects.
        focus: ``[h, w]`` in [0, 1], see `Guidance`.
        weight: ``[h, w]`` of its pixels' errors.
        counts: strokes of the background, then of each object.
        zooms: the objects that are small in the picture, seen larger.
        paper: colour of the empty canvas: the picture's mean.
        start: ``[h, w, 3]`` the canvas before the first stroke, if it is not of one colour.
        stretch: what turns (x, y) in units of the sketch's longer side into units of the picture's; not
            quite 1 where the sketch's sides were rounded.
    """

    target: Array
    masks: Array
    focus: Array
    weight: Array
    counts: tuple[int, ...]
    zooms: tuple[Zoom, ...]
    paper: tuple[float, float, float]
    stretch: tuple[float, float]
    start: Array | None = None

    @staticmethod
    def of(
        picture: Tensor,
        guidance: Guidance,
        side: float,
        strokes: int,
        share: float,
        start: Tensor | None = None,
    ) -> Sketch:
        """The sketch of `picture` ``[3, H, W]``, with about ``side`` squared pixels for 300 strokes.

        Objects get `share` of the strokes. The canvas is the picture `start` ``[3, H, W]`` at first, or of
        one colour.
        """
        height, width = picture.shape[-2:]
        length = side * length_factor(strokes)
        scale = min(length / math.sqrt(height * width), 8 * length / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))  # as OpenCV has it
        target, masks, focus = _resized(picture, guidance, small)
        unit = max(small) / max(height, width)
        stretch = (width / small[0] * unit, height / small[1] * unit)
        red, green, blue = target.mean(axis=(0, 1), dtype=np.float64)
        return Sketch(
            target=target,
            masks=masks,
            focus=focus,
            weight=_weight(masks, focus),
            counts=_counts(masks, strokes, share),
            paper=(round(float(red), 6), round(float(green), 6), round(float(blue), 6)),
            zooms=tuple(_zooms(picture, guidance, small, start)),
            stretch=stretch,
            start=None if start is None else _shrunk(start, small),
        )

    @property
    def canvas(self) -> Array:
        """``[h, w, 3]`` the canvas before the first stroke."""
        if self.start is not None:
            return self.start.copy()
        return np.full_like(self.target, np.asarray(self.paper, np.float32))

    @property
    def mask(self) -> Array:
        """``[h, w]`` union of the objects."""
        return self.masks.max(axis=0) if len(self.masks) else np.zeros_like(self.weight)

    def uncovered(self, index: int) -> Array:
        """``[h, w]`` weight of errors, little where objects after number `index` (from -1) cover them."""
        later = self.masks[index + 1 :]
        return background_weight(later.max(axis=0) if len(later) else np.zeros_like(self.weight))

    def objective(self, runs: Sequence[Run]) -> Objective:
        """The objective of the whole picture for a painting of `runs`."""
        return _objective(self, self.paper, runs)

    def views(self, runs: Sequence[Run]) -> list[View]:
        """The objectives of the enlarged objects."""
        last = [replace(run, factor=float(n == len(runs) - 1)) for n, run in enumerate(runs)]
        return [
            View(_objective(zoom, self.paper, last), zoom.scale, zoom.shift, ZOOM_FACTOR)
            for zoom in self.zooms
        ]

    def to_picture(self, vectors: Tensor) -> Strokes:
        """Packed strokes ``[N, 13]`` of the sketch as strokes ``[1, N]`` of the picture."""
        strokes = Strokes.unpack(vectors[None])
        return replace(strokes, points=strokes.points * torch.tensor(self.stretch))

    def from_picture(self, strokes: Strokes) -> Tensor:
        """Inverse of `to_picture`: strokes ``[1, N]`` of the picture as packed strokes ``[N, 13]``."""
        return replace(strokes, points=strokes.points / torch.tensor(self.stretch)).pack()[0]


@dataclass(frozen=True)
class Zoom:
    """An object's box and its close surroundings, enlarged.

    Attributes:
        target: ``[h, w, 3]`` that part of the picture.
        masks: ``[M, h, w]`` of all objects.
        weight: ``[h, w]``: the object and its focus alone.
        scale: ``[13]`` with `shift`, what turns packed strokes of the sketch into ones of this frame.
        shift: ``[13]``.
        start: ``[h, w, 3]`` see `Sketch`.
    """

    target: Array
    masks: Array
    weight: Array
    scale: Tensor
    shift: Tensor
    start: Array | None = None


def _resized(picture: Tensor, guidance: Guidance, size: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Picture ``[h, w, 3]``, masks ``[M, h, w]`` and focus ``[h, w]`` at a size (w, h)."""
    width, height = size

    def resize(values: Tensor) -> Array:
        return resize_array(values.permute(1, 2, 0).contiguous().numpy(), height, width)

    masks = [resize(instance.mask).reshape(height, width) for instance in guidance.instances]
    stacked = np.stack(masks) if masks else np.zeros((0, height, width), np.float32)
    return resize(picture).reshape(height, width, 3), stacked, resize(guidance.focus).reshape(height, width)


def _shrunk(picture: Tensor, size: tuple[int, int]) -> Array:
    """A picture ``[3, H, W]`` as ``[h, w, 3]`` at a size (w, h)."""
    width, height = size
    small = resize_array(picture.permute(1, 2, 0).contiguous().numpy(), height, width)
    return small.reshape(height, width, 3)


def _objective(frame: Sketch | Zoom, paper: tuple[float, float, float], runs: Sequence[Run]) -> Objective:
    target = torch.from_numpy(frame.target).permute(2, 0, 1).contiguous()
    blank = torch.tensor(paper).view(3, 1, 1).expand_as(target).contiguous()
    if frame.start is not None:
        blank = torch.from_numpy(frame.start).permute(2, 0, 1).contiguous()
    return Objective(runs, torch.from_numpy(frame.masks), blank, target, torch.from_numpy(frame.weight))


def _zooms(
    picture: Tensor, guidance: Guidance, sketch_size: tuple[int, int], start: Tensor | None
) -> Iterator[Zoom]:
    """The objects that are worth a closer look than the sketch of size (w, h) gives."""
    height, width = picture.shape[-2:]
    pixel = (width / sketch_size[0], height / sketch_size[1])  # of the sketch, in pixels of the picture
    for index, instance in enumerate(guidance.instances):
        x, y, across, down = instance.box
        left, top = max(0, int(x - ZOOM_MARGIN * across)), max(0, int(y - ZOOM_MARGIN * down))
        right = min(width, math.ceil(x + (1 + ZOOM_MARGIN) * across))
        bottom = min(height, math.ceil(y + (1 + ZOOM_MARGIN) * down))
        enlarge = min(ZOOM_SIDE / math.sqrt((right - left) * (bottom - top)), 1.0)
        if enlarge * pixel[0] < LEAST_ZOOM:
            continue
        size = (max(1, round((right - left) * enlarge)), max(1, round((bottom - top) * enlarge)))
        part = (slice(None), slice(top, bottom), slice(left, right))
        parts = tuple(replace(each, mask=each.mask[part]) for each in guidance.instances)
        cut = Guidance(guidance.mask[part], guidance.focus[part], parts)
        target, masks, focus = _resized(picture[part], cut, size)
        kx, ky = size[0] / (right - left) / max(size), size[1] / (bottom - top) / max(size)
        sx, sy = max(sketch_size) * pixel[0] * kx, max(sketch_size) * pixel[1] * ky
        scale = torch.tensor([sx, sy] * 3 + [math.sqrt(sx * sy)] * 2 + [1.0] * 5)
        shift = torch.tensor([-left * kx, -top * ky] * 3 + [0.0] * 7)
        weight = masks[index] * (1 + FOCUS_WEIGHT * focus) + 1e-6
        under = None if start is None else _shrunk(start[part], size)
        yield Zoom(target, masks, weight, scale, shift, under)


def _weight(masks: Array, focus: Array) -> Array:
    """Weight of each pixel's error: objects get `OBJECT_WEIGHT` of it all, most of it where the focus is."""
    if not len(masks):
        return np.ones_like(focus)
    union = masks.max(axis=0)
    area = min(max(float(union.mean()), 1e-4), 1.0)
    ratio = OBJECT_WEIGHT / (1 - OBJECT_WEIGHT) * (1 - area) / area
    ratio = min(max(ratio, WEIGHT_RANGE[0]), WEIGHT_RANGE[1])
    importance = 1 + FOCUS_WEIGHT * focus
    mean = float((importance * union).sum()) / max(float(union.sum()), 1e-6)
    return np.asarray(1 + (ratio * importance / mean - 1) * union, np.float32)


def _counts(masks: Array, strokes: int, share: float) -> tuple[int, ...]:
    """Strokes of the background, then of each object: by the square root of its area."""
    if not len(masks):
        return (strokes,)
    foreground = round(strokes * share)
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
