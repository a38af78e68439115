"""What strokes are refined on, without a painter."""

from __future__ import annotations

import math
from collections import Counter

import torch

from semantic_guidance.agents.problem import Parts, Problem
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.views import Ladder, View
from semantic_guidance.renderer.backends.base import load_backend
from semantic_guidance.renderer.objective import Workplace

PLACE = Workplace(torch.device("cpu"), load_backend("auto", torch.device("cpu"), torch.float32))


def still(steps: int, **changes: object) -> RefineConfig:
    """A refinement of the strokes that there are."""
    return RefineConfig(steps, surplus=1.0, breaths=0, **changes)  # type: ignore[arg-type]


def ladder_of(problem: Problem, spacing: float | None = None, place: Workplace = PLACE) -> Ladder:
    """One view, that of a problem; strokes as far apart as its budgets say, in pixels, if that is None."""
    if spacing is None:
        spacing = math.sqrt(problem.weight.numel() / sum(problem.budgets))
    return Ladder([(0.0, lambda: View(problem, place))], problem.size, spacing)


def counts_of(parts: Parts) -> dict[int, int]:
    """How many strokes each part has."""
    return dict(Counter(parts.tolist()))
