"""A canvas painted with a textured brush, stroke by stroke."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painting.brushes import Brush, surface
from semantic_guidance.renderer.backends.cpu.textured import paint_textured

Array = NDArray[np.float32]

PAPER = (0.975, 0.962, 0.93)  # RGB of paper for watercolours and drawings
PAPER_SHARE = {"pencil": 0.75}  # of it in the empty canvas's colour; for others the two are multiplied
LIGHTS = {
    "oil": (1.7, 0.45, 0.1),
    "knife": (1.6, 0.45, 0.1),
    "gouache": (1.7, 0.45, 0.0),
    "watercolor": (0.6, 0.10, 0.0),
    "pencil": (0.6, 0.10, 0.0),
    "picture": (1.7, 0.45, 0.1),
}
"""Height of the surface in details, strength of its light and shade, brightness of highlights, at a relief
of one half."""

DETAILS = 1024
"""Pixels of a picture whose details, such as a bristle's mark, have about one."""


class TexturedCanvas:
    """What a brush other than ``flat`` has painted so far.

    Args:
        brush: to paint with.
        blank: ``[3, H, W]`` the empty canvas, in the colour that the strokes were made for.
    """

    def __init__(self, brush: Brush, blank: Array) -> None:
        _, height, width = blank.shape
        self.brush = brush
        self.unit = max(height, width) / DETAILS
        self.grain: Array | None = None
        self.state = np.zeros((4, height, width), np.float32)  # red, green, blue, height or wetness
        self.state[:3] = blank
        if brush.on_paper:
            self.grain = surface.tooth(height, width, DETAILS, brush.seed)
            paper = np.array(PAPER, np.float32)[:, None, None]
            share = PAPER_SHARE.get(brush.style)
            self.state[:3] = blank * paper if share is None else blank + share * (paper - blank)

    def paint(
        self,
        strokes: Array,
        mask: Array | None = None,
        load: Array | None = None,
        ends: str = "round",
        keys: NDArray[np.int64] | None = None,
    ) -> None:
        """Paint packed strokes ``[N, 13]`` of loads ``[N]`` (1 if None) under a mask ``[H, W]`` or none.

        Their textures are those of `keys` ``[N]``, see `painting.Layer`, or of their places.
        """
        paint_textured(
            self.state,
            strokes,
            self.brush.style,
            seed=self.brush.seed,
            ends=ends,
            unit=self.unit,
            bristle=self.brush.dial("bristle"),
            dry=self.brush.dial("dry"),
            load=load,
            mask=mask,
            grain=self.grain,
            levels=self.brush.levels,
            keys=keys,
        )

    def height_map(self) -> Array:
        """Height of the surface ``[H, W]``, paint or rough paper, in units of the picture's longer side."""
        if self.brush.style not in LIGHTS:
            return np.zeros_like(self.state[3])
        relief = self.state[3] if self.grain is None else self.grain
        scale = LIGHTS[self.brush.style][0] * 2 * self.brush.dial("relief") / DETAILS
        return np.asarray(relief * np.float32(scale), np.float32)

    def picture(self) -> Array:
        """The canvas as it looks in the light, ``[3, H, W]`` in [0, 1]."""
        color = np.ascontiguousarray(self.state[:3].transpose(1, 2, 0))
        if self.brush.style == "watercolor":
            color = surface.bled(color, self.state[3], self.unit, self.brush.seed)
        relief = self.brush.dial("relief")
        if self.brush.style in LIGHTS and relief > 0 and self.brush.light is not None:
            _, strength, gloss = LIGHTS[self.brush.style]
            height = self.height_map() * np.float32(max(self.state.shape[1:]))
            color = surface.lit(color, height, strength, 2 * relief * gloss, self.brush.light)
            del height
        picture = color.transpose(2, 0, 1).copy()
        return picture.clip(0, 1, out=picture)
