"""The order in which lines are drawn: few changes of colour and brush, short travel, the same picture.

Two strokes of one colour may change places, and so may two that do not touch each other. Of any other two,
the earlier one stays first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core import bezier
from semantic_guidance.core.errors import InputError

SAMPLES = 17  # places of a line at which its distance from another one is measured
FIRST, MOST = 16, 256  # earlier lines that are looked at first, then twice as many, and so on to so many
PARTS = 8  # of a line, whose frames are compared first
FRAMES = 60  # lines whose frames are compared: as much work as two that are measured
BLOCK = 256  # ends of lines that are looked at together
MAX_PAIRS = 5_000_000  # lines that are measured against each other: a minute

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """One stroke to be drawn.

    Attributes:
        points: ``[3, 2]`` start, control and end of a quadratic Bezier curve in mm.
        width: of the brush in mm.
        color: as ``#rrggbb``.
        opacity: of the paint in [0, 1].
        level: what it depicts, see `Layer`.
        instance: see `Layer`.
    """

    points: Array
    width: float
    color: str
    opacity: float = 1.0
    level: str = "background"
    instance: int = 0

    @property
    def samples(self) -> Array:
        """``[SAMPLES, 2]`` places on it."""
        t = np.linspace(0, 1, SAMPLES)
        return np.stack(bezier.weights(t), axis=1) @ self.points

    @property
    def length(self) -> float:
        """In mm."""
        return float(np.hypot(*np.diff(self.samples, axis=0).T).sum())

    @property
    def reversed(self) -> Line:
        """The same, drawn from its end."""
        return replace(self, points=self.points[::-1])


@dataclass(frozen=True)
class Pass:
    """Lines of one colour, and of one brush if there are few, that are drawn one after the other."""

    color: str
    lines: list[Line]

    @property
    def brush(self) -> float | None:
        """Width of all its lines in mm; None if they are of many widths."""
        widths = {round(line.width, 3) for line in self.lines}
        return widths.pop() if len(widths) == 1 else None

    @property
    def name(self) -> str:
        """Colour and width, or least and greatest width, for people."""
        widths = [line.width for line in self.lines]
        low, high = f"{min(widths):.3g}", f"{max(widths):.3g}"
        return f"{self.color} {low if low == high else f'{low}-{high}'}mm"


def in_passes(
    lines: list[Line],
    progress: Callable[[float], None] = lambda share: None,
    *,
    ground: str | None = None,
    by_brush: bool = True,
) -> list[Pass]:
    """The lines, which are in painting order, in passes of one colour each: few, and with short travel.

    If there are few widths, a pass is of one brush, too. In a pass the wider lines come first, each followed
    by the nearest one.

    Args:
        lines: to be drawn.
        progress: called with the share that is done.
        ground: colour of the paper; lines of this colour that cover nothing are left out.
        by_brush: whether passes may be of one brush.
    """
    before = covered(lines, progress)
    lines, before = _on_something(lines, before, ground)
    apart = by_brush and _few(lines)
    tools = [f"{line.color} {round(line.width, 3) if apart else 0}" for line in lines]
    kinds = np.unique(tools, return_inverse=True)[1]
    plans = (_schedule(kinds, before, choose) for choose in (_first_color, _freest_color))
    passes: list[Pass] = []
    pen = np.zeros(2)
    for chosen in min(plans, key=len):
        ordered = _short_way([lines[number] for number in chosen], pen)
        passes.append(Pass(ordered[0].color, ordered))
        pen = ordered[-1].points[2]
    return passes


def _on_something(
    lines: list[Line], before: list[list[int]], ground: str | None
) -> tuple[list[Line], list[list[int]]]:
    """The lines, and those before each, without lines of the ground's colour that lie on the ground alone."""
    stay = [line.color != ground or bool(under) for line, under in zip(lines, before, strict=True)]
    place = np.cumsum(stay) - 1
    return (
        [line for line, there in zip(lines, stay, strict=True) if there],
        [
            [int(place[n]) for n in under if stay[n]]
            for under, there in zip(before, stay, strict=True)
            if there
        ],
    )


Choice = Callable[[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]], int]


def _schedule(colors: NDArray[np.intp], before: list[list[int]], choose: Choice) -> list[NDArray[np.intp]]:
    """The lines of each pass: those of a kind, chosen by `choose`, that are free to be drawn."""
    waiting = np.array([len(earlier) for earlier in before], dtype=np.int64)
    after: list[list[int]] = [[] for _ in before]
    for later, earlier in enumerate(before):
        for line in earlier:
            after[line].append(later)
    todo = np.ones(len(before), dtype=bool)
    passes = []
    while todo.any():
        ready = todo & (waiting == 0)
        chosen = np.flatnonzero(ready & (colors == choose(colors, ready, todo)))
        todo[chosen] = False
        for number in chosen:
            waiting[after[number]] -= 1
        passes.append(chosen)
    return passes


def _first_color(colors: NDArray[np.intp], ready: NDArray[np.bool_], todo: NDArray[np.bool_]) -> int:
    """The colour of the first line that is left."""
    return int(colors[todo.argmax()])


def _freest_color(colors: NDArray[np.intp], ready: NDArray[np.bool_], todo: NDArray[np.bool_]) -> int:
    """A colour that can be finished now, else the one with the most lines that can be drawn."""
    free, left = np.bincount(colors[ready]), np.bincount(colors[todo])[: colors[ready].max() + 1]
    done = (free > 0) & (free == left)
    return int(np.where(done, free, 0).argmax() if done.any() else free.argmax())


def covered(lines: list[Line], progress: Callable[[float], None] = lambda share: None) -> list[list[int]]:
    """For each line, the earlier ones of another colour that it touches.

    Those that one of the named lines must follow anyway, directly or not, may be missing: of lines that all
    lie on one another, each names but the last few before it.

    Raises:
        InputError: the lines lie on one another so often that finding the order would take minutes.
    """
    if not lines:
        return []
    shapes = _Shapes(lines)
    colors = np.unique([line.color for line in lines], return_inverse=True)[1]
    follows = np.zeros((len(lines), -(-len(lines) // 8)), np.uint8)  # bit m of row n: m comes before n
    found: list[list[int]] = []
    for n in range(len(lines)):
        touched: list[int] = []
        left, size = np.flatnonzero(shapes.near(n) & (colors[:n] != colors[n])), FIRST
        while len(left):
            latest, left, size = left[-size:], left[:-size], min(2 * size, MOST)
            touching = shapes.touching(latest, n)
            if len(touching):
                touched += touching.tolist()
                follows[n] |= np.bitwise_or.reduce(follows[touching], axis=0)
                left = left[_bits(follows[n], left) == 0]
        named = np.array(touched, dtype=np.int64)
        np.bitwise_or.at(follows[n], named >> 3, np.uint8(1) << (named & 7).astype(np.uint8))
        found.append(touched)
        progress((n + 1) / len(lines))
    return found


def _bits(row: NDArray[np.uint8], numbers: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Those bits of a row of bytes."""
    return row[numbers >> 3] >> (numbers & 7).astype(np.uint8) & np.uint8(1)


class _Shapes:
    """Where lines are, to find those that touch each other."""

    def __init__(self, lines: list[Line]) -> None:
        self.samples = np.stack([line.samples for line in lines])  # [N, S, 2]
        self.reach = np.array([line.width / 2 for line in lines])
        # Between two samples a line is at most half their distance away from the nearer one, and bends a
        # little.
        steps = np.hypot(*np.moveaxis(np.diff(self.samples, axis=1), 2, 0))
        self.slack = steps.max(axis=1) * 0.55
        low, high = self.samples.min(axis=1), self.samples.max(axis=1)
        self.low, self.high = low - self.reach[:, None], high + self.reach[:, None]
        parts = np.array_split(self.samples, PARTS, axis=1)
        far = (self.reach + self.slack)[:, None, None] * (1 + 1e-9)
        self.lows = np.stack([part.min(axis=1) for part in parts], axis=1) - far  # [N, P, 2]
        self.highs = np.stack([part.max(axis=1) for part in parts], axis=1) + far
        self.measured = 0.0

    def near(self, n: int) -> NDArray[np.bool_]:
        """``[n]`` whether the frames of earlier lines overlap that of line `n`."""
        overlap = (self.low[:n] <= self.high[n]) & (self.high[:n] >= self.low[n])
        return overlap[:, 0] & overlap[:, 1]

    def touching(self, others: NDArray[np.intp], n: int) -> NDArray[np.intp]:
        """Those of other lines that line `n` touches.

        Raises:
            InputError: so many have been measured that going on would take minutes.
        """
        # Most of those that do not touch have no parts whose frames overlap.
        self.measured += len(others) / FRAMES
        over = (self.lows[others, :, None] <= self.highs[n]) & (self.highs[others, :, None] >= self.lows[n])
        others = others[(over[..., 0] & over[..., 1]).any(axis=(1, 2))]
        self.measured += len(others)
        if self.measured > MAX_PAIRS:
            raise InputError(
                f"the {len(self.reach)} strokes lie on one another too often to find an order for a plotter, "
                "wanted fewer or shorter ones"
            )
        x, y = (self.samples[others, :, None, axis] - self.samples[n, :, axis] for axis in (0, 1))
        closest = np.sqrt((x * x + y * y).min(axis=(1, 2)))  # of [C, S, S]
        within = self.reach[others] + self.reach[n] + self.slack[others] + self.slack[n]
        return others[closest < within]


def _short_way(lines: list[Line], pen: Array) -> list[Line]:
    """The lines from wide to narrow, going to the nearest free end within each width."""
    ordered: list[Line] = []
    for width in sorted({round(line.width, 3) for line in lines}, reverse=True) if _few(lines) else [None]:
        left = [line for line in lines if width is None or round(line.width, 3) == width]
        ends = _Ends(np.concatenate([line.points[[0, 2]] for line in left]))
        for _ in left:
            line, end = divmod(ends.nearest(pen), 2)
            ends.forget(2 * line)
            ends.forget(2 * line + 1)
            ordered.append(left[line].reversed if end else left[line])
            pen = ordered[-1].points[2]
    return ordered


class _Ends:
    """Places ``[N, 2]`` that are left, in blocks with frames, to find the nearest one.

    A frame is never farther than a place in it, rounded as they are: of equally near places the first is
    found, as if all were looked at.
    """

    def __init__(self, places: Array) -> None:
        self.blocks = _blocks(places, np.arange(len(places)))  # numbers of places, ascending
        self.places = [places[numbers] for numbers in self.blocks]  # infinite where they are not left
        self.low = np.stack([inside.min(axis=0) for inside in self.places])
        self.high = np.stack([inside.max(axis=0) for inside in self.places])
        self.front = [0] * len(self.blocks)  # where the first place is that is left
        self.first = np.array([numbers[0] for numbers in self.blocks])  # and its number
        self.home = np.empty((len(places), 2), np.int64)  # a place's block, and where it is in that
        for block, numbers in enumerate(self.blocks):
            self.home[numbers, 0], self.home[numbers, 1] = block, np.arange(len(numbers))

    def nearest(self, pen: Array) -> int:
        """The number of the place that is nearest to ``[2]``."""
        away = (np.maximum(np.maximum(self.low - pen, pen - self.high), 0) ** 2).sum(axis=1)
        best = (np.inf, sys.maxsize)
        for block in np.lexsort((self.first, away)):
            if (away[block], self.first[block]) > best:
                break
            squares = ((self.places[block] - pen) ** 2).sum(axis=1)
            at = int(squares.argmin())
            best = min(best, (float(squares[at]), int(self.blocks[block][at])))
        return best[1]

    def forget(self, number: int) -> None:
        """A place is not left."""
        block, at = self.home[number]
        places, front = self.places[block], self.front[block]
        places[at] = np.inf
        while front < len(places) and places[front, 0] == np.inf:
            front += 1
        self.front[block] = front
        if front < len(places):
            self.first[block] = self.blocks[block][front]
        else:
            self.low[block] = np.inf


def _blocks(places: Array, numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The numbers in parts of places that are near each other, at most `BLOCK` each."""
    if len(numbers) <= BLOCK:
        return [np.sort(numbers)]
    inside = places[numbers]
    axis = int((inside.max(axis=0) - inside.min(axis=0)).argmax())
    half = len(numbers) // 2
    parted = numbers[inside[:, axis].argsort(kind="stable")]  # the first of equal ones stay first
    return _blocks(places, parted[:half]) + _blocks(places, parted[half:])


def _few(lines: list[Line]) -> bool:
    """Whether the widths are those of a set of brushes."""
    return len({round(line.width, 3) for line in lines}) <= 16
