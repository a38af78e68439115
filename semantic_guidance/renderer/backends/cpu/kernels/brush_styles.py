"""What each compiled brush does to a pixel: its place on a stroke becomes alpha, pigment and height.

Lengths are in pixels; `unit` is what a thousandth of the picture's longer side measures, so that a picture
of any size has the same marks. Marks that are finer than pixels are left out, and larger pictures have finer
ones besides.

Where a brush leaves out paint, the colours beneath it show. Many strokes correct others, so `kin` says how
alike the paint and what is beneath are, from 0 to 1, and paint is left out only so far as they are. Edges
that wander do so by their place on the canvas alone: a stroke that covers another one still does.
"""

from __future__ import annotations

import numpy as np

from semantic_guidance.renderer.backends.cpu.kernels.brush_fields import hashed, noise, smooth_step
from semantic_guidance.renderer.backends.cpu.kernels.compile import part
from semantic_guidance.renderer.backends.cpu.kernels.spans import HALF, ONE, TWO, ZERO, F

FINEST = F(1.1)  # pixels of the finest streaks that can be seen
FLOW = F(0.12)  # pens, pencils and wet brushes go that much farther: a width of theirs counts for less
THIRD = F(1 / 3)
RAGGED = F(0.6)  # how much of a ragged end is left where it uncovers another colour


@part
def _bounded(value):
    return min(max(value, ZERO), ONE)


@part
def streaks(s, v, width, seed):
    """Marks of bristles about 1/2, mostly within [0, 1]: coarse ones `width` pixels apart, and finer ones."""
    tuft = noise(v / width, s / (F(14) * width), seed) - HALF
    total, share, number = F(0.8) * tuft, F(0.55) + F(0.9) * tuft, 1
    width *= F(0.3)
    while width > FINEST and number < 4:
        mark = noise(v / width, s / (F(26) * width), seed + 7 * number) - HALF
        total += share * min((width - FINEST) / (F(0.5) * FINEST), ONE) * mark
        share, width, number = F(0.7) * share, F(0.3) * width, number + 1
    return HALF + total


@part
def wander(d, x, y, r, unit, seed):
    """The distance to an edge that is not drawn with a ruler, and the noise that moves it, in [0, 1]."""
    wave = noise(x / (F(6) * unit), y / (F(6) * unit), seed)
    return d + (wave - HALF) * min(F(0.2) * r, F(2) * unit), wave


@part
def _left(s, thick, dry, load, mark):
    """Share of the paint that is there: streaks of it run out, by the way in widths and the load."""
    way = max((s / (TWO * thick)) - HALF, ZERO)
    level = min(dry * F(0.16) * way / (F(0.2) + F(0.8) * load), ONE)
    level = F(1.3) * level - F(0.3)
    return smooth_step(level - F(0.14), level + F(0.14), mark)


@part
def oil(d, s, v, x, y, r, thick, length, unit, seed, place, bristle, dry, load, kin):
    """Thick paint: streaks along the stroke, ragged ends, ridges at the sides that come and go."""
    d, wave = wander(d, x, y, r, unit, place)
    if d >= HALF:
        return ZERO, ONE, ZERO
    base = F(6) * unit * min(thick / (F(8) * unit), ONE)
    mark = streaks(s, v, base, seed)
    loose = max(kin, RAGGED)
    if s < ZERO:
        ragged = noise(v / base, HALF, seed + 2)
        d = max(d, -s - r * (ONE - loose * (F(0.2) + F(0.5) * ragged)))
    elif s > length:
        ragged = F(0.7) * noise(v / base, HALF, seed + 3) + F(0.6) * (mark - HALF)
        d = max(d, s - length - r * (ONE - loose * (F(0.1) + F(0.9) * ragged)))
    coverage = _bounded(HALF - d)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    paint = _left(s, thick, dry, load, mark)
    gap = (ONE - paint) * max(kin, dry * dry)
    side = ONE - min(max(max(-s, s - length) / r, ZERO), ONE)  # none at the ends: the paint runs out there
    ridge = side * wave * np.exp(-(((d + F(1.8) * unit) / (F(1.4) * unit)) ** 2))
    body = F(0.4) + bristle * F(1.6) * (mark - HALF)
    height = load * min(thick / (F(10) * unit), ONE) * (body + F(0.5) * ridge)
    tint = ONE + F(0.36) * bristle * (HALF - mark)
    return coverage * (ONE - F(0.85) * gap), tint, height * (F(0.25) + F(0.75) * paint)


@part
def gouache(d, s, v, x, y, r, thick, unit, seed, place, bristle, dry, load, kin):
    """Opaque and matt: hardly a streak, an edge where the pigment has dried, flat."""
    d, wave = wander(d, x, y, r, unit, place)
    coverage = _bounded(HALF - d)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    mark = streaks(s, v, F(9) * unit * min(thick / (F(8) * unit), ONE), seed)
    paint = _left(s, thick, dry, load, mark)
    gap = (ONE - paint) * max(kin, dry * dry)
    rim = np.exp(min(d, ZERO) / (F(1.1) * unit)) * wave * min(r / (F(6) * unit), ONE)
    tint = ONE + F(0.3) * bristle * (HALF - mark) + F(0.14) * rim
    return coverage * (ONE - F(0.9) * gap), tint, F(0.3) * load * (HALF + HALF * mark)


@part
def knife(d, s, v, x, y, r, thick, length, unit, seed, place, dry, load, kin):
    """A palette knife's plane: tilted, scratched along, with a sharp ridge where the knife's edge was."""
    loose = max(kin, F(0.6))
    skew = F(0.5) * (hashed(seed, 5, 1) - HALF)
    reach = ONE - F(0.8) * loose
    front = s - length - r * reach - skew * v
    d = max(d, -s - r * reach + skew * v)
    inside = min(-front, max(-d, ZERO))  # from the end, where the knife was lifted
    d = max(d, front)
    coverage = _bounded(HALF - d)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    fine = F(2.2) * unit * min(thick / (F(8) * unit), ONE)
    drag = noise(v / fine, s / (F(70) * fine), seed)
    wide = noise(v / (F(4) * fine), s / (F(30) * fine), seed + 1)
    paint = _left(s, thick, dry, load, F(0.65) * wide + F(0.35) * drag)
    gap = (ONE - paint) * max(kin, dry * dry)
    scratch = smooth_step(F(0.66), F(0.92), drag) * smooth_step(F(0.25), F(0.7), wide)
    wave = noise(x / (F(9) * unit), y / (F(9) * unit), place)
    pressed = smooth_step(F(-0.3), F(0.3), (v if hashed(seed, 5, 2) > HALF else -v) / max(r, ONE))
    edge = pressed * smooth_step(F(0.3), F(0.8), wave) * np.exp(-(((d + unit) / (F(0.9) * unit)) ** 2))
    end = np.exp(-(((inside - F(1.2) * unit) / (F(1.1) * unit)) ** 2))
    tilt = (hashed(seed, 6, 1) - HALF) * v / max(thick, ONE) + (hashed(seed, 6, 2) - HALF) * (
        s / max(length + TWO * thick, ONE) - HALF
    )
    size = min(thick / (F(9) * unit), F(1.4))
    height = F(0.4) + F(1.4) * size * tilt + F(0.6) * edge + F(0.45) * wave * end - F(0.2) * scratch
    tint = ONE + F(0.12) * (HALF - wide) + F(0.10) * scratch
    return coverage * (ONE - F(0.9) * gap), tint, load * min(size, ONE) * height * (F(0.3) + F(0.7) * paint)


@part
def ink(d, s, v, x, y, r, thick, length, unit, seed, bristle, dry, load, grain):
    """A full, crisp line: the pressure varies a little, the end tapers, and a dry pen breaks on the paper."""
    t = _bounded(s / max(length, ONE))
    press = noise(s / (F(30) * unit + F(3) * thick), HALF, seed)
    late = _bounded((t - F(0.55)) / F(0.45))
    early = _bounded(ONE - t / F(0.12))
    lost = F(0.16) * (ONE - press) + F(0.8) * late * late + F(0.3) * early * early
    d = min(d + r * min(lost, F(0.92)), F(2) * unit + ONE)
    d += F(0.35) * unit * (grain - HALF)
    coverage = _bounded(HALF - d)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    mark = streaks(s, v, F(3) * unit, seed) if bristle > ZERO or dry > ZERO else HALF
    paint = _left(FLOW * s, thick, dry, load, HALF * mark + HALF * grain)
    paint *= ONE - bristle * smooth_step(F(0.75) - HALF * bristle, F(0.95), mark)
    return coverage * paint, F(1.3), ZERO


@part
def watercolor(d, s, v, x, y, r, thick, length, unit, seed, bristle, dry, load, grain, dark):
    """A wash: a wandering edge with pigment gathered at it, grains, backruns. The height is its wetness."""
    wide = min(F(0.5) * r, F(9) * unit)
    coarse = noise(x / (F(16) * unit), y / (F(16) * unit), seed) - HALF
    small = noise(x / (F(5) * unit), y / (F(5) * unit), seed + 1) - HALF
    ragged = coarse + F(0.3) * small
    d += wide * ragged + (grain - HALF) * F(0.6) * unit
    wet = load * hashed(seed, 7, 11) * min(thick / (F(9) * unit), ONE)
    soft = max(F(1.3) * unit, ONE) + F(0.35) * r * smooth_step(F(0.5), F(0.75), wet)
    coverage = smooth_step(-HALF, HALF, -d / soft)
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    depth = smooth_step(F(0.1), F(0.75), ONE - dark)  # darks are full of pigment already and stay clear
    rim = np.exp(min(d, ZERO) / (F(1.8) * unit)) * min(thick / (F(14) * unit), ONE)
    rim *= F(0.62) - F(0.5) * smooth_step(F(0.4), F(0.7), wet)
    slow = noise(x / (F(60) * unit), y / (F(60) * unit), seed + 2) - HALF
    grains = F(0.9) * bristle * (HALF - grain)
    density = F(0.92) + (F(0.25) + F(0.75) * depth) * (rim + F(0.45) * slow + F(0.25) * coarse + grains)
    if wet > F(0.3):  # water that ran back: a light bloom with a dark, crinkled edge
        along = s - length * hashed(seed, 8, 3)
        aside = v - r * (hashed(seed, 8, 4) - HALF)
        size = thick * (F(0.45) + F(0.5) * hashed(seed, 8, 5))
        bloom = np.sqrt(along * along + aside * aside) - size * (ONE + F(1.1) * ragged)
        inner = smooth_step(F(3) * unit, F(-9) * unit, bloom)
        crest = np.exp(-((bloom / (F(2) * unit)) ** 2))
        density += depth * (F(0.34) * crest - F(0.3) * inner)
    paint = _left(FLOW * s, thick, dry, load, ONE - grain)
    return F(0.94) * coverage * paint, max(density, F(0.25)), wet


@part
def pencil(d, s, v, x, y, r, thick, unit, seed, bristle, dry, load, grain, dark):
    """Lines that break on the paper's tooth: along thin strokes, and in the hand's direction in wide ones."""
    gap = F(3.2) * unit * (F(0.85) + F(0.3) * hashed(seed, 1, 1))
    reach, way = ZERO, s
    if thick > F(3) * gap:
        angle = F(-0.95) + F(0.7) * (hashed(seed, 4, 4) - HALF)
        ux, uy = np.cos(angle), np.sin(angle)
        s, v = x * ux + y * uy, y * ux - x * uy
        reach = min(F(0.5) * r, F(7) * unit)
        shift = hashed(seed, 2, 2)
    else:
        lines = max(np.floor(TWO * thick / gap + HALF), ONE)  # whole ones beside each other
        gap = TWO * thick / lines
        shift = HALF * lines
    bend = HALF if reach == ZERO else F(1.0)
    bent = bend * (noise(s / (F(50) * unit), v / (F(14) * unit), seed) - HALF)
    line = v / gap + bent + shift
    number = int(np.floor(line))
    away = abs(line - F(number) - HALF) * TWO  # 0 on the line, 1 between two
    seen = _bounded((gap - F(1.2)) / F(1.4))  # lines that are finer than pixels become a tone
    away = seen * away * away + (ONE - seen) * THIRD
    d += (hashed(number, 3, seed) - F(0.35)) * reach
    coverage = _bounded(HALF - d / max(F(1.2) * unit, ONE))
    if coverage <= ZERO:
        return ZERO, ONE, ZERO
    press = F(0.62) + F(0.42) * dark + F(0.22) * (hashed(number, 5, seed) - HALF)
    press += F(0.3) * (noise(s / (F(22) * unit), F(number) + HALF, seed + 1) - HALF)
    press *= F(0.75) + F(0.25) * load
    tone = press - F(2.2) * bristle * (ONE - F(0.5) * dark) * away
    drawn = smooth_step(F(0.8) * grain - F(0.15), F(0.8) * grain + F(0.2), tone)
    drawn *= _left(FLOW * way, thick, dry, load, ONE - grain)
    smear = F(0.06) + F(0.1) * dark + F(0.4) * dark * dark * dark
    return coverage * (smear + (F(0.97) - smear) * drawn), ONE, ZERO


@part
def sampled(levels, number, height, width, s, v, r, length, ends):
    """The person's brush picture, stretched over the stroke from end to end."""
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
    paint = top * (ONE - u) + bottom * u
    return paint, ONE, paint
