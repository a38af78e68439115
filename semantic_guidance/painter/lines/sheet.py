"""The sheet of a drawing: the picture as somebody who draws sees it, and the lines that are put down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import blur, sample
from semantic_guidance.images.color import LUMA
from semantic_guidance.painter.lines.curves import curve_points
from semantic_guidance.painter.lines.dials import LineStyle

Array = NDArray[np.float32]

Told = Callable[[Callable[[], Array]], bool]
"""Told of a drawing whose packed strokes ``[N, 13]`` so far the function makes; says whether to go on."""

HUE = 0.6
"""How much the darkest of red, green and blue counts as darkness where lines are coloured."""


def unwatched(drawing: Callable[[], Array]) -> bool:
    """Tells nobody: the drawing goes on."""
    return True


@dataclass(frozen=True, eq=False)
class Sheet:
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
    def of(target: Array, weight: Array, masks: Array, focus: Array, style: LineStyle, count: int) -> Sheet:
        """The sheet for a drawing of so many lines; for the arguments see `lines.drawn`."""
        side = max(target.shape[:2])
        rest, regions = np.ones(target.shape[:2], np.float32), []
        for mask in masks[::-1]:
            regions.append((rest * mask).astype(np.float32))
            rest = rest * (1 - mask)
        regions.append(rest.astype(np.float32))
        hue = HUE * style.colored  # what is bright and full of colour gets lines of that colour
        dark = np.asarray(1 - (1 - hue) * (target @ LUMA) - hue * target.min(axis=-1), np.float32)
        low, high = np.percentile(dark, (3, 97.5))
        dark = np.clip((dark - low) / max(float(high - low), 0.05), 0, 1.1).astype(np.float32)
        dark = dark + style.relief * (dark - blur(dark, 0.04 * side)) * (0.3 + 0.7 * (1 - rest))
        if len(masks):
            dark = dark * (1 - (1 - style.background) * rest)
        worth = weight / max(float(weight.mean()), 1e-6) * (1 + style.attention * focus**2)
        radius = style.radius * (1000 / count) ** style.shrink * side
        return Sheet(target, np.clip(dark, 0, 1), worth, regions[::-1], focus, style, radius)

    @property
    def side(self) -> int:
        """Pixels of the longer side."""
        return max(self.target.shape[:2])


def inked(
    sheet: Sheet,
    curves: Array,
    press: float,
    rng: np.random.Generator,
    width: float = 1.0,
    chain: bool = True,
) -> Array:
    """Strokes along curves that are put down in one go.

    Args:
        sheet: on which they are.
        curves: ``[K, 3, 2]`` end to end, in pixels.
        press: how hard they are pressed, in [0, 1]: how wide and how dark they are.
        rng: of their width.
        width: factor of it.
        chain: whether they are a contour, thin at both ends, or one line of hatching.

    Returns:
        ``[K, 13]`` packed strokes.
    """
    style, count = sheet.style, len(curves)
    at = np.linspace(0, 1, count + 1)
    if chain:
        profile = np.minimum(1, np.minimum(style.taper + 4 * at, style.taper + 2.5 * (1 - at)))
        profile = profile * (0.65 + 0.7 * press)
    else:
        profile = np.array([0.9, style.taper]) * (0.8 + 0.4 * press)
    profile = profile * (1 + style.wobble * rng.uniform(-1, 1))
    radius = sheet.radius * width * profile
    opacity = style.opacity[0] + (style.opacity[1] - style.opacity[0]) * press
    opacities = np.array([opacity, opacity * style.fade])
    points = curves.reshape(count, 6) / sheet.side
    color = np.tile(np.array(style.ink, np.float32), (count, 1))
    if style.colored:
        middle = np.stack([curve_points(curve, 3)[1] for curve in curves])
        color += np.float32(style.colored) * (sample(sheet.target, middle) - color)
    if chain:  # thinned with paper instead: where translucent strokes join, there would be spots
        cover = 0.5 * (opacity + style.opacity[1])
        color, opacities = cover * color + (1 - cover) * np.array(style.paper, np.float32), np.ones(2)
    radii = np.stack([radius[:-1], radius[1:]], -1) / sheet.side
    return np.column_stack([points, radii, np.tile(opacities, (count, 1)), color]).astype(np.float32)
