"""Masks of objects that are followed from frame to frame.

A mask is carried by its object's own motion, and, in turn with those of other objects, cut anew along the
edges of the frame, by the colours that object and surroundings had when they were last looked at (GrabCut
with those models kept: learning them from carried masks, it would run away). Now and then the guide looks at
the frame itself, and what it finds is matched with what is followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.box import box_of
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.images.arrays import resize, resize_array, to_array
from semantic_guidance.painter.film.flow import Motion
from semantic_guidance.painter.film.scene import Scene

Array = NDArray[np.float32]
Look = Callable[[], Guidance]
"""Looks at a frame and says what is known of it."""

MODEL = 65
"""Numbers of a mixture of colours, as OpenCV's GrabCut keeps it."""

SIDE = 256
"""Pixels of the longer side on which objects are followed, at least, if the picture has them."""

BAND, AROUND = 3, 24
"""Pixels by which a cut may move a carried edge, and how far around an object its surroundings are known."""

FEWEST = 20
"""Pixels of an object, and of its surroundings, that a cut needs."""

TURNS, SMALL = 2, 12_000
"""An object is cut in every second frame, others in those between; one that takes up no more pixels, together
with what is around it, in all."""

REACH = 9
"""Pixels over which an object's own motion is averaged, which is then that of its edges, too."""

CRISP = 1.6
"""Factor of the contrast of a mask's edges after a cut."""

SAME, APART = 0.3, 0.5
"""What is found is what was followed from this intersection over union on; it is something else where so much
of it lies outside all that is followed."""

LEFT = 1e-3
"""Share of the frame below which nothing is left of an object."""

PATIENCE = 2
"""Looks at which an object may not be found before it is taken to have left."""

DOUBT, SOONEST = 0.35, 0.25
"""Mean trust in an object's motion below which the guide looks at once, if the last look is so much of the
usual time ago."""

MOST = 8
"""Objects that are followed at once."""


@dataclass(frozen=True, eq=False)
class Tracked:
    """Objects at one frame. Each keeps its number; one that has left has an empty mask till another takes it.

    Attributes:
        instances: as they were found; where they are now is in `masks`.
        masks: ``[M, h, w]`` in [0, 1] where they are.
        focus: ``[h, w]`` in [0, 1], see `Guidance`.
        colors: ``[M, 2 * MODEL]`` of what is around each, and of itself; zeros before the first cut.
        missed: ``[M]`` looks in a row at which each was not found.
        since: frames since the guide looked.
    """

    instances: tuple[Instance, ...]
    masks: Array
    focus: Array
    colors: NDArray[np.float64]
    missed: NDArray[np.int64]
    since: int = 0

    @staticmethod
    def of(known: Guidance, frame: Array) -> Tracked:
        """What is known of a frame ``[h, w, 3]``, RGB in [0, 1]."""
        small = known.resized(*frame.shape[:2])
        masks = [each.mask[0].numpy() for each in small.instances]
        rows = [
            _Row(each, mask, _learned(frame, mask), 0)
            for each, mask in zip(small.instances, masks, strict=True)
        ]
        return _tracked(rows, small.focus[0].numpy())

    def followed(self, frame: Array, motion: Motion, number: int) -> Tracked:
        """The objects at the next frame ``[h, w, 3]``, whose number says whose turn it is."""
        masks, motion = [], _fitted(motion, *frame.shape[:2])
        for turn, (each, mask) in enumerate(zip(self.instances, self.masks, strict=True)):
            moved = _moved(mask, motion)
            if each.kind == "object":
                most = math.inf if (number + turn) % TURNS == 0 else SMALL
                moved = _cut(frame, moved, self.colors[turn], motion.still, most)
            masks.append(moved if moved.mean() > LEFT else 0 * moved)
        stacked = np.stack(masks) if masks else self.masks
        return replace(self, masks=stacked, focus=motion.carried(self.focus), since=self.since + 1)

    def doubtful(self, motion: Motion, every: int) -> bool:
        """Whether it is time to look again: every so many frames, or where the motion cannot be trusted."""
        if self.since >= every:
            return True
        if self.since < SOONEST * every:
            return False
        trust = resize_array(motion.trust, *self.focus.shape)
        there = [mask for mask in self.masks if mask.max() > 0.5]
        return any(float((trust * mask).sum() / mask.sum()) < DOUBT for mask in there)

    def corrected(self, found: Guidance, frame: Array) -> Tracked:
        """The objects by what the guide has found in the frame ``[h, w, 3]``."""
        fresh = Tracked.of(found, frame)
        pairs, union = _matched(self, fresh), self.masks.max(axis=0, initial=0)
        rows = [replace(row, missed=row.missed + 1) for row in self._rows()]
        free = [slot for slot, row in enumerate(rows) if row.mask.max() <= 0.5]
        slots = {theirs: mine for mine, theirs in pairs.items()}
        for number, row in enumerate(fresh._rows()):
            slot = slots.get(number)
            if slot is None:
                if (row.mask * (1 - union)).sum() < APART * row.mask.sum():
                    continue  # a part of what is followed already
                slot = free.pop(0) if free else len(rows)
            rows[slot : slot + 1] = [row] if slot < MOST else []
        gone = [row.missed >= PATIENCE for row in rows]
        rows = [replace(row, mask=0 * row.mask) if out else row for row, out in zip(rows, gone, strict=True)]
        return _tracked(rows, fresh.focus)

    def _rows(self) -> list[_Row]:
        return [
            _Row(*each) for each in zip(self.instances, self.masks, self.colors, self.missed, strict=True)
        ]

    def known(self, height: int, width: int) -> Guidance:
        """All of it as guidance of that size, with edges as sharp as they are on the frame."""
        steep = max(1.0, height / self.focus.shape[0])
        instances = []
        for each, mask in zip(self.instances, self.masks, strict=True):
            large = resize_array(mask, height, width) if mask.any() else np.zeros((height, width), np.float32)
            edges = torch.from_numpy(((large - 0.5) * np.float32(steep) + 0.5).clip(0, 1))[None]
            instances.append(replace(each, mask=edges, box=box_of(edges[0]) or (0.0, 0.0, 1.0, 1.0)))
        focus = torch.from_numpy(resize_array(self.focus, height, width).clip(0, 1))[None]
        union = torch.stack([torch.zeros_like(focus), *(each.mask for each in instances)]).amax(dim=0)
        return Guidance(union, focus, tuple(instances))

    def state(self) -> dict[str, Any]:
        """All of it, as arrays and JSON values by name."""
        names = ("box", "kind", "confidence", "salience", "share")
        found: dict[str, Any] = {name: getattr(self, name) for name in ("masks", "focus", "colors", "missed")}
        found["since"] = self.since
        found["instances"] = [{name: getattr(each, name) for name in names} for each in self.instances]
        return {f"tracked.{name}": value for name, value in found.items()}

    @staticmethod
    def restored(state: Mapping[str, Any]) -> Tracked:
        """Inverse of `state`."""
        masks = np.asarray(state["tracked.masks"], np.float32)
        instances = []
        for mask, each in zip(masks, state["tracked.instances"], strict=True):
            x, y, width, height = each["box"]
            instances.append(Instance(_plane(mask), **{**each, "box": (x, y, width, height)}))
        return Tracked(
            tuple(instances),
            masks,
            np.asarray(state["tracked.focus"], np.float32),
            np.asarray(state["tracked.colors"], np.float64),
            np.asarray(state["tracked.missed"], np.int64),
            int(state["tracked.since"]),
        )


def sharp(picture: Tensor, scene: Scene) -> Array:
    """``[h, w, 3]`` a picture ``[3, H, W]`` as it is looked at for objects: as its scene, or larger."""
    height, width = picture.shape[1:]
    wanted = min(1.0, SIDE / max(height, width))
    if wanted * max(height, width) <= scene.size:
        return scene.target
    return to_array(resize(picture, max(1, round(wanted * height)), max(1, round(wanted * width))))


@dataclass(frozen=True, eq=False)
class _Row:
    """One object of `Tracked`."""

    instance: Instance
    mask: Array
    colors: NDArray[np.float64]
    missed: int


def _tracked(rows: list[_Row], focus: Array) -> Tracked:
    """Objects that were looked at just now."""
    return Tracked(
        tuple(row.instance for row in rows),
        np.stack([row.mask for row in rows]) if rows else np.zeros((0, *focus.shape), np.float32),
        focus,
        np.stack([row.colors for row in rows]) if rows else np.zeros((0, 2 * MODEL)),
        np.array([row.missed for row in rows], np.int64),
    )


def _fitted(motion: Motion, height: int, width: int) -> Motion:
    """The motion between frames of that size."""
    if motion.trust.shape == (height, width):
        return motion
    large = (height / motion.trust.shape[0], width / motion.trust.shape[1])

    def grown(values: Array, factor: float = 1.0) -> Array:
        return np.asarray(
            cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR) * factor, np.float32
        )

    back, forth = (grown(each, large[1]) for each in (motion.back, motion.forth))
    miss, trust, onward = (grown(each) for each in (motion.miss, motion.trust, motion.onward))
    still = grown(motion.still.astype(np.float32)) > 0.99
    return replace(motion, back=back, forth=forth, miss=miss, trust=trust, onward=onward, still=still)


def _plane(mask: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))[None]


def _moved(mask: Array, motion: Motion) -> Array:
    """A mask ``[h, w]`` moved by the motion of what is well within it, which the flow knows best."""
    if mask.max() <= 0:
        return mask
    there = motion.carried(mask)
    box = _around(there, 2 * REACH)
    if box is None:
        return there
    core = cv2.erode((there[box] > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8))
    sure = core * (motion.trust[box] + np.float32(0.02))
    weight = _spread(sure)
    own = _spread(motion.back[box] * sure[..., None]) / np.maximum(weight, 1e-6)[..., None]
    back = motion.back.copy()
    back[box] = np.where((weight > 1e-4)[..., None] & ~motion.still[box][..., None], own, motion.back[box])
    return replace(motion, back=back).carried(mask).clip(0, 1)


def _spread(values: Array) -> Array:
    """Values ``[h, w]`` or ``[h, w, C]``, averaged around each pixel."""
    side = (REACH, REACH)
    return np.asarray(cv2.blur(cv2.blur(values, side), side), np.float32)


def _around(mask: Array, margin: int) -> tuple[slice, slice] | None:
    """Rows and columns of a mask ``[h, w]`` and so many pixels around it; None if there is nothing in it."""
    rows, columns = (np.flatnonzero((mask > 0.5).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    return slice(top, int(rows[-1]) + margin + 1), slice(left, int(columns[-1]) + margin + 1)


def _disk(radius: int) -> NDArray[Any]:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _labels(mask: Array, band: int) -> NDArray[np.uint8] | None:
    """GrabCut's labels of a mask ``[h, w]`` whose edge is known to so many pixels; None if it is small."""
    solid = (mask > 0.5).astype(np.uint8)
    inner, outer = cv2.erode(solid, _disk(band)), cv2.dilate(solid, _disk(band))
    if inner.sum() < FEWEST and band > 1:
        return _labels(mask, 1)
    if min(int(inner.sum()), int((outer == 0).sum())) < FEWEST:
        return None
    probably = np.where(solid > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels = np.where(inner > 0, cv2.GC_FGD, np.where(outer == 0, cv2.GC_BGD, probably))
    return np.ascontiguousarray(labels, np.uint8)


def _grabbed(
    frame: Array, labels: NDArray[np.uint8], colors: NDArray[np.float64], mode: int
) -> NDArray[np.float64]:
    """Cut bytes of a frame ``[h, w, 3]``: new labels in place; returns the colours."""
    cv2.setRNGSeed(0)  # its k-means starts at random
    image = np.ascontiguousarray(np.rint(frame * 255).clip(0, 255), np.uint8)
    outside, inside = colors[None, :MODEL].copy(), colors[None, MODEL:].copy()
    cv2.grabCut(image, labels, (0, 0, 1, 1), outside, inside, 1, mode)
    return np.concatenate([outside[0], inside[0]])


def _learned(frame: Array, mask: Array) -> NDArray[np.float64]:
    """``[2 * MODEL]`` colours around and within a mask ``[h, w]``; zeros if there is too little of either."""
    nothing, box = np.zeros(2 * MODEL), _around(mask, AROUND)
    labels = None if box is None else _labels(mask[box], 1)
    if box is None or labels is None:
        return nothing
    return _grabbed(frame[box], labels, nothing, cv2.GC_INIT_WITH_MASK)


def _cut(
    frame: Array, mask: Array, colors: NDArray[np.float64], still: NDArray[np.bool_], most: float
) -> Array:
    """A carried mask ``[h, w]`` with its edge where the frame ``[h, w, 3]`` has one."""
    box = _around(mask, AROUND)
    if box is None or not colors.any() or mask[box].size > most or still[box].all():
        return mask
    labels = _labels(mask[box], BAND)
    if labels is None:
        return mask
    _grabbed(frame[box], labels, colors, cv2.GC_EVAL_FREEZE_MODEL)
    solid = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    edges = ((cv2.blur(solid, (3, 3)) - 0.5) * CRISP + 0.5).clip(0, 1)
    cut = np.zeros_like(mask)
    cut[box] = np.where(still[box], mask[box], edges)
    return cut


def _matched(before: Tracked, fresh: Tracked) -> dict[int, int]:
    """Which of those that are followed is which of those that were found: the most alike first."""
    alike = []
    for mine, (ours, mask) in enumerate(zip(before.instances, before.masks, strict=True)):
        for theirs, (each, other) in enumerate(zip(fresh.instances, fresh.masks, strict=True)):
            one, two = mask > 0.5, other > 0.5
            share = (one & two).sum() / max(1, (one | two).sum())
            if ours.kind == each.kind and share >= SAME:
                alike.append((share, mine, theirs))
    pairs: dict[int, int] = {}
    for _, mine, theirs in sorted(alike, reverse=True):
        if mine not in pairs and theirs not in pairs.values():
            pairs[mine] = theirs
    return pairs
