"""Lines of a picture that are thinner than a hand's strokes: spokes, masts, hair, letters."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agents.flow import sample
from semantic_guidance.agents.problem import Problem
from semantic_guidance.core.packed import CONTROL, END, START
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import to_array
from semantic_guidance.painter.lines.ridges import ridges
from semantic_guidance.renderer.objective import Segment

THINNEST = 0.0008
"""Least half-width of a line, in units of the longer side."""

WRONG = 0.05
"""Distance of colours from which on a line's middle is wrong."""

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
        ``[M, 13]`` packed strokes of the picture; those that are worth most are on top. There are none if
        somebody ends the painting.
    """
    if count < 1 or widest <= THINNEST:
        return strokes[:0]
    if problem.stopped:
        return strokes[:0]
    below = problem.from_picture(Strokes.unpack(strokes[None]))
    canvas = problem.painted(below, [Segment(len(below), None)])
    apart = np.asarray((canvas - problem.target).norm(dim=0).numpy(), np.float32)
    weight = apart * np.sqrt(problem.weight.numpy())
    lines = ridges(
        to_array(problem.target), (THINNEST, widest), SPARE * count, weight, lambda: problem.stopped
    )
    if problem.stopped:
        return strokes[:0]
    middles = (lines[:, START] + 2 * lines[:, CONTROL] + lines[:, END]) / 4 * problem.size
    found = torch.from_numpy(lines[sample(apart, middles) > WRONG])
    together = torch.cat([below, found])
    costs, _ = problem.objective([Segment(len(together), None, 1.0)]).removal_costs(together, 1.0)
    worth = costs[len(below) :]
    best = worth.argsort(stable=True)[-count:]
    best = best[worth[best] > 0]
    return problem.to_picture(found[best]).pack()[0]
