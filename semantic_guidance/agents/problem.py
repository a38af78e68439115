"""What strokes are found for: a picture, made small, with weights and a budget for each part."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.watching import Onlooker, Told
from semantic_guidance.agents.weighing import budgets, weigh
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import Strokes, affine
from semantic_guidance.images.arrays import resize
from semantic_guidance.images.color import Color
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.objective import Objective, Segment, ZoomedObjective

VIDEO_MARKS = (0.1, 0.25, 0.5, 0.75)
VIDEO_WEIGHT = 0.03
"""Weight of the unfinished painting's error at `VIDEO_MARKS`, against 1 for the finished one."""

FOCUS_WEIGHT = 2.0
"""An object pixel of full focus counts 1 + this much while it is drafted, and where it is seen larger."""

ZOOM_FACTOR = 0.4
"""Weight of an enlarged object's objective against that of the whole picture."""

ZOOM_SIDE = 128
"""An enlarged object has about this many pixels squared."""

ZOOM_MARGIN = 0.06
"""What is seen beside its box, as a share of the box."""

MIN_ZOOM, MAX_ZOOM = 1.15, 3.0
"""Objects that would be enlarged less are not enlarged, and none is enlarged more."""


def working_size(height: int, width: int, length: float) -> tuple[int, int]:
    """Sides of a picture of about ``length`` squared pixels; the longer one is at most 8 times that."""
    scale = min(length / math.sqrt(height * width), 8 * length / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def length_factor(strokes: int) -> float:
    """Sides of the problem for a number of strokes, relative to those for 300."""
    return min(max(1.0, math.sqrt(strokes / 300)), 8.0)


@dataclass(frozen=True, eq=False)
class Part:
    """What is painted in one go: the background, or one object.

    Attributes:
        mask: index of the object; None for the background.
        show: ``[h, w]`` in [0, 1], where its strokes show; everywhere if None.
        weight: ``[h, w]`` in [0, 1], how much a pixel's error counts while it is painted.
        count: its budget of strokes.
    """

    mask: int | None
    show: Tensor | None
    weight: Tensor
    count: int


@dataclass(frozen=True, eq=False)
class Problem:
    """A picture, what is known about it, and how many strokes there are for it.

    Attributes:
        picture: ``[3, H, W]`` in [0, 1], as it was given.
        guidance: of the picture: what the agent can use.
        target: ``[3, h, w]`` the picture at the size at which strokes are found.
        masks: ``[M, h, w]`` of its objects.
        focus: ``[h, w]`` in [0, 1], see `Guidance`.
        weight: ``[h, w]`` of its pixels' errors.
        budgets: strokes of the background, then of each object.
        bound: whether the budgets are to be kept; else they are what may be expected.
        ground: colour of the empty canvas.
        zooms: the objects that are small in the picture, seen larger.
        stretch: what turns (x, y) in units of the problem's longer side into units of the picture's; not
            quite 1 where the problem's sides were rounded.
        start: ``[3, h, w]`` the canvas before the first stroke, if it is not of one colour.
        backend: that renders, see `render`.
        onlooker: who is shown the strokes while they are found, and may end that.
    """

    picture: Tensor
    guidance: Guidance
    target: Tensor
    masks: Tensor
    focus: Tensor
    weight: Tensor
    budgets: tuple[int, ...]
    ground: Color
    bound: bool = True
    zooms: tuple[Zoom, ...] = ()
    stretch: tuple[float, float] = (1.0, 1.0)
    start: Tensor | None = None
    backend: str | Backend = "auto"
    onlooker: Onlooker | None = None

    @staticmethod
    def of(
        picture: Tensor,
        guidance: Guidance,
        length: float,
        strokes: int,
        share: float | None,
        start: Tensor | None = None,
        backend: str | Backend = "auto",
    ) -> Problem:
        """The problem of a picture, on about ``length`` squared pixels.

        Args:
            picture: ``[3, H, W]`` in [0, 1].
            guidance: of the picture.
            length: root of the number of pixels.
            strokes: budget of all parts together.
            share: of the strokes that the objects get; what they are worth, see `weighing`, if None.
            start: ``[3, H, W]`` on the canvas before the first stroke; the picture's mean colour if None.
            backend: that renders.
        """
        height, width = picture.shape[-2:]
        small = working_size(height, width, length)
        target, masks, focus = _resized(picture, guidance, small)
        unit = max(small) / max(height, width)
        under = None if start is None else resize(start, *small)
        weight = weigh(target, masks, focus, guidance.instances, strokes)
        red, green, blue = target.double().mean(dim=(1, 2)).tolist()
        return Problem(
            picture=picture,
            guidance=guidance,
            target=target,
            masks=masks,
            focus=focus,
            weight=weight,
            budgets=budgets(
                target, weight, masks, strokes, share, under, [each.share for each in guidance.instances]
            ),
            bound=share is not None,
            ground=(round(red, 6), round(green, 6), round(blue, 6)),
            zooms=tuple(_zooms(picture, guidance, small, start)),
            stretch=(width / small[1] * unit, height / small[0] * unit),
            start=under,
            backend=backend,
        )

    @property
    def asked(self) -> frozenset[int]:
        """The objects for which a person asks for a share of the strokes: they keep their budgets."""
        return frozenset(n for n, each in enumerate(self.guidance.instances) if each.share is not None)

    @property
    def canvas(self) -> Tensor:
        """``[3, h, w]`` the canvas before the first stroke."""
        return _blank(self, self.ground)

    @property
    def mask(self) -> Tensor:
        """``[h, w]`` union of the objects."""
        return self.masks.amax(dim=0) if len(self.masks) else torch.zeros_like(self.weight)

    @property
    def size(self) -> int:
        """Pixels of the longer side."""
        return max(self.target.shape[1:])

    @cached_property
    def owner(self) -> NDArray[np.intp]:
        """``[h, w]`` number of the object that is on top, -1 where there is none."""
        masks = self.masks.numpy()
        if not len(masks):
            return np.full(self.weight.shape, -1, np.intp)
        topmost = len(masks) - 1 - np.argmax(masks[::-1] > 0.5, axis=0)
        return np.where(masks.max(axis=0) > 0.5, topmost, -1)

    def uncovered(self, index: int | None) -> Tensor:
        """``[h, w]`` weight of errors, low where objects after number `index` (None: all) cover them."""
        later = self.masks[0 if index is None else index + 1 :]
        return background_weight(later.amax(dim=0) if len(later) else torch.zeros_like(self.weight))

    def parts(self) -> list[Part]:
        """The background, then each object, on top of it."""
        parts = [Part(None, None, self.uncovered(None), self.budgets[0])]
        for index, mask in enumerate(self.masks):
            weight = foreground_weight(mask * self.uncovered(index), self.focus)
            parts.append(Part(index, mask, weight, self.budgets[index + 1]))
        return parts

    def show(self, mask: int | None) -> Tensor | None:
        """``[h, w]`` where strokes of a part show; everywhere if None."""
        return None if mask is None else self.masks[mask]

    def painted(self, strokes: Tensor, segments: Sequence[Segment], canvas: Tensor | None = None) -> Tensor:
        """The canvas ``[3, h, w]``, empty if None, with packed strokes ``[N, 13]`` on it."""
        canvas, start = self.canvas if canvas is None else canvas, 0
        for segment in segments:
            part = strokes[start : start + segment.count]
            canvas = paint(part, canvas, self.show(segment.mask), self.backend)
            start += segment.count
        return canvas

    def objective(self, segments: Sequence[Segment]) -> Objective:
        """The objective of the whole picture for a painting of these segments."""
        return _objective(self, self.ground, segments, self.backend)

    def zoomed_objectives(self, segments: Sequence[Segment]) -> list[ZoomedObjective]:
        """The objectives of the enlarged objects."""
        last = [replace(each, weight=float(n == len(segments) - 1)) for n, each in enumerate(segments)]
        return [
            ZoomedObjective(
                _objective(zoom, self.ground, last, self.backend), zoom.scale, zoom.shift, ZOOM_FACTOR
            )
            for zoom in self.zooms
        ]

    @property
    def stopped(self) -> bool:
        """Whether no more strokes are to be found."""
        return self.onlooker is not None and self.onlooker.stopped

    def told(self, laid: Callable[[], tuple[Tensor, Parts]]) -> bool:
        """Show what has been laid so far, if somebody wants to see it now; says whether to go on.

        Args:
            laid: makes packed strokes ``[N, 13]`` of the problem, in painting order, and what they depict.
        """
        if self.onlooker is None:
            return True

        def of_picture() -> tuple[Tensor, Parts]:
            strokes, parts = laid()
            return self.to_picture(strokes).pack()[0], parts

        return self.onlooker.told(of_picture)

    def telling(self, below: Sequence[Tensor], segments: Sequence[Segment], mask: int | None) -> Told:
        """Tells of a part's packed strokes, on top of others ``[N, 13]`` that are laid in some segments."""

        def told(fresh: Sequence[Tensor]) -> bool:
            last = Segment(sum(map(len, fresh)), mask)
            return self.told(lambda: (torch.cat([*below, *fresh]), parts_of([*segments, last])))

        return told

    def to_picture(self, vectors: Tensor) -> Strokes:
        """Packed strokes ``[N, 13]`` of the problem as strokes ``[1, N]`` of the picture."""
        strokes = Strokes.unpack(vectors[None])
        return replace(strokes, points=strokes.points * strokes.points.new_tensor(self.stretch))

    def from_picture(self, strokes: Strokes) -> Tensor:
        """Inverse of `to_picture`: strokes ``[1, N]`` of the picture as packed strokes ``[N, 13]``."""
        return replace(strokes, points=strokes.points / strokes.points.new_tensor(self.stretch)).pack()[0]


@dataclass(frozen=True, eq=False)
class Zoom:
    """An object's box and its close surroundings, enlarged.

    Attributes:
        target: ``[3, h, w]`` that part of the picture.
        masks: ``[M, h, w]`` of all objects.
        weight: ``[h, w]``: the object and its focus alone.
        scale: ``[13]`` with `shift`, what turns packed strokes of the problem into ones of this frame.
        shift: ``[13]``.
        start: ``[3, h, w]`` see `Problem`.
    """

    target: Tensor
    masks: Tensor
    weight: Tensor
    scale: Tensor
    shift: Tensor
    start: Tensor | None = None


def paint(strokes: Tensor, canvas: Tensor, show: Tensor | None, backend: str | Backend) -> Tensor:
    """The canvas ``[3, h, w]`` with packed strokes ``[N, 13]`` under a mask ``[h, w]`` or none."""
    mask = None if show is None else show[None, None]
    return render(Strokes.unpack(strokes[None]), canvas[None], mask, backend=backend)[0]


def background_weight(mask: Tensor) -> Tensor:
    """How much errors count while the background is painted, ``[H, W]``: less under the objects."""
    return 1 - 0.8 * mask


def foreground_weight(mask: Tensor, focus: Tensor) -> Tensor:
    """How much errors count while an object is painted, ``[H, W]``: most at the focus, none outside."""
    weight = mask * (1 + FOCUS_WEIGHT * focus)
    return weight / max(float(weight.max()), 1e-6)


Parts = NDArray[np.intp]
"""``[N]`` what each stroke depicts: index of an object's mask, -1 for the background."""


def parts_of(segments: Sequence[Segment]) -> Parts:
    """What each stroke of these segments depicts."""
    masks = [-1 if segment.mask is None else segment.mask for segment in segments]
    return np.repeat(np.array(masks, np.intp), [segment.count for segment in segments])


def runs(parts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Each part that is met and its number of consecutive strokes."""
    return ((part, sum(1 for _ in run)) for part, run in itertools.groupby(parts))


def on_top(parts: Parts, fresh: Parts) -> Parts:
    """The painting order of strokes of these parts and fresh ones, each on top of its part.

    Args:
        parts: ``[N]`` in painting order.
        fresh: ``[M]``; a part of which there are no strokes yet lies on those of a lower number.

    Returns:
        ``[N + M]`` numbers of the strokes, the fresh ones from N on.
    """
    below = {part: parts == part if part in parts else parts < part for part in set(fresh.tolist())}
    anchors = {part: int(np.flatnonzero(place).max(initial=-1)) for part, place in below.items()}
    places = np.array([*range(len(parts)), *(anchors[part] for part in fresh.tolist())])
    return np.lexsort([np.concatenate([np.full(len(parts), -2), fresh]), places])


def video_segments(segments: Sequence[Segment]) -> list[Segment]:
    """The same strokes, cut where the error of the unfinished painting counts, with its weights."""
    total = sum(segment.count for segment in segments)
    marks = {round(share * total) for share in VIDEO_MARKS} - {total}
    weighted, painted = [], 0
    for segment in segments:
        end = painted + segment.count
        for cut in [*sorted(mark for mark in marks if painted < mark < end), end]:
            weight = 1.0 if cut == total else VIDEO_WEIGHT if cut in marks else 0.0
            if cut > painted:
                weighted.append(Segment(cut - painted, segment.mask, weight))
            painted = cut
    return weighted


def _resized(picture: Tensor, guidance: Guidance, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Picture ``[3, h, w]``, masks ``[M, h, w]`` and focus ``[h, w]`` at a size (h, w)."""
    masks = [resize(instance.mask, *size) for instance in guidance.instances]
    stacked = torch.cat(masks) if masks else torch.zeros(0, *size, dtype=torch.float32)
    return resize(picture, *size), stacked, resize(guidance.focus, *size)[0]


def _blank(frame: Problem | Zoom, ground: Color) -> Tensor:
    """``[3, h, w]`` the canvas before the first stroke."""
    if frame.start is not None:
        return frame.start.clone()
    return torch.tensor(ground, dtype=torch.float32).view(3, 1, 1).expand_as(frame.target).contiguous()


def _objective(
    frame: Problem | Zoom, ground: Color, segments: Sequence[Segment], backend: str | Backend
) -> Objective:
    blank = _blank(frame, ground)
    return Objective(segments, frame.masks, blank, frame.target, frame.weight, backend)


def _zooms(
    picture: Tensor, guidance: Guidance, size: tuple[int, int], start: Tensor | None
) -> Iterator[Zoom]:
    """The objects that are worth a closer look than a problem of size (h, w) gives."""
    height, width = picture.shape[-2:]
    pixel = (width / size[1], height / size[0])  # of the problem, in pixels of the picture
    for index, instance in enumerate(guidance.instances):
        x, y, across, down = instance.box
        left, top = max(0, int(x - ZOOM_MARGIN * across)), max(0, int(y - ZOOM_MARGIN * down))
        right = min(width, math.ceil(x + (1 + ZOOM_MARGIN) * across))
        bottom = min(height, math.ceil(y + (1 + ZOOM_MARGIN) * down))
        enlarge = min(ZOOM_SIDE / math.sqrt((right - left) * (bottom - top)), 1.0, MAX_ZOOM / pixel[0])
        if enlarge * pixel[0] < MIN_ZOOM:
            continue
        zoomed = (max(1, round((bottom - top) * enlarge)), max(1, round((right - left) * enlarge)))
        part = (slice(None), slice(top, bottom), slice(left, right))
        parts = tuple(replace(each, mask=each.mask[part]) for each in guidance.instances)
        cut = Guidance(guidance.mask[part], guidance.focus[part], parts)
        target, masks, focus = _resized(picture[part], cut, zoomed)
        kx, ky = zoomed[1] / (right - left) / max(zoomed), zoomed[0] / (bottom - top) / max(zoomed)
        sx, sy = max(size) * pixel[0] * kx, max(size) * pixel[1] * ky
        scale, shift = affine((sx, sy), (-left * kx, -top * ky), math.sqrt(sx * sy))
        weight = masks[index] * (1 + FOCUS_WEIGHT * focus) + 1e-6
        under = None if start is None else resize(start[part], *zoomed)
        yield Zoom(target, masks, weight, scale, shift, under)
