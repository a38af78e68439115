"""Which strokes there are: fresh ones are born where the error is, and those that help least are dropped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.placing import pick_places, strokes_at, structure
from semantic_guidance.agents.problem import Parts
from semantic_guidance.core.strokes import NUMBERS, POINTS
from semantic_guidance.renderer.objective import Objective

RADIUS = 0.35
"""A newborn stroke's radius, in units of the side of the square that each stroke of its part has."""

EARLY = 0.3
"""Share of the strokes whose unfinished painting is looked at when some are dropped."""

APART = 1.5
"""Distance of newborn strokes, in radii."""


def worth(
    objective: Objective,
    strokes: Tensor,
    softness: float,
    unfinished: float = 1.0,
    behind: Objective | None = None,
) -> NDArray[np.float32]:
    """By how much the objective rises without each of the strokes ``[N, 13]``, ``[N]``.

    What a stroke does for the unfinished painting counts, too, where the objective says so, but only up to
    `EARLY` strokes: later, there is little that the finished one would not need; `unfinished` is the factor
    of its weight. `behind`, if there is one, is about the first strokes while objects are still missing.
    """
    costs, _ = objective.removal_costs(strokes, softness)
    for each, segments in ((objective, objective.segments[:-1]), (behind, behind.segments if behind else [])):
        reached = 0
        for number, segment in enumerate(segments, 1):
            reached += segment.count
            if each is not None and segment.weight > 0 and reached <= EARLY * len(strokes):
                last = replace(segment, weight=1.0)
                so_far = replace(each, segments=[*segments[: number - 1], last])
                costs[:reached] += (
                    unfinished * segment.weight * so_far.removal_costs(strokes[:reached], softness)[0]
                )
    return costs.cpu().numpy()


def shared_out(objective: Objective, canvas: Tensor, births: int, parts: Sequence[int]) -> dict[int, int]:
    """How many of so many fresh strokes each part gets: by its error, as the objective weights it.

    Args:
        objective: of the whole picture.
        canvas: ``[3, H, W]`` as it is painted.
        births: number of fresh strokes.
        parts: all that there are, in painting order.
    """
    error, masks = objective.error_map(canvas).cpu().numpy(), objective.masks.cpu().numpy()
    sums = [(error * _seen(masks, part)).sum(dtype=np.float64) for part in parts]
    bounds = np.round(np.cumsum(sums) / max(sum(sums), 1e-30) * births).astype(int)
    return dict(zip(parts, np.diff(bounds, prepend=0).tolist(), strict=True))


def helpful(costs: NDArray[np.float32], parts: Parts, counts: Mapping[int, int]) -> NDArray[np.intp]:
    """The strokes that stay, in their order: the `counts` of each part that are worth most.

    Args:
        costs: ``[N]`` by how much the error rises without each.
        parts: ``[N]`` what each depicts.
        counts: number of strokes that stay of each part, at least; all of a part that is not named.
    """
    stay = np.ones(len(parts), bool)
    for part, count in counts.items():
        slots = np.flatnonzero(parts == part)
        surplus = len(slots) - count
        if surplus > 0:
            stay[slots[np.argsort(costs[slots], kind="stable")[:surplus]]] = False
    return np.flatnonzero(stay)


def newborn(
    objective: Objective,
    canvas: Tensor,
    births: Mapping[int, int],
    counts: Mapping[int, int],
    rng: np.random.Generator,
) -> tuple[Tensor, Parts]:
    """Fresh strokes for each part, where its error is greatest, along the picture's structure.

    Args:
        objective: of the whole picture.
        canvas: ``[3, H, W]`` as it is painted.
        births: number of fresh strokes of each part.
        counts: number of strokes of each part in the end, which says how wide they are.
        rng: of all random choices.

    Returns:
        Packed strokes ``[M, 13]`` in units of the canvas's longer side, and what they depict.
    """
    error = objective.error_map(canvas).cpu().numpy()
    masks, target = objective.masks.cpu().numpy(), objective.target.cpu()
    strokes, parts = [torch.empty(0, NUMBERS, dtype=torch.float32)], [np.empty(0, np.intp)]
    for part, count in births.items():
        if count > 0:
            strokes.append(_within(error * _seen(masks, part), target, count, counts[part], rng))
            parts.append(np.full(count, part))
    return torch.cat(strokes), np.concatenate(parts)


def _seen(masks: NDArray[np.float32], part: int) -> NDArray[np.float32]:
    """Where a part is seen: not under later ones, which hide it."""
    later = masks[part + 1 :].max(axis=0, initial=0.0)
    return np.asarray((masks[part] if part >= 0 else 1.0) * (1 - later), np.float32)


def _within(
    error: NDArray[np.float32], target: Tensor, births: int, count: int, rng: np.random.Generator
) -> Tensor:
    """`births` strokes ``[births, 13]`` for a part of `count` strokes that has this error ``[H, W]``."""
    size = max(error.shape)
    radius = float(np.clip(RADIUS * math.sqrt((error > 0).sum() / count), 1.0, 0.05 * size))
    rows, columns = (np.flatnonzero((error > 0).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        rows, columns = np.arange(error.shape[0]), np.arange(error.shape[1])
    margin = math.ceil(4 * radius)
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    view = slice(top, rows[-1] + margin + 1), slice(left, columns[-1] + margin + 1)
    near = target[:, *view].contiguous()
    places = pick_places(torch.from_numpy(error[view]), births, APART * radius, rng)
    fresh = strokes_at(places, radius, structure(near, radius), rng, size).pack()[0]
    fresh[:, POINTS] += fresh.new_tensor([left, top] * 3) / size
    return fresh
