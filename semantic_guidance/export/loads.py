"""Brushes that run dry: lines cut into shorter ones, and how many of them one load of paint draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core import bezier
from semantic_guidance.export.passes import Line

FINE = 257
"""Places along a line at which its length is measured."""

STIR = 2.0
"""Radius in mm of the circle that is drawn in the paint."""

EXACT = 1e-6
"""Lengths in mm that differ by less are the same."""

Array = NDArray[np.float64]


def pieces(line: Line, longest: float | None) -> list[Line]:
    """The line as equally long ones, of at most `longest` mm, but none shorter than it is wide."""
    if longest is None:
        return [line]
    t = np.linspace(0, 1, FINE)
    places = np.stack(bezier.weights(t), axis=1) @ line.points
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(places, axis=0).T))])
    length = float(along[-1])
    count = min(math.ceil((length - EXACT) / longest), int(length / max(line.width, EXACT)))
    if count < 2:
        return [line]
    cuts = np.interp(np.linspace(0, length, count + 1), along, t)
    return [
        replace(line, points=np.stack(bezier.part(list(line.points), float(first), float(last))))
        for first, last in itertools.pairwise(cuts)
    ]


def loads(lines: list[Line], reload: float | None) -> Iterator[list[Line]]:
    """The lines of each load of paint: as many as are at most `reload` mm long together, but at least one."""
    load: list[Line] = []
    drawn = 0.0
    for line in lines:
        length = line.length
        if load and reload is not None and drawn + length > reload + EXACT:
            yield load
            load, drawn = [], 0.0
        load.append(line)
        drawn += length
    if load:
        yield load


def stir(dip: tuple[float, float]) -> str:
    """The path of a small circle round a place in mm, or as near to it as leaves no coordinate below 0."""
    x, y = (max(STIR, each) for each in dip)
    half = f"a{STIR:g} {STIR:g} 0 0 1"
    return f"M{x - STIR:.3f} {y:.3f}{half} {2 * STIR:g} 0{half} {-2 * STIR:g} 0"


def page(sides: tuple[float, float], dip: tuple[float, float] | None) -> tuple[float, float]:
    """Width and height in mm of a page that holds the paper, and the paint if it is beside that."""
    if dip is None:
        return sides
    across, down = (max(side, place + STIR) for side, place in zip(sides, dip, strict=True))
    return across, down
