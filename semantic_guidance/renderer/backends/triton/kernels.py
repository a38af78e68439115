"""The kernels: one program paints one tile, all strokes in order. No two programs write to the same place.

The arithmetic is that of `reference`, in its order of operations.
"""

from __future__ import annotations

import triton
import triton.language as tl

DISCS = tl.constexpr(100)  # `reference.DISCS`, which a kernel cannot import
COLUMNS = tl.constexpr(16)  # `bins.COLUMNS`
SIZES = ["first_tile", "first_pair", "tiles", "across", "height", "width", "sections"]
"""Arguments for whose values nothing is compiled anew."""

ROW = tl.constexpr(16)  # numbers of a pair's row of gradients: those of a stroke, and padding


@triton.jit
def _field(px, py, segments, first, end):
    """Of pixel centres to a stroke: signed distance, deciding disc, and the nearest segment.

    Returns:
        Distance; parameter of the deciding disc; of the nearest segment where on it the nearest disc is, its
        first parameter and the growth of it; and the gap (x, y) to the disc's centre.
    """
    zero = tl.full(px.shape, 0.0, tl.float32)
    distance = tl.full(px.shape, float("inf"), tl.float32)
    covered = tl.full(px.shape, -1.0, tl.float32)
    best, best_t, best_step, best_x, best_y = zero, zero, zero, zero, zero
    for s in range(first, end):
        at = segments + s * COLUMNS
        radius, t, growth, step = tl.load(at + 2), tl.load(at + 3), tl.load(at + 6), tl.load(at + 7)
        along_x, along_y = tl.load(at + 4), tl.load(at + 5)
        unit_x, unit_y, length = tl.load(at + 8), tl.load(at + 9), tl.load(at + 10)
        leading, swell = tl.load(at + 12), tl.load(at + 13)
        offset_x, offset_y = px - tl.load(at), py - tl.load(at + 1)
        x = offset_x * unit_x + offset_y * unit_y
        y = tl.abs(offset_x * unit_y - offset_y * unit_x)
        b = x * length + swell
        # The nearest disc, and `reference.last_disc`.
        if leading > 0:
            nearest = tl.div_rn(x + y * tl.load(at + 11), length + zero)
            nearest = tl.minimum(tl.maximum(nearest, 0.0), 1.0)
            c = x * x + y * y - radius * radius
            discriminant = b * b - leading * c
            rising = tl.div_rn(b + tl.sqrt_rn(tl.maximum(discriminant, 0.0)), leading + zero)
            crosses = (discriminant >= 0) & (rising >= 0) & (rising <= 1)
        else:  # one of the end discs contains the other
            nearest = zero + tl.where(growth > 0, 1.0, 0.0)
            if length == 0:
                y = tl.sqrt_rn(offset_x * offset_x + offset_y * offset_y)
            c = x * x + y * y - radius * radius
            discriminant = b * b - leading * c
            rising = tl.div_rn(b + tl.sqrt_rn(tl.maximum(discriminant, 0.0)), leading + zero)
            crosses = (discriminant >= 0) & (b < 0) & (rising >= 0) & (rising <= 1)
        last = tl.where(leading - 2 * b + c <= 0, 1.0, tl.where(crosses, rising, -1.0))
        covered = tl.maximum(covered, tl.where(last >= 0, t + last * step, -1.0))
        gap_x, gap_y = offset_x - nearest * along_x, offset_y - nearest * along_y
        away = tl.sqrt_rn(gap_x * gap_x + gap_y * gap_y) - radius - nearest * growth
        better = away < distance
        distance = tl.where(better, away, distance)
        best, best_t, best_step = (
            tl.where(better, nearest, best),
            tl.where(better, t, best_t),
            tl.where(better, step, best_step),
        )
        best_x, best_y = tl.where(better, gap_x, best_x), tl.where(better, gap_y, best_y)
    deciding = tl.where(covered >= 0, covered, best_t + best * best_step)
    deciding = tl.div_rn(tl.floor(deciding * (DISCS - 1)), tl.full(px.shape, DISCS - 1, tl.float32))
    return distance, deciding, best, best_t, best_step, best_x, best_y


@triton.jit
def _mask(mask_of, masks, stroke, area, place, inside, MASKED: tl.constexpr):
    """Where a stroke shows: 1 without a mask."""
    shown = tl.full(place.shape, 1.0, tl.float32)
    if MASKED:
        mask = tl.load(mask_of + stroke).to(tl.int64)
        shown = tl.load(masks + mask * area + place, mask=inside & (mask + place * 0 >= 0), other=1.0)
    return shown


@triton.jit
def _pixels(tile, tiles, across, height, width, TILE: tl.constexpr):
    """A tile's pixels: centres, place on a plane, whether they are on the canvas; and the picture."""
    i = tl.arange(0, TILE * TILE)
    local = tile % tiles
    y, x = (local // across) * TILE + i // TILE, (local % across) * TILE + i % TILE
    inside = (y < height) & (x < width)
    picture = (tile // tiles).to(tl.int64)
    return x.to(tl.float32) + 0.5, y.to(tl.float32) + 0.5, y * width + x, inside, picture


@triton.jit(do_not_specialize=SIZES)
def paint(
    segments,
    pair_stroke,
    pair_first,
    pair_end,
    offsets,
    strokes,
    mask_of,
    masks,
    canvas,
    painted,
    tape,
    target,
    weight,
    factors,
    losses,
    first_tile,
    first_pair,
    tiles,
    across,
    height,
    width,
    softness,
    sections,
    MASKED: tl.constexpr,
    KEEP: tl.constexpr,
    JUDGE: tl.constexpr,
    TILE: tl.constexpr,
):
    """Paint a tile's strokes.

    If KEEP, the canvas under each stroke goes to the tape. If JUDGE, the weighted error after each section
    is summed up.
    """
    tile = first_tile + tl.program_id(0)
    px, py, place, inside, picture = _pixels(tile, tiles, across, height, width, TILE)
    area = height * width
    plane = picture * 3 * area + place
    i = tl.arange(0, TILE * TILE)
    red = tl.load(canvas + plane, mask=inside, other=0.0)
    green = tl.load(canvas + plane + area, mask=inside, other=0.0)
    blue = tl.load(canvas + plane + 2 * area, mask=inside, other=0.0)
    zero = tl.full(px.shape, 0.0, tl.float32)
    loss = zero
    if JUDGE:
        target_red = tl.load(target + plane, mask=inside, other=0.0)
        target_green = tl.load(target + plane + area, mask=inside, other=0.0)
        target_blue = tl.load(target + plane + 2 * area, mask=inside, other=0.0)
        heavy = tl.load(weight + picture * area + place, mask=inside, other=0.0)
    for section in range(sections):
        begin = tl.load(offsets + tile * (sections + 1) + section)
        end = tl.load(offsets + tile * (sections + 1) + section + 1)
        for pair in range(begin, end):
            stroke = tl.load(pair_stroke + pair)
            distance, t, _, _, _, _, _ = _field(
                px, py, segments, tl.load(pair_first + pair), tl.load(pair_end + pair)
            )
            numbers = strokes + stroke * 13
            opacity, opacity_end = tl.load(numbers + 8), tl.load(numbers + 9)
            coverage = 0.5 - tl.div_rn(distance, softness + zero)
            coverage = tl.minimum(tl.maximum(coverage, 0.0), 1.0)
            alpha = coverage * (opacity + t * (opacity_end - opacity))
            alpha = alpha * _mask(mask_of, masks, stroke, area, place, inside, MASKED)
            if KEEP:
                under = tape + (pair - first_pair).to(tl.int64) * (3 * TILE * TILE) + i
                tl.store(under, red)
                tl.store(under + TILE * TILE, green)
                tl.store(under + 2 * TILE * TILE, blue)
            red = red * (1 - alpha) + tl.load(numbers + 10) * alpha
            green = green * (1 - alpha) + tl.load(numbers + 11) * alpha
            blue = blue * (1 - alpha) + tl.load(numbers + 12) * alpha
        if JUDGE:
            factor = tl.load(factors + picture * sections + section)
            miss_red, miss_green, miss_blue = red - target_red, green - target_green, blue - target_blue
            miss = miss_red * miss_red + miss_green * miss_green + miss_blue * miss_blue
            loss += factor * heavy * miss
    tl.store(painted + plane, red, mask=inside)
    tl.store(painted + plane + area, green, mask=inside)
    tl.store(painted + plane + 2 * area, blue, mask=inside)
    if JUDGE:
        tl.store(losses + tile, tl.sum(loss, axis=0))


@triton.jit(do_not_specialize=SIZES)
def unpaint(
    segments,
    pair_stroke,
    pair_first,
    pair_end,
    offsets,
    strokes,
    mask_of,
    masks,
    painted,
    tape,
    slopes,
    target,
    weight,
    factors,
    rows,
    first_tile,
    first_pair,
    tiles,
    across,
    height,
    width,
    softness,
    sections,
    MASKED: tl.constexpr,
    JUDGE: tl.constexpr,
    TILE: tl.constexpr,
):
    """Walk a tile's strokes from the last to the first; each pair has a row for its part of the gradient.

    Lengths are in pixels. If JUDGE, the gradient begins with that of the error after each section. Else it
    is that of the painted canvas, `slopes`, which becomes that of the canvas before.
    """
    tile = first_tile + tl.program_id(0)
    px, py, place, inside, picture = _pixels(tile, tiles, across, height, width, TILE)
    area = height * width
    plane = picture * 3 * area + place
    i = tl.arange(0, TILE * TILE)
    zero = tl.full(px.shape, 0.0, tl.float32)
    slope_red, slope_green, slope_blue = zero, zero, zero
    red, green, blue = zero, zero, zero
    if JUDGE:
        red = tl.load(painted + plane, mask=inside, other=0.0)
        green = tl.load(painted + plane + area, mask=inside, other=0.0)
        blue = tl.load(painted + plane + 2 * area, mask=inside, other=0.0)
        target_red = tl.load(target + plane, mask=inside, other=0.0)
        target_green = tl.load(target + plane + area, mask=inside, other=0.0)
        target_blue = tl.load(target + plane + 2 * area, mask=inside, other=0.0)
        heavy = tl.load(weight + picture * area + place, mask=inside, other=0.0)
    else:
        slope_red = tl.load(slopes + plane, mask=inside, other=0.0)
        slope_green = tl.load(slopes + plane + area, mask=inside, other=0.0)
        slope_blue = tl.load(slopes + plane + 2 * area, mask=inside, other=0.0)
    for back in range(sections):
        section = sections - 1 - back
        begin = tl.load(offsets + tile * (sections + 1) + section)
        end = tl.load(offsets + tile * (sections + 1) + section + 1)
        if JUDGE:
            steep = 2 * tl.load(factors + picture * sections + section) * heavy
            slope_red += steep * (red - target_red)
            slope_green += steep * (green - target_green)
            slope_blue += steep * (blue - target_blue)
        for step in range(end - begin):
            pair = end - 1 - step
            stroke = tl.load(pair_stroke + pair)
            distance, t, nearest, t_start, t_step, gap_x, gap_y = _field(
                px, py, segments, tl.load(pair_first + pair), tl.load(pair_end + pair)
            )
            numbers = strokes + stroke * 13
            opacity, opacity_end = tl.load(numbers + 8), tl.load(numbers + 9)
            step_at = 0.5 - tl.div_rn(distance, softness + zero)
            coverage = tl.minimum(tl.maximum(step_at, 0.0), 1.0)
            light = opacity + t * (opacity_end - opacity)
            shown = _mask(mask_of, masks, stroke, area, place, inside, MASKED)
            alpha = coverage * light * shown
            under = tape + (pair - first_pair).to(tl.int64) * (3 * TILE * TILE) + i
            red, green, blue = (
                tl.load(under),
                tl.load(under + TILE * TILE),
                tl.load(under + 2 * TILE * TILE),
            )
            change = slope_red * (tl.load(numbers + 10) - red)
            change += slope_green * (tl.load(numbers + 11) - green)
            change += slope_blue * (tl.load(numbers + 12) - blue)
            change = change * shown  # of the loss, by coverage times opacity
            edge = (step_at >= 0) & (step_at <= 1)
            outward = tl.where(edge, -tl.div_rn(change * light, softness + zero), 0.0)
            away = tl.sqrt_rn(gap_x * gap_x + gap_y * gap_y)
            inverse = tl.where(away > 0, tl.div_rn(outward, tl.where(away > 0, away, 1.0)), 0.0)
            pull_x, pull_y = -gap_x * inverse, -gap_y * inverse
            # The nearest point lies on a chord: its weights are those of the chord's ends.
            t_end = t_start + t_step
            middle = (1 - nearest) * (2 * t_start * (1 - t_start)) + nearest * (2 * t_end * (1 - t_end))
            late = (1 - nearest) * (t_start * t_start) + nearest * (t_end * t_end)
            early = (1 - nearest) * ((1 - t_start) * (1 - t_start)) + nearest * ((1 - t_end) * (1 - t_end))
            t_nearest = t_start + nearest * t_step
            row = rows + pair.to(tl.int64) * ROW
            tl.store(row, tl.sum(pull_x * early, axis=0))
            tl.store(row + 1, tl.sum(pull_y * early, axis=0))
            tl.store(row + 2, tl.sum(pull_x * middle, axis=0))
            tl.store(row + 3, tl.sum(pull_y * middle, axis=0))
            tl.store(row + 4, tl.sum(pull_x * late, axis=0))
            tl.store(row + 5, tl.sum(pull_y * late, axis=0))
            tl.store(row + 6, tl.sum(-outward * (1 - t_nearest), axis=0))
            tl.store(row + 7, tl.sum(-outward * t_nearest, axis=0))
            tl.store(row + 8, tl.sum(change * coverage * (1 - t), axis=0))
            tl.store(row + 9, tl.sum(change * coverage * t, axis=0))
            tl.store(row + 10, tl.sum(slope_red * alpha, axis=0))
            tl.store(row + 11, tl.sum(slope_green * alpha, axis=0))
            tl.store(row + 12, tl.sum(slope_blue * alpha, axis=0))
            slope_red, slope_green, slope_blue = (
                slope_red * (1 - alpha),
                slope_green * (1 - alpha),
                slope_blue * (1 - alpha),
            )
    if not JUDGE:
        tl.store(slopes + plane, slope_red, mask=inside)
        tl.store(slopes + plane + area, slope_green, mask=inside)
        tl.store(slopes + plane + 2 * area, slope_blue, mask=inside)


@triton.jit(do_not_specialize=SIZES)
def remove(
    segments,
    pair_stroke,
    pair_first,
    pair_end,
    offsets,
    strokes,
    mask_of,
    masks,
    painted,
    tape,
    target,
    weight,
    costs,
    first_tile,
    first_pair,
    tiles,
    across,
    height,
    width,
    softness,
    sections,
    MASKED: tl.constexpr,
    TILE: tl.constexpr,
):
    """Rise of a tile's weighted squared error without each stroke, one number a pair.

    The picture is linear in each stroke's alpha: without it, the stroke's colour is replaced by what was
    there before, as far as it shows through the later strokes.
    """
    tile = first_tile + tl.program_id(0)
    px, py, place, inside, picture = _pixels(tile, tiles, across, height, width, TILE)
    area = height * width
    plane = picture * 3 * area + place
    i = tl.arange(0, TILE * TILE)
    miss_red = tl.load(painted + plane, mask=inside, other=0.0)
    miss_red -= tl.load(target + plane, mask=inside, other=0.0)
    miss_green = tl.load(painted + plane + area, mask=inside, other=0.0)
    miss_green -= tl.load(target + plane + area, mask=inside, other=0.0)
    miss_blue = tl.load(painted + plane + 2 * area, mask=inside, other=0.0)
    miss_blue -= tl.load(target + plane + 2 * area, mask=inside, other=0.0)
    heavy = tl.load(weight + picture * area + place, mask=inside, other=0.0)
    zero, through = tl.full(px.shape, 0.0, tl.float32), tl.full(px.shape, 1.0, tl.float32)
    begin = tl.load(offsets + tile * (sections + 1))
    end = tl.load(offsets + tile * (sections + 1) + sections)
    for step in range(end - begin):
        pair = end - 1 - step
        stroke = tl.load(pair_stroke + pair)
        distance, t, _, _, _, _, _ = _field(
            px, py, segments, tl.load(pair_first + pair), tl.load(pair_end + pair)
        )
        numbers = strokes + stroke * 13
        opacity, opacity_end = tl.load(numbers + 8), tl.load(numbers + 9)
        coverage = 0.5 - tl.div_rn(distance, softness + zero)
        coverage = tl.minimum(tl.maximum(coverage, 0.0), 1.0)
        alpha = coverage * (opacity + t * (opacity_end - opacity))
        alpha = alpha * _mask(mask_of, masks, stroke, area, place, inside, MASKED)
        under = tape + (pair - first_pair).to(tl.int64) * (3 * TILE * TILE) + i
        visible = through * alpha
        change_red = visible * (tl.load(under) - tl.load(numbers + 10))
        change_green = visible * (tl.load(under + TILE * TILE) - tl.load(numbers + 11))
        change_blue = visible * (tl.load(under + 2 * TILE * TILE) - tl.load(numbers + 12))
        rise = change_red * (change_red + 2 * miss_red)
        rise += change_green * (change_green + 2 * miss_green)
        rise += change_blue * (change_blue + 2 * miss_blue)
        tl.store(costs + pair, tl.sum(heavy * rise, axis=0))
        through = through * (1 - alpha)


@triton.jit
def add_up(rows, order, starts, sums, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Sum of each stroke's rows, tile after tile: always in the same order."""
    stroke = tl.program_id(0)
    begin, end = tl.load(starts + stroke), tl.load(starts + stroke + 1)
    lines, columns = tl.arange(0, BLOCK), tl.arange(0, WIDTH)
    total = tl.full((BLOCK, WIDTH), 0.0, tl.float32)
    for at in range(begin, end, BLOCK):
        some = at + lines < end
        pair = tl.load(order + at + lines, mask=some, other=0).to(tl.int64)
        total += tl.load(rows + pair[:, None] * WIDTH + columns[None, :], mask=some[:, None], other=0.0)
    tl.store(sums + stroke * WIDTH + columns, tl.sum(total, axis=0))


INTERPRETED = not isinstance(paint, triton.runtime.JITFunction)
"""Whether they run in Triton's interpreter, on any device and slowly: ``TRITON_INTERPRET=1`` was set."""
