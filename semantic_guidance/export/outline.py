"""The outline of a stroke as an SVG path: two offset curves of cubic pieces between two ends.

A disc that moves along a curve touches its hull at an angle to the tangent that depends on how fast its
radius grows; where one disc contains the next, the outline runs on their insides, and in sharp bends its
inner side crosses itself. Both are intended: such an outline is the convolution of the curve with its
discs, which winds round every covered point and round no other. Filled by the nonzero rule it is the stroke.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core import bezier
from semantic_guidance.export.ends import End

TOLERANCE = 0.02  # pixels between the outline's cubic pieces and the true one
STEP = math.radians(45)  # that a tangent turns by in a piece, at most
DEEPEST = 10  # halvings of a piece
STILL = 1e-3  # pixels by parameter: slower points stand still
TURN = math.radians(95)  # that an arc turns by at most

Array = NDArray[np.float64]
Ends = tuple[str, str]
"""How a stroke starts and ends, each one of `renderer.definition.ENDS`."""

ROUND: Ends = ("round", "round")


def outline_path(points: Array, radius: Array, ends: Ends = ROUND) -> str:
    """The closed outline of a stroke.

    Args:
        points: ``[3, 2]`` start, control and end point in pixels.
        radius: ``[2]`` in pixels at the start and at the end.
        ends: of the stroke.

    Returns:
        The ``d`` of an SVG path, to be filled by the nonzero rule.
    """
    points, radius = points.astype(np.float64), radius.astype(np.float64)
    speed, bend = 2 * (points[1] - points[0]), 2 * (points[0] - 2 * points[1] + points[2])
    fastest = max(np.hypot(*speed), np.hypot(*(speed + bend)))
    if fastest <= max(STILL, abs(radius[1] - radius[0])):  # one disc contains all the others
        return _dot(points, radius, ends)
    slowest = -float(speed @ bend) / max(float(bend @ bend), STILL**2)
    if 1e-6 < slowest < 1 - 1e-6 and np.hypot(*(speed + slowest * bend)) < STILL:  # it turns back there
        _, later = stroke_end(points, radius, slowest)
        _, earlier = stroke_end(points[::-1], radius[::-1], 1 - slowest)
        turn = points[0] + slowest * speed + slowest**2 / 2 * bend
        there, back = np.stack([points[0], turn, turn]), np.stack([turn, turn, points[2]])
        return outline_path(there, earlier[::-1], (ends[0], "round")) + outline_path(
            back, later, ("round", ends[1])
        )
    return _Side(points, radius).outline(ends)


def stroke_end(points: Array, radius: Array, t: float) -> tuple[Array, Array]:
    """Points ``[3, 2]`` and radii ``[2]`` of the part of a stroke from the parameter `t` on."""
    width = radius[0] + t * (radius[1] - radius[0])
    return np.stack(bezier.part(list(points), t, 1.0)), np.array([width, radius[1]])


class _Side:
    """The two offset curves of a stroke whose centre never stands still."""

    def __init__(self, points: Array, radius: Array) -> None:
        self.points, self.radius = points, radius
        self.speed = 2 * (points[1] - points[0])
        self.bend = 2 * (points[0] - 2 * points[1] + points[2])
        self.growth = float(radius[1] - radius[0])
        start = self.speed if np.hypot(*self.speed) > STILL else self.bend
        self.heading = math.atan2(start[1], start[0])
        self.start = start

    def outline(self, ends: Ends) -> str:
        """The whole outline as a closed path."""
        text = f"M{_pair(self.edge(0.0, 1)[0])}"
        knots = self._knots()
        for start, end in itertools.pairwise(knots):
            text += "".join(self._pieces(start, end, 1))
        text += self._end(1.0, ends[1])
        for start, end in itertools.pairwise(reversed(knots)):
            text += "".join(self._pieces(start, end, -1))
        text += self._end(0.0, ends[0])
        return text + "Z"

    def _end(self, t: float, kind: str) -> str:
        """The outline round the start (0) or the end (1), from the stroke's left as it leads there."""
        last = t == 1
        side = 1 if last else -1
        angle, lean = self.edge(t, side)[1], side * self._lean(t)
        end = End.of(self.points, self.radius, last)
        if kind == "round" or end.growth <= -1:
            return _arc(end.point, end.radius, angle, -math.pi - 2 * lean)
        front = _front(end, kind)
        if end.narrowing > 0:  # the sides go on to where the end begins
            return f"L{_pair(end.front(kind)[0][0])}{front}L{_pair(self.edge(t, -side)[0])}"
        quarter = math.pi / 2
        to_front = _between(end.outward + quarter - angle)
        from_front = _between(self.edge(t, -side)[1] - end.outward + quarter)
        return (
            _arc(end.point, end.radius, angle, to_front)
            + front
            + _arc(end.point, end.radius, end.outward - quarter, from_front)
        )

    def edge(self, t: float, side: int) -> tuple[Array, float]:
        """Point of the left (1) or right (-1) offset curve at `t`, and the angle of its normal."""
        center = np.array(bezier.weights(t)) @ self.points
        angle = self.heading + self._turned(t) + side * (math.pi / 2 + self._lean(t))
        return center + (self.radius[0] + t * self.growth) * _unit(angle), angle

    def _turned(self, t: float) -> float:
        """Angle of the tangent at `t` against that at the start."""
        velocity = self._velocity(t)
        if math.hypot(*velocity) < STILL:
            velocity = self._velocity(0.5)
        start = self.start
        return math.atan2(start[0] * velocity[1] - start[1] * velocity[0], float(start @ velocity))

    def _velocity(self, t: float) -> Array:
        return self.speed + t * self.bend

    def _lean(self, t: float) -> float:
        """Angle by which the normals lean back from a right angle to the tangent."""
        return math.asin(max(-1.0, min(1.0, self.growth / max(math.hypot(*self._velocity(t)), STILL))))

    def _knots(self) -> list[float]:
        """Parameters from 0 to 1 between which the tangent turns little and the discs nest or do not."""
        turned = self._turned(1.0)
        count = math.ceil(abs(turned) / STEP)
        knots = {0.0, 1.0}
        for n in range(1, count):
            angle = self.heading + turned * n / count
            across = (-math.sin(angle), math.cos(angle))
            knots.add(-float(self.speed @ across) / float(self.bend @ across))
        # Where the centre moves as fast as the radius grows, one disc begins to contain the next.
        a, b = float(self.bend @ self.bend), float(self.speed @ self.bend)
        c = float(self.speed @ self.speed) - self.growth**2
        if b * b > a * c and a > STILL**2:
            knots |= {(-b + sign * math.sqrt(b * b - a * c)) / a for sign in (-1, 1)}
        return sorted(t for t in knots if 0 <= t <= 1)

    def _pieces(self, start: float, end: float, side: int, depth: int = 0) -> Iterator[str]:
        """Cubic pieces of an offset curve, halved until they are accurate."""
        begin, leave = self.edge(start, side)
        finish, arrive = self.edge(end, side)
        halfway = (start + end) / 2
        true, _ = self.edge(halfway, side)
        handles = _handles(begin, leave, finish, arrive)
        sharp = abs(arrive - leave) > 1.5 * STEP  # where the discs begin to nest
        if depth < DEEPEST and (sharp or _distance(true, begin, *handles, finish) > TOLERANCE):
            yield from self._pieces(start, halfway, side, depth + 1)
            yield from self._pieces(halfway, end, side, depth + 1)
        else:
            yield f"C{_pair(handles[0])} {_pair(handles[1])} {_pair(finish)}"


def _handles(begin: Array, leave: float, finish: Array, arrive: float) -> tuple[Array, Array]:
    """Handles of the cubic between two points with the given normals: exact for arcs of a circle.

    Where the curve has no such simple shape, they lie on the straight line.
    """
    chord, turn = finish - begin, arrive - leave
    from_begin, from_finish = _unit(leave + math.pi / 2), _unit(arrive + math.pi / 2)
    cross = math.sin(turn)
    if 1e-4 < abs(turn) < math.pi / 2:
        share = 4 / 3 * math.tan(turn / 4) / math.tan(turn / 2)
        # Distances along the tangents to their intersection.
        first = (chord[0] * from_finish[1] - chord[1] * from_finish[0]) / cross
        second = (from_begin[0] * chord[1] - from_begin[1] * chord[0]) / cross
        if first * second > 0:
            return begin + share * first * from_begin, finish - share * second * from_finish
    return begin + chord / 3, finish - chord / 3


def _distance(point: Array, *control: Array) -> float:
    """Distance of a point from the cubic Bezier curve with four control points."""
    curve = _WEIGHTS @ np.stack(control)
    step = np.diff(curve, axis=0)
    along = ((point - curve[:-1]) * step).sum(axis=1) / np.maximum((step * step).sum(axis=1), 1e-12)
    gap = curve[:-1] + np.clip(along, 0, 1)[:, None] * step - point
    return float(np.sqrt((gap * gap).sum(axis=1).min()))


def _bernstein(count: int) -> Array:
    t = np.linspace(0, 1, count)
    return np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3], axis=1)


_WEIGHTS = _bernstein(17)


def _unit(angle: float) -> Array:
    return np.array([math.cos(angle), math.sin(angle)])


def _dot(points: Array, radius: Array, ends: Ends) -> str:
    """The closed outline of a stroke whose largest disc contains all the others."""
    last = bool(radius[1] > radius[0])
    end, kind = End.of(points, radius, last), ends[last]
    if kind == "round":
        return _circle(end.point, end.radius)
    text = f"M{_pair(end.front(kind)[0][0])}{_front(end, kind)}"
    if end.moves and abs(end.growth) >= 1:
        return f"{text}{_arc(end.point, end.radius, end.outward - math.pi / 2, -math.pi)}Z"
    return f"{text}{_front(replace(end, outward=end.outward + math.pi), kind)}Z"


def _front(end: End, kind: str) -> str:
    """What lies in front of an end point, from the first of the points of `End.front` to the last."""
    line = end.front(kind)
    if kind == "square":
        return "".join(f"L{_pair(point)}" for point, _ in line[1:])
    text = ""
    for (begin, leave), (finish, arrive) in itertools.pairwise(line):
        handles = _handles(begin, leave, finish, arrive)
        text += f"C{_pair(handles[0])} {_pair(handles[1])} {_pair(finish)}"
    return text


def _between(angle: float) -> float:
    """The same direction's angle from -pi to pi."""
    return math.remainder(angle, 2 * math.pi)


def _circle(center: Array, radius: float) -> str:
    return f"M{_pair(center + radius * _unit(0.0))}{_arc(center, radius, 0.0, -2 * math.pi)}Z"


def _arc(center: Array, radius: float, angle: float, turn: float) -> str:
    """Arcs round `center` from `angle` on, that turn by `turn` together."""
    count = max(1, math.ceil(abs(turn) / TURN))
    text = ""
    for n in range(1, count + 1):
        at = angle + turn * n / count
        end = center + radius * _unit(at)
        text += f"A{radius:.2f} {radius:.2f} 0 0 {int(turn > 0)} {_pair(end)}"
    return text


def _pair(point: Array) -> str:
    return f"{point[0]:.2f} {point[1]:.2f}"
