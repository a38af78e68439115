"""Which strokes touch which tiles of the canvas, in painting order: plain tensor operations on any device.

A stroke's polyline (`reference.flatten`) is cut into short runs of segments, which are tested against the
tiles. What is left are pairs of a tile and a stroke, sorted by tile and then by the order of painting, each
with the range of the stroke's segments that may reach the tile. Within the tile the others do not matter:
where they are nearest, the stroke's coverage is 0. Only integers are sorted and counted, so the result is the
same at every run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semantic_guidance.core import bezier
from semantic_guidance.core.strokes import POINTS, RADIUS
from semantic_guidance.renderer.backends.reference import MAX_SEGMENTS, MIN_LEADING, segment_counts

TILE = 16
"""Side of a tile in pixels, a power of 2."""

COLUMNS = 16
"""Numbers of a segment: x, y, radius and parameter t at its start; their growth along it (4); its direction
(2); length; `reference.stroke_fields`' lean; `reference.last_disc`'s A, and of its B what does not depend on
the pixel; the rest is padding."""

SLACK = 0.02
"""Pixels that a stroke is taken to reach farther than it does, against rounding."""

RUN = 0.5
"""Length of a run of segments, in units of the stroke's radius and a tile's side together. With 1, four
tenths fewer tests of tiles leave 15 % more segments to be drawn; with 0.25, twice as many leave 7 % fewer."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The tiles of canvases of one size.

    Attributes:
        height: of a canvas in pixels.
        width: of a canvas in pixels.
        pictures: number of canvases.
        tile: side of a tile in pixels, a power of 2.
    """

    height: int
    width: int
    pictures: int = 1
    tile: int = TILE

    @property
    def across(self) -> int:
        """Tiles across a canvas."""
        return -(-self.width // self.tile)

    @property
    def down(self) -> int:
        """Tiles down a canvas."""
        return -(-self.height // self.tile)

    @property
    def each(self) -> int:
        """Tiles of one canvas."""
        return self.across * self.down

    @property
    def tiles(self) -> int:
        """Tiles of all canvases."""
        return self.pictures * self.each

    @property
    def scale(self) -> int:
        """Pixels of the longer side."""
        return max(self.height, self.width)


@dataclass(frozen=True, eq=False)
class Bins:
    """Pairs of a tile and a stroke that touches it.

    Attributes:
        segments: ``[E, COLUMNS]`` of all strokes, in painting order, in pixels.
        stroke: ``[P]`` the stroke of each pair; pairs are sorted by tile, then by stroke.
        first: ``[P]`` the first of its segments that reach the tile.
        end: ``[P]`` one after the last of them.
        offsets: ``[tiles, K + 1]`` where the pairs of a tile's K sections begin, and where the last one ends.
        order: ``[P]`` the pairs, sorted by stroke, then by tile.
        starts: ``[N + 1]`` where those of each stroke begin.
    """

    segments: Tensor
    stroke: Tensor
    first: Tensor
    end: Tensor
    offsets: Tensor
    order: Tensor
    starts: Tensor


def bin_strokes(strokes: Tensor, picture: Tensor, sections: Tensor, grid: Grid, softness: float) -> Bins:
    """Find the tiles that strokes touch.

    Args:
        strokes: ``[N, 13]`` packed strokes of all pictures, those of one picture after the other.
        picture: ``[N]`` the picture of each.
        sections: ``[pictures, K + 1]`` the stroke with which each section of a picture begins, and one after
            the last stroke of its last section. Strokes outside the sections are in no pair of `offsets`.
        grid: the canvases.
        softness: width of the strokes' edge in pixels.
    """
    segments, owner = polylines(strokes, grid.scale)
    count, device = len(strokes), strokes.device
    runs = _runs(strokes, segments, owner, grid, softness)
    tile, which = _candidates(runs, grid)
    whose = owner[runs.first[which]]
    keys, order = ((picture[whose] * grid.each + tile) * count + whose).sort(stable=True)
    which = which[order]
    pairs, lengths = torch.unique_consecutive(keys, return_counts=True)
    ends = lengths.cumsum(0)
    first, end = runs.first[which[ends - lengths]], runs.end[which[ends - 1]]
    tiles = torch.arange(grid.tiles, device=device)
    bounds = tiles[:, None] * count + sections.repeat_interleave(grid.each, dim=0)
    stroke, by_stroke = (pairs % max(1, count)).sort(stable=True)
    return Bins(
        segments,
        (pairs % max(1, count)).int(),
        first.int(),
        end.int(),
        torch.searchsorted(pairs, bounds).int(),
        by_stroke.int(),
        torch.searchsorted(stroke, torch.arange(count + 1, device=device)).int(),
    )


def polylines(strokes: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """All segments of strokes ``[N, 13]``: ``[E, COLUMNS]``, and the stroke of each ``[E]``.

    What does not depend on the pixel is worked out here, as `reference.stroke_fields` does.
    """
    points, radius = strokes[:, POINTS].unflatten(1, (3, 2)) * scale, strokes[:, RADIUS] * scale
    count = segment_counts(points).clamp(1, MAX_SEGMENTS)  # a norm beyond single precision is no number
    ends = count.cumsum(0)
    total = int(ends[-1]) if len(strokes) else 0
    owner = torch.arange(len(strokes), device=strokes.device).repeat_interleave(count, output_size=total)
    step = torch.arange(total, device=strokes.device) - (ends - count)[owner]
    points, radius, count = points[owner], radius[owner], count[owner].to(strokes.dtype)

    def at(t: Tensor) -> tuple[Tensor, Tensor]:
        weights = [weight[:, None] for weight in bezier.weights(t)]
        vertex = sum(weight * points[:, n] for n, weight in enumerate(weights))
        return vertex, (1 - t) * radius[:, 0] + t * radius[:, 1]

    t_start, t_end = step / count, (step + 1) / count
    start, radius_start = at(t_start)
    end, radius_end = at(t_end)
    along, growth = end - start, radius_end - radius_start
    length = along.norm(dim=1)
    squared = length**2 - growth**2
    lean = growth / squared.clamp(min=1e-12).sqrt()
    unit = along / length.clamp(min=1e-12)[:, None]
    # A is what `squared` is, with its sign, but never near 0: kernels tell by it whether there is a cone.
    at_start = torch.stack([radius_start, t_start], dim=1)
    rest = torch.stack([growth, t_end - t_start], dim=1)
    leading = torch.where(squared > 0, squared.clamp(min=MIN_LEADING), squared.clamp(max=-MIN_LEADING))
    more = torch.stack([length, lean, leading, radius_start * growth], dim=1)
    padding = torch.zeros_like(start)
    return torch.cat([start, at_start, along, rest, unit, more, padding], dim=1), owner


@dataclass(frozen=True, eq=False)
class _Runs:
    """Consecutive segments of strokes, in painting order.

    Attributes:
        first: ``[R]`` the first segment of each.
        end: ``[R]`` one after its last segment.
        start: ``[R, 2]`` its first vertex.
        stop: ``[R, 2]`` its last vertex.
        reach: ``[R]`` pixels from the line between them within which all is that the run covers.
    """

    first: Tensor
    end: Tensor
    start: Tensor
    stop: Tensor
    reach: Tensor


def _runs(strokes: Tensor, segments: Tensor, owner: Tensor, grid: Grid, softness: float) -> _Runs:
    """Runs of about the length `RUN`."""
    points, radius = strokes[:, POINTS].unflatten(1, (3, 2)) * grid.scale, strokes[:, RADIUS] * grid.scale
    count = torch.bincount(owner, minlength=len(strokes))
    length = points.diff(dim=1).norm(dim=2).sum(dim=1)
    unit = RUN * (radius.amax(dim=1).clamp(min=0) + grid.tile)
    wanted = (length / unit).nan_to_num(1.0).clamp(1, MAX_SEGMENTS)
    each = (count / wanted).floor().clamp(min=1).long()  # segments of a run; the last one may have fewer
    place = torch.arange(len(owner), device=owner.device) - (count.cumsum(0) - count)[owner]
    first = (place % each[owner] == 0).nonzero()[:, 0]
    whose = owner[first]
    end = torch.minimum(first + each[whose], count.cumsum(0)[whose])
    start, last = segments[first], segments[end - 1]
    stop = last[:, 0:2] + last[:, 4:6]
    # A part of the curve leaves its chord by no more than this.
    share = (end - first) / count[whose]
    bend = (points[:, 0] - 2 * points[:, 1] + points[:, 2]).norm(dim=1)[whose]
    sag = bend * share**2 / 4
    wide = torch.maximum(start[:, 2], last[:, 2] + last[:, 6])
    slack = SLACK + 1e-6 * torch.maximum(start[:, 0:2].abs(), stop.abs()).amax(dim=1)
    return _Runs(first, end, start[:, 0:2], stop, wide + softness / 2 + sag + slack)


def _candidates(runs: _Runs, grid: Grid) -> tuple[Tensor, Tensor]:
    """Tiles ``[C]`` that runs may reach, and which runs ``[C]`` these are, in ascending order."""
    device, reach = runs.reach.device, runs.reach[:, None]
    sizes = torch.tensor([grid.across, grid.down], device=device, dtype=torch.int64)
    low = ((torch.minimum(runs.start, runs.stop) - reach) / grid.tile).floor().nan_to_num()
    high = ((torch.maximum(runs.start, runs.stop) + reach) / grid.tile).floor().nan_to_num()
    low = torch.minimum(low.clamp(min=0), sizes).long()
    high = torch.minimum(high.clamp(min=-1), sizes - 1).long()
    across, down = (high - low + 1).clamp(min=0).unbind(1)
    count = across * down
    ends = count.cumsum(0)
    total = int(ends[-1]) if len(count) else 0
    which = torch.arange(len(count), device=device).repeat_interleave(count, output_size=total)
    step = torch.arange(total, device=device) - (ends - count)[which]
    column, row = low[which, 0] + step % across[which], low[which, 1] + step // across[which]
    offset = (torch.stack([column, row], dim=1).float() + 0.5) * grid.tile - runs.start[which]
    along = runs.stop - runs.start
    length = along.norm(dim=1)
    unit = along / length.clamp(min=1e-12)[:, None]
    place = (offset * unit[which]).sum(dim=1).clamp(min=0).minimum(length[which])
    gap = (offset - place[:, None] * unit[which]).norm(dim=1)
    near = gap <= runs.reach[which] + grid.tile * 0.7072  # else farther than the tile's corners are
    return (row * grid.across + column)[near], which[near]
