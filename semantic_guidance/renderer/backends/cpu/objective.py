"""A whole painting's objective with its gradient in one pass over the bands; and each stroke's worth.

A painting is a sequence of segments (runs of strokes), each under a mask or none, with a weight on the
squared error of the canvas after it: 1 after the last, less before, so that the painting looks right in the
making, too. `renderer.render` gives the same numbers through automatic differentiation, segment by segment;
here one task carries its band through all of them, which saves most of the overhead.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from semantic_guidance.renderer.backends.cpu.compile import jit
from semantic_guidance.renderer.backends.cpu.geometry import (
    HALF,
    ONE,
    SAVED,
    TWO,
    ZERO,
    count_band,
    flatten,
    row_spans,
    scratch,
    touched_rows,
)
from semantic_guidance.renderer.backends.cpu.kernel import paint_band, unpaint_band


@jit()
def _mask_of(run, chosen, masks):
    return masks[chosen[run]] if chosen[run] >= 0 else np.empty((0, 0), np.float32)


@jit()
def _error_band(canvas, target, weight, top, bottom, factor, grad):
    """Weighted squared error of the rows [top, bottom), times `factor`; its gradient is written to `grad`."""
    total = 0.0
    for channel in range(3):
        for y in range(top, bottom):
            row, wanted, heavy, slope = canvas[channel, y], target[channel, y], weight[y], grad[channel, y]
            line = ZERO
            for x in range(row.shape[0]):
                miss = row[x] - wanted[x]
                slope[x] = TWO * factor * heavy[x] * miss
                line += heavy[x] * miss * miss
            total += line
    return total * factor


@jit(parallel=True)
def objective(vectors, ends, chosen, masks, factors, blank, target, weight, softness, bands):
    """Sum over segments of ``factor * sum(weight * (canvas after it - target)^2)``, and its gradient.

    Args:
        vectors: [N, 13] packed strokes.
        ends: [R] index after the last stroke of each segment.
        chosen: [R] index of the segment's mask, negative for none.
        masks: [M, H, W].
        factors: [R] weight of the error after each segment; the last is above 0.
        blank: [3, H, W] the canvas before the first stroke.
        target: [3, H, W] the wanted picture.
        weight: [H, W] of the squared error.
        softness: width of the strokes' edge in pixels.
        bands: number of bands.

    Returns:
        The objective per band [bands], its gradient with respect to the strokes, per band [bands, N, 13].
    """
    height, width = target.shape[1:]
    runs = ends.shape[0]
    half, scale = np.float32(softness / 2), np.float32(max(height, width))
    grads = np.zeros((bands, vectors.shape[0], 13), np.float32)
    totals = np.zeros(bands)
    canvas = blank.copy()
    slopes = np.empty((runs, 3, height, width), np.float32)
    for band in nb.prange(bands):
        top, bottom = band * height // bands, (band + 1) * height // bands
        saved = np.empty((SAVED, count_band(vectors, top, bottom, width, scale, half)), np.float32)
        at, start = 0, 0
        for run in range(runs):
            end = ends[run]
            at = paint_band(
                vectors[start:end],
                canvas,
                _mask_of(run, chosen, masks),
                top,
                bottom,
                softness,
                saved,
                at,
                True,
            )
            if factors[run] > ZERO:
                totals[band] += _error_band(canvas, target, weight, top, bottom, factors[run], slopes[run])
            start = end
        slope = slopes[runs - 1]
        for run in range(runs - 1, -1, -1):
            if run < runs - 1 and factors[run] > ZERO:
                slope[:, top:bottom] += slopes[run, :, top:bottom]
            start = ends[run - 1] if run > 0 else 0
            at = unpaint_band(
                vectors[start : ends[run]],
                grads[band, start : ends[run]],
                slope,
                _mask_of(run, chosen, masks),
                top,
                bottom,
                softness,
                saved,
                at,
            )
    return totals, grads


@jit()
def _removal_span(vector, red, green, blue, target, weight, mask, saved, through):
    """Rise of the weighted squared error of one span when the stroke is left out."""
    w0, growth = vector[8], vector[9] - vector[8]
    r, g, b = vector[10], vector[11], vector[12]
    coverage, ts = saved[0], saved[2]
    under_red, under_green, under_blue = saved[3], saved[4], saved[5]
    target_red, target_green, target_blue = target[0], target[1], target[2]
    total = ZERO
    for i in range(through.shape[0]):
        alpha = coverage[i] * (w0 + ts[i] * growth)
        alpha = alpha * mask[i] if mask.shape[0] > 0 else alpha
        visible = through[i] * alpha
        change_red = visible * (under_red[i] - r)
        change_green = visible * (under_green[i] - g)
        change_blue = visible * (under_blue[i] - b)
        rise = change_red * (change_red + TWO * (red[i] - target_red[i]))
        rise += change_green * (change_green + TWO * (green[i] - target_green[i]))
        rise += change_blue * (change_blue + TWO * (blue[i] - target_blue[i]))
        total += weight[i] * rise
        through[i] *= ONE - alpha
    return total


@jit()
def _removal_band(vectors, costs, canvas, target, weight, mask, top, bottom, softness, saved, at, through):
    """`removal_costs` of one segment in the rows [top, bottom); returns where its part of the tape begins."""
    height, width = canvas.shape[1:]
    half, scale = np.float32(softness / 2), np.float32(max(height, width))
    masked, nothing = mask.shape[0] > 0, np.empty(0, np.float32)
    _, line, spans = scratch(width)
    vx, vy, vr = line[0], line[1], line[2]
    for n in range(vectors.shape[0] - 1, -1, -1):
        count = flatten(vectors[n], scale, vx, vy, vr)
        row, row_end = touched_rows(vy, vr, count, half, top, bottom)
        for y in range(row_end - 1, row - 1, -1):
            first, end = row_spans(vx, vy, vr, count, np.float32(y) + HALF, half, width, spans[0], spans[1])
            if first >= end:
                continue
            at -= end - first
            costs[n] += _removal_span(
                vectors[n],
                canvas[0, y, first:end],
                canvas[1, y, first:end],
                canvas[2, y, first:end],
                target[:, y, first:end],
                weight[y, first:end],
                mask[y, first:end] if masked else nothing,
                saved[:, at : at + end - first],
                through[y, first:end],
            )
    return at


@jit(parallel=True)
def removal_costs(vectors, ends, chosen, masks, blank, target, weight, softness, bands):
    """Rise of the final weighted squared error when one stroke is left out, for each stroke, exactly.

    The picture is linear in each stroke's alpha: without it, the stroke's colour is replaced by what was
    there before, as far as it shows through the later strokes. Arguments as in `objective`.

    Returns:
        The finished canvas [3, H, W] and the costs per band [bands, N].
    """
    height, width = target.shape[1:]
    half, scale = np.float32(softness / 2), np.float32(max(height, width))
    costs = np.zeros((bands, vectors.shape[0]), np.float32)
    canvas = blank.copy()
    through = np.ones((height, width), np.float32)
    for band in nb.prange(bands):
        top, bottom = band * height // bands, (band + 1) * height // bands
        saved = np.empty((SAVED, count_band(vectors, top, bottom, width, scale, half)), np.float32)
        at, start = 0, 0
        for run in range(ends.shape[0]):
            at = paint_band(
                vectors[start : ends[run]],
                canvas,
                _mask_of(run, chosen, masks),
                top,
                bottom,
                softness,
                saved,
                at,
                True,
            )
            start = ends[run]
        for run in range(ends.shape[0] - 1, -1, -1):
            start = ends[run - 1] if run > 0 else 0
            at = _removal_band(
                vectors[start : ends[run]],
                costs[band, start : ends[run]],
                canvas,
                target,
                weight,
                _mask_of(run, chosen, masks),
                top,
                bottom,
                softness,
                saved,
                at,
                through,
            )
    return canvas, costs
