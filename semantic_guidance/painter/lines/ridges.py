"""Thin lines of a picture, dark or light: spokes, hair, masts, text.

Ridges are found as by C. Steger (An unbiased detector of curvilinear structures, 1998): where the second
derivative across a line is greatest over some scales, linked, and given their width.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import sample
from semantic_guidance.painter.lines.curves import curve_points, fit_curves, length_of, smoothed
from semantic_guidance.painter.lines.tracing import bilinear, trace

Array = NDArray[np.float32]

SCALES = 4
"""Gaussian scales at which ridges are looked for, in equal ratios."""

FAINT, CLEAR = 0.03, 0.07
"""Least contrast of a ridge's place, and of one at which a ridge starts; tones are in [0, 1]."""

LONG = 8.0
"""Least length of a ridge, in half-widths."""

FLAT = 0.35
"""Greatest curvature along a ridge against that across it; else it is a spot."""

MARGIN = 0.004
"""Nothing within this of the border is a ridge, in units of the longer side: frames are none."""

THINNEST = 0.35
"""Least half-width that is told from a picture, in pixels; thinner lines are fainter instead."""


def ridges(
    picture: Array,
    radius: tuple[float, float],
    count: int,
    weight: Array | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Array:
    """Thin lines of a picture as strokes.

    Args:
        picture: ``[H, W, 3]`` in [0, 1]; best at the size at which the painting is looked at.
        radius: least and greatest half-width of what is looked for, in units of the longer side.
        count: greatest number of strokes.
        weight: ``[H, W]`` at least 0, how much a pixel counts; all alike if None.
        stopped: whether no more of them are wanted, asked again and again.

    Returns:
        ``[N, 13]`` packed strokes, opaque, in units of the longer side, those that are worth most first: by
        contrast, length and weight.

    Raises:
        ValueError: the radii are not positive and rising, or the count is not positive.
    """
    if not 0 < radius[0] <= radius[1]:
        raise ValueError(f"radius is {radius}, wanted two rising numbers above 0")
    if count < 1:
        raise ValueError(f"count is {count}, wanted at least 1")
    side = max(picture.shape[:2])
    weight = np.ones(picture.shape[:2], np.float32) if weight is None else weight
    found: list[tuple[float, Array]] = []
    for sign in (1, -1):
        if stopped():
            break
        for line, half in _lines(picture, (radius[0] * side, radius[1] * side), sign):
            curves = fit_curves(line, max(0.6, 0.4 * half), arm=max(3.0, 2 * half), least=4 * half)
            found += [_stroke(picture, weight, curve, half) for curve in curves]
    found.sort(key=lambda each: -each[0])
    strokes = np.array([stroke for _, stroke in found[:count]], np.float32).reshape(-1, 13)
    strokes[:, :8] /= side
    return strokes


def _lines(picture: Array, radius: tuple[float, float], sign: int) -> list[tuple[Array, float]]:
    """Ridges that are darker (1) or lighter (-1) than both their sides, and their half-widths, in pixels."""
    light = picture.mean(axis=-1)
    strength, normal, scale = _measure(light, radius, sign)
    # a straight edge has a ridge beside it, but only one of its sides differs
    x, y = np.meshgrid(*(np.arange(size, dtype=np.float32) for size in light.shape[::-1]))
    apart = (2.5 * scale + 0.5)[..., None] * normal
    sides = [bilinear(light, np.stack([x, y], axis=-1) + 0.5 + way * apart) for way in (-1, 1)]
    inner = cv2.GaussianBlur(light, (0, 0), 0.6)
    step = np.minimum(*(sign * (each - inner) for each in sides))
    strength = np.where(step > FAINT, strength, 0).astype(np.float32)
    margin = max(2, round(MARGIN * max(light.shape)))
    strength[:margin] = strength[-margin:] = 0
    strength[:, :margin] = strength[:, -margin:] = 0
    found = []
    for traced in trace(strength, normal, FAINT, CLEAR, 3.0):
        line = _without_ends(traced, sample(strength, traced))
        half = float(np.median(_half_widths(light, line, normal, sample(scale, line))))
        fits = 0.5 * radius[0] <= half <= 1.3 * radius[1]
        if fits and length_of(line) >= LONG * max(half, 0.7):
            found.append((_with_straight_ends(smoothed(line, 1.5), max(2, round(half))), half))
    return found


def _without_ends(line: Array, firm: Array) -> Array:
    """A line without faint ends, by its contrast ``[N]``: they run round the ends of what is drawn."""
    kept = np.flatnonzero(firm >= 0.5 * np.median(firm))
    return line[kept[0] : kept[-1] + 1]


def _with_straight_ends(line: Array, count: int) -> Array:
    """A line whose first and last places, of which the middle is not certain, go straight on."""
    if len(line) < 4 * count + 8:
        return line
    inner = line[count:-count]
    steps = np.arange(1, count + 1, dtype=np.float32)[:, None]
    before = inner[0] + steps[::-1] * (inner[0] - inner[6]) / 6
    after = inner[-1] + steps * (inner[-1] - inner[-7]) / 6
    return np.concatenate([before, inner, after]).astype(np.float32)


def _measure(light: Array, radius: tuple[float, float], sign: int) -> tuple[Array, Array, Array]:
    """Ridges' contrast ``[H, W]``, unit vectors across them ``[H, W, 2]``, and scales ``[H, W]``."""
    strength, scale = np.zeros_like(light), np.ones_like(light)
    normal = np.zeros((*light.shape, 2), np.float32)
    for width in np.geomspace(max(0.6, radius[0]), max(0.7, radius[1]), SCALES):
        sigma = max(0.7, float(width) / math.sqrt(3))  # at which a bar of that half-width answers most
        soft = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        xx, xy, yy = (
            cv2.Sobel(soft, cv2.CV_32F, *order, scale=s, borderType=cv2.BORDER_REPLICATE)
            for order, s in (((2, 0), 0.25), ((1, 1), 0.25), ((0, 2), 0.25))
        )
        mean, spread = 0.5 * (xx + yy), np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
        across, along = sign * mean + spread, sign * mean - spread
        answer = 1.5 * sigma**2 * np.where(np.abs(along) < FLAT * across + 1e-6, across, 0)
        angle = 0.5 * np.arctan2(sign * 2 * xy, sign * (xx - yy))
        better = answer > strength
        strength, scale = np.where(better, answer, strength), np.where(better, sigma, scale)
        normal[better] = np.stack([np.cos(angle), np.sin(angle)], -1)[better]
    unset = (normal**2).sum(-1) < 0.5
    normal[unset] = (1, 0)
    return strength.astype(np.float32), normal, scale.astype(np.float32)


def _half_widths(light: Array, line: Array, normal: Array, scale: Array) -> Array:
    """``[N]`` half the width of a bar with the tone's sum and depth across a line, in pixels."""
    reach = 2.5 * scale + 1.5
    offsets = np.linspace(-1, 1, 25, dtype=np.float32)
    across = sample(normal, line)
    places = line[:, None] + (offsets[None, :] * reach[:, None])[..., None] * across[:, None]
    tones = bilinear(light, places)
    ground = np.linspace(0, 1, 25)[None] * (tones[:, -1:] - tones[:, :1]) + tones[:, :1]
    excess = np.abs(np.where((tones - ground) * (tones[:, 12:13] - ground[:, 12:13]) > 0, tones - ground, 0))
    deep = np.maximum(excess[:, 8:17].max(axis=1), 1e-3)
    wide = excess.sum(axis=1) * 2 * reach / 24 / deep
    return np.asarray(np.maximum(0.5 * wide, THINNEST), np.float32)


def _stroke(picture: Array, weight: Array, curve: Array, half: float) -> tuple[float, Array]:
    """What a stroke along a curve ``[3, 2]`` in pixels is worth, and the stroke ``[13]``."""
    places = curve_points(curve, 15)
    ahead = curve[2] - curve[0]
    across = np.array([-ahead[1], ahead[0]]) / (math.hypot(*ahead) + 1e-9)
    middle = np.median(bilinear(picture, places[None])[0], axis=0)
    sides = [
        np.median(bilinear(picture, places[None] + way * (2 * half + 1.5) * across)[0], axis=0)
        for way in (-1, 1)
    ]
    ground = 0.5 * (sides[0] + sides[1])
    color = (ground + (middle - ground) * _depth(half)).clip(0, 1)
    contrast = float(np.abs(middle - ground).mean())
    worth = contrast * length_of(places) * float(sample(weight, places).mean())
    return worth, np.array([*curve.ravel(), half, half, 1, 1, *color], np.float32)


def _depth(half: float) -> float:
    """Factor of the contrast that a pixel's width takes from the middle of a thin line."""
    return max(1.0, 0.5 / half)
