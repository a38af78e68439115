"""How much of each pixel of a row a stroke covers, and which of its discs decides the opacity.

The maths is that of `reference.stroke_fields` and `reference.last_disc`. Distances are measured only at the
few edge pixels of a row, which lie one after the other in short arrays. Where a pixel is surely covered, only
the last disc is searched for, from the last segment to the first until all is settled. Inner loops run over
blocks of columns and are free of branches, so that they become vector instructions.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.compile import hot, part
from semantic_guidance.renderer.backends.cpu.kernels.ends import shape_end
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    FAR,
    GROWTH,
    HALF,
    HARD_HIGH,
    HARD_LOW,
    HIGH,
    INVERSE,
    INVERSE_A,
    LEAN,
    LENGTH,
    LIMIT,
    LOW,
    ONE,
    SHIFT,
    TWO,
    UX,
    UY,
    ZERO,
    A,
    F,
    I,
    R,
    U,
    X,
    Y,
)
from semantic_guidance.renderer.backends.cpu.layout import BLOCK, ROUND, STRIDE
from semantic_guidance.renderer.definition import DISCS, MAX_SEGMENTS

STEPS = F(DISCS - 1)
NOWHERE = F(-2 * MAX_SEGMENTS)


@hot
def _measure(k0, k1, y, s, seg, column, distance, place, last):
    """Update signed distance, nearest place and last covering place of edge pixels with one segment.

    Places are in segments: s + t for the disc at t of segment s.
    """
    ax, ay, r = seg[U(X * STRIDE + s)], seg[U(Y * STRIDE + s)], seg[U(R * STRIDE + s)]
    length, ux, uy = seg[U(LENGTH * STRIDE + s)], seg[U(UX * STRIDE + s)], seg[U(UY * STRIDE + s)]
    inverse, lean, shift = (
        seg[U(INVERSE * STRIDE + s)],
        seg[U(LEAN * STRIDE + s)],
        seg[U(SHIFT * STRIDE + s)],
    )
    a, inverse_a = seg[U(A * STRIDE + s)], seg[U(INVERSE_A * STRIDE + s)]
    limit, growth = seg[U(LIMIT * STRIDE + s)], seg[U(GROWTH * STRIDE + s)]
    base = F(s)
    py = y - ay
    for i in range(U(k0), U(k1)):
        px = column[i] - ax
        x = px * ux + py * uy
        across = abs(px * uy - py * ux)
        t = (x + across * lean) * inverse + shift
        t = ZERO if t < ZERO else t
        t = ONE if t > ONE else t
        rest = x - t * length
        d = np.sqrt(rest * rest + across * across) - r - t * growth
        nearer = d < distance[i]
        distance[i] = d if nearer else distance[i]
        place[i] = base + t if nearer else place[i]
        b = x * length + r * growth
        c = x * x + across * across - r * r
        discriminant = b * b - a * c
        rising = (b + np.sqrt(discriminant if discriminant > ZERO else ZERO)) * inverse_a
        crosses = (discriminant >= ZERO) & (b < limit) & (rising >= ZERO) & (rising <= ONE)
        at = rising if crosses else NOWHERE
        at = ONE if a - TWO * b + c <= ZERO else at
        at = base + at
        last[i] = at if at > last[i] else last[i]


@hot
def _measure_last(i0, i1, y, s, seg, last):
    """Update the last covering place of the columns [i0, i1) with one segment."""
    ax, ay, r = seg[U(X * STRIDE + s)], seg[U(Y * STRIDE + s)], seg[U(R * STRIDE + s)]
    length, ux, uy = seg[U(LENGTH * STRIDE + s)], seg[U(UX * STRIDE + s)], seg[U(UY * STRIDE + s)]
    a, inverse_a = seg[U(A * STRIDE + s)], seg[U(INVERSE_A * STRIDE + s)]
    limit, growth = seg[U(LIMIT * STRIDE + s)], seg[U(GROWTH * STRIDE + s)]
    base = F(s)
    py = y - ay
    for i in range(U(i0), U(i1)):
        px = F(I(i)) + HALF - ax
        x = px * ux + py * uy
        across = abs(px * uy - py * ux)
        b = x * length + r * growth
        c = x * x + across * across - r * r
        discriminant = b * b - a * c
        rising = (b + np.sqrt(discriminant if discriminant > ZERO else ZERO)) * inverse_a
        crosses = (discriminant >= ZERO) & (b < limit) & (rising >= ZERO) & (rising <= ONE)
        at = rising if crosses else NOWHERE
        at = ONE if a - TWO * b + c <= ZERO else at
        at = base + at
        last[i] = at if at > last[i] else last[i]


@part
def settle(count, y, a, b, seg, spans, last):
    """Last covering places of the columns [a, b), all surely covered; returns how many were not found."""
    for x in range(U(a & -BLOCK), U((b + BLOCK - 1) & -BLOCK)):
        last[x] = -ONE
    done, until = 0, 0  # the stretch that later segments cannot change
    for s in range(count - 1, -1, -1):
        low = max(int(spans[U(LOW * STRIDE + s)]), a)
        high = min(int(spans[U(HIGH * STRIDE + s)]), b)
        if low >= high:
            continue
        if done >= until:
            _measure_last(low & -BLOCK, (high + BLOCK - 1) & -BLOCK, y, s, seg, last)
        else:
            if low < done:
                _measure_last(low & -BLOCK, (min(done, high) + BLOCK - 1) & -BLOCK, y, s, seg, last)
            if high > until:
                _measure_last(max(until, low) & -BLOCK, (high + BLOCK - 1) & -BLOCK, y, s, seg, last)
        hard_low = max(int(spans[U(HARD_LOW * STRIDE + s)]), a)
        hard_high = min(int(spans[U(HARD_HIGH * STRIDE + s)]), b)
        if hard_low < hard_high:
            if (done < until) & (hard_low <= until) & (hard_high >= done):
                done, until = min(hard_low, done), max(hard_high, until)
            elif hard_high - hard_low > until - done:
                done, until = hard_low, hard_high
            if (done <= a) & (until >= b):
                break
    lost = 0
    for x in range(U(a), U(b)):
        lost += I(last[x] < ZERO)
    return lost


@part
def _measure_segments(s0, s1, y, first, a, b, seg, spans, column, distance, place, last):
    """Measure the pixels of [first, a) and those from b on against the segments [s0, s1)."""
    left = a - first
    for s in range(s0, s1):
        low, high = int(spans[U(LOW * STRIDE + s)]), int(spans[U(HIGH * STRIDE + s)])
        if low < high:
            k0 = low - first if low < a else max(low - b, 0) + left
            k1 = high - first if high < a else max(high - b, 0) + left
            if k0 < k1:
                _measure(
                    k0 & -BLOCK,
                    (k1 + BLOCK - 1) & -BLOCK,
                    y,
                    s,
                    seg,
                    column,
                    distance,
                    place,
                    last,
                )


@part
def measure_edges(
    count, y, first, end, a, b, ends, far0, far1, seg, spans, column, distance, place, last
):  # fmt: skip
    """Measure the pixels of [first, a) and [b, end), one after the other; returns their number.

    The segments before `far0` are near the start, and those from `far1` on near the end, if these are not
    round.
    """
    left = a - first
    number = left + end - b
    for k in range((number + BLOCK - 1) & -BLOCK):
        x = first + k if k < left else b + k - left
        column[U(k)] = F(x) + HALF
        distance[U(k)] = FAR
        place[U(k)] = ZERO
        last[U(k)] = -ONE
    if ends != ROUND:
        _measure_segments(0, far0, y, first, a, b, seg, spans, column, distance, place, last)
        _measure_segments(max(far0, far1), count, y, first, a, b, seg, spans, column, distance, place, last)
        shape_end(count, False, y, number, ends, seg, column, distance, place)
        shape_end(count, True, y, number, ends, seg, column, distance, place)
    _measure_segments(far0, far1, y, first, a, b, seg, spans, column, distance, place, last)
    return number


@part
def edge_alphas(padded, inverse, sharpness, w0, growth, distance, place, last, alpha):
    """Coverage (to `distance`), the deciding disc's number (to `last`) and alpha of measured pixels."""
    for k in range(U(0), U(padded)):
        coverage = HALF - distance[k] * sharpness
        coverage = ZERO if coverage < ZERO else coverage
        coverage = ONE if coverage > ONE else coverage
        t = (last[k] if last[k] >= ZERO else place[k]) * inverse
        t = np.floor(t * STEPS)
        distance[k] = coverage
        last[k] = t
        alpha[k] = coverage * (w0 + t / STEPS * growth)


@part
def inner_alphas(i, j, inverse, w0, growth, last, alpha):
    """The deciding disc's number (to `last`) and alpha of surely covered columns [i, j)."""
    for x in range(U(i), U(j)):
        t = np.floor(last[x] * inverse * STEPS)
        last[x] = t
        alpha[x] = w0 + t / STEPS * growth


@part
def spread_edges(number, left, first, b, edge_last, edge_alpha, last, alpha):
    """Put the edge pixels' numbers to their columns."""
    for k in range(left):
        last[U(first + k)] = edge_last[U(k)]
        alpha[U(first + k)] = edge_alpha[U(k)]
    for k in range(left, number):
        last[U(b + k - left)] = edge_last[U(k)]
        alpha[U(b + k - left)] = edge_alpha[U(k)]
