"""Drawings in ink and pencil: contours, then hatching along the form, then across it in the darks.

A drawing is made for its number of lines: what few of them can show is shown first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import Flow, blur, flow, sample
from semantic_guidance.painter.curves import curve_points, fit_curve, fit_curves, smoothed
from semantic_guidance.painter.hatching import Ground, hatched
from semantic_guidance.painter.tracing import trace

Array = NDArray[np.float32]
Color = tuple[float, float, float]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)

TRIES = 4
"""Times that hatching is laid to find the tone that the lines give."""

FAINTEST = 0.05
"""Share of the paper covered below which it stays bare."""

MARGIN = 0.008
"""Nothing within this of the border is a contour, in units of the longer side: frames are none."""


@dataclass(frozen=True)
class Hatching:
    """One layer of hatching.

    Attributes:
        angle: between its lines and the form, in radians.
        most: share of the paper that it covers at most.
        width: of its lines, in multiples of a contour's.
    """

    angle: float
    most: float
    width: float = 1.0


@dataclass(frozen=True)
class LineStyle:
    """How a drawing is made. Lengths are in units of the longer side.

    Attributes:
        radius: half of a line's width in a drawing of 1,000 lines.
        shrink: radii go with the number of lines to the power of minus this.
        contours: share of the lines that contours get at most.
        outline: how much firmer objects' outlines are than other contours, at least 0.
        attention: how much more a contour counts in the focus.
        fineness: how much thinner lines are in the focus, in [0, 1).
        layers: of hatching, in the order in which they fill.
        darkest: share of the paper covered in the deepest shade.
        gamma: least exponent of the tone; few lines raise it, so that they are left for the darks.
        light: darkness, as a share of the picture's range, below which paper stays bare.
        relief: how much local contrast is raised.
        background: factor of the tone outside of the objects.
        reach: least and greatest length of a hatching line.
        form: scale of the directions that hatching follows.
        taper: what is left of a line's width at its end.
        wobble: how far lines' widths and lengths vary.
        opacity: of the lightest and the heaviest line.
        ink: colour of the lines.
        colored: how far they take the picture's colour, in [0, 1].
        paper: colour of the ground.
    """

    radius: float = 0.0019
    shrink: float = 0.4
    contours: float = 0.4
    outline: float = 0.6
    attention: float = 8.0
    fineness: float = 0.4
    layers: tuple[Hatching, ...] = (Hatching(0.0, 0.5), Hatching(0.9, 0.42), Hatching(-0.5, 0.4))
    darkest: float = 0.85
    gamma: float = 1.45
    light: float = 0.05
    relief: float = 0.5
    background: float = 0.75
    reach: tuple[float, float] = (0.05, 0.13)
    form: float = 0.025
    taper: float = 0.4
    wobble: float = 0.15
    opacity: tuple[float, float] = (0.96, 0.96)
    ink: Color = (0.09, 0.08, 0.11)
    colored: float = 0.0
    paper: Color = (0.97, 0.96, 0.93)


INK = LineStyle()
"""Pen and ink."""

PENCIL = LineStyle(
    radius=0.0019,
    contours=0.35,
    layers=(Hatching(0.0, 0.5, 1.3), Hatching(0.35, 0.5, 1.3), Hatching(-0.5, 0.5, 1.3)),
    darkest=0.8,
    gamma=1.1,
    light=0.04,
    reach=(0.06, 0.15),
    taper=0.3,
    wobble=0.25,
    opacity=(0.25, 0.6),
    ink=(0.2, 0.2, 0.22),
    paper=(0.98, 0.975, 0.96),
)
"""Pencil: broad soft lines over each other."""


@dataclass(frozen=True, eq=False)
class LineDrawing:
    """A drawing.

    Attributes:
        strokes: ``[N, 13]`` packed strokes in painting order, in units of the longer side.
        contours: how many of them, the first ones, are contours; the others are hatching.
    """

    strokes: Array
    contours: int


def drawn(
    target: Array,
    weight: Array,
    masks: Array,
    focus: Array,
    count: int,
    style: LineStyle,
    rng: np.random.Generator,
) -> LineDrawing:
    """A picture, drawn by lines.

    Args:
        target: ``[H, W, 3]`` in [0, 1]; details finer than its pixels are not drawn.
        weight: ``[H, W]`` at least 0, how much a pixel counts.
        masks: ``[M, H, W]`` in [0, 1], the objects; later ones lie on earlier ones.
        focus: ``[H, W]`` in [0, 1], where to look.
        count: greatest number of strokes; fewer are drawn where no more are worth anything.
        style: the dials.
        rng: of what varies from line to line.
    """
    if count < 1:
        raise ValueError(f"count is {count}, wanted at least 1")
    sheet = _Sheet.of(target, weight, masks, focus, style, count)
    contours = _contours(sheet, max(1, round(style.contours * count)), rng)
    shades = _shades(sheet, count - len(contours), rng)
    return LineDrawing(np.concatenate([contours, shades]).astype(np.float32), len(contours))


@dataclass(frozen=True, eq=False)
class _Sheet:
    """What is drawn: the picture as somebody who draws sees it. Lengths are in pixels.

    Attributes:
        target: ``[H, W, 3]``.
        dark: ``[H, W]`` in [0, 1], darkness with the picture's range and local contrast.
        worth: ``[H, W]`` how much a contour counts.
        regions: ``[H, W]`` each: the background and the objects, which add up to 1.
        style: the dials.
        focus: ``[H, W]`` in [0, 1].
        radius: half a line's width.
    """

    target: Array
    dark: Array
    worth: Array
    regions: Sequence[Array]
    focus: Array
    style: LineStyle
    radius: float

    @staticmethod
    def of(target: Array, weight: Array, masks: Array, focus: Array, style: LineStyle, count: int) -> _Sheet:
        side = max(target.shape[:2])
        rest, regions = np.ones(target.shape[:2], np.float32), []
        for mask in masks[::-1]:
            regions.append((rest * mask).astype(np.float32))
            rest = rest * (1 - mask)
        regions.append(rest.astype(np.float32))
        dark = 1 - target @ LUMA
        low, high = np.percentile(dark, (3, 97.5))
        dark = np.clip((dark - low) / max(float(high - low), 0.05), 0, 1.1).astype(np.float32)
        dark = dark + style.relief * (dark - blur(dark, 0.04 * side)) * (0.3 + 0.7 * (1 - rest))
        if len(masks):
            dark = dark * (1 - (1 - style.background) * rest)
        worth = weight / max(float(weight.mean()), 1e-6) * (1 + style.attention * focus)
        radius = style.radius * (1000 / count) ** style.shrink * side
        return _Sheet(target, np.clip(dark, 0, 1), worth, regions[::-1], focus, style, radius)

    @property
    def side(self) -> int:
        return max(self.target.shape[:2])


@dataclass(frozen=True, eq=False)
class _Line:
    """A line of hatching: places ``[N, 2]``, how hard it is pressed, its width's factor, its layer."""

    places: Array
    press: float
    width: float
    layer: int


def _contours(sheet: _Sheet, count: int, rng: np.random.Generator) -> Array:
    """``[N, 13]`` the contours that are worth most, N at most `count`."""
    scale = max(0.8, 0.75 * sheet.radius)
    strength, normal = _edges(sheet, scale)
    low, high = 0.005, 0.014
    lines = trace(strength, normal, low, high, 5 * sheet.radius)
    found = []
    for line in lines:
        line = smoothed(line, 1.5)
        firm = sample(strength, line)
        worth = float((np.minimum(firm, 0.15) * np.sqrt(sample(sheet.worth, line))).sum())
        curves = fit_curves(line, max(0.5, 0.5 * sheet.radius), arm=max(3, 2 * sheet.radius))
        found.append((worth / len(curves) ** 0.7, line, curves, firm))
    found.sort(key=lambda each: -each[0])
    parts: list[Array] = []
    for _, line, curves, firm in found:
        if sum(map(len, parts)) + len(curves) <= count:
            press = float(np.clip(np.mean(firm) / 0.09, 0, 1))
            width = 1 - sheet.style.fineness * min(1.0, 2 * float(sample(sheet.focus, line).mean()))
            parts.append(_inked(sheet, curves, press, rng, width))
    return np.concatenate(parts) if parts else np.zeros((0, 13), np.float32)


def _edges(sheet: _Sheet, scale: float) -> tuple[Array, Array]:
    """How much a contour is wanted ``[H, W]``, and the unit vectors across it ``[H, W, 2]``."""
    fine = flow(sheet.target, [np.ones_like(sheet.dark)], max(1.5, 1.2 * scale))
    light = 0.8 * (sheet.target @ LUMA) + 0.2 * sheet.target.min(axis=-1)
    close = np.clip(2 * sheet.focus, 0, 1)
    darker = (1 - close) * _darker(light, scale) + close * _darker(
        light, max(0.7, scale * (1 - sheet.style.fineness))
    )
    for region in sheet.regions[1:]:
        soft = cv2.GaussianBlur(region, (0, 0), 1.5 * scale)
        rim = 4 * soft * (1 - soft)
        darker = darker * (1 + sheet.style.outline * rim)
    strength, margin = (
        _along(darker.astype(np.float32), fine, 2.5 * scale),
        max(2, round(MARGIN * sheet.side)),
    )
    framed = np.zeros_like(strength)
    framed[margin:-margin, margin:-margin] = strength[margin:-margin, margin:-margin]
    return framed, _vectors(fine.turned(0.5 * math.pi))


def _darker(light: Array, scale: float) -> Array:
    """How much darker places ``[H, W]`` are than what is around them: lines, and the dark sides of edges."""
    inner, outer = (
        cv2.GaussianBlur(light, (0, 0), each, borderType=cv2.BORDER_REPLICATE)
        for each in (scale, 1.6 * scale)
    )
    return np.maximum(outer - inner, 0)


def _vectors(field: Flow) -> Array:
    angle = 0.5 * np.arctan2(field.double[..., 1], field.double[..., 0])
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)


def _along(values: Array, field: Flow, reach: float) -> Array:
    """Values ``[H, W]`` averaged along a field, some pixels both ways, as H. Kang et al. do for lines."""
    height, width = values.shape
    heading = _vectors(field)
    start = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    total, weights, steps = values.copy(), 1.0, max(1, round(reach))
    for sign in (-1, 1):
        place, ahead = start, sign * heading
        for step in range(1, 2 * steps + 1):
            place = place + ahead
            turn = cv2.remap(
                heading, place[..., 0], place[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
            )
            turn = np.where((turn * ahead).sum(-1, keepdims=True) < 0, -turn, turn)
            ahead = turn
            share = math.exp(-(step**2) / (2 * steps**2))
            total += share * cv2.remap(
                values, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            weights += share
    return (total / weights).astype(np.float32)


def _shades(sheet: _Sheet, count: int, rng: np.random.Generator) -> Array:
    """``[N, 13]`` hatching, N at most `count`: as much tone as the lines give."""
    if count < 1:
        return np.zeros((0, 13), np.float32)
    broad = flow(sheet.target, sheet.regions, sheet.style.form * sheet.side)
    restraint, lines = 1.0, list[_Line]()
    for _ in range(TRIES):
        lines = _hatching(sheet, broad, restraint, rng)
        if len(lines) <= count and (restraint == 1 or len(lines) >= 0.9 * count):
            break
        restraint = _restraint(sheet, _ink(sheet, restraint) * 0.96 * count / max(1, len(lines)))
    lines = sorted(lines, key=lambda line: -line.press)[:count]  # the lightest go first
    lines.sort(key=lambda line: line.layer)
    parts = [
        _inked(sheet, fit_curve(line.places)[None], line.press, rng, line.width, False) for line in lines
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 13), np.float32)


def _tone(sheet: _Sheet, restraint: float) -> Array:
    """``[H, W]`` share of the paper to cover, the more restrained the less, and the more in the darks."""
    style, root = sheet.style, math.sqrt(restraint)
    dark = np.clip((sheet.dark - style.light) / (1 - style.light), 0, 1)
    tone = style.darkest / min(root, 1.4) * dark ** (style.gamma * root)
    return blur(tone.astype(np.float32), max(1.0, 1.5 * sheet.radius))


def _ink(sheet: _Sheet, restraint: float) -> float:
    """The tone that lines are drawn for, in all."""
    tone = _tone(sheet, restraint)
    return float(tone[tone > FAINTEST].sum())


def _restraint(sheet: _Sheet, ink: float) -> float:
    """The least restraint, from 1 on, that asks for no more than so much ink."""
    low, high = 1.0, 64.0
    if _ink(sheet, low) <= ink:
        return low
    for _ in range(12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _ink(sheet, middle) > ink else (low, middle)
    return high


def _hatching(sheet: _Sheet, broad: Flow, restraint: float, rng: np.random.Generator) -> list[_Line]:
    """The lines of all layers."""
    style, bare, found = sheet.style, _tone(sheet, restraint), list[_Line]()
    press = np.clip(bare / max(style.darkest, 1e-6), 0, 1)
    opacity = style.opacity[0] + (style.opacity[1] - style.opacity[0]) * press
    fine = 1 - style.fineness * np.clip(2 * sheet.focus, 0, 1)
    region = np.argmax(np.stack(sheet.regions), axis=0)
    reach = style.reach[0] * sheet.side, style.reach[1] * sheet.side
    for number, layer in enumerate(style.layers):
        width = 2 * sheet.radius * layer.width
        cover = np.minimum(bare, layer.most)
        apart = width * fine * opacity / np.maximum(cover, 1e-3)
        spacing = np.where(cover > FAINTEST, apart, np.inf).astype(np.float32)
        ground = Ground(broad.turned(layer.angle), spacing, region)
        for places in hatched(ground, width, reach, rng):
            middle = places[len(places) // 2][None]
            thin = layer.width * float(sample(fine, middle)[0])
            found.append(_Line(places, float(sample(press, places).mean()), thin, number))
        bare = 1 - (1 - bare) / (1 - cover)
    return found


def _inked(
    sheet: _Sheet,
    curves: Array,
    press: float,
    rng: np.random.Generator,
    width: float = 1.0,
    chain: bool = True,
) -> Array:
    """Packed strokes ``[K, 13]`` of curves ``[K, 3, 2]`` end to end."""
    style, count = sheet.style, len(curves)
    at = np.linspace(0, 1, count + 1)
    if chain:
        profile = np.minimum(1, np.minimum(style.taper + 4 * at, style.taper + 2.5 * (1 - at)))
        profile = profile * (0.65 + 0.7 * press)
    else:
        profile = np.array([1.0, style.taper]) * (0.8 + 0.4 * press)
    profile = profile * (1 + style.wobble * rng.uniform(-1, 1))
    radius = sheet.radius * width * profile
    opacity = style.opacity[0] + (style.opacity[1] - style.opacity[0]) * press
    points = curves.reshape(count, 6) / sheet.side
    color = np.tile(np.array(style.ink, np.float32), (count, 1))
    if style.colored:
        middle = np.stack([curve_points(curve, 3)[1] for curve in curves])
        color = (1 - style.colored) * color + style.colored * sample(sheet.target, middle)
    if chain:  # thinned with paper instead: where translucent strokes join, there would be spots
        color, opacity = opacity * color + (1 - opacity) * np.array(style.paper), 1.0
    radii = np.stack([radius[:-1], radius[1:]], -1) / sheet.side
    return np.column_stack([points, radii, np.full((count, 2), opacity), color]).astype(np.float32)
