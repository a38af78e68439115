"""Drawings in ink and pencil: contours, then hatching along the form, then across it in the darks.

A drawing is made for its number of lines: what few of them can show is shown first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import LEAN, Flow, blur, flow, sample
from semantic_guidance.painter.lines.contours import contours
from semantic_guidance.painter.lines.curves import fit_curve
from semantic_guidance.painter.lines.dials import LineStyle
from semantic_guidance.painter.lines.hatching import Ground, hatching
from semantic_guidance.painter.lines.sheet import Sheet, Told, inked, unwatched

Array = NDArray[np.float32]

TRIES = 4
"""Times that hatching is laid to find the tone that the lines give."""

FAINTEST = 0.09
"""Share of the paper covered below which it stays bare."""

CRUMB = 14.0
"""Side of the smallest shade that gets lines, in widths of one."""

STIR = 0.06
"""Local contrast from which on hatching follows the form alone."""


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
    told: Told = unwatched,
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
        told: of the drawing as far as it goes, again and again; it stays so if it is not to go on.
    """
    if count < 1:
        raise ValueError(f"count is {count}, wanted at least 1")
    sheet = Sheet.of(target, weight, masks, focus, style, count)
    outlines = contours(sheet, max(1, round(style.contours * count)), rng, told)
    shades = _shades(sheet, count - len(outlines), rng, _Growing(sheet, count, outlines, told))
    return LineDrawing(np.concatenate([outlines, shades]).astype(np.float32), len(outlines))


def _without_crumbs(shaded: NDArray[np.bool_], side: float, focus: Array) -> NDArray[np.bool_]:
    """Shades ``[H, W]`` without those that are too small for a group of lines, but in the focus."""
    _, label, stats, _ = cv2.connectedComponentsWithStats(shaded.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= side**2
    return np.asarray(shaded & (large[label] | (focus > 0.4)))


@dataclass(frozen=True, eq=False)
class _Line:
    """A line of hatching: places ``[N, 2]``, how hard it is pressed, its width's factor, its layer."""

    places: Array
    press: float
    width: float
    layer: int

    @cached_property
    def curve(self) -> Array:
        """``[3, 2]`` along the places."""
        return fit_curve(self.places)


class _Growing:
    """Hatching that is told of while it is laid, and of which never less is seen than before.

    Args:
        sheet: on which it is.
        count: greatest number of strokes of the drawing.
        outlines: ``[N, 13]`` what is there already.
        told: of the drawing.
    """

    def __init__(self, sheet: Sheet, count: int, outlines: Array, told: Told) -> None:
        self.sheet, self.count, self.outlines, self._told = sheet, count - len(outlines), outlines, told
        self.lines = list[_Line]()  # the most that there were
        self.going = True

    def told(self, lines: list[_Line]) -> bool:
        """Tell of the lines that there are now; says whether to go on."""

        def strokes() -> Array:
            shades = _inked(self.sheet, self.count, self.lines, np.random.default_rng(0))
            return np.concatenate([self.outlines, shades])

        if len(lines) > len(self.lines):
            self.lines = lines
        self.going = self._told(strokes)
        return self.going


def _shades(sheet: Sheet, count: int, rng: np.random.Generator, growing: _Growing) -> Array:
    """``[N, 13]`` hatching, N at most `count`: as much tone as the lines give."""
    if count < 1 or not growing.told([]):
        return np.zeros((0, 13), np.float32)
    broad = _form(sheet)
    restraint, lines = 1.0, list[_Line]()
    for _ in range(TRIES):
        lines = _hatching(sheet, broad, restraint, rng, growing)
        if not growing.going:
            return _inked(sheet, count, growing.lines, rng)
        if len(lines) <= count and (restraint == 1 or len(lines) >= 0.9 * count):
            break
        restraint = _restraint(sheet, _ink(sheet, restraint) * 0.96 * count / max(1, len(lines)))
    return _inked(sheet, count, lines, rng)


def _inked(sheet: Sheet, count: int, lines: list[_Line], rng: np.random.Generator) -> Array:
    """``[N, 13]`` the hardest pressed of some lines, N at most `count`."""
    lines = sorted(lines, key=lambda line: -line.press)[:count]  # the lightest go first
    lines.sort(key=lambda line: line.layer)
    parts = [inked(sheet, line.curve[None], line.press, rng, line.width, False) for line in lines]
    return np.concatenate(parts) if parts else np.zeros((0, 13), np.float32)


def _form(sheet: Sheet) -> Flow:
    """The directions that hatching follows: those of the form, and one where nothing stands out."""
    scale = sheet.style.form * sheet.side
    found = flow(sheet.target, sheet.regions, scale)
    stir = blur(np.abs(sheet.dark - blur(sheet.dark, 2 * scale)), 2 * scale)
    known = np.clip(stir / STIR, 0, 1)[..., None] ** 2
    still = np.array([math.cos(2 * LEAN), math.sin(2 * LEAN)], np.float32)
    double = blur((known * found.double + (1 - known) * still).astype(np.float32), 0.5 * scale)
    double /= np.sqrt((double**2).sum(-1, keepdims=True)) + 1e-6
    return Flow(double, found.sure, found.rough)


def tone(sheet: Sheet, restraint: float) -> Array:
    """``[H, W]`` share of the paper to cover, the more restrained the less, and the more in the darks."""
    style, root = sheet.style, math.sqrt(restraint)
    dark = np.clip((sheet.dark - style.light) / (1 - style.light), 0, 1)
    wanted = style.darkest / min(root, 1.5) * dark ** (style.gamma * root)
    return blur(wanted.astype(np.float32), max(1.0, 1.5 * sheet.radius))


def _ink(sheet: Sheet, restraint: float) -> float:
    """The tone that lines are drawn for, in all."""
    wanted = tone(sheet, restraint)
    return float(wanted[wanted > FAINTEST].sum())


def _restraint(sheet: Sheet, ink: float) -> float:
    """The least restraint, from 1 on, that asks for no more than so much ink."""
    low, high = 1.0, 64.0
    if _ink(sheet, low) <= ink:
        return low
    for _ in range(12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _ink(sheet, middle) > ink else (low, middle)
    return high


def _hatching(
    sheet: Sheet, broad: Flow, restraint: float, rng: np.random.Generator, growing: _Growing
) -> list[_Line]:
    """The lines of all layers."""
    style, bare, found = sheet.style, tone(sheet, restraint), list[_Line]()
    press = np.clip(bare / max(style.darkest, 1e-6), 0, 1)
    opacity = style.opacity[0] + (style.opacity[1] - style.opacity[0]) * press
    fine = 1 - style.fineness * np.clip(2 * sheet.focus, 0, 1)
    region = np.argmax(np.stack(sheet.regions), axis=0)
    reach = style.reach[0] * sheet.side, style.reach[1] * sheet.side
    for number, layer in enumerate(style.layers):
        width = 2 * sheet.radius * layer.width
        cover = np.minimum(bare, layer.most)
        apart = width * fine * opacity / np.maximum(cover, 1e-3)
        shaded = _without_crumbs(cover > FAINTEST, CRUMB * width, sheet.focus)
        spacing = np.where(shaded, apart, np.inf).astype(np.float32)
        ground = Ground(broad.turned(layer.angle), spacing, region)
        for places in hatching(ground, width, reach, rng):
            middle = places[len(places) // 2][None]
            thin = layer.width * float(sample(fine, middle)[0])
            found.append(_Line(places, float(sample(press, places).mean()), thin, number))
            if not growing.told(found):
                return found
        bare = 1 - (1 - bare) / (1 - cover)
    return found
