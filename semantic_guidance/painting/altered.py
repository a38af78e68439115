"""Drawings with other colours, before another background, or only in part; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.images.arrays import resample_array
from semantic_guidance.images.color import STRETCH, Color, chosen_colors, to_oklab
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Array, Drawing
from semantic_guidance.painting.layers import DrawnLayer

MASK_SIZE = 1024
"""Longer side in pixels of masks at most."""


def recolored(drawing: Drawing, palette: Sequence[Color] | int) -> Drawing:
    """The drawing with each stroke, and an empty canvas, in the colour of a palette that looks most like it.

    The canvas stays as it is if there is but one colour, with which nothing could be seen on it.

    Args:
        drawing: to be painted with other colours.
        palette: RGB in [0, 1], or how many are to be chosen from the strokes', large ones counting more.
    """
    if isinstance(palette, int):
        if not len(drawing.strokes):
            return drawing
        colors = chosen_colors(drawing.strokes[:, COLOR], _areas(drawing.strokes), palette)
    else:
        colors = np.array(palette, np.float64)

    def snapped(values: Array) -> Array:
        here, there = to_oklab(values) * STRETCH, to_oklab(colors) * STRETCH
        return np.asarray(colors[((there**2).sum(axis=1) / 2 - here @ there.T).argmin(axis=1)], np.float32)

    layers = []
    for layer in drawing.layers:
        strokes = layer.strokes.copy()
        if len(strokes):
            strokes[:, COLOR] = snapped(strokes[:, COLOR])
        layers.append(replace(layer, strokes=strokes))
    red, green, blue = drawing.background
    if len(colors) > 1:
        red, green, blue = snapped(np.array([drawing.background], np.float32))[0].tolist()
    return replace(drawing, layers=tuple(layers), background=(red, green, blue), tubes=None)


def on_background(drawing: Drawing, background: Color | Array) -> Drawing:
    """The drawing's objects before a colour, or a picture ``[3, h, w]``, without the strokes behind them.

    Where strokes of the background lie on those of an object, the new background is seen. A drawing that has
    no objects is painted on that canvas with all its strokes.
    """
    if (objects := drawing.foreground_strokes > 0) and _mixed(drawing) and _maskable(drawing):
        drawing = _masked(drawing, _on_top(drawing))
    layers = tuple(layer for layer in drawing.layers if layer.level == "foreground" or not objects)
    if not isinstance(background, tuple):
        background = _in_bytes(_filling(background, *drawing.sides()))
    if drawing.cover is not None:
        drawing = replace(drawing, beyond=background)
        if len(layers) == len(drawing.layers):
            return drawing  # all is the object, its canvas as well
    if isinstance(background, tuple):
        return replace(drawing, layers=layers, background=background, start=None)
    return replace(drawing, layers=layers, start=background)


def _maskable(drawing: Drawing) -> bool:
    """Whether there can be a mask on all strokes."""
    return all(layer.compositing == "over" for layer in drawing.layers)


def _mixed(drawing: Drawing) -> bool:
    """Whether strokes of the background lie on those of objects."""
    levels = [layer.level for layer in drawing.layers if len(layer.strokes)]
    return "background" in levels[levels.index("foreground") :]


def _on_top(drawing: Drawing) -> Array:
    """``[1, h, w]`` in [0, 1]: 0 where strokes of the background lie on top."""
    layers = []
    for layer in drawing.layers:
        strokes = layer.strokes.copy()
        strokes[:, COLOR] = float(layer.level == "foreground")
        layers.append(replace(layer, strokes=strokes))
    plain = replace(
        drawing, layers=tuple(layers), background=(1.0, 1.0, 1.0), start=None, brush=Brush(), cover=None
    )
    return plain.render(max(mask_sides(drawing)))[:1]


def within(drawing: Drawing, mask: Array) -> Drawing:
    """The drawing with its strokes only where a mask ``[1, h, w]`` in [0, 1] is bright, of its aspect ratio.

    Under a cover there is nothing else of it, either: the canvas, too, is seen only there.

    Raises:
        ValueError: some strokes are composited by the papers' rule, which paints black outside a mask.
    """
    if drawing.cover is not None:
        finest = max(mask.shape[1:], drawing.cover.shape[1:])
        share = resample_array(drawing.cover, *finest) * resample_array(mask, *finest)
        return replace(drawing, cover=_in_bytes(share))
    return _masked(drawing, mask)


def _masked(drawing: Drawing, mask: Array) -> Drawing:
    """The drawing with a mask ``[1, h, w]`` on its strokes, beside those that they have.

    Raises:
        ValueError: see `within`.
    """
    if not _maskable(drawing):
        raise ValueError("mask cannot be put on strokes whose compositing is seed, wanted others")
    height, width = mask.shape[1:]
    masks: list[Array] = []
    numbers: dict[int | None, int] = {}

    def number(layer: DrawnLayer) -> int:
        if layer.mask not in numbers:
            own = (
                mask
                if layer.mask is None
                else mask * resample_array(drawing.masks[layer.mask], height, width)
            )
            masks.append(_in_bytes(own))
            numbers[layer.mask] = len(masks) - 1
        return numbers[layer.mask]

    layers = tuple(replace(layer, mask=number(layer)) for layer in drawing.layers)
    return replace(drawing, layers=layers, masks=tuple(masks))


def _in_bytes(picture: Array) -> Array:
    """A picture in multiples of 1/255, as files have it."""
    return np.rint(picture.clip(0, 1) * 255).astype(np.float32) / np.float32(255)


def uncovered(drawing: Drawing) -> Drawing:
    """The drawing without a cover: its strokes are under the masks of their layers instead, each by itself.

    That is for what has no groups, such as a pen; strokes of the papers' rule stay as they are.
    """
    bare = replace(drawing, cover=None)
    return bare if drawing.cover is None or not _maskable(drawing) else _masked(bare, drawing.cover)


def mask_sides(drawing: Drawing) -> tuple[int, int]:
    """Height and width of a mask of a drawing, at most `MASK_SIZE`."""
    return drawing.sides(min(MASK_SIZE, max(drawing.width, drawing.height)))


def _areas(strokes: Array) -> NDArray[np.float64]:
    """``[N]`` about what packed strokes cover, by their chord, width and opacity."""
    start, _, end = np.moveaxis(strokes[:, POINTS].reshape(-1, 3, 2), 1, 0)
    radius = strokes[:, RADIUS].mean(axis=1)
    area = 2 * radius * np.linalg.norm(end - start, axis=1) + np.pi * radius**2
    return np.asarray(area * strokes[:, OPACITY].mean(axis=1), np.float64)


def _filling(picture: Array, height: int, width: int) -> Array:
    """The middle of a picture ``[3, h, w]``, scaled so that it just fills ``[3, height, width]``."""
    rows, columns = picture.shape[1:]
    scale = max(height / rows, width / columns)
    down, across = min(rows, max(1, round(height / scale))), min(columns, max(1, round(width / scale)))
    top, left = (rows - down) // 2, (columns - across) // 2
    return resample_array(picture[:, top : top + down, left : left + across], height, width)
