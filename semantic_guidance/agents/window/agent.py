"""A trained window actor as an agent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.problem import Problem
from semantic_guidance.agents.window.files import load_window_actor
from semantic_guidance.agents.window.rollout import DensePolicy, WindowPainter, paint_parts
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.images.color import Color

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class WindowAgent:
    """Paints the background, then each object, window by window.

    Attributes:
        painter: of each part.
        guided: whether it is told about objects.
        ground: None, as it paints on any.
    """

    painter: WindowPainter
    guided: bool
    ground: Color | None = None

    @staticmethod
    def load(path: str | Path) -> WindowAgent:
        """The agent in a file.

        Raises:
            ValueError: the file is missing, corrupt, or of another kind.
        """
        actor, guided = load_window_actor(path)
        return WindowAgent(WindowPainter(DensePolicy(actor)), guided)

    def view(self, guidance: Guidance) -> Guidance:
        """See `Agent`."""
        return guidance if self.guided else Guidance.none(*guidance.mask.shape[1:])

    def draft(self, problem: Problem, rng: np.random.Generator) -> Draft:
        """See `Agent`. It makes fewer strokes than the budget if more would not help."""
        return paint_parts(problem, [(part, self.painter) for part in problem.parts()])


def semantic() -> WindowAgent:
    """The bundled agent that is told about objects."""
    return WindowAgent.load(WEIGHTS / "semantic.safetensors")


def baseline() -> WindowAgent:
    """The bundled agent that is not."""
    return WindowAgent.load(WEIGHTS / "baseline.safetensors")
