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

from semantic_guidance.core.packed import NUMBERS, check_finite
from semantic_guidance.images.arrays import resample_array
from semantic_guidance.images.fill import filled
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.cover import Cover, Rectangle, united
from semantic_guidance.painting.layers import SOFTNESS, DrawnLayer, boxes
from semantic_guidance.painting.paper import PAPERS, Sheet

if TYPE_CHECKING:
    from semantic_guidance.painting.pigments import Tubes
    from semantic_guidance.renderer.backends.cpu.easel import Easel

Array = NDArray[np.float32]
Shown = Literal["painting", "object"]
UNLIKE = 0.1
"""Difference of a channel from which a picture's colour is another one than that of the canvas."""


MASK_BYTES = 1 << 30
"""Of resized masks that are kept for later layers."""


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
        cover: ``[1, h, w]`` how much is seen of the canvas, if not all is.
        beyond: what is seen in its place: a colour, or ``[3, h, w]``.
        margin: mm that stay free on every side of the paper.

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
    cover: Array | None = None
    beyond: tuple[float, float, float] | Array = (1.0, 1.0, 1.0)
    margin: float | None = None

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

    @property
    def sheet(self) -> Sheet:
        """The painting on its paper, which is A4 unless it is meant for another one."""
        return Sheet.of(self.paper or PAPERS["a4"], self.height, self.width, self.margin)

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

    def behind(self, height: int, width: int) -> Array:
        """What is seen beyond the cover, ``[3, height, width]``, to be read."""
        if isinstance(self.beyond, tuple):
            return np.broadcast_to(np.array(self.beyond, np.float32)[:, None, None], (3, height, width))
        return resample_array(self.beyond, height, width).clip(0, 1)

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
        """The painting without its canvas, or its objects alone, by `transparent`: RGBA ``[4, H, W]``.

        Under a cover it is what that leaves of it, with its canvas.
        """
        if self.transparent != "object" and self.cover is None:
            return self._without_canvas(size)
        picture = replace(self, cover=None).render(size).clip(0, 1)
        alpha = np.ones_like(picture[:1])
        if self.transparent == "object":
            alpha = self.object_mask(size)
        if self.cover is not None:
            alpha = alpha * resample_array(self.cover, *alpha.shape[1:])
        return np.concatenate([picture, alpha])

    def _without_canvas(self, size: int | None) -> Array:
        """The strokes' own colour and alpha, RGBA ``[4, H, W]``."""
        paper = self.brush.on_paper  # which is no part of them, nor is the light on it
        bare = replace(self.brush, light=None) if paper else Brush()
        black, alpha = self._on_black(size, bare)
        if paper or self.brush.style == "flat":
            color = (black / alpha.clip(1e-6)).clip(0, 1)
        else:  # it covers what flat strokes cover, and what it leaves bare of that is of their colour
            color = replace(self, start=filled(black, alpha[0])).render(size).clip(0, 1)
        return np.concatenate([color, alpha])

    def _on_black(self, size: int | None, brush: Brush) -> tuple[Array, Array]:
        """The strokes of a brush on black ``[3, H, W]``, and their alpha ``[1, H, W]``, by a white canvas."""
        canvas = replace(self, start=None, brush=brush, cover=None)
        grounds = [replace(canvas, background=(shade, shade, shade)) for shade in (0.0, 1.0)]
        low, high = (replace(each, layers=()).render(1)[:, :1, :1] for each in grounds)  # of tinted paper
        black, white = (each.render(size) for each in grounds)
        alpha = (1 - ((white - black) / (high - low)).mean(axis=0, keepdims=True)).clip(0, 1)
        black -= (1 - alpha) * low
        return black, alpha

    def bare_share(self, size: int | None = None) -> float:
        """Share of the canvas that no stroke covers, 0 to 1, where the picture is of another colour.

        Without a picture, it counts wherever it is bare.
        """
        bare = 1 - self._on_black(size, Brush())[1][0]
        if self.cover is not None:
            bare *= resample_array(self.cover, *bare.shape)[0]
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
        mask = replace(self, layers=free, transparent=None)._on_black(size, Brush())[1]
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
        self._cover: Cover | None = None
        if drawing.cover is not None:
            share = resample_array(drawing.cover, self.height, self.width)[0]
            self._cover = Cover(share, drawing.behind(self.height, self.width))
        self._seen: Easel | None = None  # the canvas under its cover,
        self._stale: Rectangle | None = None  # but for what has changed here
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
        changed = self._changed(before)
        self._stale = united(self._stale, changed)
        return changed

    def _paint(self, layer: DrawnLayer, part: slice) -> None:
        strokes = layer.strokes[part]
        check_finite(strokes)
        mask = None if layer.mask is None else self._mask(layer.mask)
        if self._flat and mask is not None and layer.compositing == "seed":
            from semantic_guidance.painting.seed_rule import seed_composite

            self._canvas = seed_composite(self._canvas.picture(), strokes, mask, SOFTNESS, layer.ends)
        elif self._flat:
            self._canvas.paint(strokes, mask, SOFTNESS, layer.ends)
        else:
            load = None if layer.load is None else layer.load[part]
            keys = None if layer.keys is None else layer.keys[part]
            self._canvas.paint(strokes, mask, load, layer.ends, keys)

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
        return picture if self._cover is None else self._cover.limited(picture)

    def height_map(self) -> Array:
        """Height of a textured canvas as it is now, see `Drawing.height_map`."""
        height: Array = self._canvas.height_map()
        if self._cover is not None and not self._drawing.brush.on_paper:
            height *= self._cover.share
        return height

    def easel(self) -> Easel:
        """The canvas as it looks now, to be read."""
        from semantic_guidance.renderer.backends.cpu.easel import Easel

        if self._flat and self._cover is None:
            easel: Easel = self._canvas
            return easel
        if self._seen is None or not self._flat:
            self._seen = Easel(self.picture())
        elif self._cover is not None and self._stale is not None:
            part = self._cover.limited(self._canvas.part(*self._stale), self._stale)
            self._seen.put(part, *self._stale)
        self._stale = None
        return self._seen
