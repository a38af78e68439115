"""Square and filbert ends: what `reference.end_norm` and `reference._with_ends` say, for a row's edge pixels.

An end changes distances in front of its end point alone, and only where that is the nearest place of the
segments near it. So these are measured first, then the ends, then the other segments.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer import definition
from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    GROWTH,
    INVERSE,
    LENGTH,
    ONE,
    REACH,
    UX,
    UY,
    ZERO,
    F,
    R,
    U,
    X,
    Y,
)
from semantic_guidance.renderer.backends.cpu.layout import BLOCK, FILBERT, NUMBERS, ROUND, SQUARE, STRIDE

STILL = F(definition.STILL)
SQUARE_FRONT, FILBERT_FRONT = F(definition.SQUARE), F(definition.FILBERT)
SQUARE_CORNER, FILBERT_CORNER = F(definition.FARTHEST["square"]), F(definition.FARTHEST["filbert"])
INVERSE_SQUARED = F(1 / definition.FILBERT**2)


@part
def farthest(ends):
    """Radii from an end point to the farthest place of such an end."""
    if ends == SQUARE:
        return SQUARE_CORNER
    return FILBERT_CORNER if ends == FILBERT else ONE


@part
def half_about(strokes, n, scale, half, ends):
    """Pixels beyond the discs of stroke `n` that it may touch: half of the soft edge, and corners."""
    if ends == ROUND:
        return half
    at = n * NUMBERS
    radius = max(strokes[at + 6], strokes[at + 7]) * scale
    return half + max(farthest(ends) - ONE, ZERO) * (max(radius, ZERO) + half)


@part
def margin_within(count, half, ends, seg):
    """Pixels within the discs from which on everything is surely covered, whichever end is in front."""
    if ends == ROUND:
        return half
    front = SQUARE_FRONT if ends == SQUARE else FILBERT_FRONT
    radius = max(seg[U(R * STRIDE)], seg[U(R * STRIDE + count)])
    return max(half, (ONE - front) * radius + front * half)


@part
def widen_ends(count, half, ends, seg):
    """Let the first and the last segment reach as far as their ends do, after `spans.segments`."""
    if ends != ROUND:
        corner = farthest(ends)
        for j in (0, count):
            s = min(j, count - 1)
            own = corner * (seg[U(R * STRIDE + j)] + half) - half
            seg[U(REACH * STRIDE + s)] = max(seg[U(REACH * STRIDE + s)], own)


@part
def segments_near_start(count, ends, seg):
    """The number of segments of which a part is within a radius of the start, along the curve."""
    number, arc = 0, ZERO
    while ends != ROUND and number < count and arc <= seg[U(R * STRIDE)]:
        arc += seg[U(LENGTH * STRIDE + number)]
        number += 1
    return number


@part
def segments_near_end(count, ends, seg):
    """The first of the segments of which a part is within a radius of the end, along the curve."""
    first, arc = count, ZERO
    while ends != ROUND and first > 0 and arc <= seg[U(R * STRIDE + count)]:
        first -= 1
        arc += seg[U(LENGTH * STRIDE + first)]
    return first


@part
def shape_end(count, last, y, number, ends, seg, column, distance, place):
    """Change the distance of those measured edge pixels that lie in front of the start or of the last end."""
    s, j = (count - 1, count) if last else (0, 0)
    ux, uy = seg[U(UX * STRIDE + s)], seg[U(UY * STRIDE + s)]
    narrowing = seg[U(GROWTH * STRIDE + s)] * seg[U(INVERSE * STRIDE + s)]
    if last:
        narrowing = -narrowing
    else:
        ux, uy = -ux, -uy
    narrowing = min(max(narrowing, ZERO), ONE)
    dot = seg[U(LENGTH * STRIDE + s)] <= STILL
    ux, uy, narrowing = (ONE, ZERO, ZERO) if dot else (ux, uy, narrowing)
    slant = np.sqrt(max(ONE - narrowing * narrowing, ZERO))
    tip, radius = seg[U(X * STRIDE + j)], seg[U(R * STRIDE + j)]
    py, here = y - seg[U(Y * STRIDE + j)], F(j)
    front = ONE / (SQUARE_FRONT + (ONE - SQUARE_FRONT) * narrowing)
    for k in range(U(0), U((number + BLOCK - 1) & -BLOCK)):
        px = column[k] - tip
        x = px * ux + py * uy
        x = abs(x) if dot else x
        across = abs(px * uy - py * ux)
        side = slant * across + narrowing * x
        if ends == SQUARE:
            norm = max(side, x * front)
        else:
            beyond = x * x - narrowing * narrowing * (x * x + across * across)
            beyond = max(beyond, ZERO) * INVERSE_SQUARED
            norm = np.sqrt(np.sqrt(side * side * side * side + beyond * beyond))
        distance[k] = norm - radius if (place[k] == here) & (x > ZERO) else distance[k]
