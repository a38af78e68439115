"""The compiled CPU renderer: a band of rows of one canvas, all its strokes in order, forward and backward.

The canvas is cut into horizontal bands. Bands share nothing: no locks, and the same result for any number of
threads. A band is painted in `work`, flat ``[rows, 3, stride]``, whose rows are whole blocks of columns.

For the backward pass the forward one keeps a tape. Per stroke and row it has the span (`heads`: first and
last column of it and of what is surely covered), the number of the deciding disc (`steps`), the colours
beneath, and coverage and nearest place of the edge pixels (`tape`). The backward pass walks the strokes in
reverse. Sums over a stroke's pixels are taken by column first, which vectorises and rounds the same on every
machine.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.coverage import (
    STEPS,
    edge_alphas,
    inner_alphas,
    measure_edges,
    settle,
    spread_edges,
)
from semantic_guidance.renderer.backends.cpu.kernels.ends import (
    half_about,
    margin_within,
    segments_near_end,
    segments_near_start,
    widen_ends,
)
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    HALF,
    ONE,
    TINY,
    TWO,
    ZERO,
    F,
    I,
    U,
    X,
    Y,
    columns_touched,
    inside_spans,
    misses,
    polyline,
    row_span,
    rows_touched,
    segments,
    touched_spans,
)
from semantic_guidance.renderer.backends.cpu.layout import BLOCK, HEADS, NUMBERS, STRIDE


@part
def load_rows(rows, wide, stride, plane, source, at, work):
    """Copy rows of a picture ``[3, H, W]`` from place `at` of the flat `source` to `work`."""
    for y in range(rows):
        for c in range(3):
            to, place = (y * 3 + c) * stride, at + c * plane + y * wide
            for x in range(U(wide)):
                work[U(to) + x] = source[U(place) + x]


@part
def store_rows(rows, wide, stride, plane, work, target, at):
    """Inverse of `load_rows`."""
    for y in range(rows):
        for c in range(3):
            place, to = (y * 3 + c) * stride, at + c * plane + y * wide
            for x in range(U(wide)):
                target[U(to) + x] = work[U(place) + x]


@part
def copy_rows(rows, wide, plane, source, target, at):
    """Copy rows of a picture to another one as they are."""
    for c in range(3):
        for x in range(U(at + c * plane), U(at + c * plane + rows * wide)):
            target[x] = source[x]


@part
def _times(first, end, values, mask, row):
    for x in range(U(first), U(end)):
        values[x] *= mask[U(row) + x]


@part
def _composite(i, j, color, alpha, work, row):
    for x in range(U(i), U(j)):
        work[U(row) + x] += alpha[x] * (color - work[U(row) + x])


@part
def _composite_and_keep(i, j, color, alpha, work, row, tape, at):
    for x in range(U(0), U(j - i)):
        under = work[U(row + i) + x]
        tape[U(at) + x] = under
        work[U(row + i) + x] = under + alpha[U(i) + x] * (color - under)


@part
def _row_alphas(
    count, y, half, margin, sharpness, width, ends, far0, far1, w0, growth, seg, spans, found, last, alpha,
    column, distance, place, edge_last, edge_alpha,
):  # fmt: skip
    """Alpha and the deciding disc's number of the pixels of the row at height `y`, in whole blocks.

    Writes the row's span, and what of it is surely covered, to `found`; coverage and nearest place of the
    edge pixels to `distance` and `place`.

    Returns:
        The number of edge pixels.
    """
    touched_spans(count, y, half, width, seg, spans)
    inside_spans(count, y, margin, width, seg, spans)
    row_span(count, spans, found)
    first, end, a, b = found[0], found[1], found[2], found[3]
    if first >= end:
        return 0
    if a < b and settle(count, y, a, b, seg, spans, last) > 0:
        a = b = end  # what is not settled goes the long way
        found[2] = found[3] = end
    inverse = ONE / F(count)
    if a < b:
        inner_alphas(a & -BLOCK, (b + BLOCK - 1) & -BLOCK, inverse, w0, growth, last, alpha)
    for x in range(U(first & -BLOCK), U(first)):
        alpha[x] = ZERO
        last[x] = ZERO
    for x in range(U(end), U((end + BLOCK - 1) & -BLOCK)):
        alpha[x] = ZERO
        last[x] = ZERO
    number = measure_edges(
        count, y, first, end, a, b, ends, far0, far1, seg, spans, column, distance, place, edge_last
    )
    padded = (number + BLOCK - 1) & -BLOCK
    edge_alphas(padded, inverse, sharpness, w0, growth, distance, place, edge_last, edge_alpha)
    spread_edges(number, a - first, first, b, edge_last, edge_alpha, last, alpha)
    return number


@part
def forward(
    strokes, n0, n1, work, top, bottom, wide, stride, scale, softness, ends, mask, mask_at, keep, tape,
    steps, heads, state, seg, spans, found, last, alpha, column, distance, place, edge_last, edge_alpha,
):  # fmt: skip
    """Paint the strokes [n0, n1) on the rows [top, bottom).

    Args:
        strokes: flat ``[N, 13]``.
        n0: first stroke.
        n1: stroke after the last.
        work: the band's canvas.
        top: first row.
        bottom: row after the last.
        wide: columns of the canvas.
        stride: of `work`.
        scale: pixels of the canvas's longer side.
        softness: width of the edge in pixels.
        ends: how the strokes end; only round ones can be kept on the tape.
        mask: flat masks.
        mask_at: where the mask ``[H, W]`` begins in it; negative for none.
        keep: 1 to write the tape, 0 not to.
        tape: floats of the tape, with `steps` and `heads` of the other kinds.
        state: ends of the three, which go on; and, where the tape is too short, the floats that the next
            stroke needs.
        seg: scratch, as all that follows.

    Returns:
        `n1`, or the stroke before which the tape might become too long.
    """
    half, sharpness = F(softness / 2), F(1 / softness)
    width = F(wide)
    at, step_at, head_at = state[0], state[1], state[2]
    for n in range(n0, n1):
        about = half_about(strokes, n, scale, half, ends)
        if misses(strokes, n, scale, about, top, bottom):
            continue
        count = polyline(strokes, n, scale, seg)
        row, row_end = rows_touched(count, about, top, bottom, seg)
        if row >= row_end:
            continue
        tall = row_end - row
        if keep != 0:
            columns = columns_touched(count, half, wide, seg)
            if (
                at + tall * 5 * columns > tape.shape[0]
                or step_at + tall * columns > steps.shape[0]
                or head_at + tall * HEADS > heads.shape[0]
            ):
                state[0], state[1], state[2], state[3] = at, step_at, head_at, tall * 5 * columns
                return n
        segments(count, seg)
        widen_ends(count, half, ends, seg)
        margin = margin_within(count, half, ends, seg)
        far0, far1 = segments_near_start(count, ends, seg), segments_near_end(count, ends, seg)
        vector = n * NUMBERS
        w0, growth = strokes[vector + 8], strokes[vector + 9] - strokes[vector + 8]
        for y in range(row, row_end):
            number = _row_alphas(
                count, F(y) + HALF, half, margin, sharpness, width, ends, far0, far1, w0, growth, seg,
                spans, found, last, alpha, column, distance, place, edge_last, edge_alpha,
            )  # fmt: skip
            first, end = found[0], found[1]
            if keep != 0:
                for k in range(HEADS):
                    heads[U(head_at + k)] = I(found[k])
                head_at += HEADS
            if first >= end:
                continue
            i, j = first & -BLOCK, (end + BLOCK - 1) & -BLOCK
            if mask_at >= 0:
                _times(first, end, alpha, mask, mask_at + y * wide)
            row_at = (y - top) * 3 * stride
            if keep == 0:
                for c in range(3):
                    _composite(i, j, strokes[vector + 10 + c], alpha, work, row_at + c * stride)
                continue
            for x in range(U(j - i)):
                steps[U(step_at) + x] = np.uint8(I(last[U(i) + x]))
            step_at += j - i
            for c in range(3):
                color = strokes[vector + 10 + c]
                _composite_and_keep(i, j, color, alpha, work, row_at + c * stride, tape, at)
                at += j - i
            padded = (number + BLOCK - 1) & -BLOCK
            for k in range(U(padded)):
                tape[U(at) + k] = distance[k]
                tape[U(at + padded) + k] = place[k]
            at += 2 * padded
    state[0], state[1], state[2] = at, step_at, head_at
    return n1


@part
def opacities(i, j, w0, growth, steps, at, t, alpha):
    """The deciding disc's parameter and opacity of the columns [i, j), from the tape."""
    for x in range(U(0), U(j - i)):
        part_of_curve = F(steps[U(at) + x]) / STEPS
        t[U(i) + x] = part_of_curve
        alpha[U(i) + x] = w0 + part_of_curve * growth


@part
def coverages(i, j, first, a, b, end, tape, at, through):
    """Coverage of the columns [i, j), from the tape: 1 in [a, b), that of the edge pixels beside it."""
    left = a - first
    number = left + end - b
    for x in range(U(i), U(j)):
        through[x] = ZERO
    for x in range(U(a), U(b)):
        through[x] = ONE
    for k in range(left):
        through[U(first + k)] = tape[U(at + k)]
    for k in range(left, number):
        through[U(b + k - left)] = tape[U(at + k)]


@part
def _slope(i, j, anew, color, grad, row, tape, at, slope):
    """Gradient by alpha of one colour plane, written or added."""
    if anew:
        for x in range(U(0), U(j - i)):
            slope[U(i) + x] = grad[U(row + i) + x] * (color - tape[U(at) + x])
    else:
        for x in range(U(0), U(j - i)):
            slope[U(i) + x] += grad[U(row + i) + x] * (color - tape[U(at) + x])


@part
def _sum_opacity(i, j, slope, through, t, whole, late):
    for x in range(U(i), U(j)):
        s = slope[x] * through[x]
        whole[x] += s
        late[x] += s * t[x]


@part
def _pull(i, j, alpha, grad, row, total):
    """Gradient by the stroke's colour, and the one of the canvas below it."""
    for x in range(U(i), U(j)):
        g = grad[U(row) + x]
        a = alpha[x]
        total[x] += a * g
        grad[U(row) + x] = g * (ONE - a)


@part
def _move_edges(number, left, first, b, count, y, sharpness, tape, at, places, slope, seg, slopes):
    """Carry the gradient of the coverage of edge pixels to the polyline's vertices."""
    for k in range(number):
        coverage = tape[U(at + k)]
        if coverage <= ZERO or coverage >= ONE:
            continue
        place = tape[U(places + k)]
        i = first + k if k < left else b + k - left
        s = min(int(place), count - 1)
        t = place - F(s)
        ax, ay = seg[U(X * STRIDE + s)], seg[U(Y * STRIDE + s)]
        px = F(i) + HALF - ax - t * (seg[U(X * STRIDE + s + 1)] - ax)
        py = y - ay - t * (seg[U(Y * STRIDE + s + 1)] - ay)
        g = slope[U(i)] * sharpness  # of (radius - distance to the centre)
        away = ONE / np.sqrt(max(px * px + py * py, TINY))
        nx, ny = g * px * away, g * py * away
        slopes[U(s)] += (ONE - t) * nx
        slopes[U(s + 1)] += t * nx
        slopes[U(STRIDE + s)] += (ONE - t) * ny
        slopes[U(STRIDE + s + 1)] += t * ny
        slopes[U(2 * STRIDE + s)] += (ONE - t) * g
        slopes[U(2 * STRIDE + s + 1)] += t * g


@part
def _gather(slopes, count, scale, grads, at):
    """Carry gradients from the polyline's vertices to control points and radii."""
    for j in range(count + 1):
        t = F(j) / F(count)
        u = ONE - t
        w0, w1, w2 = u * u * scale, TWO * t * u * scale, t * t * scale
        gx, gy, gr = slopes[U(j)], slopes[U(STRIDE + j)], slopes[U(2 * STRIDE + j)]
        grads[at] += w0 * gx
        grads[at + 1] += w0 * gy
        grads[at + 2] += w1 * gx
        grads[at + 3] += w1 * gy
        grads[at + 4] += w2 * gx
        grads[at + 5] += w2 * gy
        grads[at + 6] += u * scale * gr
        grads[at + 7] += t * scale * gr
        slopes[U(j)] = slopes[U(STRIDE + j)] = slopes[U(2 * STRIDE + j)] = ZERO


@part
def total(values, i, j):
    """Sum of the columns [i, j), which are set back to 0."""
    whole = ZERO
    for x in range(U(i), U(j)):
        whole += values[x]
        values[x] = ZERO
    return whole


@part
def backward(
    strokes, n0, n1, grads, grads_at, grad, grad_at, top, bottom, wide, stride, scale, softness, mask,
    mask_at, tape, steps, heads, state, seg, slopes, t, alpha, through, slope, sum0, sum1, sum2, sum3, sum4,
):  # fmt: skip
    """Backward of `forward`, from the ends of the tape in `state`, which become its beginnings.

    Adds to `grads`, flat ``[N, 13]`` from `grads_at` on, and turns the band's rows in `grad`, from `grad_at`
    on, into the gradient of the canvas before painting.
    """
    half, sharpness = F(softness / 2), F(1 / softness)
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
            first, end = np.int64(heads[U(head_at)]), np.int64(heads[U(head_at + 1)])
            a, b = np.int64(heads[U(head_at + 2)]), np.int64(heads[U(head_at + 3)])
            if first >= end:
                continue
            i, j = first & -BLOCK, (end + BLOCK - 1) & -BLOCK
            leftmost, rightmost = min(leftmost, i), max(rightmost, j)
            left = a - first
            number = left + end - b
            padded = (number + BLOCK - 1) & -BLOCK
            at -= 3 * (j - i) + 2 * padded
            step_at -= j - i
            edges = at + 3 * (j - i)
            opacities(i, j, w0, growth, steps, step_at, t, alpha)
            coverages(i, j, first, a, b, end, tape, edges, through)
            if mask_at >= 0:
                _times(first, end, through, mask, mask_at + y * wide)
            row_at = grad_at + (y - top) * 3 * stride
            for c in range(3):
                color = strokes[vector + 10 + c]
                _slope(i, j, c == 0, color, grad, row_at + c * stride, tape, at + c * (j - i), slope)
            _sum_opacity(i, j, slope, through, t, sum0, sum1)
            for x in range(U(i), U(j)):
                slope[x] *= alpha[x]
                alpha[x] *= through[x]
            if mask_at >= 0:
                _times(first, end, slope, mask, mask_at + y * wide)
            _pull(i, j, alpha, grad, row_at, sum2)
            _pull(i, j, alpha, grad, row_at + stride, sum3)
            _pull(i, j, alpha, grad, row_at + 2 * stride, sum4)
            _move_edges(
                number, left, first, b, count, F(y) + HALF, sharpness, tape, edges, edges + padded, slope,
                seg, slopes
            )  # fmt: skip
        if leftmost < rightmost:
            own = grads_at + vector
            _gather(slopes, count, scale, grads, own)
            whole, late = total(sum0, leftmost, rightmost), total(sum1, leftmost, rightmost)
            grads[own + 8] += whole - late
            grads[own + 9] += late
            grads[own + 10] += total(sum2, leftmost, rightmost)
            grads[own + 11] += total(sum3, leftmost, rightmost)
            grads[own + 12] += total(sum4, leftmost, rightmost)
    state[0], state[1], state[2] = at, step_at, head_at
    return 0
