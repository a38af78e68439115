"""Lines along the crests of an image. Lengths are in pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painter.lines.curves import length_of

Array = NDArray[np.float32]

AHEAD = 0.35
"""Least cosine between a step of a line and its heading."""

NEAR = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
FAR = [(dx, dy) for dx in range(-2, 3) for dy in range(-2, 3) if max(abs(dx), abs(dy)) == 2]


def trace(strength: Array, normal: Array, low: float, high: float, least: float) -> list[Array]:
    """Polylines along the crests of an image, found as J. Canny and C. Steger do.

    Crests are thinned to where the strength is greatest across them, placed between pixels by a parabola,
    and linked from the strongest on, straight ahead, over gaps of a pixel. A line that meets another ends
    on it.

    Args:
        strength: ``[H, W]`` at least 0.
        normal: ``[H, W, 2]`` unit vectors (x, y) across the crests.
        low: least strength of a crest's place.
        high: least strength at which a line starts.
        least: length of the shortest line.

    Returns:
        ``[N, 2]`` places (x, y) of each, those of the strongest starts first; the centre of the first pixel
        is at (.5, .5).
    """
    crest, offset = _crests(strength, normal, low)
    rows, columns = np.nonzero(crest & (strength >= high))
    order = np.argsort(-strength[rows, columns], kind="stable")
    walker = _Walker(crest, offset, normal)
    lines = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if walker.free[row][column]:
            line = walker.line(column, row)
            if len(line) > 1 and length_of(line) >= least:
                lines.append(line)
    return lines


def _crests(strength: Array, normal: Array, low: float) -> tuple[NDArray[np.bool_], Array]:
    """Where crests are ``[H, W]``, and how far along the normal from the centre of the pixel."""
    height, width = strength.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    places = np.stack([x, y], axis=-1) + 0.5
    before, after = (bilinear(strength, places + sign * normal) for sign in (-1, 1))
    crest = (strength > low) & (strength >= before) & (strength >= after) & (2 * strength > before + after)
    bend = np.maximum(2 * strength - before - after, 1e-9)
    return crest, np.clip(0.5 * (after - before) / bend, -0.6, 0.6).astype(np.float32)


def bilinear(values: Array, places: NDArray[np.floating]) -> Array:
    """Values of an image ``[H, W]`` or ``[H, W, C]`` between its pixels, at places (x, y) ``[N, M, 2]``."""
    x, y = (np.ascontiguousarray(places[..., n] - 0.5, np.float32) for n in (0, 1))
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=border), np.float32)


class _Walker:
    """Walks along crests and remembers where it was. Lists, since single items of arrays are slow."""

    def __init__(self, crest: NDArray[np.bool_], offset: Array, normal: Array) -> None:
        self.height, self.width = crest.shape
        self.free = crest.tolist()
        self.crest = crest.tolist()
        self.normal_x, self.normal_y = normal[..., 0].tolist(), normal[..., 1].tolist()
        self.offset = offset.tolist()

    def line(self, x: int, y: int) -> Array:
        """The line through a place, both ways."""
        tangent = -self.normal_y[y][x], self.normal_x[y][x]
        self.free[y][x] = False
        forth = self._arm(x, y, *tangent)
        back = self._arm(x, y, -tangent[0], -tangent[1])
        return np.array([*back[::-1], self._place(x, y), *forth], np.float32)

    def _place(self, x: int, y: int) -> tuple[float, float]:
        off = self.offset[y][x]
        return x + 0.5 + off * self.normal_x[y][x], y + 0.5 + off * self.normal_y[y][x]

    def _arm(self, x: int, y: int, ahead_x: float, ahead_y: float) -> list[tuple[float, float]]:
        """Places from one on, in a direction, without the first."""
        places: list[tuple[float, float]] = []
        while True:
            following = self._following(x, y, ahead_x, ahead_y, self.free)
            if following is None:
                met = self._following(x, y, ahead_x, ahead_y, self.crest) if len(places) > 2 else None
                return [*places, self._place(*met)] if met else places
            next_x, next_y = following
            self._leave(x, y, next_x, next_y)
            tangent_x, tangent_y = -self.normal_y[next_y][next_x], self.normal_x[next_y][next_x]
            sign = 1 if tangent_x * ahead_x + tangent_y * ahead_y >= 0 else -1
            ahead_x, ahead_y = 0.5 * (ahead_x + sign * tangent_x), 0.5 * (ahead_y + sign * tangent_y)
            long = math.hypot(ahead_x, ahead_y) or 1.0
            ahead_x, ahead_y, x, y = ahead_x / long, ahead_y / long, next_x, next_y
            places.append(self._place(x, y))

    def _following(
        self, x: int, y: int, ahead_x: float, ahead_y: float, open_places: list[list[bool]]
    ) -> tuple[int, int] | None:
        """The place to step to: among the next ones, or else those after, the one most straight ahead."""
        for steps in (NEAR, FAR):
            best, found = AHEAD, None
            for dx, dy in steps:
                to_x, to_y = x + dx, y + dy
                if not (0 <= to_x < self.width and 0 <= to_y < self.height and open_places[to_y][to_x]):
                    continue
                cosine = (dx * ahead_x + dy * ahead_y) / math.hypot(dx, dy)
                along = abs(-self.normal_y[to_y][to_x] * ahead_x + self.normal_x[to_y][to_x] * ahead_y)
                score = cosine * (0.4 + 0.6 * along)
                if cosine > AHEAD and score > best:
                    best, found = score, (to_x, to_y)
            if found:
                return found
        return None

    def _leave(self, x: int, y: int, next_x: int, next_y: int) -> None:
        """Nothing else starts at the place stepped to, nor beside the step."""
        self.free[next_y][next_x] = False
        for beside_x, beside_y in ((next_x, y), (x, next_y)):
            self.free[beside_y][beside_x] = False
        for sign in (-1, 1):  # crests two pixels wide
            to_x = round(next_x + sign * self.normal_x[next_y][next_x])
            to_y = round(next_y + sign * self.normal_y[next_y][next_x])
            if 0 <= to_x < self.width and 0 <= to_y < self.height:
                self.free[to_y][to_x] = False
