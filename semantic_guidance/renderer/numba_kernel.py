"""The compiled CPU renderer: the maths of `reference`, restricted to the pixels that a stroke touches.

The canvas is cut into horizontal bands. One task paints one band of one canvas, all strokes in order, so
tasks share nothing: no locks, and the same result for any number of threads. Within a band, a stroke
touches a span of each row; for each segment of its polyline an inner loop runs over the pixels of the span,
which the compiler turns into vector instructions.

For the backward pass the forward one keeps, for the pixels of the spans alone, coverage, place of the
nearest disc, opacity's parameter and the colour that was there before. The backward pass walks the strokes
in reverse and sums the gradients of the bands in a fixed order.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.renderer.compile import jit
from semantic_guidance.renderer.reference import DISCS, FLATNESS, LEAST_LEADING, MAX_SEGMENTS

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

SAVED = 6  # planes of the tape: coverage, nearest place, opacity's t, previous red, green, blue
# Numba promotes float32 with a Python number to float64, so the inner loops name their constants.
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
TINY, FAR = np.float32(1e-12), np.float32(1e9)
NOWHERE = np.float32(-2 * MAX_SEGMENTS)
LEAST_A = np.float32(LEAST_LEADING)
CURVATURE = np.float32(4 * FLATNESS)
STEPS = np.float32(DISCS - 1)
LANES = 16  # row buffers are walked in whole vectors of the widest machines


class Tape(NamedTuple):
    """What the backward pass needs of the forward one."""

    saved: Floats  # [SAVED, total] pixels of all spans, task after task
    starts: Integers  # [tasks + 1] where each task's pixels begin
    bands: int


def band_count(batch: int, height: int) -> int:
    """Bands of each canvas: a function of the shapes alone, so results do not depend on the machine."""
    return max(1, min(height // 8, -(-16 // batch)))


@jit()
def _flatten(vector, scale, vx, vy, vr):
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
def _spans(vx, vy, vr, count, y, half, width, low, high):
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
def _rows(vy, vr, count, half, top, bottom):
    """Rows of the band [top, bottom) that the stroke may touch."""
    low, high = FAR, -FAR
    for j in range(count + 1):
        low, high = min(low, vy[j] - vr[j] - half), max(high, vy[j] + vr[j] + half)
    low = min(max(low, np.float32(-2)), np.float32(bottom + 2))
    high = min(max(high, np.float32(-2)), np.float32(bottom + 2))
    return max(top, int(np.floor(low - HALF))), min(bottom, int(np.ceil(high + HALF)))


@jit()
def _measure(vx, vy, vr, s, y, columns, distance, place, last):
    """Update a row's signed distance, nearest place and last covering place with one segment.

    Places are in segments: s + t for the disc at t of segment s. The loop is `reference`'s `stroke_fields`
    and `last_disc`; it must stay free of branches and of indices that might be negative, or the compiler
    no longer vectorises it.
    """
    ax, ay, r = vx[s], vy[s], vr[s]
    dx, dy, growth = vx[s + 1] - ax, vy[s + 1] - ay, vr[s + 1] - r
    length = np.sqrt(dx * dx + dy * dy)
    inverse = ONE / max(length, TINY)
    ux, uy = dx * inverse, dy * inverse
    if length == ZERO:  # a segment without direction: any will do
        ux = ONE
    a = length * length - growth * growth
    cone = a > ZERO  # else one of the end discs holds the other
    lean = growth / np.sqrt(max(a, TINY))
    inverse = inverse if cone else ZERO
    shift = ONE if growth > ZERO and not cone else ZERO
    a = max(a, LEAST_A) if cone else min(a, -LEAST_A)
    inverse_a = ONE / a
    limit = FAR if cone else ZERO
    base = np.float32(s)
    py = y - ay
    for i in range(columns.shape[0]):
        px = columns[i] - ax
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


@jit()
def _paint_span(distance, place, last, count, vector, sharpness, red, green, blue, mask, saved, keep):
    """Composite one stroke's span of a row and keep what its gradient needs."""
    w0, growth = vector[8], vector[9] - vector[8]
    r, g, b = vector[10], vector[11], vector[12]
    inverse = ONE / np.float32(count)
    if keep:
        saved[1] = place
        saved[3] = red
        saved[4] = green
        saved[5] = blue
    for i in range(distance.shape[0]):
        coverage = HALF - distance[i] * sharpness
        coverage = ZERO if coverage < ZERO else coverage
        coverage = ONE if coverage > ONE else coverage
        t = (last[i] if last[i] >= ZERO else place[i]) * inverse
        t = np.floor(t * STEPS) / STEPS
        distance[i] = coverage  # the buffers are free now: reuse them
        last[i] = t
        place[i] = coverage * (w0 + t * growth)
    if keep:
        saved[0] = distance
        saved[2] = last
    if mask.shape[0] > 0:
        place *= mask
    for i in range(place.shape[0]):
        red[i] += place[i] * (r - red[i])
        green[i] += place[i] * (g - green[i])
        blue[i] += place[i] * (b - blue[i])


@jit()
def _scratch(width):
    """Row and polyline buffers of one task."""
    rows = np.empty((3, width + LANES), np.float32)
    line = np.empty((3, MAX_SEGMENTS + 1), np.float32)
    spans = np.empty((2, MAX_SEGMENTS), np.int64)
    return rows, line, spans


@jit(parallel=True)
def count_pixels(vectors, height, width, softness, bands):
    """Pixels of all spans of each task (canvas by canvas, band by band), as a running total."""
    batch, strokes = vectors.shape[:2]
    half = np.float32(softness / 2)
    scale = np.float32(max(height, width))
    totals = np.zeros(batch * bands + 1, np.int64)
    for task in nb.prange(batch * bands):
        b, band = task // bands, task % bands
        top, bottom = band * height // bands, (band + 1) * height // bands
        _, line, spans = _scratch(1)
        vx, vy, vr = line[0], line[1], line[2]
        total = 0
        for n in range(strokes):
            count = _flatten(vectors[b, n], scale, vx, vy, vr)
            row, row_end = _rows(vy, vr, count, half, top, bottom)
            for y in range(row, row_end):
                first, end = _spans(vx, vy, vr, count, np.float32(y) + HALF, half, width, spans[0], spans[1])
                total += max(end - first, 0)
        totals[task + 1] = total
    return np.cumsum(totals)


@jit(parallel=True)
def paint(vectors, canvas, mask, softness, bands, saved, starts, keep):
    """Paint `vectors` [B, N, 13] on `canvas` [B, 3, H, W] in place, under `mask` [B, H, W] or [B, 0, 0]."""
    batch, strokes = vectors.shape[:2]
    height, width = canvas.shape[2:]
    half, sharpness = np.float32(softness / 2), np.float32(1 / softness)
    scale = np.float32(max(height, width))
    columns = np.arange(width + LANES).astype(np.float32) + HALF
    masked, nothing = mask.shape[1] > 0, np.empty(0, np.float32)
    for task in nb.prange(batch * bands):
        b, band = task // bands, task % bands
        top, bottom = band * height // bands, (band + 1) * height // bands
        rows, line, spans = _scratch(width)
        distance, place, last = rows[0], rows[1], rows[2]
        vx, vy, vr = line[0], line[1], line[2]
        at = starts[task]
        for n in range(strokes):
            count = _flatten(vectors[b, n], scale, vx, vy, vr)
            row, row_end = _rows(vy, vr, count, half, top, bottom)
            for y in range(row, row_end):
                height_of_row = np.float32(y) + HALF
                first, end = _spans(vx, vy, vr, count, height_of_row, half, width, spans[0], spans[1])
                if first >= end:
                    continue
                distance[first // LANES * LANES : -(-end // LANES) * LANES] = FAR
                last[first // LANES * LANES : -(-end // LANES) * LANES] = -ONE
                for s in range(count):
                    if spans[0, s] < spans[1, s]:
                        low, high = spans[0, s] // LANES * LANES, -(-spans[1, s] // LANES) * LANES
                        _measure(
                            vx,
                            vy,
                            vr,
                            s,
                            height_of_row,
                            columns[low:high],
                            distance[low:high],
                            place[low:high],
                            last[low:high],
                        )
                _paint_span(
                    distance[first:end],
                    place[first:end],
                    last[first:end],
                    count,
                    vectors[b, n],
                    sharpness,
                    canvas[b, 0, y, first:end],
                    canvas[b, 1, y, first:end],
                    canvas[b, 2, y, first:end],
                    mask[b, y, first:end] if masked else nothing,
                    saved[:, at : at + end - first],
                    keep,
                )
                at += end - first


@jit()
def _unpaint_span(vector, grad_vector, red, green, blue, mask, saved, edge):
    """Gradients of one span: to opacity and colour of the stroke, to the canvas below, to coverage."""
    w0, growth = vector[8], vector[9] - vector[8]
    r, g, b = vector[10], vector[11], vector[12]
    coverage, ts = saved[0], saved[2]
    under_red, under_green, under_blue = saved[3], saved[4], saved[5]
    sum_start = sum_end = sum_red = sum_green = sum_blue = ZERO
    for i in range(edge.shape[0]):
        through = coverage[i] * mask[i] if mask.shape[0] > 0 else coverage[i]
        t = ts[i]
        opacity = w0 + t * growth
        alpha = through * opacity
        slope = red[i] * (r - under_red[i]) + green[i] * (g - under_green[i]) + blue[i] * (b - under_blue[i])
        sum_start += slope * through * (ONE - t)
        sum_end += slope * through * t
        edge[i] = slope * opacity
        sum_red += alpha * red[i]
        sum_green += alpha * green[i]
        sum_blue += alpha * blue[i]
        red[i] *= ONE - alpha
        green[i] *= ONE - alpha
        blue[i] *= ONE - alpha
    if mask.shape[0] > 0:
        edge *= mask
    grad_vector[8] += sum_start
    grad_vector[9] += sum_end
    grad_vector[10] += sum_red
    grad_vector[11] += sum_green
    grad_vector[12] += sum_blue


@jit()
def _move_edges(vx, vy, count, y, columns, sharpness, saved, edge, slopes):
    """Carry the gradient of the coverage of edge pixels to the polyline's vertices."""
    coverage, place = saved[0], saved[1]
    gx, gy, gr = slopes[0], slopes[1], slopes[2]
    for i in range(columns.shape[0]):
        if coverage[i] <= ZERO or coverage[i] >= ONE:
            continue
        s = min(int(place[i]), count - 1)
        t = place[i] - np.float32(s)
        px = columns[i] - vx[s] - t * (vx[s + 1] - vx[s])
        py = y - vy[s] - t * (vy[s + 1] - vy[s])
        g = edge[i] * sharpness  # of (radius - distance to the centre)
        away = ONE / np.sqrt(max(px * px + py * py, TINY))
        nx, ny = g * px * away, g * py * away
        gx[s] += (ONE - t) * nx
        gx[s + 1] += t * nx
        gy[s] += (ONE - t) * ny
        gy[s + 1] += t * ny
        gr[s] += (ONE - t) * g
        gr[s + 1] += t * g


@jit()
def _gather_vertices(slopes, count, scale, grad_vector):
    """Carry gradients from the polyline's vertices to control points and radii."""
    gx, gy, gr = slopes[0], slopes[1], slopes[2]
    for j in range(count + 1):
        t = np.float32(j) / np.float32(count)
        u = ONE - t
        w0, w1, w2 = u * u * scale, TWO * t * u * scale, t * t * scale
        grad_vector[0] += w0 * gx[j]
        grad_vector[1] += w0 * gy[j]
        grad_vector[2] += w1 * gx[j]
        grad_vector[3] += w1 * gy[j]
        grad_vector[4] += w2 * gx[j]
        grad_vector[5] += w2 * gy[j]
        grad_vector[6] += u * scale * gr[j]
        grad_vector[7] += t * scale * gr[j]
        gx[j] = gy[j] = gr[j] = ZERO


@jit(parallel=True)
def unpaint(vectors, mask, softness, bands, saved, starts, grad_canvas):
    """Backward of `paint`.

    Turns `grad_canvas` [B, 3, H, W], the gradient of the painted canvas, in place into that of the canvas
    before painting, and returns the gradient of `vectors` per band, [B, bands, N, 13].
    """
    batch, strokes = vectors.shape[:2]
    height, width = grad_canvas.shape[2:]
    half, sharpness = np.float32(softness / 2), np.float32(1 / softness)
    scale = np.float32(max(height, width))
    columns = np.arange(width + LANES).astype(np.float32) + HALF
    masked, nothing = mask.shape[1] > 0, np.empty(0, np.float32)
    grads = np.zeros((batch, bands, strokes, 13), np.float32)
    for task in nb.prange(batch * bands):
        b, band = task // bands, task % bands
        top, bottom = band * height // bands, (band + 1) * height // bands
        rows, line, spans = _scratch(width)
        vx, vy, vr = line[0], line[1], line[2]
        edge = rows[0]
        slopes = np.zeros((3, MAX_SEGMENTS + 1), np.float32)
        at = starts[task + 1]
        for back in range(strokes):
            n = strokes - 1 - back
            count = _flatten(vectors[b, n], scale, vx, vy, vr)
            row, row_end = _rows(vy, vr, count, half, top, bottom)
            touched = False
            for y in range(row_end - 1, row - 1, -1):
                height_of_row = np.float32(y) + HALF
                first, end = _spans(vx, vy, vr, count, height_of_row, half, width, spans[0], spans[1])
                if first >= end:
                    continue
                touched = True
                at -= end - first
                tape = saved[:, at : at + end - first]
                _unpaint_span(
                    vectors[b, n],
                    grads[b, band, n],
                    grad_canvas[b, 0, y, first:end],
                    grad_canvas[b, 1, y, first:end],
                    grad_canvas[b, 2, y, first:end],
                    mask[b, y, first:end] if masked else nothing,
                    tape,
                    edge[first:end],
                )
                _move_edges(
                    vx, vy, count, height_of_row, columns[first:end], sharpness, tape, edge[first:end], slopes
                )
            if touched:
                _gather_vertices(slopes, count, scale, grads[b, band, n])
    return grads
