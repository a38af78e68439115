"""Hatching: lines along a field, evenly spaced by tone. Lengths are in pixels.

Lines are placed as by B. Jobard and W. Lefer (Creating evenly-spaced streamlines of arbitrary density, 1997):
each new one starts beside one that is there, and ends where it would come too close to another.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import Flow

Array = NDArray[np.float32]
Pair = tuple[float, float]

APART, CLOSE = 0.9, 0.62
"""How far from another line one starts, and how near it may come, in spacings."""

SWEEP = math.radians(80)
"""Most that a line turns in all, so that one curve is true to it."""

LIGHTER = 1.9
"""A line ends where spacings are this many times those at its start: shade ends there."""

SHORTEST = 6.0
"""Least length of a line in widths."""

SHARP = 0.5
"""Most that it turns from one step to the next; where the field turns more, it ends."""

SHIFT = 4
"""Bits of a place in the map of lines that are finer than its pixels."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Where lines may be.

    Attributes:
        field: their directions.
        spacing: ``[H, W]`` from line to line; infinite where there are none.
        region: ``[H, W]`` number of the region; lines do not cross from one to another.
    """

    field: Flow
    spacing: Array
    region: NDArray[np.intp]


def hatched(
    ground: Ground, width: float, reach: tuple[float, float], rng: np.random.Generator
) -> list[Array]:
    """Lines along a field at the wanted spacing, the closest spaced first.

    Args:
        ground: where they may be.
        width: of a line.
        reach: their least and greatest length; each draws its own bound.
        rng: of that, and of where the first ones start.

    Returns:
        ``[N, 2]`` places (x, y) of each line.
    """
    return list(hatching(ground, width, reach, rng))


def hatching(
    ground: Ground, width: float, reach: tuple[float, float], rng: np.random.Generator
) -> Iterator[Array]:
    """The same, one after the other."""
    hatcher = _Hatcher(ground, width)
    waiting = deque[Array]()
    for start in _starts(ground.spacing, width, rng):
        line = hatcher.line(*start, float(rng.uniform(*reach)))
        while line is not None or waiting:
            if line is not None:
                yield line
                waiting.append(line)
            line = None
            while waiting and line is None:
                candidate = next(hatcher.beside(waiting[0]), None)
                if candidate is None:
                    waiting.popleft()
                else:
                    line = hatcher.line(*candidate, float(rng.uniform(*reach)))


def _starts(spacing: Array, width: float, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Places on a jittered grid, where lines are closest first."""
    height, across = spacing.shape
    step = max(1.0, 1.5 * width)
    y, x = np.mgrid[0.5 * step : height : step, 0.5 * step : across : step]
    places = np.stack([x.ravel(), y.ravel()], -1) + rng.uniform(-0.5, 0.5, (x.size, 2)) * step
    places = places.clip(0, (across - 1e-3, height - 1e-3))
    near = spacing[places[:, 1].astype(int), places[:, 0].astype(int)]
    order = np.argsort(near, kind="stable")
    for place in places[order[: int(np.isfinite(near).sum())]].tolist():
        yield place[0], place[1]


@dataclass
class _Hatcher:
    """Grows lines and remembers where they are. Lists, since single items of arrays are slow."""

    ground: Ground
    width: float
    zoom: float = field(init=False)

    def __post_init__(self) -> None:
        self.height, self.across = self.ground.spacing.shape
        self.zoom = max(1.0, 5 / self.width)
        size = math.ceil(self.height * self.zoom) + 1, math.ceil(self.across * self.zoom) + 1
        self.taken, self.crowded = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        angle = 0.5 * np.arctan2(self.ground.field.double[..., 1], self.ground.field.double[..., 0])
        self.cos, self.sin = np.cos(angle).tolist(), np.sin(angle).tolist()
        self.spacing, self.region = self.ground.spacing.tolist(), self.ground.region.tolist()
        self.step = max(0.75, 0.8 * self.width)
        self.tried: set[tuple[int, int]] = set()

    def beside(self, line: Array) -> Iterator[tuple[float, float]]:
        """Free places at both sides of a line."""
        ahead = np.gradient(line, axis=0)
        ahead /= np.sqrt((ahead**2).sum(-1, keepdims=True)) + 1e-9
        stride = max(1, len(line) // 6)
        for n in [len(line) // 2, *range(0, len(line), stride)]:
            x, y = line[n].tolist()
            apart = self.spacing[min(int(y), self.height - 1)][min(int(x), self.across - 1)]
            for sign in (-1, 1):
                to_x, to_y = x - sign * apart * float(ahead[n, 1]), y + sign * apart * float(ahead[n, 0])
                key = int(2 * to_x), int(2 * to_y)
                if key not in self.tried and self._free(to_x, to_y, self.taken):
                    self.tried.add(key)
                    yield to_x, to_y

    def line(self, x: float, y: float, reach: float) -> Array | None:
        """The line through a place, if it is free and the line long enough."""
        if not self._free(x, y, self.taken):
            return None
        cos, sin = self.cos[int(y)][int(x)], self.sin[int(y)][int(x)]
        bounds = self.region[int(y)][int(x)], LIGHTER * self.spacing[int(y)][int(x)]
        back, turned = self._arm((x, y), (-cos, -sin), 0.5 * reach, bounds, 0.0)
        forth, _ = self._arm((x, y), (cos, sin), reach - self.step * len(back), bounds, turned)
        places = [*back[::-1], (x, y), *forth]
        if len(places) < 3 or self.step * (len(places) - 1) < SHORTEST * self.width:
            return None
        self._take(places)
        return np.array(places, np.float32)

    def _arm(
        self, place: Pair, ahead: Pair, reach: float, bounds: tuple[int, float], turned: float
    ) -> tuple[list[Pair], float]:
        """Places from one on, without it, and how far the line has turned in all.

        Args:
            place: where it starts.
            ahead: unit vector of its direction there.
            reach: its greatest length.
            bounds: its region, and the spacing at which it ends.
            turned: how far it has turned before.
        """
        places: list[Pair] = []
        (x, y), (ahead_x, ahead_y) = place, ahead
        while self.step * len(places) < reach:
            x, y = x + self.step * ahead_x, y + self.step * ahead_y
            if not self._free(x, y, self.crowded):
                break
            row, column = int(y), int(x)
            if self.region[row][column] != bounds[0] or self.spacing[row][column] > bounds[1]:
                break
            cos, sin = self.cos[row][column], self.sin[row][column]
            if cos * ahead_x + sin * ahead_y < 0:
                cos, sin = -cos, -sin
            cos, sin = 0.5 * (cos + ahead_x), 0.5 * (sin + ahead_y)
            long = math.hypot(cos, sin)
            turn = abs(ahead_x * sin - ahead_y * cos) / long
            if turned + turn > SWEEP or turn > SHARP:
                break
            turned, ahead_x, ahead_y = turned + turn, cos / long, sin / long
            places.append((x, y))
        return places, turned

    def _free(self, x: float, y: float, taken: NDArray[np.uint8]) -> bool:
        """Whether a line may be at a place."""
        if not (0 <= x < self.across and 0 <= y < self.height):
            return False
        return (
            self.spacing[int(y)][int(x)] < math.inf
            and taken.item(int(y * self.zoom), int(x * self.zoom)) == 0
        )

    def _take(self, places: list[Pair]) -> None:
        """Mark what is too near a line for others."""
        scale, one = self.zoom, 1 << SHIFT
        for x, y in places:
            apart = self.spacing[int(y)][int(x)]
            centre = int((x * scale - 0.5) * one), int((y * scale - 0.5) * one)
            for taken, share in ((self.taken, APART), (self.crowded, CLOSE)):
                cv2.circle(taken, centre, int(apart * share * scale * one), 1, -1, shift=SHIFT)
