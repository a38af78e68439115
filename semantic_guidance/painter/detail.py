"""Working over a painting in tiles, each seen more closely than the whole picture allows.

The tiles overlap. Each takes the canvas as the ones before it have left it, its strokes keep within its
frame, and their effect on all of the frame counts. So a tile mends what its neighbours did along their
common edge, and nothing is cut off there: no seams. Finally all strokes are refined together, again in
tiles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agents.base import Agent
from semantic_guidance.agents.planner import fill_up
from semantic_guidance.agents.problem import Problem, length_factor, paint
from semantic_guidance.core.strokes import NUMBERS, POINTS, RADIUS, Strokes, affine
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Bounds, Refiner
from semantic_guidance.renderer.objective import Objective, Segment, Workplace

BASE_SHARE = 0.3
"""Share of the strokes that are made on the whole picture, before the tiles."""

ALONE = 1500
"""Up to this many strokes, refining them on the whole picture at once is best and fast enough."""

MARGIN = 0.15
"""What a tile sees of its neighbours, as a share of its sides."""

HURRY, TOGETHER = 0.4, 0.2
"""Steps of a tile's refinement, relative to a whole picture's: of its own strokes, then of all strokes."""

GENTLE = 0.6
"""Rates of the last refinement, relative to those of the first."""

FIRST_PART = 0.6
"""Share of the time by which all strokes are there."""

BEYOND = 0.25
"""How far strokes may reach over the picture's edge, in units of a tile's longer side."""


@dataclass(frozen=True)
class Tile:
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


def tiles(height: int, width: int, across: int) -> list[Tile]:
    """`across` by `across` tiles over a picture, row by row; fewer where pixels are few."""
    rows, columns = (
        np.linspace(0, side, min(across, side) + 1).round().astype(int).tolist() for side in (height, width)
    )
    down, right = (max(2, math.ceil(MARGIN * side / across)) for side in (height, width))
    return [
        Tile(
            (top, left, bottom, end),
            (max(0, top - down), max(0, left - right), min(height, bottom + down), min(width, end + right)),
        )
        for top, bottom in itertools.pairwise(rows)
        for left, end in itertools.pairwise(columns)
    ]


def shared_out(count: int, errors: Tensor, parts: list[Tile]) -> list[int]:
    """`count` strokes shared out among tiles by the square roots of their pixels' errors ``[H, W]``."""
    need = np.array([np.sqrt(errors[part.own].numpy()).sum(dtype=np.float64) for part in parts])
    if need.sum() == 0:
        need[:] = 1
    return np.diff(np.round(np.cumsum(need) / need.sum() * count).astype(int), prepend=0).tolist()


def tiles_across(strokes: int) -> int:
    """Tiles across and down that suit a number of strokes: 1 up to `ALONE`, 3 for 5,000, 8 at most."""
    return 1 if strokes <= ALONE else min(8, max(2, round(math.sqrt(strokes / 600))))


def closer_side(problem: Problem, across: int, strokes: int) -> float:
    """`side` of `Problem.of` for a problem `across` times as large, but no larger than the picture."""
    area = math.sqrt(problem.target.shape[1] * problem.target.shape[2])
    length = max(area, min(across * area, math.sqrt(problem.picture.shape[1] * problem.picture.shape[2])))
    return length / length_factor(strokes)


def add_detail(
    problem: Problem,
    agent: Agent,
    strokes: Strokes,
    segments: Sequence[Segment],
    across: int,
    config: RefineConfig | None,
    seed: int,
    progress: Callable[[float], None],
    workplace: Workplace | None = None,
) -> tuple[Strokes, list[Segment]]:
    """A painting's strokes with those of the tiles: each part's last strokes are in tiles.

    Args:
        problem: the picture at its working size; its budgets are those of the whole painting.
        agent: makes the tiles' first strokes.
        strokes: ``[1, N]`` the painting's first strokes, in units of the picture.
        segments: of these strokes.
        across: tiles across and down.
        config: of a whole picture's refinement; None leaves the strokes as the agent drafted them.
        seed: of all random choices.
        progress: called now and then with the share that is done.
        workplace: where strokes are refined; where the problem is if None.

    Returns:
        All strokes ``[1, sum of the problem's budgets]`` in units of the picture, and their segments.
    """
    groups: list[tuple[int | None, int]] = [
        (mask, sum(segment.count for segment in group))
        for mask, group in itertools.groupby(segments, key=lambda segment: segment.mask)
    ]
    met = {mask for mask, _ in groups}
    groups += [(part.mask, 0) for part in problem.parts() if part.mask not in met]
    more = _more_strokes(problem, groups, len(strokes))
    detail = Detail(problem, agent, across, config, seed, progress, sum(more.values()), workplace)
    canvas = problem.canvas
    parts, done = [torch.empty(0, NUMBERS)], 0
    for n, (mask, count) in enumerate(groups):
        base = problem.from_picture(strokes[done : done + count])
        done += count
        canvas = paint(base, canvas, problem.show(mask), problem.backend)
        parts.append(base)
        if all(later != mask for later, _ in groups[n + 1 :]):
            fresh, canvas = detail.part(canvas, mask, more[mask])
            parts.append(fresh)
            groups[n] = (mask, count + len(fresh))
    vectors = torch.cat(parts)
    finished = [Segment(count, mask) for mask, count in groups if count]
    if config is not None:
        vectors = detail.together(vectors, finished)
    return problem.to_picture(vectors), finished


def _more_strokes(
    problem: Problem, groups: Sequence[tuple[int | None, int]], made: int
) -> dict[int | None, int]:
    """Strokes that each part is still to get."""
    masks: list[int | None] = [None, *range(len(problem.masks))]
    had = [sum(count for mask, count in groups if mask == each) for each in masks]
    lack = np.array([max(0, count - got) for count, got in zip(problem.budgets, had, strict=True)], float)
    if lack.sum() == 0:
        lack[0] = 1
    left = max(0, sum(problem.budgets) - made)
    shares = np.diff(np.round(np.cumsum(lack) / lack.sum() * left).astype(int), prepend=0)
    return dict(zip(masks, shares.tolist(), strict=True))


class Detail:
    """Paints one part after another, tile by tile.

    Args:
        problem: the picture at its working size.
        agent: makes the tiles' first strokes.
        across: tiles across and down.
        config: of a whole picture's refinement; None leaves the strokes as the agent drafted them.
        seed: of all random choices.
        progress: called after each tile with the share of the strokes that is done.
        total: strokes of all parts, for `progress`.
        workplace: where strokes are refined; where the problem is if None.
    """

    def __init__(
        self,
        problem: Problem,
        agent: Agent,
        across: int,
        config: RefineConfig | None,
        seed: int,
        progress: Callable[[float], None],
        total: int,
        workplace: Workplace | None = None,
    ) -> None:
        self.problem, self.agent, self.workplace = problem, agent, workplace
        height, width = problem.weight.shape
        # What matters most comes last, which suits a video best.
        self.tiles = sorted(
            tiles(height, width, across), key=lambda tile: float(problem.weight[tile.own].numpy().mean())
        )
        self.config, self.gentle = config, RefineConfig(steps=0)
        if config is not None:
            self.config = replace(config, steps=max(1, round(HURRY * config.steps)))
            self.gentle = _gentle(config)
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.progress = progress
        self.done, self.total = 0, max(1, total)

    def part(self, canvas: Tensor, mask: int | None, count: int) -> tuple[Tensor, Tensor]:
        """`count` more strokes ``[count, 13]`` of one part, and the canvas with them.

        Args:
            canvas: ``[3, H, W]`` at the problem's size, as painted so far.
            mask: index of the part's object; None for the background.
            count: number of strokes.
        """
        show = self.problem.show(mask)
        weight = self.problem.weight * (1 - 0.9 * self.problem.mask if show is None else show)
        errors = ((canvas - self.problem.target) ** 2).sum(dim=0) * weight
        parts = [torch.empty(0, NUMBERS)]
        for tile, share in zip(self.tiles, shared_out(count, errors, self.tiles), strict=True):
            if share:
                parts.append(self._tile(tile, canvas, mask, weight, share))
                canvas = paint(parts[-1], canvas, show, self.problem.backend)
            self.done += share
            self.progress(FIRST_PART * self.done / self.total)
        return torch.cat(parts), canvas

    def together(self, vectors: Tensor, segments: Sequence[Segment]) -> Tensor:
        """All strokes ``[N, 13]`` refined together, tile by tile; those that leave a tile's frame stay."""
        vectors, problem = vectors.clone(), self.problem
        part = torch.from_numpy(np.repeat(np.arange(len(segments)), [each.count for each in segments]))
        blank = problem.canvas
        for number, tile in enumerate(self.tiles):
            scale, shift = _to_problem(tile, problem)
            seen = (vectors - shift) / scale
            near, free = _near_and_free(seen, tile, problem)
            if bool(free.any()):
                counts = torch.bincount(part[near], minlength=len(segments)).tolist()
                parts = [replace(each, count=n) for each, n in zip(segments, counts, strict=True) if n]
                parts[-1] = replace(parts[-1], weight=1.0)
                objective = self._objective(tile, parts, blank, problem.masks, problem.weight)
                bounds = _bounds(tile, problem).holding(seen[near], free)
                refiner = Refiner(seen[near], objective, self.gentle, bounds=bounds)
                vectors[near] = torch.where(free, refiner.run() * scale + shift, vectors[near])
            self.progress(FIRST_PART + (1 - FIRST_PART) * (number + 1) / len(self.tiles))
        return vectors

    def _tile(self, tile: Tile, canvas: Tensor, mask: int | None, weight: Tensor, count: int) -> Tensor:
        """`count` strokes in one tile, packed ``[count, 13]``, in units of the problem's longer side."""
        scale, shift = _to_problem(tile, self.problem)
        problem = self.problem.cut(tile.view, canvas, _inside(tile), mask, count)
        draft = fill_up(problem, self.agent.draft(problem, self.rng), self.rng)
        vectors, bounds = draft.strokes, _bounds(tile, self.problem)
        if self.config is None:
            vectors = vectors.clamp(bounds.low, bounds.high)
        else:
            show = self.problem.show(mask)
            masks = torch.zeros(0, *weight.shape) if show is None else show[None]
            segments = [Segment(count, None if mask is None else 0, 1.0)]
            objective = self._objective(tile, segments, canvas, masks, weight)
            vectors = Refiner(vectors, objective, self.config, self.seed + self.done, bounds=bounds).run()
        return vectors * scale + shift

    def _objective(
        self, tile: Tile, segments: Sequence[Segment], blank: Tensor, masks: Tensor, weight: Tensor
    ) -> Objective:
        """The objective of a tile whose strokes are painted on its part of `blank` ``[3, H, W]``."""
        rows, columns = tile.view
        objective = Objective(
            segments,
            masks[:, rows, columns].contiguous(),
            blank[:, rows, columns].contiguous(),
            self.problem.target[:, rows, columns].contiguous(),
            weight[rows, columns].contiguous() + 1e-6,
            self.problem.backend,
        )
        return objective if self.workplace is None else objective.at(self.workplace)


def _inside(tile: Tile) -> Tensor:
    """``[h, w]`` of the frame: 1 in the core, where the tile's strokes begin."""
    top, left, bottom, right = tile.frame
    rows, columns = tile.own
    inside = torch.zeros(bottom - top, right - left)
    inside[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = 1
    return inside


def _gentle(config: RefineConfig) -> RefineConfig:
    """The refinement of strokes that are nearly right."""
    rates = ("position_rate", "radius_rate", "opacity_rate", "color_rate")
    slower = {name: GENTLE * getattr(config, name) for name in rates}
    softness = (config.softness[1], config.softness[1])
    return replace(config, steps=round(TOGETHER * config.steps), softness=softness, relocate_at=(), **slower)


def _to_problem(tile: Tile, problem: Problem) -> tuple[Tensor, Tensor]:
    """Factor and shift ``[13]`` that turn a tile's packed strokes into ones of the problem."""
    scale, (top, left) = tile.size / problem.size, tile.frame[:2]
    return affine((scale, scale), (left / problem.size, top / problem.size), scale)


def _limits(tile: Tile, problem: Problem) -> tuple[Tensor, Tensor, float]:
    """Bounds (x, y) of a tile's points, and of its radii, that keep strokes off what it does not see."""
    reach = 0.5 * MARGIN / (1 + 2 * MARGIN)
    height, width = problem.weight.shape
    top, left, bottom, right = tile.frame
    low = [-BEYOND if edge == 0 else reach for edge in (left, top)]
    high = [
        (end - start) / tile.size + (BEYOND if end == whole else -reach)
        for start, end, whole in ((left, right, width), (top, bottom, height))
    ]
    return torch.tensor(low), torch.tensor(high), reach


def _bounds(tile: Tile, problem: Problem) -> Bounds:
    """Bounds of a tile's strokes, packed, in units of its longer side."""
    low, high, reach = _limits(tile, problem)
    bounds = Bounds.of_picture(tile.size)
    bounds.low[POINTS], bounds.high[POINTS] = low.repeat(3), high.repeat(3)
    bounds.high[RADIUS] = max(reach - 1 / tile.size, float(bounds.low[RADIUS.start]))
    return bounds


def _near_and_free(vectors: Tensor, tile: Tile, problem: Problem) -> tuple[Tensor, Tensor]:
    """Indices ``[M]`` of the strokes ``[N, 13]`` that a tile sees, and which ``[M, 1]`` it may move."""
    low, high, reach = _limits(tile, problem)
    points, radius = vectors[:, POINTS].unflatten(1, (3, 2)), vectors[:, RADIUS].amax(dim=1)
    top, left, bottom, right = tile.frame
    size = torch.tensor([right - left, bottom - top]) / tile.size
    first, last = points.amin(dim=1), points.amax(dim=1)
    near = ((last > -radius[:, None]) & (first < size + radius[:, None])).all(dim=1)
    free = (first >= low).all(dim=1) & (last <= high).all(dim=1) & (radius <= reach)
    return near.nonzero()[:, 0], free[near][:, None]
