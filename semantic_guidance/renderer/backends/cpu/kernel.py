"""The compiled CPU renderer: the maths of `reference`, restricted to the pixels that a stroke touches.

The canvas is cut into horizontal bands. One task paints one band of one canvas, all strokes in order, so
tasks share nothing: no locks, and the same result for any number of threads. Within a band, a stroke
touches a span of each row; for each segment of its polyline an inner loop runs over the pixels of the span,
which the compiler turns into vector instructions.

For the backward pass the forward one keeps a tape: for the pixels of the spans alone, coverage, place of the
nearest disc, opacity's parameter and the colour that was there before. The backward pass walks the strokes
in reverse and sums the gradients of the bands in a fixed order.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from semantic_guidance.renderer.backends.cpu.compile import jit
from semantic_guidance.renderer.backends.cpu.geometry import (
    FAR,
    HALF,
    LANES,
    MAX_SEGMENTS,
    MIN_A,
    NOWHERE,
    ONE,
    STEPS,
    TINY,
    TWO,
    ZERO,
    count_band,
    flatten,
    row_spans,
    scratch,
    touched_rows,
)


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
    cone = a > ZERO  # else one of the end discs contains the other
    lean = growth / np.sqrt(max(a, TINY))
    inverse = inverse if cone else ZERO
    shift = ONE if growth > ZERO and not cone else ZERO
    a = max(a, MIN_A) if cone else min(a, -MIN_A)
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
def paint_band(vectors, canvas, mask, top, bottom, softness, saved, at, keep):
    """Paint `vectors` [N, 13] on the rows [top, bottom) of `canvas` [3, H, W], in place.

    Args:
        vectors: packed strokes.
        canvas: the picture.
        mask: [H, W], or [0, 0] where there is none.
        top: first row.
        bottom: row after the last.
        softness: width of the edge in pixels.
        saved: [SAVED, P] the tape.
        at: where this band's part of the tape begins.
        keep: whether to write it.

    Returns:
        Where this band's part of the tape ends.
    """
    height, width = canvas.shape[1:]
    half, sharpness = np.float32(softness / 2), np.float32(1 / softness)
    scale = np.float32(max(height, width))
    columns = np.arange(width + LANES).astype(np.float32) + HALF
    masked, nothing = mask.shape[0] > 0, np.empty(0, np.float32)
    rows, line, spans = scratch(width)
    distance, place, last = rows[0], rows[1], rows[2]
    vx, vy, vr = line[0], line[1], line[2]
    for n in range(vectors.shape[0]):
        count = flatten(vectors[n], scale, vx, vy, vr)
        row, row_end = touched_rows(vy, vr, count, half, top, bottom)
        for y in range(row, row_end):
            middle = np.float32(y) + HALF
            first, end = row_spans(vx, vy, vr, count, middle, half, width, spans[0], spans[1])
            if first >= end:
                continue
            distance[first // LANES * LANES : -(-end // LANES) * LANES] = FAR
            place[first // LANES * LANES : -(-end // LANES) * LANES] = ZERO
            last[first // LANES * LANES : -(-end // LANES) * LANES] = -ONE
            for s in range(count):
                if spans[0, s] < spans[1, s]:
                    i, j = spans[0, s] // LANES * LANES, -(-spans[1, s] // LANES) * LANES
                    _measure(vx, vy, vr, s, middle, columns[i:j], distance[i:j], place[i:j], last[i:j])
            _paint_span(
                distance[first:end],
                place[first:end],
                last[first:end],
                count,
                vectors[n],
                sharpness,
                canvas[0, y, first:end],
                canvas[1, y, first:end],
                canvas[2, y, first:end],
                mask[y, first:end] if masked else nothing,
                saved[:, at : at + end - first],
                keep,
            )
            at += end - first
    return at


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


@jit()
def unpaint_band(vectors, grads, grad_canvas, mask, top, bottom, softness, saved, at):
    """Backward of `paint_band`.

    Adds to `grads` [N, 13] and turns the rows of `grad_canvas` [3, H, W] in place into the gradient of the
    canvas before painting; `at` is where this band's part of the tape ends. Returns where it begins.
    """
    height, width = grad_canvas.shape[1:]
    half, sharpness = np.float32(softness / 2), np.float32(1 / softness)
    scale = np.float32(max(height, width))
    columns = np.arange(width + LANES).astype(np.float32) + HALF
    masked, nothing = mask.shape[0] > 0, np.empty(0, np.float32)
    rows, line, spans = scratch(width)
    vx, vy, vr = line[0], line[1], line[2]
    edge = rows[0]
    slopes = np.zeros((3, MAX_SEGMENTS + 1), np.float32)
    for n in range(vectors.shape[0] - 1, -1, -1):
        count = flatten(vectors[n], scale, vx, vy, vr)
        row, row_end = touched_rows(vy, vr, count, half, top, bottom)
        touched = False
        for y in range(row_end - 1, row - 1, -1):
            middle = np.float32(y) + HALF
            first, end = row_spans(vx, vy, vr, count, middle, half, width, spans[0], spans[1])
            if first >= end:
                continue
            touched = True
            at -= end - first
            tape = saved[:, at : at + end - first]
            _unpaint_span(
                vectors[n],
                grads[n],
                grad_canvas[0, y, first:end],
                grad_canvas[1, y, first:end],
                grad_canvas[2, y, first:end],
                mask[y, first:end] if masked else nothing,
                tape,
                edge[first:end],
            )
            _move_edges(vx, vy, count, middle, columns[first:end], sharpness, tape, edge[first:end], slopes)
        if touched:
            _gather_vertices(slopes, count, scale, grads[n])
    return at


@jit(parallel=True)
def count_pixels(vectors, height, width, softness, bands):
    """Pixels of all spans of each task (canvas by canvas, band by band), as a running total."""
    batch = vectors.shape[0]
    half, scale = np.float32(softness / 2), np.float32(max(height, width))
    totals = np.zeros(batch * bands + 1, np.int64)
    for task in nb.prange(batch * bands):
        b, band = task // bands, task % bands
        top, bottom = band * height // bands, (band + 1) * height // bands
        totals[task + 1] = count_band(vectors[b], top, bottom, width, scale, half)
    return np.cumsum(totals)


@jit(parallel=True)
def paint(vectors, canvas, mask, softness, bands, saved, starts, keep):
    """Paint `vectors` [B, N, 13] on `canvas` [B, 3, H, W] in place, under `mask` [B, H, W] or [B, 0, 0].

    With `keep`, the tape is written to `saved` [SAVED, P], the part of each task from `starts` on.
    """
    batch, height = canvas.shape[0], canvas.shape[2]
    for task in nb.prange(batch * bands):
        b, band = task // bands, task % bands
        top, bottom = band * height // bands, (band + 1) * height // bands
        at = starts[task] if keep else 0
        paint_band(vectors[b], canvas[b], mask[b], top, bottom, softness, saved, at, keep)


@jit(parallel=True)
def unpaint(vectors, mask, softness, bands, saved, starts, grad_canvas):
    """Backward of `paint`.

    Turns `grad_canvas` [B, 3, H, W], the gradient of the painted canvas, in place into that of the canvas
    before painting, and returns the gradient of `vectors` per band, [B, bands, N, 13].
    """
    batch, strokes = vectors.shape[:2]
    height = grad_canvas.shape[2]
    grads = np.zeros((batch, bands, strokes, 13), np.float32)
    for task in nb.prange(batch * bands):
        b, band = task // bands, task % bands
        top, bottom = band * height // bands, (band + 1) * height // bands
        unpaint_band(
            vectors[b],
            grads[b, band],
            grad_canvas[b],
            mask[b],
            top,
            bottom,
            softness,
            saved,
            starts[task + 1],
        )
    return grads
