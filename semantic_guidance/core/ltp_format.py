"""Strokes in the format of the reference code: that of Huang et al., "Learning to Paint" (LTP, ICCV 2019), on
which Singh & Zheng (CVPR 2021) build.

An LTP stroke is 13 numbers in [0, 1]: ``x0 y0 x1 y1 x2 y2 z0 z2 w0 w2 r g b``. Its "x" is the row. The
control point is relative, ``x1' = x0 + (x2 - x0) x1``. The reference code stamps 100 discs at
t = 0, 0.01 ... 0.99 on a canvas of twice the size, so it never reaches the end point; our strokes are
the part of the curve that it does paint, from t = 0 to 0.99.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semantic_guidance.core import bezier
from semantic_guidance.core.check import check_shape
from semantic_guidance.core.strokes import COLOR, NUMBERS, OPACITY, POINTS, RADIUS, Strokes

LTP_SIZE = 128
"""Side in pixels of the reference code's canvas, for which the constants below hold."""

GRID = 2 * LTP_SIZE
"""Side of the canvas on which it stamps: a position v at pixel ``int(v * (GRID - 1) + 0.5)``."""

LAST_T = 0.99
"""Parameter of the last disc that the reference code stamps."""

CENTRE = 0.1
"""Mean position of a disc's centre within its pixel: 0.5, less about 0.4 by truncation."""

RIM = 0.35
"""By how much a disc's radius exceeds ``z * LTP_SIZE / 2``, in pixels of the grid: 1 by definition, less two
truncations, plus what a drawn disc extends beyond its centre line. It and `CENTRE` were fitted."""


def strokes_from_ltp(vectors: Tensor) -> Strokes:
    """LTP vectors to strokes, differentiable.

    Args:
        vectors: ``[B, N, 13]`` in [0, 1].

    Returns:
        ``[B, N]`` strokes.

    Raises:
        ValueError: the shape is wrong.
    """
    check_shape("vectors", vectors, "batch", "strokes", NUMBERS)
    rows_columns = vectors[..., POINTS].unflatten(-1, (3, 2))
    start, control, end = rows_columns.unbind(-2)
    control = start + (end - start) * control
    points = torch.stack([start, control, end], dim=-2).flip(-1)
    points = (points * (GRID - 1) + CENTRE) / GRID
    radius = (vectors[..., RADIUS] * LTP_SIZE / 2 + RIM) / GRID
    return Strokes(
        _part_of_curve(points, LAST_T),
        _part_of_line(radius, LAST_T),
        _part_of_line(vectors[..., OPACITY], LAST_T),
        vectors[..., COLOR],
    )


def strokes_to_ltp(strokes: Strokes) -> Tensor:
    """Strokes to LTP vectors ``[B, N, 13]``, the inverse of `strokes_from_ltp`, differentiable.

    An LTP vector is confined to [0, 1] and its control point to the box of its end points; strokes beyond
    that become the nearest valid vector.
    """
    points = _part_of_curve(strokes.points, 1 / LAST_T)
    start, control, end = ((points * GRID - CENTRE) / (GRID - 1)).flip(-1).unbind(-2)
    # Where start and end coincide, every control point is the same: choose the middle.
    span = end - start
    flat = span.abs() < 1e-6
    control = torch.where(flat, 0.5, (control - start) / torch.where(flat, 1.0, span))
    z = (_part_of_line(strokes.radius, 1 / LAST_T) * GRID - RIM) * 2 / LTP_SIZE
    opacity = _part_of_line(strokes.opacity, 1 / LAST_T)
    return torch.cat([start, control, end, z, opacity, strokes.color], dim=-1).clamp(0, 1)


def _part_of_curve(points: Tensor, t: float) -> Tensor:
    """Control points ``[..., 3, 2]`` of a quadratic's part from 0 to `t` (beyond 1: continued)."""
    return torch.stack(bezier.head(points.unbind(-2), t), dim=-2)


def _part_of_line(values: Tensor, t: float) -> Tensor:
    """Values ``[..., 2]`` at the ends of a line's part from 0 to `t` (beyond 1: continued)."""
    start, end = values.unbind(-1)
    return torch.stack([start, start + t * (end - start)], dim=-1)
