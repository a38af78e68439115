"""The compiled brushes: strokes with texture, height and grain, band by band as in `strokes`.

`brush_styles` has the brushes: each is one function of a pixel's coordinates on a stroke.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.brush_fields import (
    hashed,
    lengths_along,
    measure_row,
    smooth_step,
)
from semantic_guidance.renderer.backends.cpu.kernels.brush_styles import (
    gouache,
    ink,
    knife,
    oil,
    pencil,
    sampled,
    watercolor,
)
from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.ends import farthest
from semantic_guidance.renderer.backends.cpu.kernels.spans import (
    HALF,
    ONE,
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
    GOUACHE,
    INK,
    KNIFE,
    NUMBERS,
    OIL,
    PENCIL,
    PICTURE,
    STRIDE,
    WATERCOLOR,
)

ALIKE, UNLIKE = F(0.05), F(0.2)
"""Paint that changes a channel by less is of one kin with what is beneath, by more not at all."""


@part
def _own_seed(strokes, vector, seed, keys, n):
    """The seed of a stroke's texture: by key, or by place: then one that covers it has its ends."""
    if keys.shape[0] > 0:
        return int(hashed(int(keys[n]), 2, int(seed)) * F(2**30))
    own = int(seed)
    for k in range(6):
        own = int(hashed(int(np.floor(strokes[vector + k] * F(65536))), k, own) * F(2**30))
    return own


@part
def _middle(strokes, at):
    """One coordinate of a curve's middle, of which the first control point's is at `at`."""
    return F(0.25) * (strokes[at] + strokes[at + 2]) + F(0.25) * (strokes[at + 2] + strokes[at + 4])


@part
def _kin(red, green, blue, alpha, canvas, at, plane):
    """How alike paint and what is beneath it are: 1 for one colour, 0 for two."""
    apart = max(
        max(abs(red - canvas[at]), abs(green - canvas[at + plane])), abs(blue - canvas[at + 2 * plane])
    )
    return ONE - smooth_step(ALIKE, UNLIKE, alpha * apart)


@part
def brush_row(
    style, strokes, vector, x0, y, first, end, length, ends, thick, distance, course, across, radius, canvas,
    row_at, plane, masks, mask_at, grain, grain_at, levels, levels_count, levels_height, levels_wide, unit,
    bristle, dry, load, seed, place,
):  # fmt: skip
    """Paint one row of the stroke at `vector` on the four planes of `canvas`: red, green, blue and height.

    Texture that does not run along the stroke is measured from column `x0`; `y` is the row on that plane.
    """
    w0, growth = strokes[vector + 8], strokes[vector + 9] - strokes[vector + 8]
    red, green, blue = strokes[vector + 10], strokes[vector + 11], strokes[vector + 12]
    dark = ONE - (F(0.3) * red + F(0.59) * green + F(0.11) * blue)
    for i in range(first, end):
        d, s, v, r = distance[i], course[i], across[i], radius[i]
        if d > r * HALF + F(12) * unit + ONE:
            continue
        tooth = grain[grain_at + i] if grain_at >= 0 else ZERO
        t = min(max(s / max(length, F(1e-3)), ZERO), ONE)
        shine = w0 + t * growth
        x, kin = F(i) + HALF - x0, ZERO
        if style in (OIL, GOUACHE, KNIFE):
            kin = _kin(red, green, blue, shine, canvas, row_at + i, plane)
        if style == OIL:
            alpha, density, rise = oil(
                d, s, v, x, y, r, thick, length, unit, seed, place, bristle, dry, load, kin
            )
        elif style == GOUACHE:
            alpha, density, rise = gouache(
                d, s, v, x, y, r, thick, unit, seed, place, bristle, dry, load, kin
            )
        elif style == KNIFE:
            alpha, density, rise = knife(d, s, v, x, y, r, thick, length, unit, seed, place, dry, load, kin)
        elif style == INK:
            alpha, density, rise = ink(d, s, v, x, y, r, thick, length, unit, seed, bristle, dry, load, tooth)
        elif style == WATERCOLOR:
            alpha, density, rise = watercolor(
                d, s, v, x, y, r, thick, length, unit, seed, bristle, dry, load, tooth, dark
            )
        elif style == PENCIL:
            alpha, density, rise = pencil(
                d, s, v, x, y, r, thick, unit, seed, bristle, dry, load, tooth, dark
            )
        else:
            alpha, density, rise = sampled(
                levels, levels_count, levels_height, levels_wide, s, v, r, length, ends
            )
        alpha *= shine
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
    first, step, bands, count, height, wide, style, ends, seed, levels_count, levels_height, levels_wide,
    unit, bristle, dry, strokes, load, canvas, masks, grain, levels, keys, seg, spans, distance, column,
    place, through,
):  # fmt: skip
    """Paint with a textured brush, in place.

    Args:
        first: band to begin with.
        step: from one band to the next.
        bands: of rows.
        count: number of strokes.
        height: of the canvas.
        wide: columns of the canvas.
        style: OIL, WATERCOLOR, PENCIL, PICTURE, GOUACHE, INK or KNIFE.
        ends: how strokes end, but for PICTURE, which is its own.
        seed: of all texture.
        levels_count: smoothings of the brush picture, each `levels_height` x `levels_wide`.
        unit: pixels of a fine detail.
        bristle: strength of streaks and grains, 0 to 1.
        dry: how early strokes run dry, 0 to 1.
        strokes: ``[N, 13]``.
        load: ``[N]`` how much paint each carries, 0 to 1, or nothing for 1.
        canvas: ``[4, H, W]`` red, green, blue, and height of the paint.
        masks: ``[H, W]`` where the strokes show, or nothing for everywhere.
        grain: ``[H, W]`` the paper's tooth in [0, 1], or nothing for brushes without one.
        levels: of the brush picture, for PICTURE.
        keys: ``[N]`` of textures that move with their strokes, or nothing for textures of their places.
        seg: scratch, as all that follows.
    """
    scale, plane, fine = F(max(height, wide)), height * wide, F(unit)
    shared = int(hashed(0, 1, seed) * F(2**30))
    for band in range(first, bands, step):
        top, bottom = band * height // bands, (band + 1) * height // bands
        for n in range(count):
            number = polyline(strokes, n, scale, seg)
            length = lengths_along(number, seg)
            own = _own_seed(strokes, n * NUMBERS, seed, keys, n)
            paint = load[n] if load.shape[0] > 0 else ONE
            x0, y0 = ZERO, ZERO
            edge = shared
            if keys.shape[0] > 0:  # all of it is measured from the stroke's middle
                x0 = _middle(strokes, n * NUMBERS) * scale
                y0 = _middle(strokes, n * NUMBERS + 1) * scale
                edge = own + 17
            r0, r1 = seg[R * STRIDE], seg[R * STRIDE + number]
            thick = max(r0, r1)
            margin = F(0.45) * thick if style == PICTURE else min(F(0.4) * thick, F(8) * fine)
            margin += max(F(2) * fine, ONE) + max(farthest(ends) - ONE, ZERO) * thick
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
                under = y * wide if masks.shape[0] > 0 else -1
                tooth = y * wide if grain.shape[0] > 0 else -1
                measure_row(number, ends, seg, spans, middle, left, right, distance, column, place, through)
                brush_row(
                    style, strokes, n * NUMBERS, x0, middle - y0, left, right, length, r0 + r1,
                    max(thick, HALF), distance, column, place, through, canvas, y * wide, plane, masks, under,
                    grain, tooth, levels, levels_count, levels_height, levels_wide, fine, F(bristle), F(dry),
                    paint, own, edge,
                )  # fmt: skip
    return 0
