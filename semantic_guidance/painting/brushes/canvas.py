"""A canvas painted with a textured brush, stroke by stroke."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painting.brushes import Brush, surface
from semantic_guidance.renderer.backends.cpu.textured import paint_textured

PAPER = (0.975, 0.962, 0.93)  # RGB of paper for watercolours and pencils
PAPER_SHARE = {"watercolor": 0.35, "pencil": 0.75}  # how much of it there is in the empty canvas's colour
LIGHTS = {"oil": (2.4, 0.5, 0.2), "watercolor": (0.8, 0.12, 0.0), "pencil": (0.6, 0.1, 0.0)}
"""Height of the surface in fine details, strength of its light and shade, brightness of highlights."""

DETAILS, GROWTH, FINEST = 1024, 0.65, 0.75
"""Pixels of a picture whose fine details have one, exponent of their growth with it, their least size.

Details that grew in proportion would look blurred on a large print; here they become finer and more.
"""


class TexturedCanvas:
    """What a brush other than ``flat`` has painted so far.

    Args:
        brush: to paint with.
        blank: ``[3, H, W]`` the empty canvas, in the colour that the strokes were made for.
    """

    def __init__(self, brush: Brush, blank: NDArray[np.float32]) -> None:
        _, height, width = blank.shape
        self.brush = brush
        self.unit = max(FINEST, (max(height, width) / DETAILS) ** GROWTH)
        self.grain: NDArray[np.float32] | None = None
        self.state = np.zeros((4, height, width), np.float32)  # red, green, blue, height of the paint
        self.state[:3] = blank
        if brush.style in PAPER_SHARE:
            self.grain = surface.tooth(height, width, self.unit, brush.seed)
            share = PAPER_SHARE[brush.style]
            self.state[:3] += share * (np.array(PAPER, np.float32)[:, None, None] - self.state[:3])
        self.count = 0

    def paint(self, strokes: NDArray[np.float32], mask: NDArray[np.float32] | None = None) -> None:
        """Paint packed strokes ``[N, 13]`` under a mask ``[H, W]`` or none."""
        paint_textured(
            self.state,
            strokes,
            self.brush.style,
            begin=self.count,
            seed=self.brush.seed,
            unit=self.unit,
            mask=mask,
            grain=self.grain,
            levels=self.brush.levels,
        )
        self.count += len(strokes)

    def picture(self) -> NDArray[np.float32]:
        """The canvas as it looks in the light, ``[3, H, W]`` in [0, 1]."""
        color = np.ascontiguousarray(self.state[:3].transpose(1, 2, 0))
        if self.brush.style in LIGHTS:
            height, strength, gloss = LIGHTS[self.brush.style]
            relief = self.state[3] if self.grain is None else self.grain
            color = surface.lit(color, relief * np.float32(height * self.unit), strength, gloss)
        return np.ascontiguousarray(color.transpose(2, 0, 1)).clip(0, 1)
