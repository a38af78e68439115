"""What whoever makes the first strokes of a painting has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.color import Color
from semantic_guidance.painting.painting import Compositing
from semantic_guidance.renderer.objective import Segment


@dataclass(frozen=True, eq=False)
class Draft:
    """The first strokes of a painting.

    Attributes:
        strokes: ``[N, 13]`` packed, in units of the problem's longer side, in painting order.
        segments: consecutive strokes under one mask of the problem, or none.
        compositing: by which rule the agent takes its strokes to be painted, see `Layer`.
        outside: whether it takes strokes without a mask to show outside the object alone.
    """

    strokes: Tensor  # [N, 13]
    segments: tuple[Segment, ...]
    compositing: Compositing = "over"
    outside: bool = False


class Agent(Protocol):
    """Makes the first strokes of a painting."""

    @property
    def guided(self) -> bool:
        """Whether it makes anything of guidance; if not, nobody needs to look for objects."""

    @property
    def ground(self) -> Color | None:
        """The colour of the empty canvas that it needs; any if None."""

    def view(self, guidance: Guidance) -> Guidance:
        """What it can make use of: all objects, one that is the union of all, or none."""

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """Strokes for a problem whose guidance is such a view.

        Args:
            problem: what to paint, with a budget for each part. Fewer strokes may be enough.
            rng: of all random choices.
        """
