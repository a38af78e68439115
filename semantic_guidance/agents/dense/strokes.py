"""From the dense actor's answers to strokes: which cells paint, where, and in which colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from semantic_guidance.agents.window.view import (
    ANCHOR,
    BEND,
    BENT,
    HALF,
    HALF_LENGTH,
    RADII,
    RESIDUAL,
)
from semantic_guidance.core.bezier import weights
from semantic_guidance.core.strokes import COLOR, OPACITY, RADIUS, Strokes

CELLS = (8, 16)
"""Cells along a side of the first step's grid, and of the later steps'."""

SCALE, GAIN = 13, 14
"""In an answer beside what `window.view.strokes_of` reads: scale of the colour's mean, and predicted gain."""

RAW = 15
"""Numbers of an answer."""

REACH = 0.88
"""Farthest that an anchor lies from its cell's centre, in cells."""

SCALES = ((5, 11, 25), (3, 7, 17))
"""Sides in pixels of the boxes over which colours are averaged, for whole pictures and for squares."""

WIDE = 49
"""The same where there is nothing of the part within such a box."""

FAINT = 1e-3
"""Weight of that widest mean beside the others."""

ALONG = (0.15, 0.5, 0.85)
"""Where on the curve the mean is looked up, as parameters of the Bezier curve."""

SHARPNESS = 2.0
"""How fast a scale's weight falls with the square of the logarithm of how far it is from the wanted one."""


@dataclass(frozen=True, eq=False)
class Level:
    """One of the sets of strokes that a step adds.

    Attributes:
        show: ``[B, 1, H, W]`` where its strokes show; everywhere if None.
        square: ``[B, 4]`` (x, y, side, side) in which its cells lie, in units of the picture.
        means: ``[B, 3 * scales, H, W]`` of the target over what shows, see `local_means`.
        scales: ``[scales]`` sides of the boxes of these means, in pixels.
    """

    show: Tensor | None
    square: Tensor
    means: Tensor
    scales: Tensor


@dataclass(frozen=True, eq=False)
class Chosen:
    """The answers of those cells that paint.

    Attributes:
        raw: ``[B, N, RAW]``.
        home: ``[B, N, 2]`` their centres (x, y), in units of the level's square.
        cell: ``[B, N]`` their numbers in the grid, row by row.
        reach: ``[B, 1, 1]`` or a number: the anchors' greatest distance from the centres.
    """

    raw: Tensor
    home: Tensor
    cell: Tensor
    reach: Tensor | float


def local_means(picture: Tensor, where: Tensor, scales: Sequence[int]) -> Tensor:
    """Means of a picture over square boxes round every pixel, of what lies in some part of it.

    Args:
        picture: ``[B, 3, H, W]`` in [0, 1].
        where: ``[B, 1, H, W]`` in [0, 1], how far a pixel belongs to the part.
        scales: sides of the boxes in pixels, odd.

    Returns:
        ``[B, 3 * scales, H, W]``, scale after scale. Where a box holds nothing of the part, it is the mean
        over a wider box, and of all that is in it if that holds nothing either.
    """
    stack = torch.cat([picture * where, where], dim=1)
    everything = torch.cat([picture, torch.ones_like(where)], dim=1)
    wide = _box_sum(stack + 1e-4 * everything, WIDE) / WIDE**2
    found = []
    for scale in scales:
        mixed = _box_sum(stack, scale) / scale**2 + FAINT * wide
        found.append((mixed[:, :3] / mixed[:, 3:]).clamp(0, 1))
    return torch.cat(found, dim=1)


def _box_sum(values: Tensor, side: int) -> Tensor:
    """Sums ``[B, C, H, W]`` of what is at least 0 over boxes round every pixel; nothing is beyond the edge.

    By running sums along one axis, then the other: the time does not grow with the boxes.
    """
    for axis in (2, 3):
        length = values.shape[axis]
        places = torch.arange(length, device=values.device)
        sums = torch.cat([torch.zeros_like(values.narrow(axis, 0, 1)), values.cumsum(axis)], dim=axis)
        last = (places + side // 2 + 1).clamp(max=length)
        first = (places - side // 2).clamp(min=0)
        values = sums.index_select(axis, last) - sums.index_select(axis, first)
    return values.clamp(min=0)


def level_of(target: Tensor, show: Tensor | None, square: Tensor, scales: Sequence[int]) -> Level:
    """The level of paintings before they are begun.

    Args:
        target: ``[B, 3, H, W]``.
        show: ``[B, 1, H, W]`` where its strokes show; everywhere if None.
        square: ``[B, 4]`` in which its cells lie.
        scales: of the means, one of `SCALES`.
    """
    where = torch.ones_like(target[:, :1]) if show is None else show
    return Level(show, square, local_means(target, where, scales), square.new_tensor(scales))


def whole(like: Tensor) -> Tensor:
    """Squares ``[B, 4]`` that are all of the picture, for tensors ``[B, ...]``."""
    return like.new_tensor([0.0, 0.0, 1.0, 1.0]).expand(len(like), 4).clone()


def choose(
    raw: Tensor,
    cells: int,
    count: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Chosen:
    """The cells for which the actor predicts the greatest gains.

    Args:
        raw: ``[B, cells ** 2, RAW]`` answers of a grid.
        cells: along its side.
        count: of the strokes wanted.
        temperature: of random choices in training (Gumbel's trick); none at 0.
        generator: of these.
    """
    score = raw[..., GAIN].detach()
    if temperature:
        waiting = torch.empty_like(score).exponential_(generator=generator)
        score = score - temperature * waiting.clamp(min=1e-9).log()
    cell = score.topk(count, dim=1).indices
    row, column = cell // cells, cell % cells
    home = (torch.stack([column, row], dim=-1).float() + 0.5) / cells
    return Chosen(raw.gather(1, cell[..., None].expand(-1, -1, RAW)), home, cell, REACH / cells)


def decode(chosen: Chosen, level: Level) -> Strokes:
    """The strokes ``[B, N]`` of some cells, in units of the picture."""
    raw, square = chosen.raw, level.square
    anchor = chosen.home + chosen.reach * torch.tanh(raw[..., ANCHOR])
    half = HALF_LENGTH * torch.tanh(0.5 * raw[..., HALF])
    control = anchor + BEND * torch.tanh(raw[..., BENT])
    points = torch.stack([anchor - half, control, anchor + half], dim=2)
    points = square[:, None, None, :2] + square[:, None, None, 2:] * points
    radius = RADII[0] + (RADII[1] - RADII[0]) * torch.sigmoid(raw[..., RADIUS] - 1)
    radius = radius * square[:, None, 2:]
    color = colors_along(points, radius, raw[..., SCALE], level) + RESIDUAL * torch.tanh(raw[..., COLOR])
    return Strokes(points, radius, torch.sigmoid(raw[..., OPACITY] + 2), color.clamp(0, 1))


def colors_along(points: Tensor, radius: Tensor, wish: Tensor, level: Level) -> Tensor:
    """The target's means along strokes, over boxes about as wide as these.

    Args:
        points: ``[B, N, 3, 2]`` in units of the picture.
        radius: ``[B, N, 2]``, the same.
        wish: ``[B, N]`` natural logarithm of how much wider the boxes are to be than the strokes.
        level: with the means.

    Returns:
        ``[B, N, 3]``.
    """
    start, control, end = points.unbind(dim=2)
    places = []
    for t in ALONG:
        at_start, at_control, at_end = weights(t)
        places.append(at_start * start + at_control * control + at_end * end)
    along = 2 * torch.stack(places, dim=1) - 1
    means = F.grid_sample(level.means, along, align_corners=False, padding_mode="border").mean(dim=2)
    width = 2 * level.means.shape[-1] * radius.mean(dim=-1)
    apart = (width.log() + wish)[..., None] - level.scales.log()
    mix = torch.softmax(-SHARPNESS * apart.square(), dim=-1)  # [B, N, scales]
    return (means.transpose(1, 2).unflatten(-1, (-1, 3)) * mix[..., None]).sum(dim=2)
