"""Where strokes touch the canvas: polylines, rows and spans, for the compiled kernels.

Forward and backward passes find the spans of a stroke anew instead of storing them: each copy of these
functions must give the same pixels to the last bit, which it does without fast-math.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.compile import jit
from semantic_guidance.renderer.definition import DISCS, FLATNESS, MAX_SEGMENTS, MIN_LEADING

SAVED = 6  # planes of the tape: coverage, nearest place, opacity's t, previous red, green, blue
# Numba promotes float32 with a Python number to float64, so the inner loops name their constants.
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
TINY, FAR = np.float32(1e-12), np.float32(1e9)
NO_TAPE, NO_STARTS = np.empty((SAVED, 0), np.float32), np.empty(0, np.int64)
NOWHERE = np.float32(-2 * MAX_SEGMENTS)
MIN_A = np.float32(MIN_LEADING)
CURVATURE = np.float32(4 * FLATNESS)
STEPS = np.float32(DISCS - 1)
LANES = 16  # row buffers are walked in whole vectors of the widest machines


def band_count(batch: int, height: int) -> int:
    """Bands of each canvas: a function of the shapes alone, so results do not depend on the machine."""
    return max(1, min(height // 8, -(-16 // batch)))


@jit()
def flatten(vector, scale, vx, vy, vr):
    """Write a stroke's polyline in pixels to `vx, vy, vr`; returns its number of segments."""
    x0, y0 = vector[0] * scale, vector[1] * scale
    x1, y1 = vector[2] * scale, vector[3] * scale
    x2, y2 = vector[4] * scale, vector[5] * scale
    r0, r2 = vector[6] * scale, vector[7] * scale
    bx, by = x0 - TWO * x1 + x2, y0 - TWO * y1 + y2
    bend = np.sqrt(bx * bx + by * by)
    count = min(max(int(np.ceil(np.sqrt(bend / CURVATURE))), 1), MAX_SEGMENTS)
    for j in range(count + 1):
        t = np.float32(j) / np.float32(count)
        u = ONE - t
        vx[j] = u * u * x0 + TWO * t * u * x1 + t * t * x2
        vy[j] = u * u * y0 + TWO * t * u * y1 + t * t * y2
        vr[j] = u * r0 + t * r2
    return count


@jit()
def row_spans(vx, vy, vr, count, y, half, width, low, high):
    """Columns that each segment's softened discs touch in the row at height `y`, as [low, high)."""
    first, last = width, 0
    for s in range(count):
        ax, ay, bx, by = vx[s], vy[s], vx[s + 1], vy[s + 1]
        reach = max(vr[s], vr[s + 1]) + half
        low[s], high[s] = 0, 0
        top, bottom = min(ay, by), max(ay, by)
        if y < top - reach or y > bottom + reach:
            continue
        from_x, to_x = min(ax, bx), max(ax, bx)
        dy = by - ay
        if abs(dy) > np.float32(1e-3):  # only the part of the segment within reach of the row counts
            u0 = min(max((y - reach - ay) / dy, ZERO), ONE)
            u1 = min(max((y + reach - ay) / dy, ZERO), ONE)
            from_x = min(ax + u0 * (bx - ax), ax + u1 * (bx - ax))
            to_x = max(ax + u0 * (bx - ax), ax + u1 * (bx - ax))
        off = max(max(top - y, y - bottom), ZERO)
        chord = np.sqrt(max(reach * reach - off * off, ZERO))
        low[s] = max(int(np.ceil(max(from_x - chord, np.float32(-1)) - HALF)), 0)
        high[s] = min(int(np.floor(min(to_x + chord, np.float32(width)) - HALF)) + 1, width)
        if low[s] < high[s]:
            first, last = min(first, low[s]), max(last, high[s])
    return first, last


@jit()
def touched_rows(vy, vr, count, half, top, bottom):
    """Rows of the band [top, bottom) that the stroke may touch."""
    low, high = FAR, -FAR
    for j in range(count + 1):
        low, high = min(low, vy[j] - vr[j] - half), max(high, vy[j] + vr[j] + half)
    low = min(max(low, np.float32(-2)), np.float32(bottom + 2))
    high = min(max(high, np.float32(-2)), np.float32(bottom + 2))
    return max(top, int(np.floor(low - HALF))), min(bottom, int(np.ceil(high + HALF)))


@jit()
def scratch(width):
    """Row and polyline buffers of one task."""
    rows = np.empty((3, width + LANES), np.float32)
    line = np.empty((3, MAX_SEGMENTS + 1), np.float32)
    spans = np.empty((2, MAX_SEGMENTS), np.int64)
    return rows, line, spans


@jit()
def count_band(vectors, top, bottom, width, scale, half):
    """Pixels of all spans of `vectors` [N, 13] in the rows [top, bottom)."""
    _, line, spans = scratch(1)
    vx, vy, vr = line[0], line[1], line[2]
    total = 0
    for n in range(vectors.shape[0]):
        count = flatten(vectors[n], scale, vx, vy, vr)
        row, row_end = touched_rows(vy, vr, count, half, top, bottom)
        for y in range(row, row_end):
            first, end = row_spans(vx, vy, vr, count, np.float32(y) + HALF, half, width, spans[0], spans[1])
            total += max(end - first, 0)
    return total
