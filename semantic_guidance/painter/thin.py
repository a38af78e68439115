"""Lines of a picture that are thinner than a hand's strokes: spokes, masts, hair, letters."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import to_array
from semantic_guidance.painter.lines.ridges import ridges
from semantic_guidance.renderer.objective import Segment

THINNEST = 0.0008
"""Least half-width of a line, in units of the longer side."""

SPARE = 2
"""Lines that are found for each that is wanted: the best stay."""


def thin_lines(problem: Problem, strokes: Tensor, count: int, widest: float) -> Tensor:
    """Lines on top of a painting, where it is wrong and they make it better.

    Args:
        problem: the picture.
        strokes: ``[N, 13]`` packed, of the picture: the painting so far.
        count: greatest number of lines.
        widest: their greatest half-width, in units of the longer side.

    Returns:
        ``[M, 13]`` packed strokes of the picture; those that are worth most are on top.
    """
    if count < 1 or widest <= THINNEST:
        return strokes[:0]
    below = problem.from_picture(Strokes.unpack(strokes[None]))
    canvas = problem.painted(below, [Segment(len(below), None)])
    error = problem.weight * ((canvas - problem.target) ** 2).sum(dim=0)
    wrong = np.asarray(error.sqrt().numpy(), np.float32)
    found = torch.from_numpy(ridges(to_array(problem.target), (THINNEST, widest), SPARE * count, wrong))
    together = torch.cat([below, found])
    costs, _ = problem.objective([Segment(len(together), None, 1.0)]).removal_costs(together, 1.0)
    worth = costs[len(below) :]
    best = worth.argsort(stable=True)[-count:]
    best = best[worth[best] > 0]
    return problem.to_picture(found[best]).pack()[0]
