"""The compiled brushes: strokes with texture, height and grain, band by band as in `kernel`.

Each brush is one function that turns a pixel's coordinates on a stroke into alpha, pigment and height.
Lengths are in pixels; `unit` is the length of a fine detail of the surface.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from semantic_guidance.renderer.backends.cpu.brush_fields import (
    hashed,
    lengths_along,
    measure_row,
    noise,
    smooth_step,
)
from semantic_guidance.renderer.backends.cpu.compile import jit
from semantic_guidance.renderer.backends.cpu.geometry import (
    HALF,
    ONE,
    TWO,
    ZERO,
    flatten,
    row_spans,
    scratch,
    touched_rows,
)
from semantic_guidance.renderer.definition import MAX_SEGMENTS

OIL, WATERCOLOR, PENCIL, PICTURE = 0, 1, 2, 3
F = np.float32


@jit()
def _oil(d, s, v, r, length, unit, seed):
    """Bristles: streaks along the stroke, ragged ends, ridges at the sides. Alpha, pigment, height."""
    width = max(F(1.8) * unit, F(1.5))
    fine = noise(v / width, s / (F(22) * width), seed)
    tuft = noise(v / (F(3.3) * width), s / (F(40) * width), seed + 1)
    bristle = F(0.6) * fine + F(0.4) * tuft
    ends = F(0.65) * noise(v / (F(7) * width), F(0.5), seed + 2)
    ends += F(0.35) * noise(v / (F(2) * width), F(0.5), seed + 4)
    wave = noise(s / (F(5) * width), F(9.5) if v > ZERO else F(0.5), seed + 3)
    d += (wave - F(0.35)) * min(F(0.3) * r, F(2.6) * unit)
    d = max(d, -s - r * (F(0.25) + F(0.6) * ends))
    d = max(d, s - length - r * (F(0.1) + F(0.85) * ends))
    coverage = min(max(HALF - d, ZERO), ONE)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    course = min(max((s + r) / (length + TWO * r), ZERO), ONE)
    dry = F(-0.25) + F(0.62) * course * course
    paint = smooth_step(dry - F(0.12), dry + F(0.12), bristle)
    side = ONE - min(max(max(-s, s - length) / r, ZERO), ONE)  # none at the ends: the paint runs out there
    ridge = side * np.exp(-(((d + F(1.6) * width) / (F(1.1) * width)) ** 2))
    height = F(0.25) + F(0.85) * bristle + F(0.45) * min(r / (F(9) * unit), ONE) * ridge
    return coverage * (F(0.3) + F(0.7) * paint), ONE + F(0.16) * (HALF - bristle), height * paint


@jit()
def _watercolor(d, x, y, r, unit, seed, grain):
    """A wash: a wandering edge with pigment gathered at it, granulation, slow changes.

    Returns alpha, pigment, height.
    """
    wide = min(F(0.5) * r, F(10) * unit)
    coarse = noise(x / (F(16) * unit), y / (F(16) * unit), seed) - HALF
    small = noise(x / (F(5) * unit), y / (F(5) * unit), seed + 1) - HALF
    d += wide * (coarse + F(0.5) * small) + (grain - HALF) * F(1.6) * unit
    wet = hashed(seed, 7, 11)
    soft = max(F(1.5) * unit, ONE) + (F(0.3) * r if wet > F(0.6) else ZERO)
    coverage = smooth_step(-HALF, HALF, -d / soft)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    edge = np.exp(min(d, ZERO) / (F(2.4) * unit)) * (F(0.15) if wet > F(0.6) else F(0.6))
    slow = noise(x / (F(60) * unit), y / (F(60) * unit), seed + 2) - HALF
    density = F(0.92) + edge + F(0.5) * slow + F(0.3) * coarse + F(0.4) * (HALF - grain)
    return F(0.92) * coverage, max(density, F(0.2)), ZERO


@jit()
def _pencil(d, s, v, x, y, r, unit, seed, grain, dark):
    """Hatching whose lines break on the paper's tooth: wide strokes in the hand's direction, thin ones along.

    Returns alpha, pigment, height.
    """
    gap = max(F(3.2) * unit, F(2.8)) * (F(0.85) + F(0.3) * hashed(seed, 1, 1))
    reach = F(0)
    if r > F(2.2) * gap:
        angle = F(-0.95) + F(0.7) * (hashed(seed, 4, 4) - HALF)
        ux, uy = np.cos(angle), np.sin(angle)
        s, v = x * ux + y * uy, y * ux - x * uy
        reach = min(F(0.5) * r, F(7) * unit)
    wander = F(1.0) * (noise(s / (F(50) * unit), v / (F(14) * unit), seed) - HALF)
    line = v / gap + wander + hashed(seed, 2, 2)
    number = int(np.floor(line))
    away = abs(line - F(number) - HALF) * TWO  # 0 on the line, 1 between two
    d += (hashed(number, 3, seed) - F(0.35)) * reach
    coverage = min(max(HALF - d / (F(1.5) * unit), ZERO), ONE)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    press = F(0.78) + F(0.3) * dark + F(0.25) * (hashed(number, 5, seed) - HALF)
    press += F(0.3) * (noise(s / (F(22) * unit), F(number) + HALF, seed + 1) - HALF)
    tone = press - F(0.8) * away * away
    drawn = smooth_step(grain - F(0.35), grain + F(0.25), tone)
    smear = F(0.10) + F(0.3) * dark
    return coverage * (smear + (F(0.96) - smear) * drawn), ONE, ZERO


@jit()
def _sampled(levels, s, v, r, length, ends):
    """The person's brush picture, stretched over the stroke from end to end. Alpha, pigment, height."""
    height, width = levels.shape[1:]
    whole = length + ends
    across = (v / max(r, F(0.3)) + ONE) * HALF * F(height) - HALF
    course = (s + ends * HALF) / max(whole, F(0.6)) * F(width) - HALF
    if across < -HALF or across > F(height) - HALF or course < -HALF or course > F(width) - HALF:
        return ZERO, ONE, ZERO
    shrink = F(height) / max(TWO * r, ONE)
    level = 0
    while level < levels.shape[0] - 1 and shrink > F(1.5):
        shrink *= HALF
        level += 1
    across, course = max(across, ZERO), max(course, ZERO)
    i, j = min(int(across), height - 1), min(int(course), width - 1)
    u, w = across - F(i), course - F(j)
    below, after = min(i + 1, height - 1), min(j + 1, width - 1)
    top = levels[level, i, j] * (ONE - w) + levels[level, i, after] * w
    bottom = levels[level, below, j] * (ONE - w) + levels[level, below, after] * w
    return top * (ONE - u) + bottom * u, ONE, ZERO


@jit()
def _brush_row(style, vector, y, first, end, length, row, planes, mask, grain, levels, unit, seed, ends):
    """Paint one row of one stroke on `planes` [4, W]: red, green, blue and height."""
    w0, growth = vector[8], vector[9] - vector[8]
    dark = ONE - (F(0.3) * vector[10] + F(0.59) * vector[11] + F(0.11) * vector[12])
    for i in range(first, end):
        if row[0, i] > row[3, i] * HALF + F(12) * unit:
            continue
        d, s, v, r = row[0, i], row[1, i], row[2, i], row[3, i]
        if style == OIL:
            alpha, density, rise = _oil(d, s, v, r, length, unit, seed)
        elif style == WATERCOLOR:
            alpha, density, rise = _watercolor(d, F(i), y, r, unit, seed, grain[i])
        elif style == PENCIL:
            alpha, density, rise = _pencil(d, s, v, F(i), y, r, unit, seed, grain[i], dark)
        else:
            alpha, density, rise = _sampled(levels, s, v, r, length, ends)
        t = min(max(s / max(length, F(1e-3)), ZERO), ONE)
        alpha *= w0 + t * growth
        if mask.shape[0] > 0:
            alpha *= mask[i]
        if alpha <= F(0.002):
            continue
        for channel in range(3):
            color = vector[10 + channel]
            if density != ONE:
                color = max(color, F(0.02)) ** density
            planes[channel, i] += alpha * (color - planes[channel, i])
        planes[3, i] += alpha * (rise - F(0.8) * planes[3, i])


@jit(parallel=True)
def paint(style, vectors, begin, seed, state, mask, grain, levels, unit, bands):
    """Paint `vectors` [N, 13] on `state` [4, H, W] (red, green, blue, height) in place.

    Args:
        style: OIL, WATERCOLOR, PENCIL or PICTURE.
        vectors: packed strokes.
        begin: number of the first of them in the painting; each stroke has its own texture.
        seed: of all texture.
        state: the picture and how high the paint stands.
        mask: [H, W] where the strokes show, or [0, 0] for everywhere.
        grain: [H, W] the paper's tooth in [0, 1]; [1, 1] for brushes without one.
        levels: [L, h, w] the brush picture, each level smoother than the one before; for PICTURE.
        unit: pixels of a fine detail.
        bands: of rows, each painted by one task.
    """
    height, width = state.shape[1:]
    scale = F(max(height, width))
    for band in nb.prange(bands):
        top, bottom = band * height // bands, (band + 1) * height // bands
        _, line, spans = scratch(1)
        vx, vy, vr = line[0], line[1], line[2]
        along = np.empty(MAX_SEGMENTS + 1, np.float32)
        row = np.empty((4, width), np.float32)
        nothing = np.empty(0, np.float32)
        for n in range(vectors.shape[0]):
            count = flatten(vectors[n], scale, vx, vy, vr)
            length = lengths_along(vx, vy, count, along)
            own = int(hashed(begin + n, 0, seed) * F(2**30))
            thick = max(vr[0], vr[count])
            margin = F(0.45) * thick if style == PICTURE else min(F(0.4) * thick, F(8) * unit)
            margin += F(2) * unit
            from_y, to_y = touched_rows(vy, vr, count, margin, top, bottom)
            for y in range(from_y, to_y):
                middle = F(y) + HALF
                first, end = row_spans(vx, vy, vr, count, middle, margin, width, spans[0], spans[1])
                if first >= end:
                    continue
                measure_row(vx, vy, vr, count, along, middle, first, end, spans[0], spans[1], row)
                _brush_row(
                    style,
                    vectors[n],
                    middle,
                    first,
                    end,
                    length,
                    row,
                    state[:, y],
                    mask[y] if mask.shape[0] > 0 else nothing,
                    grain[y] if grain.shape[0] > 1 else nothing,
                    levels,
                    unit,
                    own,
                    vr[0] + vr[count],
                )
