"""A window actor at work: all of a part first, then what is still wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agents.base import Draft
from semantic_guidance.agents.problem import Part, Problem
from semantic_guidance.agents.progress import Progress
from semantic_guidance.agents.watching import Told
from semantic_guidance.agents.window.network import WindowActor, fused
from semantic_guidance.agents.window.view import SIDE, Array, Window, object_window, observe, strokes_of
from semantic_guidance.core.strokes import NUMBERS, Strokes
from semantic_guidance.images.arrays import to_array
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.base import Backend, load_backend, one_thread
from semantic_guidance.renderer.objective import Segment

FIRST_LOOKS = 2
"""Looks at the whole part before those at its details."""

DETAIL_SIDES = (0.48, 0.34, 0.24, 0.16)
"""Sides of the windows for details, in units of the part's extent."""

MIN_SIDE = 12
"""Pixels of the smallest such window."""

CANDIDATES = 2
"""Windows of each size that are tried in a round."""

PATIENCE = 2
"""Rounds without a stroke after which nothing more is tried."""

APART = 0.3
"""Windows painted in one round share at most this much of the smaller one."""

CHOSEN = 3
"""Windows that are painted in a round, at most."""

SURPLUS = 1.35
"""Strokes made for each stroke of the budget; the least useful ones are dropped at the end."""


class Policy(Protocol):
    """Makes strokes for what it sees of a part in progress."""

    def strokes(self, rollout: Rollout, windows: Sequence[Window]) -> tuple[Strokes, Seen]:
        """Strokes ``[windows, N]`` in units of their windows, and what is seen there."""


class DensePolicy:
    """A window actor's.

    Args:
        actor: copied.
    """

    def __init__(self, actor: WindowActor) -> None:
        self.actor = fused(actor)

    def strokes(self, rollout: Rollout, windows: Sequence[Window]) -> tuple[Strokes, Seen]:
        """See `Policy`."""
        seen = rollout.look(windows)
        with torch.inference_mode():
            raw = self.actor(observe(seen.canvas, seen.target, seen.show, seen.weight))
            return strokes_of(raw, seen.target), seen


@dataclass(frozen=True)
class WindowPainter:
    """Paints parts of a picture.

    Attributes:
        policy: that makes the strokes.
        first_looks: at the whole part, before those at its details.
        sides: of the windows for details, in units of the part's extent.
        candidates: windows of each size that are tried in a round.
        patience: rounds without a stroke after which nothing more is tried.
    """

    policy: Policy
    first_looks: int = FIRST_LOOKS
    sides: tuple[float, ...] = DETAIL_SIDES
    candidates: int = CANDIDATES
    patience: int = PATIENCE

    def paint(
        self,
        target: Tensor,
        part: Part,
        canvas: Tensor,
        backend: str | Backend = "auto",
        told: Told | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Strokes for a part, on top of the canvas.

        Args:
            target: ``[3, h, w]`` the picture.
            part: what of it to paint.
            canvas: ``[3, h, w]`` in [0, 1].
            backend: that renders.
            told: of the strokes after each look; if it says so, it is the last one.

        Returns:
            Packed strokes ``[N, 13]``, at most ``part.count``, in units of the canvas's longer side, and the
            canvas after them.
        """
        rollout = Rollout(target, part, canvas, backend)
        wanted, going = math.ceil(SURPLUS * part.count), True
        for _ in range(self.first_looks):
            if len(rollout.strokes) < wanted and going:
                rollout.add(self._whole(rollout))
                going = told is None or told([rollout.strokes])
        idle = 0
        while len(rollout.strokes) < wanted and idle < self.patience and going:
            idle = 0 if self._paint_details(rollout) else idle + 1
            going = told is None or told([rollout.strokes])
        rollout.prune(part.count)
        return rollout.strokes, rollout.canvas

    def _whole(self, rollout: Rollout) -> Tensor:
        """Packed strokes ``[N, 13]`` for all of the part."""
        windows = rollout.wholes
        return pack(self.policy.strokes(rollout, windows)[0], windows, rollout.longer)

    def _paint_details(self, rollout: Rollout) -> bool:
        """Paint in those windows, of several sizes, where it gains most; returns whether any stroke helps."""
        windows = rollout.candidates(self.sides, self.candidates)
        strokes, seen = self.policy.strokes(rollout, windows)
        after = render(strokes, seen.canvas, seen.show, backend=rollout.backend)
        gain = ((seen.canvas - seen.target) ** 2 - (after - seen.target) ** 2).sum(dim=1, keepdim=True)
        areas = torch.tensor([float(window.side) ** 2 for window in windows], dtype=torch.float32)
        order = ((gain * seen.weight).mean(dim=(1, 2, 3)) * areas).argsort(descending=True)
        chosen: list[int] = []
        for index in order.tolist():
            apart = all(windows[index].overlap(windows[other]) < APART for other in chosen)
            if len(chosen) < CHOSEN and apart:
                chosen.append(index)
        picked = strokes.map(lambda values: values[chosen])
        looked_at = [windows[index] for index in chosen]
        kept = rollout.add(pack(picked, looked_at, rollout.longer)).view(len(chosen), -1).any(1).tolist()
        rollout.remember(looked_at, kept)
        return any(kept)


def paint_parts(problem: Problem, parts: Iterable[tuple[Part, WindowPainter]]) -> Draft:
    """The strokes of some parts, one on top of the other, each by its painter."""
    canvas, left = problem.canvas, 0
    drafted, segments = [torch.empty(0, NUMBERS, dtype=torch.float32)], list[Segment]()
    backend = load_backend(problem.backend, canvas.device, canvas.dtype)

    # Hundreds of short computations: on a busy machine each would wait for its slowest thread.
    with one_thread(backend):
        for part, painter in parts:
            if segments and problem.stopped:
                break
            # What one part does not use, the next one gets, if nobody asks for a share of it.
            asked = part.mask in problem.asked
            budget = replace(part, count=part.count + left if part.count and not asked else part.count)
            told = problem.telling(drafted, segments, part.mask)
            strokes, canvas = painter.paint(problem.target, budget, canvas, backend, told)
            left += 0 if asked else part.count - len(strokes)
            drafted.append(strokes)
            segments.append(Segment(len(strokes), part.mask))
    return Draft(torch.cat(drafted), tuple(segments))


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen in some windows, ``[windows, C, size, size]`` each."""

    canvas: Tensor
    target: Tensor
    show: Tensor
    weight: Tensor


class Rollout(Progress):
    """A part in progress, seen in windows.

    Attributes:
        wholes: the windows that show all of the part.
        vain: windows in which no stroke helped, and that have not changed since.
    """

    def __init__(self, target: Tensor, part: Part, canvas: Tensor, backend: str | Backend) -> None:
        super().__init__(target, part, canvas, backend)
        self.vain: list[Window] = []
        height, width = canvas.shape[1:]
        self.longer = max(height, width)
        self.wholes = (
            whole_windows(height, width)
            if part.mask is None or part.show is None
            else (object_window(part.show),)
        )
        show = torch.ones_like(part.weight) if part.show is None else part.show
        self.planes = tuple(to_array(plane) for plane in (target, show[None], part.weight[None]))

    def look(self, windows: Sequence[Window], size: int = SIDE) -> Seen:
        """What is seen in some windows, on `size` pixels a side. Beyond the picture's edge nothing counts."""
        target, show, weight = self.planes
        planes: list[tuple[Array, float | None]] = [
            (to_array(self.canvas), None),
            (target, None),
            (show, None),
            (weight, 0.0),
        ]
        return Seen(*(looked(plane, windows, size, border) for plane, border in planes))

    def remember(self, windows: Sequence[Window], painted: Sequence[bool]) -> None:
        """Look again, before others, at no window where nothing could be painted."""
        fresh = [window for window, done in zip(windows, painted, strict=True) if done]
        self.vain = [old for old in self.vain if all(old.overlap(new) < APART for new in fresh)]
        self.vain += [window for window, done in zip(windows, painted, strict=True) if not done]

    def candidates(self, sides: tuple[float, ...], count: int) -> list[Window]:
        """Windows where the weighted error is greatest.

        Args:
            sides: in units of the part's extent.
            count: of each size, at most.
        """
        error = self.errors().numpy()
        height, width = error.shape
        rows, columns = np.nonzero((self.part.weight > 0.5 * self.part.weight.max()).numpy())
        extent = min(self.longer, max(int(np.ptp(rows)), int(np.ptp(columns))) + 1)
        sums = cv2.integral(error)
        found = []
        for share in sides:
            side = min(max(MIN_SIDE, round(share * extent)), self.longer)
            tops, lefts = _places(height, side), _places(width, side)
            bottoms, rights = np.minimum(tops + side, height), np.minimum(lefts + side, width)
            tops0, lefts0 = np.maximum(tops, 0), np.maximum(lefts, 0)
            inside = sums[np.ix_(bottoms, rights)] - sums[np.ix_(tops0, rights)]
            inside = inside - sums[np.ix_(bottoms, lefts0)] + sums[np.ix_(tops0, lefts0)]
            for window in self.vain:
                if window.side == side:
                    inside[_near(tops, window.top, lefts, window.left, side)] = 0
            for _ in range(count):
                i, j = np.unravel_index(int(inside.argmax()), inside.shape)
                if inside[i, j] <= 0:
                    break
                found.append(Window(int(lefts[j]), int(tops[i]), side))
                inside[_near(tops, tops[i], lefts, lefts[j], side)] = 0
        return found or [Window(0, 0, self.longer)]


def looked(plane: Array, windows: Sequence[Window], size: int = SIDE, border: float | None = None) -> Tensor:
    """What some windows show of ``[H, W, C]``, ``[windows, C, size, size]``; see `Window.look`."""
    stacked = np.stack([window.look(plane, border, size) for window in windows])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()


def pack(strokes: Strokes, windows: Sequence[Window], longer: int) -> Tensor:
    """Strokes ``[windows, cells]`` of some windows as packed ones ``[N, 13]`` of their picture."""
    parts = []
    for n, window in enumerate(windows):
        part = Strokes.unpack(strokes.pack()[n : n + 1])
        parts.append(window.to_picture(part, longer).pack()[0])
    return torch.cat(parts)


def _near(tops: Array, top: float, lefts: Array, left: float, side: int) -> tuple[Any, ...]:
    """Indices of the places from which windows of a side overlap much with one at a place."""
    return np.ix_(abs(tops - top) < 0.6 * side, abs(lefts - left) < 0.6 * side)


def _places(length: int, side: int) -> np.ndarray:
    """Starts of windows of `side` pixels along a `length`, a quarter of their side apart, edges included."""
    room = length - side
    if room <= 0:
        return np.array([room // 2])
    return np.unique(np.round(np.linspace(0, room, max(2, 1 + math.ceil(4 * room / side)))).astype(int))


def whole_windows(height: int, width: int) -> tuple[Window, ...]:
    """Squares that cover a picture: one that is larger than it, or several where it is long."""
    shorter, longer = min(height, width), max(height, width)
    side = min(longer, math.ceil(1.34 * shorter))
    count = math.ceil((longer - 0.15 * side) / (0.85 * side))
    starts = np.round(np.linspace(0, longer - side, max(1, count))).astype(int).tolist()
    across = (shorter - side) // 2
    return tuple(
        Window(start, across, side) if width >= height else Window(across, start, side) for start in starts
    )
