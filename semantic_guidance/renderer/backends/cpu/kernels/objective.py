"""A whole painting's error with its gradient in one pass over the bands; and each stroke's worth.

One task carries its band through all segments of the painting; `renderer.render` gives the same numbers
through automatic differentiation, segment after segment.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    ONE,
    TWO,
    ZERO,
    F,
    U,
    misses,
    polyline,
    rows_touched,
)
from semantic_guidance.renderer.backends.cpu.kernels.strokes import (
    backward,
    coverages,
    forward,
    load_rows,
    opacities,
    total,
)
from semantic_guidance.renderer.backends.cpu.layout import BLOCK, GRADIENT, HEADS, NUMBERS, REMOVAL, ROUND

KEEP, ROUND_ENDS = np.int64(1), np.int64(ROUND)  # literals would make Numba compile `forward` once more


@part
def _error_rows(rows, wide, stride, plane, at, factor, work, target, weight, grad, grad_at, column):
    """Weighted squared error of a band, times `factor`; its gradient is written to `grad`."""
    for x in range(U(wide)):
        column[x] = ZERO
    double = TWO * factor
    for y in range(rows):
        weight_at = at + y * wide
        for c in range(3):
            here, wanted = (y * 3 + c) * stride, c * plane + at + y * wide
            for x in range(U(wide)):
                miss = work[U(here) + x] - target[U(wanted) + x]
                pull = weight[U(weight_at) + x] * miss
                grad[U(grad_at + here) + x] = double * pull
                column[x] += pull * miss
    whole = 0.0
    for x in range(U(wide)):
        whole += column[x]
        column[x] = ZERO
    return whole * factor


@part
def _removal_rows(
    strokes, n0, n1, costs, costs_at, work, top, bottom, wide, stride, plane, scale, softness, mask,
    mask_at, tape, steps, heads, state, seg, target, weight, shown, t, alpha, through, column,
):  # fmt: skip
    """What the error rises by without each of the strokes [n0, n1), walked in reverse.

    The picture is linear in each stroke's alpha: without it, the stroke's colour is replaced by what was
    there before, as far as it shows through the later strokes (`shown`).
    """
    half = F(softness / 2)
    at, step_at, head_at = state[0], state[1], state[2]
    for n in range(n1 - 1, n0 - 1, -1):
        if misses(strokes, n, scale, half, top, bottom):
            continue
        count = polyline(strokes, n, scale, seg)
        row, row_end = rows_touched(count, half, top, bottom, seg)
        if row >= row_end:
            continue
        vector = n * NUMBERS
        w0, growth = strokes[vector + 8], strokes[vector + 9] - strokes[vector + 8]
        leftmost, rightmost = 1 << 30, 0
        for y in range(row_end - 1, row - 1, -1):
            head_at -= HEADS
            first, end = int(heads[U(head_at)]), int(heads[U(head_at + 1)])
            a, b = int(heads[U(head_at + 2)]), int(heads[U(head_at + 3)])
            if first >= end:
                continue
            i, j = first & -BLOCK, (end + BLOCK - 1) & -BLOCK
            leftmost, rightmost = min(leftmost, i), max(rightmost, j)
            padded = (a - first + end - b + BLOCK - 1) & -BLOCK
            at -= 3 * (j - i) + 2 * padded
            step_at -= j - i
            opacities(i, j, w0, growth, steps, step_at, t, alpha)
            coverages(i, j, first, a, b, end, tape, at + 3 * (j - i), through)
            if mask_at >= 0:
                for x in range(U(first), U(end)):
                    through[x] *= mask[U(mask_at + y * wide) + x]
            row_at = (y - top) * stride
            for x in range(U(i), U(j)):
                own = alpha[x] * through[x]
                alpha[x] = shown[U(row_at) + x] * own
                shown[U(row_at) + x] *= ONE - own
            for c in range(3):
                color, under = strokes[vector + 10 + c], at + c * (j - i) - i
                here, wanted = (3 * (y - top) + c) * stride, c * plane + y * wide
                for x in range(U(first), U(end)):
                    change = alpha[x] * (tape[U(under) + x] - color)
                    miss = work[U(here) + x] - target[U(wanted) + x]
                    column[x] += weight[U(y * wide) + x] * change * (change + TWO * miss)
        if leftmost < rightmost:
            costs[costs_at + n] += total(column, leftmost, rightmost)
    state[0], state[1], state[2] = at, step_at, head_at
    return 0


@part
def band(
    mode, strokes, count, ends, chosen, masks, weights, source, target, weight, top, bottom, wide, stride,
    plane, scale, softness, out, out_at, work, pulls, tape, steps, heads, state, seg, spans, found, last,
    alpha, column, distance, place, edge_last, edge_alpha, slopes, t, through, slope, sum0, sum1, sum2,
    sum3, sum4,
):  # fmt: skip
    """One band of a painting: paint it, then walk back.

    Returns:
        The band's error (0 for removal costs), or -1 if the tape is too short.
    """
    rows, at = bottom - top, top * wide
    size = rows * 3 * stride
    load_rows(rows, wide, stride, plane, source, at, work)
    state[0] = state[1] = state[2] = 0
    start, whole, stored = 0, 0.0, 0
    runs = ends.shape[0]
    for run in range(runs):
        mask_at = chosen[run] * plane if chosen[run] >= 0 else -1
        reached = forward(
            strokes, start, ends[run], work, top, bottom, wide, stride, scale, softness, ROUND_ENDS, masks,
            mask_at, KEEP, tape, steps, heads, state, seg, spans, found, last, alpha, column, distance,
            place, edge_last, edge_alpha,
        )  # fmt: skip
        if reached < ends[run]:
            return -1.0
        start = ends[run]
        if mode == GRADIENT and weights[run] > ZERO:
            whole += _error_rows(
                rows, wide, stride, plane, at, weights[run], work, target, weight, pulls, stored * size, sum0
            )
            stored += 1
    if mode == REMOVAL:
        for x in range(U(rows * stride)):
            pulls[x] = ONE
    stored -= 1
    for run in range(runs - 1, -1, -1):
        mask_at = chosen[run] * plane if chosen[run] >= 0 else -1
        start = ends[run - 1] if run > 0 else 0
        if mode == REMOVAL:
            _removal_rows(
                strokes, start, ends[run], out, out_at, work, top, bottom, wide, stride, plane, scale,
                softness, masks, mask_at, tape, steps, heads, state, seg, target, weight, pulls, t, alpha,
                through, sum0,
            )  # fmt: skip
            continue
        if run < runs - 1 and weights[run] > ZERO:
            stored -= 1
            for x in range(U(size)):
                pulls[U(stored * size) + x] += pulls[U((stored + 1) * size) + x]
        backward(
            strokes, start, ends[run], out, out_at, pulls, stored * size, top, bottom, wide, stride, scale,
            softness, masks, mask_at, tape, steps, heads, state, seg, slopes, t, alpha, through, slope,
            sum0, sum1, sum2, sum3, sum4,
        )  # fmt: skip
    return whole
