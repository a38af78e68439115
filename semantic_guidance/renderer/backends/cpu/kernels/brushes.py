"""The compiled brushes: strokes with texture, height and grain, band by band as in `strokes`.

Each brush is one function that turns a pixel's coordinates on a stroke into alpha, pigment and height.
Lengths are in pixels; `unit` is the length of a fine detail of the surface.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.brush_fields import (
    hashed,
    lengths_along,
    measure_row,
    noise,
    smooth_step,
)
from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    HALF,
    ONE,
    TWO,
    ZERO,
    F,
    R,
    polyline,
    rows_touched,
    segments,
    touched_spans,
    whole_span,
)
from semantic_guidance.renderer.backends.cpu.layout import (
    NUMBERS,
    OIL,
    PENCIL,
    PICTURE,
    STRIDE,
    WATERCOLOR,
)


@part
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


@part
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


@part
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


@part
def _sampled(levels, number, height, width, s, v, r, length, ends):
    """The person's brush picture, stretched over the stroke from end to end. Alpha, pigment, height."""
    whole = length + ends
    across = (v / max(r, F(0.3)) + ONE) * HALF * F(height) - HALF
    course = (s + ends * HALF) / max(whole, F(0.6)) * F(width) - HALF
    if across < -HALF or across > F(height) - HALF or course < -HALF or course > F(width) - HALF:
        return ZERO, ONE, ZERO
    shrink = F(height) / max(TWO * r, ONE)
    level = 0
    while level < number - 1 and shrink > F(1.5):
        shrink *= HALF
        level += 1
    across, course = max(across, ZERO), max(course, ZERO)
    i, j = min(int(across), height - 1), min(int(course), width - 1)
    u, w = across - F(i), course - F(j)
    here, below = (level * height + i) * width, (level * height + min(i + 1, height - 1)) * width
    after = min(j + 1, width - 1)
    top = levels[here + j] * (ONE - w) + levels[here + after] * w
    bottom = levels[below + j] * (ONE - w) + levels[below + after] * w
    return top * (ONE - u) + bottom * u, ONE, ZERO


@part
def brush_row(
    style, strokes, vector, y, first, end, length, ends, distance, course, across, radius, canvas, row_at,
    plane, masks, mask_at, grain, grain_at, levels, levels_count, levels_height, levels_wide, unit, seed,
):  # fmt: skip
    """Paint one row of the stroke at `vector` on the four planes of `canvas`: red, green, blue and height."""
    w0, growth = strokes[vector + 8], strokes[vector + 9] - strokes[vector + 8]
    red, green, blue = strokes[vector + 10], strokes[vector + 11], strokes[vector + 12]
    dark = ONE - (F(0.3) * red + F(0.59) * green + F(0.11) * blue)
    for i in range(first, end):
        d, s, v, r = distance[i], course[i], across[i], radius[i]
        if d > r * HALF + F(12) * unit:
            continue
        tooth = grain[grain_at + i] if grain_at >= 0 else ZERO
        if style == OIL:
            alpha, density, rise = _oil(d, s, v, r, length, unit, seed)
        elif style == WATERCOLOR:
            alpha, density, rise = _watercolor(d, F(i), y, r, unit, seed, tooth)
        elif style == PENCIL:
            alpha, density, rise = _pencil(d, s, v, F(i), y, r, unit, seed, tooth, dark)
        else:
            alpha, density, rise = _sampled(
                levels, levels_count, levels_height, levels_wide, s, v, r, length, ends
            )
        t = min(max(s / max(length, F(1e-3)), ZERO), ONE)
        alpha *= w0 + t * growth
        if mask_at >= 0:
            alpha *= masks[mask_at + i]
        if alpha <= F(0.002):
            continue
        for channel in range(3):
            color = strokes[vector + 10 + channel]
            if density != ONE:
                color = max(color, F(0.02)) ** density
            at = row_at + channel * plane + i
            canvas[at] += alpha * (color - canvas[at])
        at = row_at + 3 * plane + i
        canvas[at] += alpha * (rise - F(0.8) * canvas[at])


@part
def brush(
    first, step, bands, count, height, wide, style, begin, seed, levels_count, levels_height, levels_wide,
    unit, strokes, canvas, masks, grain, levels, seg, spans, distance, column, place, through,
):  # fmt: skip
    """Paint with a textured brush, in place.

    Args:
        first: band to begin with.
        step: from one band to the next.
        bands: of rows.
        count: number of strokes.
        height: of the canvas.
        wide: columns of the canvas.
        style: OIL, WATERCOLOR, PENCIL or PICTURE.
        begin: number of the first of the strokes in the painting; each has its own texture.
        seed: of all texture.
        levels_count: smoothings of the brush picture, each `levels_height` x `levels_wide`.
        unit: pixels of a fine detail.
        strokes: ``[N, 13]``.
        canvas: ``[4, H, W]`` red, green, blue, and height of the paint.
        masks: ``[H, W]`` where the strokes show, or nothing for everywhere.
        grain: ``[H, W]`` the paper's tooth in [0, 1], or nothing for brushes without one.
        levels: of the brush picture, for PICTURE.
        seg: scratch, as all that follows.
    """
    scale, plane, fine = F(max(height, wide)), height * wide, F(unit)
    for band in range(first, bands, step):
        top, bottom = band * height // bands, (band + 1) * height // bands
        for n in range(count):
            number = polyline(strokes, n, scale, seg)
            length = lengths_along(number, seg)
            own = int(hashed(begin + n, 0, seed) * F(2**30))
            r0, r1 = seg[R * STRIDE], seg[R * STRIDE + number]
            thick = max(r0, r1)
            margin = F(0.45) * thick if style == PICTURE else min(F(0.4) * thick, F(8) * fine)
            margin += F(2) * fine
            row, row_end = rows_touched(number, margin, top, bottom, seg)
            if row >= row_end:
                continue
            segments(number, seg)
            for y in range(row, row_end):
                middle = F(y) + HALF
                touched_spans(number, middle, margin, F(wide), seg, spans)
                left, right = whole_span(number, spans)
                if left >= right:
                    continue
                measure_row(number, seg, spans, middle, left, right, distance, column, place, through)
                brush_row(
                    style, strokes, n * NUMBERS, middle, left, right, length, r0 + r1, distance, column,
                    place, through, canvas, y * wide, plane, masks,
                    y * wide if masks.shape[0] > 0 else -1, grain,
                    y * wide if grain.shape[0] > 0 else -1, levels, levels_count, levels_height,
                    levels_wide, fine, own,
                )  # fmt: skip
    return 0
