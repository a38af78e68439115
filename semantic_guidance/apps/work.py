"""How much work it is to write a drawing's files, before it is done: the unit is a pixel touched by a flat
stroke, with the time that it takes in the worst case.

Times of one core of a machine of 2023: nine nanoseconds a unit, so that 10**11 are a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from semantic_guidance.core.packed import OPACITY, POINTS, RADIUS
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export.options import VideoOptions

if TYPE_CHECKING:
    from semantic_guidance.painting.drawing import Drawing
    from semantic_guidance.painting.layers import DrawnLayer

MAX_WORK = 10**11  # a quarter of an hour; 300 strokes at 8192 px touch 10**9
TEXTURED = 30  # a pixel covered by a textured brush
LIT = 45  # a pixel of a textured canvas on which light falls,
WATER = 65  # and where water runs
MASKED = 2  # a pixel of a layer under a mask, which is enlarged
FRAME = 10  # a pixel of a film's frame, changed and encoded,
SLOWER = {"gif": 60, "apng": 65, "anim.webp": 20, "frames": 25, "mkv": 15}  # and in these formats
CLEAR_FRAME = 20  # more of a frame with alpha
SEED = 2  # a pixel composited by the papers' rule
OUTLINE = 36 * 10**4  # an outline of SVG,
SHORT, GROWTH = 128, 0.3  # whose stroke is so many pixels long; of longer ones by this power of the length
RAMP = 30 * 10**4  # a gradient of SVG
PACKED = 8  # a pixel of a page's mask
COVERED = 4  # a pixel under a cover
FILLED = 35  # a pixel where a cut-out's colours are continued


def work(drawing: Drawing, formats: Iterable[str] = (), options: VideoOptions | None = None) -> float:
    """Units of the file that is the most work, or of a picture if there are none; `options` are of films."""
    films = options or VideoOptions()
    return max((_of_format(drawing, name, films) for name in formats), default=_of_picture(drawing))


def _of_format(drawing: Drawing, name: str, options: VideoOptions) -> float:
    if name in ("svg", "exact.svg"):
        exact = name == "exact.svg"
        return _outlines(drawing, exact) * OUTLINE + (0 if exact else _ramps(drawing) * RAMP)
    if name == "html":
        page = _within(drawing, 1024)
        pictures = len(page.masks) + (page.cover is not None)
        return _of_picture(page) + PACKED * pictures * page.height * page.width
    if EXPORTERS.get(name).film:
        return _of_film(drawing, name, options)
    return _of_picture(drawing)


def _of_film(drawing: Drawing, name: str, options: VideoOptions) -> float:
    """Units of a film, whose light falls anew on each frame."""
    from semantic_guidance.export.frames import MANY
    from semantic_guidance.export.kinds import KINDS
    from semantic_guidance.export.video import HOLD

    kind = KINDS.get(name)
    if kind is None:  # a plug-in's
        return _of_picture(drawing)
    if options.film_size is None:
        screen = _within(drawing, kind.longest)
    else:
        height, width = drawing.sides(options.film_size)
        screen = replace(drawing, width=width, height=height)
    clear = drawing.transparent is not None and bool(kind.clear)
    screen = screen if clear else replace(screen, transparent=None)
    frames = (options.fps or kind.rate) * (options.duration or MANY + HOLD)
    each = SLOWER.get(name, FRAME) + _lit(screen) + COVERED * (screen.cover is not None)
    if clear:  # as many canvases as transparency needs, each lit anew
        each += CLEAR_FRAME + 2 * _lit(screen)
    return _of_picture(screen) + float(frames) * each * screen.width * screen.height


def _within(drawing: Drawing, longest: int) -> Drawing:
    """The drawing, not longer than so many pixels."""
    height, width = drawing.sides(min(longest, max(drawing.width, drawing.height)))
    return replace(drawing, width=width, height=height)


def _lit(drawing: Drawing) -> int:
    """Units of a pixel's light."""
    if drawing.brush.style == "flat":
        return 0
    return WATER if drawing.brush.style == "watercolor" else LIT


def _of_picture(drawing: Drawing) -> float:
    """Units of painting it once, or as often as transparency needs."""
    whole = drawing.width * drawing.height
    flat = sum(_flat(layer, drawing) for layer in drawing.layers)
    total = float(flat)
    if drawing.brush.style != "flat":
        textured = (
            TEXTURED * sum(_covered(layer, drawing) for layer in drawing.layers) + _lit(drawing) * whole
        )
        again = drawing.brush.on_paper and drawing.transparent == "painting"
        total += 2 * textured if again else textured
    if drawing.transparent is not None:
        total += 2 * flat + 2 * whole * len(drawing.masks)
        total += FILLED * whole * (drawing.brush.style != "flat")
    return total + COVERED * whole * (drawing.cover is not None)


def _flat(layer: DrawnLayer, drawing: Drawing) -> float:
    """The strokes' boxes, and the canvas for each masked layer."""
    whole = drawing.width * drawing.height
    if layer.compositing == "seed":
        return SEED * whole * len(layer.strokes)
    return float(_boxes(layer, drawing).prod(axis=1).sum()) + MASKED * whole * (layer.mask is not None)


def _boxes(layer: DrawnLayer, drawing: Drawing) -> np.ndarray:
    """``[N, 2]`` height and width of the strokes' boxes."""
    from semantic_guidance.painting.layers import boxes

    top, bottom, left, right = boxes(layer.strokes, drawing.height, drawing.width, layer.ends).T
    return np.stack([bottom - top, right - left], axis=1).clip(0).astype(np.float64)


def _covered(layer: DrawnLayer, drawing: Drawing) -> float:
    """Pixels that the strokes cover at most: a disc's way along the part of the curve in the box.

    A curve that turns by less than half a turn is not longer in a rectangle than the rectangle's sides.
    """
    sides = _boxes(layer, drawing)
    scale = max(drawing.width, drawing.height)
    points = layer.strokes[:, POINTS].astype(np.float64).reshape(-1, 3, 2) * scale
    radius = layer.strokes[:, RADIUS].astype(np.float64).max(axis=1) * scale + 1.5
    length = np.hypot(*np.moveaxis(np.diff(points, axis=1), 2, 0)).sum(axis=1)
    length = np.minimum(length, 2 * sides.sum(axis=1))
    return float(np.minimum(sides.prod(axis=1), 2 * radius * length + np.pi * radius**2).sum())


def _ramps(drawing: Drawing) -> int:
    """Strokes whose opacity changes, for which a gradient is found."""
    from semantic_guidance.export.svg import ALIKE

    opacity = drawing.strokes[:, OPACITY].astype(np.float64)
    return int(np.count_nonzero(np.abs(opacity[:, 0] - opacity[:, 1]) >= ALIKE))


def _outlines(drawing: Drawing, exact: bool) -> float:
    """Outlines that are drawn, longer ones as several: for each stroke, and each step of its opacity."""
    from semantic_guidance.export.svg import STEP

    strokes = drawing.strokes.astype(np.float64)
    scale = max(drawing.width, drawing.height)
    steps = np.ceil(np.abs(strokes[:, OPACITY][:, 0] - strokes[:, OPACITY][:, 1]) / STEP)
    seed = any(layer.compositing == "seed" for layer in drawing.layers)
    curves = np.diff(strokes[:, POINTS].reshape(-1, 3, 2), axis=1)
    length = scale * (np.hypot(*np.moveaxis(curves, 2, 0)).sum(axis=1) + strokes[:, RADIUS].max(axis=1))
    each = np.maximum(1, length / SHORT) ** GROWTH
    return float((each * (1 + (steps if exact or seed else 0))).sum())
