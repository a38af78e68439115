"""Contours: the lines that tell a picture, the most telling first.

They lie where the picture is darker than what is around, smoothed along its directions, as in H. Kang, S. Lee
and C. Chui, Coherent line drawing (2007): dark lines, and the dark sides of edges. Lengths are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import Flow, blur, flow, sample
from semantic_guidance.painter.lines.curves import fit_curves, smoothed
from semantic_guidance.painter.lines.sheet import LUMA, Sheet, Told, inked, unwatched
from semantic_guidance.painter.lines.tracing import bilinear, trace

Array = NDArray[np.float32]

MARGIN = 0.008
"""Nothing within this of the border is a contour, in units of the longer side: frames are none."""

FAINT, CLEAR = 0.005, 0.014
"""Least contrast of a contour's place, and of one at which a contour starts; tones are in [0, 1]."""

FIRM, FIRMEST = 0.09, 0.15
"""Contrast of a contour that is pressed as hard as can be, and that above which none is worth more."""

SOFT = 2.5
"""Scale of soft edges, where there are no sharp ones, against that of the others."""

LONG = 0.7
"""A contour of N strokes is worth as much as its contrast along it by N to the power of this."""


Contour = tuple[float, Array, Array, Array]
"""What it is worth, places ``[N, 2]``, curves ``[K, 3, 2]`` along them, and contrast ``[N]``."""


def contours(sheet: Sheet, count: int, rng: np.random.Generator, told: Told = unwatched) -> Array:
    """``[N, 13]`` the contours that are worth most, N at most `count`.

    Args:
        sheet: on which they are.
        count: greatest number of them.
        rng: of what varies from one to the next.
        told: of those that have been found, again and again; no more are looked for if it says so.
    """
    found = list[Contour]()

    def so_far() -> Array:
        return _best(sheet, count, found, np.random.default_rng(0))

    for contour in _found(sheet) if told(so_far) else ():
        found.append(contour)
        if not told(so_far):
            break
    return _best(sheet, count, found, rng)


def _found(sheet: Sheet) -> Iterator[Contour]:
    """All contours, as they are found."""
    strength, normal = edges(sheet, max(0.8, 0.75 * sheet.radius))
    for traced in trace(strength, normal, FAINT, CLEAR, 5 * sheet.radius):
        line = smoothed(traced, 1.5)
        firm = sample(strength, line)
        worth = float((np.minimum(firm, FIRMEST) * sample(sheet.worth, line)).sum())
        curves = fit_curves(line, max(0.5, 0.5 * sheet.radius), arm=max(3, 2 * sheet.radius))
        yield worth / len(curves) ** LONG, line, curves, firm


def _best(sheet: Sheet, count: int, found: Iterable[Contour], rng: np.random.Generator) -> Array:
    """``[N, 13]`` the best of some contours."""
    parts: list[Array] = []
    for _, line, curves, firm in sorted(found, key=lambda each: -each[0]):
        if sum(map(len, parts)) + len(curves) <= count:
            press = float(np.clip(np.mean(firm) / FIRM, 0, 1))
            width = 1 - sheet.style.fineness * min(1.0, 2 * float(sample(sheet.focus, line).mean()))
            parts.append(inked(sheet, curves, press, rng, width))
    return np.concatenate(parts) if parts else np.zeros((0, 13), np.float32)


def edges(sheet: Sheet, scale: float) -> tuple[Array, Array]:
    """How much a contour is wanted ``[H, W]``, and the unit vectors across it ``[H, W, 2]``."""
    fine = flow(sheet.target, [np.ones_like(sheet.dark)], max(1.5, 1.2 * scale))
    light = 0.8 * (sheet.target @ LUMA) + 0.2 * sheet.target.min(axis=-1)
    close = np.clip(2 * sheet.focus, 0, 1)
    thin = max(0.7, scale * (1 - sheet.style.fineness))
    darker = (1 - close) * _darker(light, scale) + close * _darker(light, thin)
    bare = 1 - np.clip(cv2.dilate(darker, np.ones((3, 3), np.uint8)) / CLEAR, 0, 1)
    soft = _darker(light, SOFT * scale) * blur(bare.astype(np.float32), SOFT * scale) ** 2
    darker = np.maximum(darker, soft)
    for region in sheet.regions[1:]:
        inside = blur(region, 1.5 * scale)
        rim = 4 * inside * (1 - inside)
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
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    total, weights, steps = values.copy(), 1.0, max(1, round(reach))
    for sign in (-1, 1):
        place, ahead = np.stack([x, y], axis=-1) + 0.5, sign * heading
        for step in range(1, 2 * steps + 1):
            place = place + ahead
            turn = bilinear(heading, place)
            ahead = np.where((turn * ahead).sum(-1, keepdims=True) < 0, -turn, turn)
            share = math.exp(-(step**2) / (2 * steps**2))
            total, weights = total + share * bilinear(values, place), weights + share
    return (total / weights).astype(np.float32)
