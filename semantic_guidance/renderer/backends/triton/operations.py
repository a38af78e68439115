"""Launches of the kernels: painting, gradients and removal costs of many pictures at once.

The kernels that walk backwards need the canvas under every stroke: 3 KiB a pair of tile and stroke. It is
kept for as many tiles as a tape of `TAPE_PAIRS` pairs holds at a time; tiles do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from semantic_guidance.core.strokes import NUMBERS, POINTS, RADIUS
from semantic_guidance.renderer.backends.triton import kernels
from semantic_guidance.renderer.backends.triton.bins import TILE, Bins, Grid, bin_strokes

TAPE_PAIRS = 2**18
"""Pairs of a tile and a stroke whose canvases are kept at a time: 0.8 GB."""

ROW = 16
"""Numbers of a row of gradients: those of a stroke, and padding."""

BLOCK = 16
"""Rows that are added up at a time."""

INTERPRETED_TILE = 64
"""Side of a tile in the interpreter, whose time goes by the number of operations and not of pixels."""

WARPS = 4
"""Warps that paint a tile. Fixed: another number adds up a tile's pixels in another order."""


def grid_of(canvas: Tensor) -> Grid:
    """The tiles of canvases ``[B, 3, H, W]``."""
    pictures, _, height, width = canvas.shape
    return Grid(height, width, pictures, INTERPRETED_TILE if kernels.INTERPRETED else TILE)


@dataclass(frozen=True, eq=False)
class Scene:
    """Strokes of pictures of one size, and where they fall.

    Attributes:
        strokes: ``[N, 13]`` of all pictures, those of one picture after the other.
        sections: number of sections of each picture, after each of which the error may count.
        mask_of: ``[N]`` the mask of each stroke, negative for none.
        masks: ``[M, H, W]``; empty if no stroke has one.
        grid: the canvases.
        softness: width of the strokes' edge in pixels.
        bins: tiles and strokes.
    """

    strokes: Tensor
    sections: int
    mask_of: Tensor
    masks: Tensor
    grid: Grid
    softness: float
    bins: Bins

    @staticmethod
    def of(
        strokes: Tensor,
        picture: Tensor,
        bounds: Tensor,
        mask_of: Tensor,
        masks: Tensor,
        grid: Grid,
        softness: float,
    ) -> Scene:
        """Find where the strokes fall; `picture` and `bounds` as `bin_strokes` has them."""
        bins = bin_strokes(strokes, picture, bounds, grid, softness)
        return Scene(strokes, bounds.shape[1] - 1, mask_of, masks, grid, softness, bins)

    @property
    def pairs(self) -> int:
        """Number of pairs of a tile and a stroke."""
        return len(self.bins.stroke)

    def groups(self) -> Iterator[tuple[int, int, int, int]]:
        """Consecutive tiles that share a tape: first tile, number of tiles, first pair, number of pairs."""
        if self.pairs <= TAPE_PAIRS:
            yield 0, self.grid.tiles, 0, self.pairs
            return
        ends = self.bins.offsets[:, -1].tolist()
        first_tile = first_pair = 0
        for tile, end in enumerate(ends):
            after = ends[tile + 1] if tile + 1 < len(ends) else None
            if after is None or after - first_pair > TAPE_PAIRS:
                yield first_tile, tile + 1 - first_tile, first_pair, end - first_pair
                first_tile, first_pair = tile + 1, end

    def tape(self) -> Tensor:
        """Room for the canvases of one group."""
        return self.new(max(pairs for *_, pairs in self.groups()), 3, self.grid.tile**2)

    def new(self, *shape: int) -> Tensor:
        """An empty tensor."""
        return self.strokes.new_empty(shape)

    def head(self) -> tuple[Any, ...]:
        """The first arguments of the kernels."""
        bins = self.bins
        pairs = (bins.segments, bins.stroke, bins.first, bins.end, bins.offsets)
        return (*pairs, self.strokes, self.mask_of, self.masks)

    def tail(self, first_tile: int, first_pair: int) -> tuple[Any, ...]:
        """The last ones."""
        grid = self.grid
        sizes = (grid.each, grid.across, grid.height, grid.width)
        return (first_tile, first_pair, *sizes, self.softness, self.sections)

    @property
    def constants(self) -> dict[str, Any]:
        """What kernels are compiled for."""
        masked = len(self.masks) > 0
        # A product and a sum are rounded apart, as the reference does.
        return {"MASKED": masked, "TILE": self.grid.tile, "num_warps": WARPS, "enable_fp_fusion": False}


@dataclass(frozen=True, eq=False)
class Wanted:
    """What pictures are compared with.

    Attributes:
        target: ``[B, 3, H, W]``.
        weight: ``[B, H, W]``, such that a weighted sum is a mean over pixels and colours.
        factors: ``[B, K]`` weight of the error after each section.
    """

    target: Tensor
    weight: Tensor
    factors: Tensor


def painted(scene: Scene, canvas: Tensor) -> Tensor:
    """The canvases ``[B, 3, H, W]`` with the strokes."""
    after, nothing = torch.empty_like(canvas), scene.new(0)
    canvases = (canvas, after, nothing, nothing, nothing, nothing, nothing)
    kernels.paint[(scene.grid.tiles,)](
        *scene.head(), *canvases, *scene.tail(0, 0), KEEP=False, JUDGE=False, **scene.constants
    )
    return after


def gradients(scene: Scene, canvas: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of strokes ``[N, 13]`` and canvases, from those of the painted canvases ``[B, 3, H, W]``."""
    after, slopes, nothing = torch.empty_like(canvas), slopes.clone(), scene.new(0)
    tape, rows = scene.tape(), _rows(scene, ROW)
    wanted = (nothing, nothing, nothing)
    for first_tile, tiles, first_pair, _ in scene.groups():
        tail = scene.tail(first_tile, first_pair)
        kernels.paint[(tiles,)](
            *scene.head(),
            *(canvas, after, tape),
            *(*wanted, nothing),
            *tail,
            KEEP=True,
            JUDGE=False,
            **scene.constants,
        )
        kernels.unpaint[(tiles,)](
            *scene.head(), *(after, tape, slopes), *wanted, rows, *tail, JUDGE=False, **scene.constants
        )
    return _of_strokes(scene, rows), slopes


def errors(scene: Scene, canvas: Tensor, wanted: Wanted) -> tuple[Tensor, Tensor]:
    """Each picture's error ``[B]``, in double precision, and its gradient in the strokes ``[N, 13]``."""
    after, nothing = torch.empty_like(canvas), scene.new(0)
    tape, rows, losses = scene.tape(), _rows(scene, ROW), scene.new(scene.grid.tiles)
    planes = (wanted.target, wanted.weight, wanted.factors)
    for first_tile, tiles, first_pair, _ in scene.groups():
        tail = scene.tail(first_tile, first_pair)
        kernels.paint[(tiles,)](
            *scene.head(),
            *(canvas, after, tape),
            *(*planes, losses),
            *tail,
            KEEP=True,
            JUDGE=True,
            **scene.constants,
        )
        kernels.unpaint[(tiles,)](
            *scene.head(), *(after, tape, nothing), *planes, rows, *tail, JUDGE=True, **scene.constants
        )
    return losses.view(scene.grid.pictures, -1).double().sum(dim=1), _of_strokes(scene, rows)


def removal_costs(scene: Scene, canvas: Tensor, wanted: Wanted) -> tuple[Tensor, Tensor]:
    """Rise of the finished pictures' errors without each stroke ``[N]``, and the canvases."""
    after, nothing = torch.empty_like(canvas), scene.new(0)
    tape, costs = scene.tape(), _rows(scene, 1)
    for first_tile, tiles, first_pair, _ in scene.groups():
        tail = scene.tail(first_tile, first_pair)
        kernels.paint[(tiles,)](
            *scene.head(),
            *(canvas, after, tape),
            *(nothing, nothing, nothing, nothing),
            *tail,
            KEEP=True,
            JUDGE=False,
            **scene.constants,
        )
        kernels.remove[(tiles,)](
            *scene.head(), *(after, tape, wanted.target, wanted.weight, costs), *tail, **scene.constants
        )
    return _added_up(scene, costs)[:, 0], after


def _rows(scene: Scene, width: int) -> Tensor:
    """Room for what each pair adds to its stroke's numbers; pairs after the last section add nothing."""
    return torch.zeros(scene.pairs, width, device=scene.strokes.device, dtype=torch.float32)


def _of_strokes(scene: Scene, rows: Tensor) -> Tensor:
    """``[N, 13]`` gradients in the strokes' units."""
    sums = _added_up(scene, rows)[:, :NUMBERS]
    sums[:, POINTS.start : RADIUS.stop] *= scene.grid.scale
    return sums.contiguous()


def _added_up(scene: Scene, rows: Tensor) -> Tensor:
    """Sums ``[N, C]`` of the rows ``[P, C]`` of each stroke."""
    count, width = len(scene.strokes), rows.shape[1]
    sums = scene.new(count, width)
    if count:
        kernels.add_up[(count,)](
            rows,
            scene.bins.order,
            scene.bins.starts,
            sums,
            WIDTH=width,
            BLOCK=BLOCK,
            num_warps=1,
            enable_fp_fusion=False,
        )
    return sums
