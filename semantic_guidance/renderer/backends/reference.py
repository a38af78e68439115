"""The renderer's definition in plain torch: any device, any dtype, slow and easy to check.

A stroke is the union of discs swept along a quadratic Bezier curve. The curve is flattened to a polyline
(`flatten`); on each of its segments the swept discs form a round cone, whose signed distance has a closed
form. The stroke's coverage is a soft step of that distance, its opacity is that of the last of
`DISCS` equally spaced discs that covers the pixel, and the strokes are composited in order.

Square and filbert ends measure the distance from their end point in another norm, `end_norm`: see
docs/algorithms.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from semantic_guidance.core import bezier
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer.backends.base import AutogradBackend, first_order, untouched
from semantic_guidance.renderer.definition import (
    DISCS,
    FILBERT,
    FLATNESS,
    MAX_SEGMENTS,
    MIN_LEADING,
    SQUARE,
    STILL,
)


def segment_counts(points: Tensor) -> Tensor:
    """Segments that keep a curve within `FLATNESS` of its polyline.

    A quadratic split into S equal parts of its parameter departs from its chords by at most
    ``|p0 - 2 p1 + p2| / (4 S^2)``.

    Args:
        points: ``[..., 3, 2]`` start, control and end in pixels.

    Returns:
        ``[...]`` integers from 1 to `MAX_SEGMENTS`.
    """
    bend = (points[..., 0, :] - 2 * points[..., 1, :] + points[..., 2, :]).norm(dim=-1)
    return (bend / (4 * FLATNESS)).sqrt().ceil().clamp(1, MAX_SEGMENTS).long()


def flatten(points: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Polylines of a batch of curves.

    Args:
        points: ``[B, 3, 2]`` in pixels.
        radius: ``[B, 2]`` in pixels.

    Returns:
        Vertices ``[B, S + 1, 2]``, their radii ``[B, S + 1]`` and their curve parameters ``[B, S + 1]``;
        S is the largest count of the batch, the other curves end in repeated vertices.
    """
    count = segment_counts(points.detach())
    steps = torch.arange(int(count.max()) + 1, device=points.device)
    t = (steps / count[:, None].to(points.dtype)).clamp(max=1)  # [B, S + 1]
    weights = torch.stack(bezier.weights(t), dim=-1)  # [B, S + 1, 3]
    radii = (1 - t) * radius[:, :1] + t * radius[:, 1:]
    return weights @ points, radii, t


def last_disc(x: Tensor, y: Tensor, length: Tensor, radius: Tensor, growth: Tensor) -> Tensor:
    """Parameter in [0, 1] of the last disc of a segment that covers a point, negative where none does.

    The disc at t covers the point where ``f(t) = A t^2 - 2 B t + C <= 0``; the last such t is 1 or a root
    at which f rises.

    Args:
        x: offset of the point from the segment's start along it.
        y: offset across it.
        length: the segment's length.
        radius: radius at its start.
        growth: radius at its end less that at its start.
    """
    a = length**2 - growth**2
    cone = a > 0  # else one of the end discs contains the other
    a = torch.where(cone, a.clamp(min=MIN_LEADING), a.clamp(max=-MIN_LEADING))
    b = x * length + radius * growth
    c = x**2 + y**2 - radius**2
    discriminant = b**2 - a * c
    rising = (b + discriminant.clamp(min=0).sqrt()) / a
    crosses = (discriminant >= 0) & (cone | (b < 0)) & (rising >= 0) & (rising <= 1)
    return torch.where(a - 2 * b + c <= 0, 1.0, torch.where(crosses, rising, -1.0))


def end_norm(x: Tensor, across: Tensor, narrowing: Tensor, ends: str) -> Tensor:
    """Distance of a place from an end point as that kind of end measures it: its outline is a radius away.

    Behind the end point, and everywhere for round ends, it is the Euclidean distance; so it is where the
    body's sides begin, which are lines at which `side` is the radius.

    Args:
        x: offset of the place from the end point along the stroke, beyond it above 0.
        across: offset across it, at least 0.
        narrowing: in [0, 1), by how much the radius falls towards the end, by length.
        ends: one of `renderer.definition.ENDS`.

    Returns:
        The distance, of the arguments' shape.
    """
    away = _root(x**2 + across**2)
    if ends == "round":
        return away
    slant = (1 - narrowing**2).sqrt()
    side = slant * across + narrowing * x
    if ends == "square":  # both are the same where the round end is no longer than the sides
        front = torch.maximum(side, x / (SQUARE + (1 - SQUARE) * narrowing))
    else:
        beyond = (x**2 - narrowing**2 * (x**2 + across**2)).clamp(min=0) / FILBERT**2
        front = _root(_root(side**4 + beyond**2))
    return torch.where(x > 0, front, away)


def _root(values: Tensor) -> Tensor:
    """Square root of numbers that are at least 0, without the infinite gradient there."""
    above = values > 0
    return torch.where(above, torch.where(above, values, torch.ones_like(values)).sqrt(), 0 * values)


def stroke_fields(
    points: Tensor, radius: Tensor, height: int, width: int, ends: str = "round"
) -> tuple[Tensor, Tensor]:
    """Signed distance of every pixel centre to a stroke, and which disc decides its opacity.

    By the envelope theorem the distance's gradient is the one at the nearest disc held fixed, so the
    nearest disc is found without gradients.

    Args:
        points: ``[B, 3, 2]`` in pixels.
        radius: ``[B, 2]`` in pixels.
        height: canvas height.
        width: canvas width.
        ends: one of `renderer.definition.ENDS`.

    Returns:
        Distance in pixels (negative inside) and curve parameter of the deciding disc, both ``[B, H, W]``.
    """
    vertices, radii, t = flatten(points, radius)
    columns = torch.arange(width, device=points.device, dtype=points.dtype) + 0.5
    rows = torch.arange(height, device=points.device, dtype=points.dtype) + 0.5
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)  # [H, W, 2]

    start, radius_0 = vertices[:, :-1, None, None], radii[:, :-1, None, None]
    along, growth = (
        (vertices[:, 1:] - vertices[:, :-1])[:, :, None, None],
        radii.diff(dim=1)[:, :, None, None],
    )
    offset = pixels - start  # [B, S, H, W, 2]
    with torch.no_grad():
        length = along.norm(dim=-1)
        unit = along / length.clamp(min=1e-12)[..., None]
        x = (offset * unit).sum(-1)
        y = (offset[..., 0] * unit[..., 1] - offset[..., 1] * unit[..., 0]).abs()
        y = torch.where(length > 0, y, offset.norm(dim=-1))
        squared = length**2 - growth**2
        lean = growth / squared.clamp(min=1e-12).sqrt()
        nearest = ((x + y * lean) / length.clamp(min=1e-12)).clamp(0, 1)
        nearest = torch.where(squared > 0, nearest, (growth > 0).to(x))
        last = last_disc(x, y, length, radius_0, growth)
    gap = offset - nearest[..., None] * along
    # sqrt has no gradient at zero, and none is needed there: a pixel on the curve is inside the stroke.
    rounded = _root((gap**2).sum(-1)) - radius_0 - nearest * growth
    if ends == "round":
        distance, segment = rounded.min(dim=1)
    else:
        count = segment_counts(points.detach())
        distance, segment = _with_ends(rounded, nearest, _Ends(vertices, radii, count, pixels, ends))

    with torch.no_grad():
        t_start, t_step = t[:, :-1, None, None], t.diff(dim=1)[:, :, None, None]
        covered = torch.where(last >= 0, t_start + last * t_step, -1.0).amax(dim=1)
        closest = (t_start + nearest * t_step).gather(1, segment[:, None])[:, 0]
        deciding = torch.where(covered >= 0, covered, closest)
        deciding = (deciding * (DISCS - 1)).floor() / (DISCS - 1)
    return distance, deciding


class _Ends:
    """The two ends of a batch of strokes.

    Args:
        vertices: ``[B, S + 1, 2]`` of `flatten`.
        radii: ``[B, S + 1]``.
        count: ``[B]`` segments of each stroke.
        pixels: ``[H, W, 2]`` their centres.
        ends: one of `renderer.definition.ENDS`.
    """

    def __init__(self, vertices: Tensor, radii: Tensor, count: Tensor, pixels: Tensor, ends: str) -> None:
        self.count = count
        rows = torch.arange(len(count), device=count.device)
        lengths = vertices.detach().diff(dim=1).norm(dim=-1)  # [B, S]
        last = count[:, None] - 1
        before = lengths.cumsum(dim=1) - lengths
        after = before.gather(1, last) + lengths.gather(1, last) - before - lengths
        start, end = radii[:, 0], radii[rows, count]
        # Segments of which a part is within a radius of an end point, along the curve.
        self.near = (before <= start[:, None]) | (after <= end[:, None])  # [B, S]
        first = (vertices[:, 0], vertices[:, 1], start, radii[:, 1])
        final = (vertices[rows, count], vertices[rows, count - 1], end, radii[rows, count - 1])
        self.distances = [self._distance(pixels, ends, *one) for one in (first, final)]

    @staticmethod
    def _distance(
        pixels: Tensor, ends: str, tip: Tensor, inner: Tensor, radius: Tensor, inner_radius: Tensor
    ) -> Tensor:
        """``[B, H, W]`` signed distance of pixels to one end, from the next vertex and its radius."""
        along = tip - inner
        length = _root((along**2).sum(-1, keepdim=True))
        moves = length > STILL
        towards = torch.where(moves, along, torch.tensor([1.0, 0.0], dtype=torch.float32).to(along))
        unit = towards / torch.where(moves, length, torch.ones_like(length))
        narrowing = (inner_radius - radius)[:, None] / torch.where(moves, length, torch.ones_like(length))
        cone = narrowing.abs() < 1
        narrowing = torch.where(moves & cone, narrowing, torch.zeros_like(narrowing)).clamp(min=0)
        offset, unit = pixels - tip[:, None, None], unit[:, None, None]
        x = (offset * unit).sum(-1)
        x = torch.where(moves[..., None], x, x.abs())  # a dot has both ends in one place
        across = (offset[..., 0] * unit[..., 1] - offset[..., 1] * unit[..., 0]).abs()
        return end_norm(x, across, narrowing[..., None], ends) - radius[:, None, None]


def _with_ends(rounded: Tensor, nearest: Tensor, ends: _Ends) -> tuple[Tensor, Tensor]:
    """Distance of pixels to strokes with such ends, and the number of the nearest segment, ``[B, H, W]``.

    An end's distance counts for the pixels whose nearest place of the segments near it is the end point. The
    rest of the stroke, which may pass by in front of its own end, is as it is.

    Args:
        rounded: ``[B, S, H, W]`` distances to the segments with round ends.
        nearest: ``[B, S, H, W]`` nearest places on them, in [0, 1].
        ends: of the strokes.
    """
    near = ends.near[:, :, None, None]
    distance, segment = rounded.masked_fill(~near, torch.inf).min(dim=1)
    place = segment + nearest.gather(1, segment[:, None])[:, 0]
    start, end = ends.distances
    distance = torch.where(place <= 0, start, distance)
    distance = torch.where(place >= ends.count[:, None, None], end, distance)
    far, far_segment = rounded.masked_fill(near, torch.inf).min(dim=1)
    return torch.minimum(far, distance), torch.where(far < distance, far_segment, segment)


class _Once(torch.autograd.Function):
    """Strokes whose gradient has no gradient: with the nearest discs held fixed, it would be a wrong one."""

    generate_vmap_rule = True

    @staticmethod
    def forward(strokes: Tensor) -> Tensor:
        return strokes.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor | None:
        return first_order(slopes, *ctx.saved_tensors, *slopes)[0]

    @staticmethod
    def jvp(ctx: Any, *slopes: Tensor) -> Tensor:
        return slopes[0].clone()


class ReferenceBackend(AutogradBackend):
    """The definition as a backend: any device, any floating-point type."""

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """See `Backend`."""
        return dtype.is_floating_point

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """See `Backend`."""
        return self.render_ends(strokes, canvas, mask, softness, "round")

    def render_ends(
        self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float, ends: str
    ) -> Tensor:
        """See `Backend`."""
        if strokes.numel() == 0:
            return untouched(canvas, strokes, mask)
        height, width = canvas.shape[-2:]
        scale = max(height, width)
        once: Tensor = _Once.apply(strokes)
        parts = Strokes.unpack(once)
        for n in range(len(parts)):
            points, radius = parts.points[:, n] * scale, parts.radius[:, n] * scale
            distance, t = stroke_fields(points, radius, height, width, ends)
            coverage = (0.5 - distance / softness).clamp(0, 1)
            start, end = parts.opacity[:, n, 0, None, None], parts.opacity[:, n, 1, None, None]
            alpha = (coverage * (start + t * (end - start)))[:, None]  # [B, 1, H, W]
            if mask is not None:
                alpha = alpha * mask
            canvas = canvas * (1 - alpha) + parts.color[:, n, :, None, None] * alpha
        return canvas
