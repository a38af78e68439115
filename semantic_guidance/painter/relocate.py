"""Strokes that do not help are moved to where the error is, on top of their part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.placing import pick_places, strokes_at, structure
from semantic_guidance.renderer.objective import Objective, Segment

GAIN = 0.4
"""Share of the error around a place that a fresh stroke is expected to remove."""


@dataclass(frozen=True, eq=False)
class Move:
    """A change of the strokes of one part.

    Attributes:
        slots: ``[S]`` places of the part's strokes in the painting order.
        kept: ``[S - M]`` those whose strokes stay; these move to the first slots.
        fresh: ``[M, 13]`` the strokes that fill the last slots.
    """

    slots: Tensor
    kept: Tensor
    fresh: Tensor


def masks_of(parts: Sequence[Segment]) -> NDArray[np.intp]:
    """``[N]`` the mask of each stroke, -1 for the background."""
    masks = [-1 if segment.mask is None else segment.mask for segment in parts]
    return np.repeat(masks, [segment.count for segment in parts])


def relocate(
    strokes: Tensor,
    objective: Objective,
    parts: Sequence[Segment],
    softness: float,
    share: float,
    rng: np.random.Generator,
) -> Iterator[Move]:
    """Move the strokes of each part that help least to where the error is greatest.

    Args:
        strokes: ``[N, 13]`` packed, in painting order.
        objective: what is to be minimised.
        parts: what the strokes depict.
        softness: width of the strokes' edge in pixels.
        share: greatest share of a part's strokes that is moved.
        rng: of the fresh strokes.
    """
    costs, canvas = objective.removal_costs(strokes, softness)
    error = objective.error_map(canvas).cpu().numpy()
    masks, target = objective.masks.cpu().numpy(), objective.target.cpu()
    worth = costs.cpu().numpy()
    mask_of_stroke = masks_of(parts)
    for mask in np.unique(mask_of_stroke):
        slots = np.flatnonzero(mask_of_stroke == mask)
        later = masks[mask + 1 :]  # hides what is under it
        reach = (masks[mask] if mask >= 0 else 1.0) * (1 - later.max(axis=0, initial=0.0))
        move = _within(slots, worth[slots], error * reach, target, share, rng)
        if move is not None:
            yield move


def _within(
    slots: NDArray[np.intp],
    costs: NDArray[np.float32],
    error: NDArray[np.float32],
    target: Tensor,
    share: float,
    rng: np.random.Generator,
) -> Move | None:
    """`relocate` for the strokes of one part, `slots` in the painting order."""
    size = max(error.shape)
    # A fresh stroke is as wide as its share of the area within reach.
    radius = float(np.clip(0.35 * math.sqrt((error > 0).sum() / len(slots)), 1.0, 0.05 * size))
    count = int(share * len(slots))
    worst = np.argsort(costs, kind="stable")[:count]
    places = pick_places(torch.from_numpy(error), count, 1.5 * radius, rng)
    side = 2 * round(radius) + 1
    gain = GAIN * cv2.boxFilter(error, -1, (side, side), normalize=False)
    worthwhile = gain[places[:, 0], places[:, 1]] > costs[worst]
    if not worthwhile.any():
        return None
    fresh = strokes_at(places[worthwhile], radius, structure(target, radius), rng, size).pack()[0]
    kept = np.setdiff1d(np.arange(len(slots)), worst[worthwhile])
    return Move(torch.from_numpy(slots), torch.from_numpy(slots[kept]), fresh)
