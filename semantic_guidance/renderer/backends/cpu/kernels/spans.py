"""Where a stroke lies on a row of pixels: polyline, spans, and the part that is surely inside.

A stroke's polyline is kept as fields by segment in one flat array, `STRIDE` numbers per field, so that loops
over segments become vector instructions. Indices are unsigned, which saves the check for negative ones.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.layout import BLOCK, NUMBERS, STRIDE
from semantic_guidance.renderer.definition import FLATNESS, MAX_SEGMENTS, MIN_LEADING

F, I, U = np.float32, np.int32, np.uintp  # noqa: E741
# Numba promotes float32 with a Python number to float64, so the inner loops name their constants.
ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)
TINY, FAR = F(1e-12), F(1e9)
MIN_A, CURVATURE = F(MIN_LEADING), F(4 * FLATNESS)
SURELY = F(0.02)  # pixels by which what is surely inside is smaller, against rounding
FLAT = F(1e-3)  # pixels: a segment of less height is level
SLANT = F(1e-6)  # least component of a direction by which anything is divided

# Fields of segments: vertices, length, direction, what `measure` needs, slopes, and chords of the vertices.
X, Y, R, LENGTH, UX, UY, INVERSE, LEAN, SHIFT, A, INVERSE_A, LIMIT, GROWTH, BY_DY, BY_UX, BY_UY = range(16)
INNER_LOW, INNER_HIGH, COVER_LOW, COVER_HIGH = range(16, 20)
REACH = 20  # of a segment, the soft edge not counted: its larger radius, or more where it holds an end
# Fields of spans: all that the soft edge touches, fully covered, and inside of the hard edge.
LOW, HIGH, FULL_LOW, FULL_HIGH, HARD_LOW, HARD_HIGH = range(6)


@part
def polyline(strokes, n, scale, seg):
    """Write the vertices of stroke `n` in pixels; returns its number of segments."""
    at = n * NUMBERS
    x0, y0 = strokes[at] * scale, strokes[at + 1] * scale
    x1, y1 = strokes[at + 2] * scale, strokes[at + 3] * scale
    x2, y2 = strokes[at + 4] * scale, strokes[at + 5] * scale
    r0, r2 = strokes[at + 6] * scale, strokes[at + 7] * scale
    bx, by = x0 - TWO * x1 + x2, y0 - TWO * y1 + y2
    bend = np.sqrt(bx * bx + by * by)
    pieces = np.ceil(np.sqrt(bend / CURVATURE))  # of giants, more than an integer holds, or no number
    count = max(int(pieces if pieces < F(MAX_SEGMENTS) else F(MAX_SEGMENTS)), 1)
    for j in range(count + 1):
        t = F(j) / F(count)
        u = ONE - t
        seg[U(X * STRIDE + j)] = u * u * x0 + TWO * t * u * x1 + t * t * x2
        seg[U(Y * STRIDE + j)] = u * u * y0 + TWO * t * u * y1 + t * t * y2
        seg[U(R * STRIDE + j)] = u * r0 + t * r2
    return count


@part
def segments(count, seg):
    """Write what is needed of each segment, whatever the row."""
    for s in range(count):
        ax, ay, r = seg[U(X * STRIDE + s)], seg[U(Y * STRIDE + s)], seg[U(R * STRIDE + s)]
        dx, dy = seg[U(X * STRIDE + s + 1)] - ax, seg[U(Y * STRIDE + s + 1)] - ay
        growth = seg[U(R * STRIDE + s + 1)] - r
        length = np.sqrt(dx * dx + dy * dy)
        inverse = ONE / max(length, TINY)
        ux, uy = dx * inverse, dy * inverse
        ux = ONE if length == ZERO else ux  # a segment without direction: any will do
        a = length * length - growth * growth
        cone = a > ZERO  # else one of the end discs holds the other
        lean = growth / np.sqrt(max(a, TINY))
        a = max(a, MIN_A) if cone else min(a, -MIN_A)
        seg[U(LENGTH * STRIDE + s)] = length
        seg[U(UX * STRIDE + s)] = ux
        seg[U(UY * STRIDE + s)] = uy
        seg[U(INVERSE * STRIDE + s)] = inverse if cone else ZERO
        seg[U(LEAN * STRIDE + s)] = lean
        seg[U(SHIFT * STRIDE + s)] = ONE if (growth > ZERO) & (not cone) else ZERO
        seg[U(A * STRIDE + s)] = a
        seg[U(INVERSE_A * STRIDE + s)] = ONE / a
        seg[U(LIMIT * STRIDE + s)] = FAR if cone else ZERO
        seg[U(GROWTH * STRIDE + s)] = growth
        seg[U(REACH * STRIDE + s)] = max(r, seg[U(R * STRIDE + s + 1)])
        seg[U(BY_DY * STRIDE + s)] = ONE / (dy if abs(dy) > FLAT else FAR)
        tx, ty = max(abs(ux), SLANT), max(abs(uy), SLANT)
        seg[U(BY_UX * STRIDE + s)] = ONE / (tx if ux >= ZERO else -tx)
        seg[U(BY_UY * STRIDE + s)] = ONE / (ty if uy >= ZERO else -ty)


@part
def rows_touched(count, half, top, bottom, seg):
    """Rows of the band [top, bottom) that the stroke may touch."""
    low, high = FAR, -FAR
    for j in range(count + 1):
        y, r = seg[U(Y * STRIDE + j)], seg[U(R * STRIDE + j)]
        above, below = y - r - half, y + r + half
        low = above if above < low else low
        high = below if below > high else high
    low = min(max(low, F(-2)), F(bottom + 2))
    high = min(max(high, F(-2)), F(bottom + 2))
    return max(top, int(np.floor(low - HALF))), min(bottom, int(np.ceil(high + HALF)))


@part
def misses(strokes, n, scale, half, top, bottom):
    """Whether stroke `n` stays out of the rows [top, bottom), by its control points: sure, but not exact."""
    at = n * NUMBERS
    y0, y1, y2 = strokes[at + 1], strokes[at + 3], strokes[at + 5]
    reach = max(strokes[at + 6], strokes[at + 7]) * scale + half + ONE
    return max(max(y0, y1), y2) * scale + reach < F(top) or min(min(y0, y1), y2) * scale - reach > F(bottom)


@part
def rows_in_use(strokes, n0, n1, scale, half, corner, top, bottom):
    """First row of [top, bottom) that a stroke may touch, and the one after the last.

    Ends reach as far as `corner` discs of their radius.
    """
    low, high = FAR, -FAR
    for n in range(n0, n1):
        at = n * NUMBERS
        y0, y1, y2 = strokes[at + 1], strokes[at + 3], strokes[at + 5]
        reach = max(strokes[at + 6], strokes[at + 7]) * scale + half
        reach = corner * reach + ONE
        above, below = min(min(y0, y1), y2) * scale - reach, max(max(y0, y1), y2) * scale + reach
        low = above if above < low else low
        high = below if below > high else high
    low, high = max(low, F(top)), min(high, F(bottom))
    if low >= high:
        return top, top
    return max(top, int(np.floor(low))), min(bottom, int(np.ceil(high)))


@part
def columns_touched(count, half, wide, seg):
    """At most so many columns, in whole blocks, of each row belong to the stroke: see `touched_spans`."""
    low, high = FAR, -FAR
    for s in range(count):
        ax, bx = seg[U(X * STRIDE + s)], seg[U(X * STRIDE + s + 1)]
        reach = max(seg[U(R * STRIDE + s)], seg[U(R * STRIDE + s + 1)]) + half
        left, right = min(ax, bx) - reach, max(ax, bx) + reach
        low = left if left < low else low
        high = right if right > high else high
    low, high = min(max(low, ZERO), F(wide)), min(max(high, ZERO), F(wide))
    first, end = max(int(low) - 1, 0), min(int(high) + 2, wide)
    return ((end + BLOCK - 1) & -BLOCK) - (first & -BLOCK)


@part
def touched_spans(count, y, half, width, seg, spans):
    """Columns that each segment's softened discs may touch in the row at height `y`."""
    for s in range(U((count + 15) & -16)):
        ax, ay = seg[U(X * STRIDE) + s], seg[U(Y * STRIDE) + s]
        bx, by = seg[U(X * STRIDE + 1) + s], seg[U(Y * STRIDE + 1) + s]
        reach = seg[U(REACH * STRIDE) + s] + half
        top, bottom = min(ay, by), max(ay, by)
        hit = (y >= top - reach) & (y <= bottom + reach)
        # Only the part of the segment within reach of the row counts.
        by_dy, level = seg[U(BY_DY * STRIDE) + s], abs(by - ay) <= FLAT
        u0 = min(max((y - reach - ay) * by_dy, ZERO), ONE)
        u1 = min(max((y + reach - ay) * by_dy, ZERO), ONE)
        u0, u1 = (ZERO if level else u0), (ONE if level else u1)
        from_x, to_x = ax + u0 * (bx - ax), ax + u1 * (bx - ax)
        from_x, to_x = min(from_x, to_x), max(from_x, to_x)
        off = max(max(top - y, y - bottom), ZERO)
        chord = np.sqrt(max(reach * reach - off * off, ZERO))
        low = np.ceil(max(from_x - chord, -ONE) - HALF)
        low = low if low > ZERO else ZERO
        low = low if low < width else width
        high = np.floor(min(to_x + chord, width) - HALF) + ONE
        high = high if high > ZERO else ZERO
        high = high if high < width else width
        spans[U(LOW * STRIDE) + s] = I(low) if hit else I(0)
        spans[U(HIGH * STRIDE) + s] = I(high) if hit else I(0)


@part
def whole_span(count, spans):
    """First column of a row that is touched, and the one after the last."""
    first, end = 1 << 30, 0
    for s in range(count):
        low, high = int(spans[U(LOW * STRIDE + s)]), int(spans[U(HIGH * STRIDE + s)])
        if low < high:
            first, end = min(first, low), max(end, high)
    return first, end


@part
def inside_spans(count, y, half, width, seg, spans):
    """Columns surely inside of each segment: where coverage is 1, and where a disc of it lies on the pixel.

    A round cone holds its end discs and the band between them as wide as the smaller one.
    """
    for j in range(U((count + 16) & -16)):
        x, dy = seg[U(X * STRIDE) + j], y - seg[U(Y * STRIDE) + j]
        hard = seg[U(R * STRIDE) + j] - SURELY
        full = hard - half
        w0, w1 = full * full - dy * dy, hard * hard - dy * dy
        ok0, ok1 = (full > ZERO) & (w0 > ZERO), (hard > ZERO) & (w1 > ZERO)
        c0, c1 = np.sqrt(max(w0, ZERO)), np.sqrt(max(w1, ZERO))
        seg[U(INNER_LOW * STRIDE) + j] = x - c0 if ok0 else FAR
        seg[U(INNER_HIGH * STRIDE) + j] = x + c0 if ok0 else -FAR
        seg[U(COVER_LOW * STRIDE) + j] = x - c1 if ok1 else FAR
        seg[U(COVER_HIGH * STRIDE) + j] = x + c1 if ok1 else -FAR
    for s in range(U((count + 15) & -16)):
        ax, py = seg[U(X * STRIDE) + s], y - seg[U(Y * STRIDE) + s]
        ux, uy = seg[U(UX * STRIDE) + s], seg[U(UY * STRIDE) + s]
        by_ux, by_uy = seg[U(BY_UX * STRIDE) + s], seg[U(BY_UY * STRIDE) + s]
        hard = min(seg[U(R * STRIDE) + s], seg[U(R * STRIDE + 1) + s]) - SURELY
        full = hard - half
        b0, b1 = -py * uy * by_ux, (seg[U(LENGTH * STRIDE) + s] - py * uy) * by_ux
        before, beyond = min(b0, b1), max(b0, b1)
        middle = py * ux
        d0, d1 = (middle - full) * by_uy, (middle + full) * by_uy
        low, high = max(min(d0, d1), before) + ax, min(max(d0, d1), beyond) + ax
        ok = (full > ZERO) & (low < high)
        low = min(min(seg[U(INNER_LOW * STRIDE) + s], seg[U(INNER_LOW * STRIDE + 1) + s]), low if ok else FAR)
        high = max(
            max(seg[U(INNER_HIGH * STRIDE) + s], seg[U(INNER_HIGH * STRIDE + 1) + s]), high if ok else -FAR
        )
        spans[U(FULL_LOW * STRIDE) + s] = I(np.ceil(min(max(low, ZERO), width) - HALF))
        spans[U(FULL_HIGH * STRIDE) + s] = I(np.floor(min(max(high, ZERO), width) - HALF) + ONE)
        e0, e1 = (middle - hard) * by_uy, (middle + hard) * by_uy
        low, high = max(min(e0, e1), before) + ax, min(max(e0, e1), beyond) + ax
        ok = (hard > ZERO) & (low < high)
        low = min(min(seg[U(COVER_LOW * STRIDE) + s], seg[U(COVER_LOW * STRIDE + 1) + s]), low if ok else FAR)
        high = max(
            max(seg[U(COVER_HIGH * STRIDE) + s], seg[U(COVER_HIGH * STRIDE + 1) + s]), high if ok else -FAR
        )
        spans[U(HARD_LOW * STRIDE) + s] = I(np.ceil(min(max(low, ZERO), width) - HALF))
        spans[U(HARD_HIGH * STRIDE) + s] = I(np.floor(min(max(high, ZERO), width) - HALF) + ONE)


@part
def row_span(count, spans, found):
    """Write the columns of the whole row, and the longest stretch of them that is surely full, to `found`."""
    first, end, a, b, low, high = 1 << 30, 0, 0, 0, 0, 0
    for s in range(count):
        touched_low, touched_high = int(spans[U(LOW * STRIDE + s)]), int(spans[U(HIGH * STRIDE + s)])
        if touched_low >= touched_high:
            continue
        first, end = min(first, touched_low), max(end, touched_high)
        full_low, full_high = int(spans[U(FULL_LOW * STRIDE + s)]), int(spans[U(FULL_HIGH * STRIDE + s)])
        if full_low >= full_high:
            continue
        if (low < high) & (full_low <= high) & (full_high >= low):
            low, high = min(full_low, low), max(full_high, high)
        else:
            low, high = full_low, full_high
        if high - low > b - a:
            a, b = low, high
    if a < b:
        a, b = max(a, first), min(b, end)
    if a >= b:
        a, b = end, end
    if first >= end:
        first = end = a = b = 0
    found[0], found[1], found[2], found[3] = first, end, a, b
