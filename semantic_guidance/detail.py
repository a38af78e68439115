"""Working over a painting in windows, each seen more closely than the whole picture allows.

The windows overlap. Each takes the canvas as the ones before it have left it, its strokes keep within its
frame, and their effect on all of the frame counts. So a window mends what its neighbours did along their
common edge, and nothing is cut off there: no seams. At last all strokes are refined together, again in
windows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.planner import pick_places, strokes_at, structure
from semantic_guidance.polish import Polish, PolishConfig
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import Objective, Run
from semantic_guidance.sketch import Sketch, length_factor
from semantic_guidance.types import Strokes

Array = NDArray[np.float32]

BASE_SHARE = 0.3
"""Share of the strokes that are made on the whole picture, before the windows."""

ALONE = 1500
"""Up to this many strokes are polished best and fast enough on the whole picture at once."""

MARGIN = 0.15
"""What a window sees of its neighbours, in its own sides."""

WIDTHS, SHARES = (1.6, 1.0, 0.6), (0.25, 0.35, 0.4)
"""First strokes' radii against that by which they would just cover the window, and how many of each."""

HURRY, TOGETHER = 0.4, 0.2
"""Steps of a window's polish against those of a whole picture's: of its own strokes, then of all strokes."""

GENTLE = 0.6
"""Rates of the last polish against those of the first."""

FIRST_PART = 0.6
"""Share of the time until all strokes are there."""

BEYOND = 0.25
"""How far strokes may reach over the picture's edge, in a window's longer side."""


@dataclass(frozen=True)
class Window:
    """A part of a picture: its own rows and columns, and the frame that is seen.

    Attributes:
        core: top, left, bottom, right in pixels; the cores tile the picture.
        frame: the same of the core with its margin.
    """

    core: tuple[int, int, int, int]
    frame: tuple[int, int, int, int]

    @property
    def view(self) -> tuple[slice, slice]:
        """Rows and columns of the frame."""
        top, left, bottom, right = self.frame
        return slice(top, bottom), slice(left, right)

    @property
    def own(self) -> tuple[slice, slice]:
        """Rows and columns of the core."""
        top, left, bottom, right = self.core
        return slice(top, bottom), slice(left, right)

    @property
    def size(self) -> int:
        """The frame's longer side in pixels."""
        top, left, bottom, right = self.frame
        return max(bottom - top, right - left)


def windows(height: int, width: int, across: int) -> list[Window]:
    """`across` by `across` windows over a picture, row by row, fewer where pixels are few."""
    rows, columns = (
        np.linspace(0, side, min(across, side) + 1).round().astype(int).tolist() for side in (height, width)
    )
    down, right = (max(2, math.ceil(MARGIN * side / across)) for side in (height, width))
    return [
        Window(
            (top, left, bottom, end),
            (max(0, top - down), max(0, left - right), min(height, bottom + down), min(width, end + right)),
        )
        for top, bottom in itertools.pairwise(rows)
        for left, end in itertools.pairwise(columns)
    ]


def shared_out(count: int, errors: Array, parts: list[Window]) -> list[int]:
    """`count` strokes shared out among windows by the square roots of their pixels' errors ``[H, W]``."""
    need = np.array([np.sqrt(errors[part.own]).sum(dtype=np.float64) for part in parts])
    if need.sum() == 0:
        need[:] = 1
    return np.diff(np.round(np.cumsum(need) / need.sum() * count).astype(int), prepend=0).tolist()


def windows_across(strokes: int) -> int:
    """Windows across and down that suit a number of strokes: 1 up to `ALONE`, 3 for 5,000, 8 at most."""
    return 1 if strokes <= ALONE else min(8, max(2, round(math.sqrt(strokes / 600))))


def closer_side(sketch: Sketch, across: int, picture: Tensor, strokes: int) -> float:
    """What `Sketch.of` needs for a sketch `across` times as large, but no larger than the picture."""
    area = math.sqrt(sketch.target.shape[0] * sketch.target.shape[1])
    length = max(area, min(across * area, math.sqrt(picture.shape[1] * picture.shape[2])))
    return length / length_factor(strokes)


def add_detail(
    sketch: Sketch,
    strokes: Strokes,
    runs: Sequence[Run],
    across: int,
    config: PolishConfig | None,
    seed: int,
    progress: Callable[[float], None],
) -> tuple[Strokes, list[Run]]:
    """A painting's strokes with those of the windows: each level's last strokes are in windows.

    Args:
        sketch: the picture as closely as it is worked on; its counts are those of the whole painting.
        strokes: ``[1, N]`` the painting's first strokes, in units of the picture.
        runs: of these strokes.
        across: windows across and down.
        config: of a whole picture's polish; None leaves the strokes as they were planned.
        seed: of all random choices.
        progress: told now and then which share is done.

    Returns:
        All strokes ``[1, sum of the sketch's counts]`` in units of the picture, and their runs.
    """
    groups: list[tuple[int | None, int]] = [
        (mask, sum(run.count for run in group))
        for mask, group in itertools.groupby(runs, key=lambda run: run.mask)
    ]
    levels = [None, *range(len(sketch.masks))]
    met = {mask for mask, _ in groups}
    groups += [(mask, 0) for mask in levels if mask not in met]
    more = _more_strokes(sketch, groups, len(strokes))
    detail = Detail(sketch, across, config, seed, progress, sum(more.values()))
    canvas = _blank(sketch)
    parts, done = [Strokes.empty()], 0
    for n, (mask, count) in enumerate(groups):
        base = Strokes.unpack(sketch.from_picture(strokes[done : done + count])[None])
        done += count
        area = None if mask is None else sketch.masks[mask]
        canvas = _painted(canvas, base, area)
        parts.append(base)
        if all(later != mask for later, _ in groups[n + 1 :]):
            fresh, canvas = detail.level(canvas, area, more[mask])
            parts.append(fresh)
            groups[n] = (mask, count + len(fresh))
    vectors = Strokes.cat(parts).pack()[0]
    runs = [Run(count, mask) for mask, count in groups if count]
    if config is not None:
        vectors = detail.together(vectors, runs)
    return sketch.to_picture(vectors), runs


def _more_strokes(
    sketch: Sketch, groups: Sequence[tuple[int | None, int]], made: int
) -> dict[int | None, int]:
    """Strokes that each level still gets."""
    levels: list[int | None] = [None, *range(len(sketch.masks))]
    had = [sum(count for mask, count in groups if mask == level) for level in levels]
    lack = np.array([max(0, count - got) for count, got in zip(sketch.counts, had, strict=True)], float)
    if lack.sum() == 0:
        lack[0] = 1
    left = max(0, sum(sketch.counts) - made)
    shares = np.diff(np.round(np.cumsum(lack) / lack.sum() * left).astype(int), prepend=0)
    return dict(zip(levels, shares.tolist(), strict=True))


def _blank(sketch: Sketch) -> Tensor:
    """The canvas ``[3, H, W]`` before the first stroke."""
    return torch.from_numpy(sketch.canvas).permute(2, 0, 1).contiguous()


def _painted(canvas: Tensor, strokes: Strokes, mask: Array | None) -> Tensor:
    """The canvas ``[3, H, W]`` with strokes ``[1, N]`` under a mask ``[H, W]`` or none."""
    return render(strokes, canvas[None], None if mask is None else torch.from_numpy(mask)[None, None])[0]


class Detail:
    """Paints one level after the other, window by window.

    Args:
        sketch: the picture at the size at which it is worked on.
        across: windows across and down.
        config: of a whole picture's polish; None leaves the strokes as they were planned.
        seed: of all random choices.
        progress: told after each window which share of the strokes is done.
        total: strokes of all levels, for `progress`.
    """

    def __init__(
        self,
        sketch: Sketch,
        across: int,
        config: PolishConfig | None,
        seed: int,
        progress: Callable[[float], None],
        total: int,
    ) -> None:
        self.sketch = sketch
        height, width = sketch.weight.shape
        tiles = windows(height, width, across)
        # What matters most comes last, which is how a film of it reads best.
        self.windows = sorted(tiles, key=lambda window: float(sketch.weight[window.own].mean()))
        self.config, self.gentle = config, PolishConfig(steps=0)
        if config is not None:
            self.config = replace(config, steps=max(1, round(HURRY * config.steps)))
            self.gentle = _gentle(config)
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.progress = progress
        self.done, self.total = 0, max(1, total)

    def level(self, canvas: Tensor, mask: Array | None, count: int) -> tuple[Strokes, Tensor]:
        """`count` more strokes ``[1, count]`` of one level, and the canvas with them.

        Args:
            canvas: ``[3, H, W]`` at the sketch's size, as painted so far.
            mask: ``[H, W]`` of the level's object; None for the background.
            count: number of strokes.
        """
        weight = self.sketch.weight * (1 - 0.9 * self.sketch.mask if mask is None else mask)
        errors = ((canvas.permute(1, 2, 0).numpy() - self.sketch.target) ** 2).sum(axis=-1) * weight
        parts = [Strokes.empty()]
        for window, share in zip(self.windows, shared_out(count, errors, self.windows), strict=True):
            if share:
                strokes = Strokes.unpack(self._window(window, canvas, mask, weight, share)[None])
                parts.append(strokes)
                canvas = _painted(canvas, strokes, mask)
            self.done += share
            self.progress(FIRST_PART * self.done / self.total)
        return Strokes.cat(parts), canvas

    def together(self, vectors: Tensor, runs: Sequence[Run]) -> Tensor:
        """All strokes ``[N, 13]`` refined together, window by window; those that leave its frame stay."""
        vectors = vectors.clone()
        level = torch.from_numpy(np.repeat(np.arange(len(runs)), [run.count for run in runs]))
        blank = _blank(self.sketch)
        for number, window in enumerate(self.windows):
            scale, shift = _to_sketch(window, self.sketch)
            seen = (vectors - shift) / scale
            near, free = _near_and_free(seen, window, self.sketch)
            if bool(free.any()):
                counts = torch.bincount(level[near], minlength=len(runs)).tolist()
                parts = [replace(run, count=n) for run, n in zip(runs, counts, strict=True) if n]
                parts[-1] = replace(parts[-1], factor=1.0)
                objective = self._objective(window, parts, blank, self.sketch.masks, self.sketch.weight)
                polish = Polish(seen[near], objective, self.gentle)
                _keep_within(polish, window, self.sketch)
                polish.rates = polish.rates * free
                polish.lowest = torch.where(free, polish.lowest, polish.vectors)
                polish.highest = torch.where(free, polish.highest, polish.vectors)
                vectors[near] = torch.where(free, polish.run() * scale + shift, vectors[near])
            self.progress(FIRST_PART + (1 - FIRST_PART) * (number + 1) / len(self.windows))
        return vectors

    def _window(
        self, window: Window, canvas: Tensor, mask: Array | None, weight: Array, count: int
    ) -> Tensor:
        """`count` strokes in one window, packed ``[count, 13]``, in units of the sketch's longer side."""
        scale, shift = _to_sketch(window, self.sketch)
        masks = np.zeros((0, *weight.shape), np.float32) if mask is None else mask[None]
        parts = [Run(count, None if mask is None else 0, 1.0)]
        objective = self._objective(window, parts, canvas, masks, weight)
        vectors = self._first(window, objective, count)
        if self.config is not None:
            polish = Polish(vectors, objective, self.config, self.seed + self.done)
            _keep_within(polish, window, self.sketch)
            vectors = polish.run()
        return vectors * scale + shift

    def _objective(
        self, window: Window, runs: Sequence[Run], blank: Tensor, masks: Array, weight: Array
    ) -> Objective:
        """What is wanted of a window whose strokes are painted on its part of `blank` ``[3, H, W]``."""
        rows, columns = window.view
        return Objective(
            runs,
            torch.from_numpy(np.ascontiguousarray(masks[:, rows, columns])),
            blank[:, rows, columns].contiguous(),
            torch.from_numpy(self.sketch.target[rows, columns]).permute(2, 0, 1).contiguous(),
            torch.from_numpy(np.ascontiguousarray(weight[rows, columns])) + 1e-6,
        )

    def _first(self, window: Window, objective: Objective, count: int) -> Tensor:
        """The window's first strokes ``[count, 13]``, the wider ones first."""
        mask = objective.masks[0].numpy() if len(objective.masks) else None
        target = objective.target.permute(1, 2, 0).contiguous().numpy()
        inside = np.zeros_like(objective.weight.numpy())
        top, left = window.frame[:2]
        rows, columns = window.own
        inside[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = 1
        area = float((inside if mask is None else inside * mask).sum())
        radius = 0.5 * math.sqrt(max(area, 1.0) / count)
        bounds = np.round(np.cumsum((0, *SHARES)) * count).astype(int)
        canvas, parts = objective.blank, [Strokes.empty()]
        for factor, number in zip(WIDTHS, np.diff(bounds), strict=True):
            wide = max(0.8, factor * radius)
            error = objective.error_map(canvas).numpy() * inside
            places = pick_places(error, int(number), 1.3 * wide, self.rng)
            parts.append(strokes_at(places, wide, structure(target, wide), self.rng, window.size))
            canvas = _painted(canvas, parts[-1], mask)
        return Strokes.cat(parts).pack()[0]


def _gentle(config: PolishConfig) -> PolishConfig:
    """The polish of strokes that are nearly right."""
    rates = ("position_rate", "radius_rate", "opacity_rate", "color_rate")
    slower = {name: GENTLE * getattr(config, name) for name in rates}
    softness = (config.softness[1], config.softness[1])
    return replace(config, steps=round(TOGETHER * config.steps), softness=softness, reseed_at=(), **slower)


def _to_sketch(window: Window, sketch: Sketch) -> tuple[Tensor, Tensor]:
    """Factor and shift ``[13]`` that turn a window's packed strokes into ones of the sketch."""
    longer = max(sketch.weight.shape)
    scale, (top, left) = window.size / longer, window.frame[:2]
    return (
        torch.tensor([scale] * 8 + [1.0] * 5),
        torch.tensor([left / longer, top / longer] * 3 + [0.0] * 7),
    )


def _limits(window: Window, sketch: Sketch) -> tuple[Tensor, Tensor, float]:
    """Bounds (x, y) of a window's points, and of its radii, that keep strokes off what it does not see."""
    reach = 0.5 * MARGIN / (1 + 2 * MARGIN)
    height, width = sketch.weight.shape
    top, left, bottom, right = window.frame
    low = [-BEYOND if edge == 0 else reach for edge in (left, top)]
    high = [
        (end - start) / window.size + (BEYOND if end == whole else -reach)
        for start, end, whole in ((left, right, width), (top, bottom, height))
    ]
    return torch.tensor(low), torch.tensor(high), reach


def _keep_within(polish: Polish, window: Window, sketch: Sketch) -> None:
    low, high, reach = _limits(window, sketch)
    polish.lowest[:6], polish.highest[:6] = low.repeat(3), high.repeat(3)
    polish.highest[6:8] = max(reach - 1 / window.size, float(polish.lowest[6]))


def _near_and_free(vectors: Tensor, window: Window, sketch: Sketch) -> tuple[Tensor, Tensor]:
    """Indices ``[M]`` of the strokes ``[N, 13]`` that a window sees, and which ``[M, 1]`` it may move."""
    low, high, reach = _limits(window, sketch)
    points, radius = vectors[:, :6].unflatten(1, (3, 2)), vectors[:, 6:8].amax(dim=1)
    top, left, bottom, right = window.frame
    size = torch.tensor([right - left, bottom - top]) / window.size
    first, last = points.amin(dim=1), points.amax(dim=1)
    near = ((last > -radius[:, None]) & (first < size + radius[:, None])).all(dim=1)
    free = (first >= low).all(dim=1) & (last <= high).all(dim=1) & (radius <= reach)
    return near.nonzero()[:, 0], free[near][:, None]
