"""A person's clicks, simulated: the first in what is meant, the next where the mask is most wrong."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.guidance.click_network import Clicks

Mask = NDArray[np.bool_]
Decode = Callable[[Clicks], tuple[Tensor, Tensor]]
"""From clicks to logits of masks ``[T, 1, H, W]`` and of their quality ``[T]``."""

ROUNDS = (0.35, 0.30, 0.20, 0.15)
"""How often 0, 1, 2 and 3 masks are corrected before the one that is learned from."""

_AGAIN = 0.3  # of those are without a new click: a second look
_BOXED = 0.2  # of the targets have a box, half of those no click to begin with
_FORGET = 0.15  # of the targets lose the mask so far, as if all clicks came at once
_BLUR = 0.35  # of the masks so far are coarse, as those from further away
_SMALLEST = 12  # pixels; smaller errors are let be


def centre(mask: Mask) -> tuple[float, float]:
    """The place (x, y) deepest inside a mask ``[H, W]``, where the frame's edge bounds it, too.

    Raises:
        ValueError: the mask is empty.
    """
    if not mask.any():
        raise ValueError("mask is empty, wanted at least one pixel")
    depth = _depth(mask)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x) + 0.5, float(y) + 0.5


def next_click(found: Mask, meant: Mask) -> tuple[float, float, float] | None:
    """The centre of the largest error as x, y and sign; None if there is none.

    Args:
        found: ``[H, W]``, the mask so far.
        meant: ``[H, W]``, what it should be.
    """
    depths = [_depth(meant & ~found), _depth(found & ~meant)]
    sign, depth = max(((1.0, depths[0]), (-1.0, depths[1])), key=lambda each: float(each[1].max()))
    if not depth.any():
        return None
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x) + 0.5, float(y) + 0.5, sign


def _depth(mask: Mask) -> NDArray[np.float32]:
    """How far each pixel of a mask is from its edge or the frame's, in pixels."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _some_place(rng: Generator, mask: Mask, edge: float) -> tuple[float, float] | None:
    """A random place of a mask, mostly well inside; with the chance `edge` anywhere in it."""
    depth = _depth(mask)
    least = 0.0 if rng.random() < edge else float(depth.max()) * rng.uniform(0.3, 0.9)
    ys, xs = np.nonzero(depth > least) if least else np.nonzero(mask)
    if not len(ys):
        return None
    pick = int(rng.integers(len(ys)))
    return float(xs[pick]) + rng.random(), float(ys[pick]) + rng.random()


def _correction(rng: Generator, found: Mask, meant: Mask) -> tuple[float, float, float] | None:
    """A click in the largest connected error, mostly well inside it; None if all are small."""
    best: tuple[int, float, Mask] | None = None
    for sign, wrong in ((1.0, meant & ~found), (-1.0, found & ~meant)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=4)
        if count < 2:
            continue
        label = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        area = int(stats[label, cv2.CC_STAT_AREA])
        if area >= _SMALLEST and (best is None or area > best[0]):
            best = area, sign, labels == label
    if best is None:
        return None
    place = _some_place(rng, best[2], 0.1)
    return None if place is None else (*place, best[1])


def first_clicks(rng: Generator, targets: Tensor, salient: Tensor, places: int) -> Clicks:
    """How a person begins: a click in each target, or a box round it, or both.

    Args:
        rng: all randomness comes from it.
        targets: ``[T, 1, H, W]`` in [0, 1].
        salient: the same shape, see `Clicks`.
        places: clicks that there will be at most.
    """
    points = torch.zeros(len(targets), places, 3, dtype=torch.float32)
    box = torch.zeros_like(targets)
    for n, target in enumerate((targets[:, 0] > 0.5).numpy()):
        boxed = rng.random() < _BOXED
        if boxed:
            box[n, 0] = _box(rng, target)
        place = _some_place(rng, target, 0.2)
        if place is not None and not (boxed and rng.random() < 0.5):
            points[n, 0] = torch.tensor([*place, 1.0], dtype=torch.float32)
    return Clicks(points, torch.zeros_like(targets), salient, box)


def _box(rng: Generator, target: Mask) -> Tensor:
    """A box round a target, drawn by hand: see `Clicks.box`."""
    plane = np.full(target.shape, -1, np.float32)
    rows, columns = np.nonzero(target.any(1))[0], np.nonzero(target.any(0))[0]
    if not len(rows):
        return torch.zeros(target.shape, dtype=torch.float32)
    edges = np.array([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1], np.float64)
    sides = np.repeat([edges[1] - edges[0], edges[3] - edges[2]], 2)
    top, bottom, left, right = np.rint(edges + rng.normal(0, 0.04, 4) * sides).astype(int)
    plane[max(0, top) : max(bottom, top + 1), max(0, left) : max(right, left + 1)] = 1
    return torch.from_numpy(plane)


@torch.no_grad()
def corrected(rng: Generator, clicks: Clicks, targets: Tensor, decode: Decode, rounds: int) -> Clicks:
    """The clicks after so many masks were looked at and corrected.

    Args:
        rng: all randomness comes from it.
        clicks: to begin with, see `first_clicks`.
        targets: ``[T, 1, H, W]`` in [0, 1], what is meant.
        decode: makes masks.
        rounds: how often.
    """
    meant = (targets[:, 0] > 0.5).numpy()
    for number in range(rounds):
        masks = decode(clicks)[0].sigmoid()
        points = clicks.points.clone()
        if number + 1 == rounds or rng.random() >= _AGAIN:
            again = rng.random(len(meant)) < (_AGAIN if number + 1 == rounds else 0)
            for n, found in enumerate((masks[:, 0] > 0.5).numpy()):
                click = None if again[n] else _correction(rng, found, meant[n])
                if click is not None:
                    points[n, number + 1] = torch.tensor(click, dtype=torch.float32)
        clicks = clicks._replace(points=points, previous=masks)
    return clicks._replace(previous=_worn(rng, clicks.previous)) if rounds else clicks


def _worn(rng: Generator, masks: Tensor) -> Tensor:
    """Masks ``[T, 1, H, W]`` as they come from further away, some of them lost."""
    size = (masks.shape[-2], masks.shape[-1])
    factor = int(rng.integers(2, 7))
    coarse = F.interpolate(F.avg_pool2d(masks, factor, ceil_mode=True), size, mode="bilinear")
    blurred = torch.from_numpy(rng.random(len(masks)) < _BLUR)[:, None, None, None]
    kept = torch.from_numpy(rng.random(len(masks)) >= _FORGET)[:, None, None, None]
    return torch.where(blurred, coarse, masks) * kept
