"""The kernels that Python calls, on plain flat arrays; `layout.KERNELS` has their arguments.

Each works in bands (see `layout`) on the calling thread's scratch, which is all that is not in the table.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.brushes import brush
from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.ends import farthest
from semantic_guidance.renderer.backends.cpu.kernels.objective import band
from semantic_guidance.renderer.backends.cpu.kernels.spans import ONE, ZERO, F, I, U, rows_in_use
from semantic_guidance.renderer.backends.cpu.kernels.strokes import (
    backward,
    copy_rows,
    forward,
    load_rows,
    store_rows,
)
from semantic_guidance.renderer.backends.cpu.layout import NUMBERS, REMOVAL

NONE = np.int64(0)  # a literal would make Numba compile what it is given to once more
QUARTER = F(0.25)
# BT.709: shares of red, green and blue in the luma, and the scales of the colour differences.
RED, GREEN, BLUE = F(0.2126), F(0.7152), F(0.0722)
LUMA, BLUE_SCALE, RED_SCALE = F(219), F(224 / 1.8556), F(224 / 1.5748)


@part
def paint(
    first, step, batch, bands, count, height, wide, stride, keep, begin, ends, softness, strokes, source,
    canvas, masks, reached, tape, steps, heads, work, state, seg, spans, found, last, alpha, column,
    distance, place, edge_last, edge_alpha,
):  # fmt: skip
    """Paint `strokes` ``[B, N, 13]`` on `source` ``[B, 3, H, W]``; the result goes to `canvas`.

    Args:
        first: band to begin with, counted through all canvases.
        step: from one band to the next.
        batch: number of canvases.
        bands: of each canvas.
        count: strokes of each canvas.
        height: of a canvas.
        wide: columns of a canvas.
        stride: of `work`.
        keep: 1 to write the tape, 0 not to.
        begin: stroke to begin with in the first band: it goes on where the tape was full.
        ends: how the strokes end; without a tape, if it is not ROUND.
        softness: width of the edge in pixels.
        strokes: packed.
        source: pictures.
        canvas: of the same shape, or `source` itself.
        masks: ``[B, H, W]``, or nothing for none.
        reached: ``[5]`` becomes the next stroke of the band that is returned, the three ends of the tape,
            and the floats for which there was no room.
        tape: see `strokes.forward`, as all that follows.

    Returns:
        The number of bands, or the one in which the tape was full.
    """
    scale, plane, half = F(max(height, wide)), height * wide, F(softness / 2)
    state[0] = state[1] = state[2] = state[3] = 0
    tasks = batch * bands
    stopped = tasks
    for task in range(first, tasks, step):
        b, own = task // bands, task % bands
        top, bottom = own * height // bands, (own + 1) * height // bands
        n0, n1 = b * count, (b + 1) * count
        row, row_end = rows_in_use(strokes, n0, n1, scale, half, farthest(ends), top, bottom)
        at = 3 * b * plane
        done = begin if task == first else 0
        if done == 0:
            copy_rows(row - top, wide, plane, source, canvas, at + top * wide)
            copy_rows(bottom - row_end, wide, plane, source, canvas, at + row_end * wide)
            load_rows(row_end - row, wide, stride, plane, source, at + row * wide, work)
        done = forward(
            strokes, n0 + done, n1, work, row, row_end, wide, stride, scale, softness, ends, masks,
            b * plane if masks.shape[0] > 0 else -1, keep, tape, steps, heads, state, seg, spans, found, last,
            alpha, column, distance, place, edge_last, edge_alpha,
        ) - n0  # fmt: skip
        if done < count:
            stopped, reached[0] = task, done
            break
        store_rows(row_end - row, wide, stride, plane, work, canvas, at + row * wide)
    reached[1], reached[2], reached[3], reached[4] = state[0], state[1], state[2], state[3]
    return stopped


@part
def unpaint(
    first, step, batch, bands, count, height, wide, stride, last_task, begin, end, softness, strokes, grads,
    source, canvas, masks, reached, tape, steps, heads, work, state, seg, slopes, t, alpha, through, slope,
    sum0, sum1, sum2, sum3, sum4,
):  # fmt: skip
    """Backward of one call of `paint`, from the gradient of the painted canvas in `source`.

    The call painted the bands from `first`, stroke `begin`, to `last_task`, up to stroke `end`. Calls are
    undone in reverse on one thread, since a band may reach over several.

    Adds to `grads` ``[B, bands, N, 13]`` and writes the gradient of the canvas before painting to `canvas`,
    unless that has no room for anything; `reached` is what `paint` wrote.
    """
    scale, plane, half = F(max(height, wide)), height * wide, F(softness / 2)
    state[0], state[1], state[2] = reached[1], reached[2], reached[3]
    for task in range(last_task, first - 1, -step):
        b, own = task // bands, task % bands
        top, bottom = own * height // bands, (own + 1) * height // bands
        n0, n1 = b * count, (b + 1) * count
        row, row_end = rows_in_use(strokes, n0, n1, scale, half, ONE, top, bottom)
        at = 3 * b * plane
        start = begin if task == first else 0
        stop = end if task == last_task else count
        if stop == count:
            load_rows(row_end - row, wide, stride, plane, source, at + row * wide, work)
        backward(
            strokes, n0 + start, n0 + stop, grads, (task - b) * count * NUMBERS, work, NONE, row, row_end,
            wide, stride, scale, softness, masks, b * plane if masks.shape[0] > 0 else -1, tape, steps,
            heads, state, seg, slopes, t, alpha, through, slope, sum0, sum1, sum2, sum3, sum4,
        )  # fmt: skip
        if start == 0 and (stop > 0 or count == 0) and canvas.shape[0] > 0:
            store_rows(row_end - row, wide, stride, plane, work, canvas, at + row * wide)
            copy_rows(row - top, wide, plane, source, canvas, at + top * wide)
            copy_rows(bottom - row_end, wide, plane, source, canvas, at + row_end * wide)
    return 0


@part
def objective(
    first, step, batch, bands, count, height, wide, stride, mode, softness, strokes, ends, chosen, masks,
    weights, source, target, weight, out, errors, canvas, work, pulls, tape, steps, heads, state, seg,
    spans, found, last, alpha, column, distance, place, edge_last, edge_alpha, slopes, t, through, slope,
    sum0, sum1, sum2, sum3, sum4,
):  # fmt: skip
    """The error of a painting, band by band, and its gradient or the strokes' worth.

    Args:
        first: band to begin with.
        step: from one band to the next.
        batch: 1.
        bands: of the picture.
        count: number of strokes.
        height: of the picture.
        wide: columns of the picture.
        stride: of `work`.
        mode: GRADIENT or REMOVAL.
        softness: width of the edge in pixels.
        strokes: ``[N, 13]``.
        ends: ``[S]`` index after the last stroke of each segment.
        chosen: ``[S]`` index of its mask, negative for none.
        masks: ``[M, H, W]``.
        weights: ``[S]`` of the error after each segment; the last is above 0.
        source: ``[3, H, W]`` the canvas before the first stroke.
        target: ``[3, H, W]``.
        weight: ``[H, W]`` of the squared error.
        out: ``[bands, N, 13]`` the gradient, or ``[bands, N]`` the costs, to be added to.
        errors: ``[bands]``.
        canvas: ``[3, H, W]`` the finished picture, for removal costs.
        work: scratch, as all that follows.

    Returns:
        The number of bands, or the band for which the tape is too short: nothing of it has been added.
    """
    scale, plane = F(max(height, wide)), height * wide
    for own in range(first, bands, step):
        top, bottom = own * height // bands, (own + 1) * height // bands
        size = count if mode == REMOVAL else count * NUMBERS
        error = band(
            mode, strokes, count, ends, chosen, masks, weights, source, target, weight, top, bottom, wide,
            stride, plane, scale, softness, out, own * size, work, pulls, tape, steps, heads, state, seg,
            spans, found, last, alpha, column, distance, place, edge_last, edge_alpha, slopes, t, through,
            slope, sum0, sum1, sum2, sum3, sum4,
        )  # fmt: skip
        if error < 0:
            return own
        errors[own] = error
        if mode == REMOVAL:
            store_rows(bottom - top, wide, stride, plane, work, canvas, top * wide)
    return bands


@part
def easel(
    begin, end, height, wide, stride, ends, softness, strokes, canvas, masks, tape, steps, heads, state,
    seg, spans, found, last, alpha, column, distance, place, edge_last, edge_alpha,
):  # fmt: skip
    """Paint the strokes [`begin`, `end`) on `canvas` ``[H, 3, stride]``, in place, under one mask or none."""
    state[0] = state[1] = state[2] = 0
    return forward(
        strokes, begin, end, canvas, NONE, height, wide, stride, F(max(height, wide)), softness, ends,
        masks, NONE if masks.shape[0] > 0 else -1, NONE, tape, steps, heads, state, seg, spans, found, last,
        alpha, column, distance, place, edge_last, edge_alpha,
    )  # fmt: skip


@part
def _clamped(value):
    return min(max(value, ZERO), ONE)


@part
def yuv(
    top, bottom, left, right, height, wide, stride, luma_stride, chroma_stride, canvas, luma, blue, red
):  # fmt: skip
    """Convert a rectangle with even sides of `canvas` ``[H, 3, stride]`` to limited-range BT.709 4:2:0 bytes.

    Args:
        top: first row, as `bottom`, `left` and `right` even; beyond the canvas its last row and column are
            repeated, for which there is room.
        height: of the canvas.
        wide: columns of the canvas.
        stride: of the canvas.
        luma_stride: bytes of a row of `luma`.
        chroma_stride: bytes of a row of `blue` and of `red`.
        canvas: may be less than 0 or more than 1.
        luma: plane of bytes.
        blue: blue-difference plane, of half the rows and columns.
        red: red-difference plane.
    """
    for x in range(wide, right):
        for row in range(3 * top, 3 * min(bottom, height)):
            canvas[row * stride + x] = canvas[row * stride + wide - 1]
    for y in range(height, bottom):
        for x in range(3 * stride):
            canvas[3 * y * stride + x] = canvas[3 * (height - 1) * stride + x]
    for y in range(top, bottom):
        r, to = 3 * y * stride, y * luma_stride
        g, b = r + stride, r + 2 * stride
        for x in range(U(left), U(right)):
            light = RED * _clamped(canvas[U(r) + x]) + GREEN * _clamped(canvas[U(g) + x])
            light += BLUE * _clamped(canvas[U(b) + x])
            luma[U(to) + x] = np.uint8(I(F(16.5) + LUMA * light))
    for y in range(top, bottom, 2):
        r, to, below = 3 * y * stride, y // 2 * chroma_stride, 3 * stride
        for half in range(U(left // 2), U(right // 2)):
            x = half + half
            total_red = total_green = total_blue = ZERO
            for dy in range(2):
                at = U(r + dy * below)
                total_red += _clamped(canvas[at + x]) + _clamped(canvas[at + x + U(1)])
                at += U(stride)
                total_green += _clamped(canvas[at + x]) + _clamped(canvas[at + x + U(1)])
                at += U(stride)
                total_blue += _clamped(canvas[at + x]) + _clamped(canvas[at + x + U(1)])
            light = RED * total_red + GREEN * total_green + BLUE * total_blue
            blue[U(to) + half] = np.uint8(I(F(128.5) + BLUE_SCALE * QUARTER * (total_blue - light)))
            red[U(to) + half] = np.uint8(I(F(128.5) + RED_SCALE * QUARTER * (total_red - light)))
    return 0


ENTRIES = {
    "paint": paint,
    "unpaint": unpaint,
    "objective": objective,
    "easel": easel,
    "yuv": yuv,
    "brush": brush,
}
