"""Where the ends of strokes begin and how they run, for outlines: the maths of `reference.end_norm`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core import bezier
from semantic_guidance.renderer.definition import FILBERT, FLATNESS, MAX_SEGMENTS, SQUARE

PIECES = 16  # of the outline of a filbert end

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class End:
    """One end of a stroke, seen as the renderer sees it: at the last segment of the polyline.

    Attributes:
        point: ``[2]`` in pixels.
        radius: there.
        outward: angle of the direction in which the stroke ends.
        growth: of the radius in that direction, by length; 1 or more, or -1 or less, where one disc of the
            segment holds the other; 0 where the segment has no length.
        moves: whether it has any.
    """

    point: Array
    radius: float
    outward: float
    growth: float
    moves: bool

    @staticmethod
    def of(points: Array, radius: Array, last: bool) -> End:
        """The start of a stroke ``[3, 2]``, ``[2]`` in pixels, or its last end."""
        if not last:
            points, radius = points[::-1], radius[::-1]
        bend = math.hypot(*(points[0] - 2 * points[1] + points[2]))
        count = min(max(math.ceil(math.sqrt(bend / (4 * FLATNESS))), 1), MAX_SEGMENTS)
        before = np.array(bezier.weights(1 - 1 / count)) @ points
        along = points[2] - before
        length, moves = math.hypot(*along), bool((along != 0).any())
        growth = float(radius[1] - radius[0]) / count / length if moves else 0.0
        outward = math.atan2(along[1], along[0]) if moves else 0.0
        return End(points[2], float(radius[1]), outward, growth, moves)

    @property
    def narrowing(self) -> float:
        """By how much the radius falls towards the end, from 0 to 1."""
        return min(max(-self.growth, 0.0), 1.0)

    def front(self, kind: str) -> list[tuple[Array, float]]:
        """Points of the outline from the left of the stroke's end to the right, and angles of its normals.

        Args:
            kind: ``square``, whose outline has corners there, or ``filbert``, whose outline is smooth.
        """
        narrowing = self.narrowing
        slant = math.sqrt(1 - narrowing**2)
        if kind == "square":
            reach = SQUARE + (1 - SQUARE) * narrowing
            corner = (1 - narrowing * reach) / max(slant, 1e-9)
            line = [(narrowing, slant), (reach, corner), (reach, -corner), (narrowing, -slant)]
            return [(self._at(x, y), self.outward) for x, y in line]
        widest = math.pi / 2 - math.asin(narrowing)
        return [self._rounded(widest * (1 - 2 * n / PIECES), narrowing, slant) for n in range(PIECES + 1)]

    def _rounded(self, angle: float, narrowing: float, slant: float) -> tuple[Array, float]:
        """The point of a filbert's outline in a direction, and the angle of its normal."""
        x, y, side = math.cos(angle), abs(math.sin(angle)), math.copysign(1.0, angle)
        flank = slant * y + narrowing * x
        beyond = max(x * x - narrowing**2, 0.0) / FILBERT**2
        away = 1 / math.sqrt(math.sqrt(flank**4 + beyond**2))
        ahead = flank**3 * narrowing + beyond * x * slant**2 / FILBERT**2
        across = flank**3 * slant - beyond * y * narrowing**2 / FILBERT**2 if y > 1e-9 else 0.0
        return self._at(away * x, side * away * y), self.outward + side * math.atan2(across, ahead)

    def _at(self, x: float, y: float) -> Array:
        """The point at `x` radii along the end's direction and `y` to the left of it."""
        cos, sin = math.cos(self.outward), math.sin(self.outward)
        return self.point + self.radius * np.array([x * cos - y * sin, x * sin + y * cos])
