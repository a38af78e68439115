"""What is drawn, as plain numbers, and the drawing of it: without torch, which takes a second to load.

`painting.Painting` is made of the same numbers as tensors. Both are drawn here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.packed import COLOR, NUMBERS, POINTS, RADIUS, check_finite
from semantic_guidance.images.arrays import resample_array
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.renderer.definition import FARTHEST

if TYPE_CHECKING:
    from semantic_guidance.painting.pigments import Tubes
    from semantic_guidance.renderer.backends.cpu.easel import Easel

Array = NDArray[np.float32]
Level = Literal["background", "foreground"]
Compositing = Literal["over", "seed"]
Ends = Literal["round", "square", "filbert"]
Shown = Literal["painting", "object"]
Rectangle = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""

SOFTNESS = 1.0
"""Pixels of a stroke's soft edge."""

UNLIKE = 0.1
"""Difference of a channel from which a picture's colour is another one than that of the canvas."""


MASK_BYTES = 1 << 30
"""Of resized masks that are kept for later layers."""


@dataclass(frozen=True, eq=False)
class DrawnLayer:
    """Consecutive strokes under one mask: a `painting.Layer` as numbers.

    Attributes:
        strokes: ``[N, 13]`` packed, contiguous, in the order in which they are painted.
        level: see `painting.Layer`.
        instance: see `painting.Layer`.
        mask: see `painting.Layer`.
        compositing: see `painting.Layer`.
        ends: see `painting.Layer`.
        load: ``[N]``, see `painting.Layer`.
        locked: see `painting.Layer`.
    """

    strokes: Array
    level: Level = "background"
    instance: int = 0
    mask: int | None = None
    compositing: Compositing = "over"
    ends: Ends = "round"
    load: Array | None = None
    locked: bool = False


@dataclass(frozen=True, eq=False)
class Drawing:
    """All that is drawn of a `painting.Painting`, as numbers. What is not described here is described there.

    Attributes:
        layers: the strokes.
        background: RGB in [0, 1] of the empty canvas.
        width: in pixels.
        height: in pixels.
        masks: ``[1, h, w]`` each.
        start: ``[3, h, w]`` instead of an empty canvas.
        brush: how the strokes look.
        paper: width and height in mm.
        transparent: what pictures of it show.
        known: ``[1, h, w]`` where the objects are, if that is known.
        photo: ``[3, h, w]`` that was painted, if it is at hand.
        hand: whose strokes they are.
        source: name and checksum of the file that was painted.
        tubes: of paint of which its colours are mixed, if they are.

    Raises:
        ValueError: a layer's mask is not there, or only the objects are to be shown and there are none.
    """

    layers: tuple[DrawnLayer, ...]
    background: tuple[float, float, float]
    width: int
    height: int
    masks: tuple[Array, ...] = ()
    start: Array | None = None
    brush: Brush = field(default_factory=Brush)
    paper: tuple[float, float] | None = None
    transparent: Shown | None = None
    known: Array | None = None
    photo: Array | None = None
    hand: Mapping[str, Any] | None = None
    source: str = ""
    tubes: Tubes | None = None

    def __post_init__(self) -> None:
        objects = self.known is not None or self.foreground_strokes > 0
        check_parts([layer.mask for layer in self.layers], len(self.masks), self.transparent, objects)

    @cached_property
    def strokes(self) -> Array:
        """All strokes, ``[N, 13]``, in the order in which they are painted."""
        return np.concatenate([np.zeros((0, NUMBERS), np.float32), *(layer.strokes for layer in self.layers)])

    @property
    def foreground_strokes(self) -> int:
        """Number of strokes that paint an object."""
        return sum(len(layer.strokes) for layer in self.layers if layer.level == "foreground")

    @cached_property
    def canvas(self) -> Array:
        """The painted picture, ``[3, height, width]`` in [0, 1]."""
        return self.render()

    def sides(self, size: int | None = None) -> tuple[int, int]:
        """Height and width with `size` pixels on the longer side (those of the painting if None).

        Raises:
            ValueError: `size` is below 1.
        """
        longer = max(self.width, self.height)
        size = longer if size is None else size
        if size < 1:
            raise ValueError(f"size is {size}, wanted at least 1 pixel")
        return max(1, round(self.height * size / longer)), max(1, round(self.width * size / longer))

    def blank(self, size: int | None = None) -> Array:
        """The empty canvas, ``[3, H, W]``; see `sides`."""
        height, width = self.sides(size)
        if self.start is not None:
            return resample_array(self.start, height, width).clip(0, 1)
        blank = np.empty((3, height, width), np.float32)
        blank[:] = np.array(self.background, np.float32)[:, None, None]
        return blank

    def render(self, size: int | None = None) -> Array:
        """The painted picture, ``[3, H, W]``; see `sides`."""
        replay = Replay(self, size)
        replay.paint(len(self.strokes))
        return replay.picture()

    def height_map(self, size: int | None = None) -> Array:
        """Height of the surface that the light shows, ``[H, W]`` in units of the longer side; see `sides`.

        It is that of the paint, or of the paper where a brush is for paper; 0 for the flat brush.
        """
        if self.brush.style == "flat":
            return np.zeros(self.sides(size), np.float32)
        replay = Replay(self, size)
        replay.paint(len(self.strokes))
        return replay.height_map()

    def cut_out(self, size: int | None = None) -> Array:
        """The painting without its canvas, or its objects alone, by `transparent`: RGBA ``[4, H, W]``."""
        if self.transparent == "object":
            return np.concatenate([self.render(size).clip(0, 1), self.object_mask(size)])
        return self._without_canvas(size)

    def _without_canvas(self, size: int | None) -> Array:
        """The strokes' own colour and alpha: derived from a black and a white canvas."""
        shades = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        flat = replace(self, start=None, brush=Brush())
        black, white = (replace(flat, background=shade).render(size) for shade in shades)
        alpha = (1 - (white - black).mean(axis=0, keepdims=True)).clip(0, 1)
        if self.brush.style != "flat":  # textured paint covers what its strokes cover
            return np.concatenate([self.render(size).clip(0, 1), alpha])
        return np.concatenate([(black / alpha.clip(1e-6)).clip(0, 1), alpha])

    def bare_share(self, size: int | None = None) -> float:
        """Share of the canvas that no stroke covers, 0 to 1, where the picture is of another colour.

        Without a picture, it counts wherever it is bare.
        """
        bare = 1 - replace(self, transparent=None)._without_canvas(size)[3]
        if self.photo is not None:
            ground = self.blank(size)
            unlike = np.abs(resample_array(self.photo, *bare.shape) - ground).max(axis=0) > UNLIKE
            bare = bare * unlike
        return float(bare.mean())

    def object_mask(self, size: int | None = None) -> Array:
        """``[1, H, W]`` in [0, 1] where the objects are: under their masks and their unclipped strokes.

        Their masks are what is known of them, or else those of their strokes.
        """
        objects = [layer for layer in self.layers if layer.level == "foreground"]
        free = tuple(layer for layer in objects if layer.mask is None)
        numbers = dict.fromkeys(layer.mask for layer in objects if layer.mask is not None)
        used = [self.masks[number] for number in numbers]
        mask = replace(self, layers=free, transparent=None)._without_canvas(size)[3:]
        for part in used if self.known is None else [self.known]:
            mask = np.maximum(mask, resample_array(part, *mask.shape[1:]))
        return mask


def check_parts(masks: Iterable[int | None], count: int, transparent: str | None, objects: bool) -> None:
    """Check that the parts of a painting fit together.

    Args:
        masks: of the layers.
        count: of the painting's masks.
        transparent: what is to be shown.
        objects: whether there are any.

    Raises:
        ValueError: a layer's mask is not there, or only the objects are to be shown and there are none.
    """
    for mask in masks:
        if mask is not None and not 0 <= mask < count:
            raise ValueError(f"mask of a layer is {mask}, wanted less than {count}")
    if transparent == "object" and not objects:
        raise ValueError("transparent: there is no object in the painting, wanted one, or 'painting'")


class Replay:
    """A canvas on which a drawing appears, stroke after stroke.

    Args:
        drawing: what is painted.
        size: pixels of the canvas's longer side, those of the painting if None.
    """

    def __init__(self, drawing: Drawing, size: int | None = None) -> None:
        # The compiled renderer takes a while to load, which formats without a picture need not wait for.
        from semantic_guidance.renderer.backends.cpu.easel import Easel

        blank = drawing.blank(size)
        self.height, self.width = blank.shape[1:]
        self._drawing = drawing
        self._canvas: Any = Easel(blank)
        self._flat = drawing.brush.style == "flat"
        if not self._flat:
            from semantic_guidance.painting.brushes.canvas import TexturedCanvas

            self._canvas = TexturedCanvas(drawing.brush, blank)
        self._resized: dict[int, Array] = {}
        self._layer, self._begin, self._done = 0, 0, 0  # current layer, its strokes done, all strokes done
        self._boxes: NDArray[np.int64] | None = None

    def paint(self, count: int) -> Rectangle | None:
        """Paint until `count` strokes of the drawing are there.

        Returns:
            A rectangle beyond which nothing has changed; None if nothing has.

        Raises:
            NotFiniteError: a stroke holds infinity or NaN.
        """
        before = self._done
        layers = self._drawing.layers
        while self._layer < len(layers) and self._done < count:
            layer = layers[self._layer]
            end = min(len(layer.strokes), self._begin + count - self._done)
            if end > self._begin:
                self._paint(layer, slice(self._begin, end))
            self._done, self._begin = self._done + end - self._begin, end
            if end == len(layer.strokes):
                self._layer, self._begin = self._layer + 1, 0
        return self._changed(before)

    def _paint(self, layer: DrawnLayer, part: slice) -> None:
        strokes = layer.strokes[part]
        check_finite(strokes)
        mask = None if layer.mask is None else self._mask(layer.mask)
        if self._flat and mask is not None and layer.compositing == "seed":
            self._canvas = _seed_composite(self._canvas.picture(), strokes, mask, layer.ends)
        elif self._flat:
            self._canvas.paint(strokes, mask, SOFTNESS, layer.ends)
        else:
            load = None if layer.load is None else layer.load[part]
            self._canvas.paint(strokes, mask, load, layer.ends)

    def _mask(self, index: int) -> Array:
        """The drawing's mask at the canvas's size, ``[H, W]``."""
        mask = self._resized.pop(index, None)
        if mask is None:
            while self._resized and (len(self._resized) + 1) * 4 * self.height * self.width > MASK_BYTES:
                del self._resized[next(iter(self._resized))]
            resized = resample_array(self._drawing.masks[index], self.height, self.width)
            mask = np.ascontiguousarray(resized[0])
        self._resized[index] = mask  # at the end: the first one was used the longest ago
        return mask

    def _changed(self, before: int) -> Rectangle | None:
        """What the strokes from number `before` on have touched."""
        if before == self._done:
            return None
        if not self._flat:  # light falls on all of it
            return 0, self.height, 0, self.width
        if self._boxes is None:
            parts = [
                boxes(layer.strokes, self.height, self.width, layer.ends) for layer in self._drawing.layers
            ]
            self._boxes = np.concatenate(parts)
        box = self._boxes[before : self._done]
        box = box[(box[:, 0] < box[:, 1]) & (box[:, 2] < box[:, 3])]
        if len(box) == 0:
            return None
        top, left = box[:, [0, 2]].min(axis=0)
        bottom, right = box[:, [1, 3]].max(axis=0)
        return int(top), int(bottom), int(left), int(right)

    def picture(self) -> Array:
        """The canvas as it looks now, ``[3, H, W]`` in [0, 1]; a copy."""
        picture: Array = self._canvas.picture()
        return picture

    def height_map(self) -> Array:
        """Height of a textured canvas as it is now, see `Drawing.height_map`."""
        height: Array = self._canvas.height_map()
        return height

    def easel(self) -> Easel:
        """The canvas as it looks now, to be read."""
        from semantic_guidance.renderer.backends.cpu.easel import Easel

        easel: Easel = self._canvas if self._flat else Easel(self.picture())
        return easel


def boxes(strokes: Array, height: int, width: int, ends: Ends = "round") -> NDArray[np.int64]:
    """Rectangles ``[N, 4]`` of the pixels that packed strokes may touch on a canvas; some are empty.

    They are those of the control points, which contain the curves, and of the corners of ends.
    """
    scale = max(height, width)
    points = strokes[:, POINTS].astype(np.float64).reshape(-1, 3, 2) * scale
    radius = strokes[:, RADIUS].astype(np.float64).max(axis=1, keepdims=True) * scale
    reach = FARTHEST[ends] * (radius + SOFTNESS / 2) + 0.5
    sides = np.array([width, height])
    low = np.floor(points.min(axis=1) - reach).clip(0, sides).astype(np.int64)
    high = np.ceil(points.max(axis=1) + reach).clip(0, sides).astype(np.int64)
    return np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], axis=1)


def _seed_composite(canvas: Array, strokes: Array, mask: Array, ends: Ends) -> Easel:
    """`renderer.ltp_rule.ltp_composite`, to the last bit, on ``[3, H, W]`` under ``[H, W]``."""
    from semantic_guidance.renderer.backends.cpu.easel import Easel

    for stroke in strokes:
        plain = stroke[None].copy()
        plain[:, COLOR] = 1
        easel = Easel(np.zeros_like(canvas))
        easel.paint(plain, None, SOFTNESS, ends)
        alpha = easel.picture()[:1]
        canvas = canvas * (1 - alpha) + stroke[COLOR][:, None, None] * alpha * mask
    return Easel(canvas)
