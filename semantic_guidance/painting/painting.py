"""A finished painting: its strokes in layers, and everything that can be made from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.renderer import render
from semantic_guidance.renderer.ltp_rule import ltp_composite

if TYPE_CHECKING:
    from semantic_guidance.painting.brushes.canvas import TexturedCanvas

Level = Literal["background", "foreground"]
Compositing = Literal["over", "seed"]


@dataclass(frozen=True, eq=False)
class Layer:
    """Consecutive strokes under one mask.

    Attributes:
        strokes: ``[1, N]`` strokes in the order in which they are painted.
        level: what they depict; with `Guidance.none()` everything is background.
        instance: index of the object in the guidance; 0 in the background.
        mask: index of the painting's mask under which the strokes show; everywhere if None.
        compositing: ``over``, or ``seed`` for what an actor of the papers' code painted by itself: there the
            mask holds back the colour of a stroke but not its alpha.
    """

    strokes: Strokes  # [1, N]
    level: Level = "background"
    instance: int = 0
    mask: int | None = None
    compositing: Compositing = "over"

    def paint(self, canvas: Tensor, mask: Tensor | None, part: slice = slice(None)) -> Tensor:
        """`canvas` ``[3, H, W]`` with (a part of) the layer's strokes on it, under ``[1, H, W]`` or none."""
        paint = render if self.compositing == "over" else ltp_composite
        return paint(self.strokes[part], canvas[None], None if mask is None else mask[None])[0]


@dataclass(frozen=True, eq=False)
class Painting:
    """The strokes of a painting and its canvas.

    Attributes:
        layers: the strokes, in the order in which they are painted.
        background: RGB in [0, 1] of the empty canvas.
        width: pixels of `canvas`.
        height: pixels of `canvas`.
        masks: ``[1, h, w]`` each, in multiples of 1/255, under which layers show. They keep the resolution
            at which they were made and are resized to that of each rendering.
        guidance: what the painter knew about the picture, at the size of the picture.
        seconds: wall time by stage (``guidance``, ``plan``, ``polish``).
        photo: ``[3, h, w]`` the picture that was painted, if it is at hand.
        brush: how the strokes look on the canvas.
        paper: width and height in mm of the paper for which it is meant, if any.
        start: ``[3, h, w]`` in multiples of 1/255, a picture on the canvas before the first stroke. Like
            masks it is resized to each rendering.
        transparent: what pictures of it show, the rest being transparent: the strokes without the canvas
            (``painting``) or the objects alone (``object``).

    Raises:
        ValueError: a layer's mask is not there, or only the objects are to be shown and there are none.
    """

    layers: tuple[Layer, ...]
    background: tuple[float, float, float]
    width: int
    height: int
    guidance: Guidance = field(default_factory=Guidance.none)
    seconds: dict[str, float] = field(default_factory=dict)
    photo: Tensor | None = None
    brush: Brush = field(default_factory=Brush)
    paper: tuple[float, float] | None = None
    start: Tensor | None = None
    transparent: Literal["painting", "object"] | None = None
    masks: tuple[Tensor, ...] = ()

    def __post_init__(self) -> None:
        for layer in self.layers:
            if layer.mask is not None and not 0 <= layer.mask < len(self.masks):
                raise ValueError(f"mask of a layer is {layer.mask}, wanted less than {len(self.masks)}")
        if self.transparent == "object" and not (self.guidance.instances or self.foreground_strokes):
            raise ValueError("transparent: there is no object in the painting, wanted one, or 'painting'")

    @property
    def strokes(self) -> Strokes:
        """All strokes, ``[1, N]``, in the order in which they are painted."""
        return Strokes.cat([Strokes.empty(), *(layer.strokes for layer in self.layers)])

    @property
    def foreground_strokes(self) -> int:
        """Number of strokes that paint an object."""
        return sum(len(layer.strokes) for layer in self.layers if layer.level == "foreground")

    @cached_property
    def canvas(self) -> Tensor:
        """The painted picture, ``[3, height, width]`` in [0, 1]."""
        return self.render()

    def render(self, size: int | None = None) -> Tensor:
        """The painted picture with `size` pixels on its longer side (those of the painting if None)."""
        easel = Easel(self, size)
        for layer in self.layers:
            easel.paint(layer)
        return easel.picture()

    def replay(self, size: int | None = None) -> Iterator[Tensor]:
        """The canvas ``[3, H, W]``, empty at first, then after each stroke; the last one is the painting."""
        easel = Easel(self, size)
        yield easel.picture()
        for layer in self.layers:
            for n in range(len(layer.strokes)):
                easel.paint(layer, slice(n, n + 1))
                yield easel.picture()

    def blank(self, size: int | None = None) -> Tensor:
        """The empty canvas, ``[3, H, W]``, with `size` pixels on its longer side.

        Raises:
            ValueError: `size` is below 1.
        """
        longer = max(self.width, self.height)
        size = longer if size is None else size
        if size < 1:
            raise ValueError(f"size is {size}, wanted at least 1 pixel")
        height, width = (max(1, round(side * size / longer)) for side in (self.height, self.width))
        if self.start is not None:
            return resample(self.start, height, width).clamp(0, 1).contiguous()
        return torch.tensor(self.background).view(3, 1, 1).expand(3, height, width).contiguous()

    def cut_out(self, size: int | None = None) -> Tensor:
        """The painting without its canvas, or its objects alone, by `transparent`: RGBA ``[4, H, W]``."""
        if self.transparent == "object":
            return torch.cat([self.render(size).clamp(0, 1), self.object_mask(size)])
        return self._without_canvas(size)

    def _without_canvas(self, size: int | None) -> Tensor:
        """The strokes' own colour and alpha: derived from a black and a white canvas."""
        shades = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        flat = replace(self, start=None, brush=Brush())
        black, white = (replace(flat, background=shade).render(size) for shade in shades)
        alpha = (1 - (white - black).mean(dim=0, keepdim=True)).clamp(0, 1)
        if self.brush.style != "flat":  # textured paint covers what its strokes cover
            return torch.cat([self.render(size).clamp(0, 1), alpha])
        return torch.cat([(black / alpha.clamp(min=1e-6)).clamp(0, 1), alpha])

    def object_mask(self, size: int | None = None) -> Tensor:
        """``[1, H, W]`` in [0, 1] where the objects are: under their masks and their unclipped strokes.

        The masks are those of the guidance, or, if it has no objects, those of the objects' strokes.
        """
        objects = [layer for layer in self.layers if layer.level == "foreground"]
        free = tuple(layer for layer in objects if layer.mask is None)
        used = [self.masks[layer.mask] for layer in objects if layer.mask is not None]
        mask = replace(self, layers=free, transparent=None)._without_canvas(size)[3:]
        known = self.guidance.mask if self.guidance.instances else None
        for part in used if known is None else [known]:
            mask = torch.maximum(mask, resample(part, *mask.shape[1:]))
        return mask

    def save(self, path: str | Path) -> None:
        """Write the painting to `path`, in the format of `EXPORTERS` that its suffix names.

        Raises:
            ValueError: the suffix is not that of a known format.
            OSError: the file cannot be written.
        """
        EXPORTERS.get(EXPORTERS.of(path)).write(self, Path(path))


class Easel:
    """The canvas of a painting in progress.

    Args:
        painting: its size, background and brush.
        size: pixels of the canvas's longer side, those of the painting if None.
    """

    def __init__(self, painting: Painting, size: int | None = None) -> None:
        self._canvas = painting.blank(size)
        self._masks = painting.masks
        self._resized: dict[int, Tensor] = {}
        self._textured: TexturedCanvas | None = None
        if painting.brush.style != "flat":
            from semantic_guidance.painting.brushes.canvas import TexturedCanvas

            self._textured = TexturedCanvas(painting.brush, self._canvas)

    def paint(self, layer: Layer, part: slice = slice(None)) -> None:
        """Paint (a part of) the strokes of a layer."""
        mask = None if layer.mask is None else self._mask(layer.mask)
        if self._textured is None:
            self._canvas = layer.paint(self._canvas, mask, part)
        else:
            self._textured.paint(layer.strokes[part], mask)

    def _mask(self, index: int) -> Tensor:
        """The painting's mask at the canvas's size, ``[1, H, W]``."""
        if index not in self._resized:
            self._resized[index] = resample(self._masks[index], *self._canvas.shape[1:])
        return self._resized[index]

    def picture(self) -> Tensor:
        """The canvas as it looks now, ``[3, H, W]`` in [0, 1]."""
        return self._canvas if self._textured is None else self._textured.picture()
