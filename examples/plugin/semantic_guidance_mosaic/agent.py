"""An agent: round strokes on a grid, in the mean colours of what they cover."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.problem import Part, Problem
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.color import Color
from semantic_guidance.renderer.objective import Segment


@dataclass(frozen=True)
class Mosaic:
    """Paints the background, then each object on top of it, with tiles as small as the budget allows."""

    guided: bool = True
    ground: Color | None = None

    def view(self, guidance: Guidance) -> Guidance:
        """All objects: it can tell them apart."""
        return guidance

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """At most as many strokes for each part as its budget has."""
        drafted = [(part.mask, _tiles(problem, part, rng)) for part in problem.parts()]
        segments = tuple(Segment(len(strokes), mask) for mask, strokes in drafted if len(strokes))
        return Draft(torch.cat([strokes for _, strokes in drafted]), segments)


def _tiles(problem: Problem, part: Part, rng: np.random.Generator) -> Tensor:
    """Packed strokes ``[N, 13]`` for one part."""
    shown = torch.ones_like(problem.weight) if part.show is None else part.show
    side = max(1, round(math.sqrt(float(shown.sum()) / max(1, part.count))))
    colors = avg_pool2d(problem.target, side, ceil_mode=True)
    rows, columns = (avg_pool2d(shown[None], side, ceil_mode=True)[0] > 0.5).nonzero(as_tuple=True)
    chosen = torch.from_numpy(rng.permutation(len(rows))[: part.count]).sort().values
    rows, columns = rows[chosen], columns[chosen]
    centre = (torch.stack([columns, rows], dim=1) + 0.5) * side / problem.size
    radius = torch.full((len(rows), 2), 0.6 * side / problem.size)
    opacity = torch.ones(len(rows), 2)
    # A stroke whose start, control point and end are one is a disc.
    return torch.cat([centre.repeat(1, 3), radius, opacity, colors[:, rows, columns].T], dim=1)
