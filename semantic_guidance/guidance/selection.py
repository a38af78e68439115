"""Things that clicks select, enlarge, cut and drop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.guidance import Instance, Point

ALIKE = 0.5
"""Share of the smaller of two masks that both have, from which on they are of one thing."""

PART = 0.25
"""Size of a thing against one that it touches, up to which it is a part of that."""

NEAR = 0.01
"""Distance of two masks that touch, in units of the longer side."""

REST = 0.35
"""Share of a thing that was found, below which nothing of it is left where a part is taken away."""

SPOT = 0.01
"""Radius of what is under a click at least, in units of the longer side."""

PIECE = 0.2
"""Size of a piece without a click against those with one, from which on it is no speck."""

DOUBTFUL = 0.5
"""Overlap with the thing meant that a mask is expected to have, below which people are told."""


@dataclass(frozen=True, eq=False)
class Thing:
    """One object on the way.

    Attributes:
        mask: ``[1, H, W]`` in [0, 1].
        clicks: that made it; none if it was there before.
        origin: what it was before, if it was.
        added: positive clicks, if it was there before, in it or in what was added to it.
    """

    mask: Tensor
    clicks: tuple[Point, ...] = ()
    origin: Instance | None = None
    added: tuple[Point, ...] = ()


class Selection:
    """Things that clicks change.

    Args:
        under: the mask ``[1, H, W]`` of what clicks say, one after the other, and its expected overlap with
            the thing that is meant.
        things: that are there before.

    Attributes:
        things: that there are now.
        doubtful: points under which nothing can be told from what is round it.
    """

    def __init__(
        self, under: Callable[[tuple[Point, ...]], tuple[Tensor, float]], things: Sequence[Thing]
    ) -> None:
        self._under = under
        self.things = list(things)
        self.doubtful: list[Point] = []

    def apply(self, points: Sequence[Point]) -> None:
        """Add what lies under the positive points, in order, then take away what lies under the others."""
        for point in points:
            if point.positive:
                self._add(point)
        for point in points:
            if not point.positive:
                self._remove(point)

    def _add(self, point: Point) -> None:
        """One thing more, or more of one."""
        for n, thing in enumerate(self.things):
            if holds(thing.mask, point):
                clicked = bool(thing.clicks)
                added = replace(thing, added=(*thing.added, point))
                self.things[n] = self._clicked((*thing.clicks, point)) if clicked else added
                return
        fresh = self._clicked((point,))
        owner = next((n for n, thing in enumerate(self.things) if self._is_one(thing, fresh)), None)
        if owner is None:
            self.things.append(fresh)
            return
        old = self.things[owner]
        if old.clicks:
            self.things[owner] = self._clicked((*old.clicks, point))
        else:
            mask = torch.maximum(old.mask, fresh.mask)
            self.things[owner] = replace(old, mask=mask, added=(*old.added, point))

    def _remove(self, point: Point) -> None:
        """Nothing there."""
        for n, thing in enumerate(self.things):
            if thing.clicks and holds(thing.mask, point):
                self.things[n] = self._clicked((*thing.clicks, point))
        if not any(holds(thing.mask, point) for thing in self.things):
            return
        under = self._clicked((Point(point.x, point.y),)).mask
        left = []
        for thing in self.things:
            if not holds(thing.mask, point):
                left.append(thing)
                continue
            rest = thing.mask * (1 - torch.maximum(under, spot(point, under)))
            asked = [*(click for click in thing.clicks if click.positive), *thing.added]
            if not all(holds(rest, click) for click in asked):
                rest = thing.mask * (1 - spot(point, thing.mask))  # it would take what was asked for along
            elif _area(rest) < REST * _area(thing.mask):
                if not asked:
                    continue
                rest = without_specks(rest, asked, math.inf)
            left.append(replace(thing, mask=rest))
        self.things = left

    def _clicked(self, points: tuple[Point, ...]) -> Thing:
        """What these clicks select; it always has something there."""
        mask, overlap = self._under(points)
        if not holds(mask, points[0]) and points[0].positive:
            mask, overlap = torch.maximum(mask, spot(points[0], mask)), 0.0
        if overlap < DOUBTFUL and len(points) == 1:
            self.doubtful.append(points[0])
        return Thing(without_specks(mask, points), points)

    def _is_one(self, thing: Thing, other: Thing) -> bool:
        """Whether two are one: one has much of the other, or is a small part that touches it."""
        one, two = thing.mask[0] > 0.5, other.mask[0] > 0.5
        sizes = float(one.sum()), float(two.sum())
        if min(sizes) == 0:
            return False
        if float((one & two).sum()) >= ALIKE * min(sizes):
            return True
        if sizes[1] > PART * sizes[0]:
            return False
        reach = max(1, round(NEAR * max(one.shape)))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        near = cv2.dilate(two.cpu().numpy().astype(np.uint8), kernel)
        return bool((near[one.cpu().numpy()] > 0).any())


def without_specks(mask: Tensor, points: Sequence[Point], piece: float = PIECE) -> Tensor:
    """A mask ``[1, H, W]`` without its pieces that hold no positive point, below `piece` of those with one.

    Pieces near to those with one stay: something lies before the thing, and hides what joins them.
    """
    solid = (mask[0] > 0.5).cpu().numpy().astype(np.uint8)
    reach = max(1, round(NEAR * max(solid.shape)))
    wide = cv2.dilate(solid, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    count, labels = cv2.connectedComponents(wide, connectivity=8)
    areas = np.bincount(labels.ravel(), weights=solid.ravel(), minlength=count)
    clicked = {int(labels[int(point.y), int(point.x)]) for point in points if point.positive} - {0}
    least = piece * sum(areas[label] for label in clicked)
    specks = [label for label in range(1, count) if label not in clicked and areas[label] < least]
    if not specks:
        return mask
    return mask * torch.from_numpy(1 - np.isin(labels, specks).astype(np.float32))[None].to(mask)


def holds(mask: Tensor, point: Point) -> bool:
    """Whether a point lies in a mask ``[1, H, W]``, where it is above one half."""
    height, width = mask.shape[-2:]
    row, column = min(height - 1, int(point.y)), min(width - 1, int(point.x))
    return float(mask[0, row, column]) > 0.5


def spot(point: Point, mask: Tensor) -> Tensor:
    """A disc round a point, ``[1, H, W]`` of 0 and 1, like a mask."""
    height, width = mask.shape[-2:]
    rows = torch.arange(height, dtype=torch.float32, device=mask.device)[:, None] + 0.5 - point.y
    columns = torch.arange(width, dtype=torch.float32, device=mask.device)[None] + 0.5 - point.x
    inside = (rows**2 + columns**2).sqrt() <= max(1.0, SPOT * max(height, width))
    return inside[None].to(mask)


def _area(mask: Tensor) -> float:
    return float((mask > 0.5).sum())
