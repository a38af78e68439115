"""Strokes without a network: coarse to fine, where the error is, along the picture's structure."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.placing import pick_places, strokes_at, structure
from semantic_guidance.agents.problem import Parts, Problem, on_top, paint, parts_of, runs
from semantic_guidance.agents.watching import Told
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.images.color import Color
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.objective import Segment

COARSEST, FINEST = 0.10, 0.013
"""Radii of the first and the last scale for 300 strokes, in units of the longer side."""

SHARES = (0.06, 0.12, 0.22, 0.30, 0.30)
"""Share of the strokes for each scale, coarse to fine."""


@dataclass(frozen=True)
class Planner:
    """An agent that knows all objects and needs no network."""

    guided: bool = True
    ground: Color | None = None

    def view(self, guidance: Guidance) -> Guidance:
        """See `Agent`."""
        return guidance

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """See `Agent`."""
        canvas, drafted, segments = (
            problem.canvas,
            [torch.empty(0, NUMBERS, dtype=torch.float32)],
            list[Segment](),
        )
        for part in problem.parts():
            if not part.count or (drafted[1:] and problem.stopped):
                continue
            weight = problem.uncovered(part.mask)
            if part.show is not None:
                weight = problem.weight * part.show * weight
            told = problem.telling(drafted, segments, part.mask)
            strokes, canvas = plan(
                problem.target, weight, part.count, canvas, part.show, rng, problem.backend, told
            )
            drafted.append(strokes)
            segments.append(Segment(len(strokes), part.mask))
        return Draft(torch.cat(drafted), tuple(segments))


def plan(
    target: Tensor,
    weight: Tensor,
    count: int,
    canvas: Tensor,
    show: Tensor | None,
    rng: np.random.Generator,
    backend: str | Backend = "auto",
    told: Told | None = None,
) -> tuple[Tensor, Tensor]:
    """Strokes from coarse to fine, each scale where the scales before it left the greatest error.

    Args:
        target: ``[3, H, W]`` the wanted picture.
        weight: ``[H, W]`` how much each pixel's error counts.
        count: number of strokes.
        canvas: ``[3, H, W]`` to paint on.
        show: ``[H, W]`` where the strokes show, everywhere if None; radii shrink with its area.
        rng: of all random choices.
        backend: that renders.
        told: of the strokes after each scale; if it says so, no finer one follows.

    Returns:
        Packed strokes ``[count, 13]``, and the canvas with them; fewer if it was not to go on.
    """
    size = max(target.shape[1:])
    extent = 1.0 if show is None else math.sqrt(float(show.numpy().mean()))
    finest = FINEST * math.sqrt(300 / max(count, 1)) if show is None else FINEST
    radii = np.geomspace(COARSEST, min(finest, COARSEST), len(SHARES)) * extent * size
    parts = [torch.empty(0, NUMBERS, dtype=torch.float32)]
    for radius, number in zip(radii, _shared_out(count, SHARES), strict=True):
        if number == 0:
            continue
        radius = max(float(radius), 0.8)
        error = ((canvas - target) ** 2).sum(dim=0) * weight
        if show is not None:
            error = error * show
        places = pick_places(error, number, 1.3 * radius, rng)
        parts.append(strokes_at(places, radius, structure(target, radius), rng, size).pack()[0])
        canvas = paint(parts[-1], canvas, show, backend)
        if told is not None and not told(parts):
            break
    return torch.cat(parts), canvas


def crowded(problem: Problem, draft: Draft, rng: np.random.Generator, surplus: float) -> Draft:
    """A draft with more strokes, on top of each part, until it has `surplus` times its budget.

    Refinement keeps the best of them.
    """
    if problem.stopped:
        return draft
    parts, canvas = parts_of(draft.segments), problem.painted(draft.strokes, draft.segments)
    fresh: list[tuple[int, Tensor]] = []

    def ordered(more: Sequence[tuple[int, Tensor]]) -> tuple[Tensor, Parts]:
        """The strokes of the draft and more, each on top of its part, and what they depict."""
        new = [np.full(len(each), part) for part, each in more]
        together = np.concatenate([parts, *new])
        order = on_top(parts, together[len(parts) :])
        strokes = torch.cat([draft.strokes, *(each for _, each in more)])
        return strokes[torch.from_numpy(order)], together[order]

    def told(laid: Sequence[Tensor], part: int) -> bool:
        return problem.told(lambda: ordered([*fresh, (part, torch.cat([*laid]))]))

    for index, part in enumerate(problem.parts(), -1):
        more = round(surplus * part.count) - int((parts == index).sum())
        if more > 0 and not (fresh and problem.stopped):
            telling = functools.partial(told, part=index)
            planned = (problem.target, part.weight, more, canvas, part.show, rng, problem.backend, telling)
            fresh.append((index, plan(*planned)[0]))
    strokes, depicted = ordered(fresh)
    segments = tuple(Segment(count, None if part < 0 else part) for part, count in runs(depicted.tolist()))
    return replace(draft, strokes=strokes, segments=segments)


def _shared_out(count: int, shares: tuple[float, ...]) -> list[int]:
    """`count` as whole numbers, by shares that sum to 1."""
    bounds = np.round(np.cumsum((0, *shares)) * count).astype(int)
    return np.diff(bounds).tolist()
