"""The interface of agents, which make the first strokes of a painting."""

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
        compositing: the rule by which the agent expects its strokes to be painted, see `Layer`.
        outside: whether it expects strokes without a mask to show only outside the object.
    """

    strokes: Tensor  # [N, 13]
    segments: tuple[Segment, ...]
    compositing: Compositing = "over"
    outside: bool = False


class Agent(Protocol):
    """Makes the first strokes of a painting."""

    @property
    def guided(self) -> bool:
        """Whether it uses guidance; if not, objects need not be found."""

    @property
    def ground(self) -> Color | None:
        """The colour of the empty canvas that it needs; any if None."""

    def view(self, guidance: Guidance) -> Guidance:
        """What it can use: all objects, their union as one, or none."""

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """Strokes for a problem whose guidance is such a view.

        Args:
            problem: what to paint, with a budget for each part. Fewer strokes may be enough.
            rng: of all random choices.
        """
