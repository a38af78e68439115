"""A finished painting: its strokes in layers, and everything that can be made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.box import box_of
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing, Replay, Shown, check_parts
from semantic_guidance.painting.layers import Compositing, DrawnLayer, Ends, Level
from semantic_guidance.painting.pigments import Tubes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.ltp_rule import ltp_composite


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
        ends: how the strokes end, one of `renderer.definition.ENDS`.
        load: ``[N]`` in [0, 1], how much paint each stroke carries, which a brush shows as relief and as
            running dry; 1 for all if None.
        locked: whether the strokes stay as they are when the painting is changed.
        keys: ``[N]`` int64, at least 0, what each stroke's texture is made of where a brush has one: with
            the same key it is the same wherever the stroke lies, so in a film it moves with the stroke. It is
            made of the stroke's place if None.
    """

    strokes: Strokes  # [1, N]
    level: Level = "background"
    instance: int = 0
    mask: int | None = None
    compositing: Compositing = "over"
    ends: Ends = "round"
    load: Tensor | None = None
    locked: bool = False
    keys: Tensor | None = None

    def paint(self, canvas: Tensor, mask: Tensor | None, part: slice = slice(None)) -> Tensor:
        """`canvas` ``[3, H, W]`` with (a part of) the layer's strokes on it, under ``[1, H, W]`` or none.

        Differentiable, which `Painting.render` is not.
        """
        paint = render if self.compositing == "over" else ltp_composite
        under = None if mask is None else mask[None]
        return paint(self.strokes[part], canvas[None], under, ends=self.ends)[0]


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
        source: name and checksum of the file that was painted, if they are known.
        hand: whose strokes they are, if a hand made them: the name of its ``style`` and its ``dials`` by
            name, each a number, a list of numbers, or true or false.
        tubes: of paint of which its colours are mixed, if they are.
        cover: ``[1, h, w]`` in multiples of 1/255, how much is seen of canvas and strokes together, if not
            all is: the alpha of a picture that is transparent itself.
        beyond: what is seen in its place, if pictures are not transparent: RGB in [0, 1], or a picture
            ``[3, h, w]`` in multiples of 1/255.
        margin: mm that stay free on every side of the paper; a share of it if None.

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
    transparent: Shown | None = None
    masks: tuple[Tensor, ...] = ()
    hand: Mapping[str, Any] | None = None
    source: str = ""
    tubes: Tubes | None = None
    cover: Tensor | None = None
    beyond: tuple[float, float, float] | Tensor = (1.0, 1.0, 1.0)
    margin: float | None = None

    def __post_init__(self) -> None:
        objects = bool(self.guidance.instances) or self.foreground_strokes > 0
        check_parts([layer.mask for layer in self.layers], len(self.masks), self.transparent, objects)

    @staticmethod
    def of(drawing: Drawing) -> Painting:
        """The painting that is drawn so: its tensors share the memory of the drawing's arrays."""
        layers = tuple(
            Layer(
                Strokes.unpack(torch.from_numpy(layer.strokes)[None]),
                layer.level,
                layer.instance,
                layer.mask,
                layer.compositing,
                layer.ends,
                None if layer.load is None else torch.from_numpy(layer.load),
                layer.locked,
                None if layer.keys is None else torch.from_numpy(layer.keys),
            )
            for layer in drawing.layers
        )
        guidance = Guidance.none()
        if drawing.known is not None:
            mask = torch.from_numpy(drawing.known)
            box = box_of(mask[0]) or (0, 0, mask.shape[2], mask.shape[1])
            guidance = Guidance(mask, torch.zeros_like(mask), (Instance(mask, box),))
        return Painting(
            layers,
            drawing.background,
            drawing.width,
            drawing.height,
            guidance=guidance,
            photo=None if drawing.photo is None else torch.from_numpy(drawing.photo),
            brush=drawing.brush,
            paper=drawing.paper,
            start=None if drawing.start is None else torch.from_numpy(drawing.start),
            transparent=drawing.transparent,
            masks=tuple(torch.from_numpy(mask) for mask in drawing.masks),
            hand=drawing.hand,
            source=drawing.source,
            tubes=drawing.tubes,
            cover=None if drawing.cover is None else torch.from_numpy(drawing.cover),
            beyond=drawing.beyond if isinstance(drawing.beyond, tuple) else torch.from_numpy(drawing.beyond),
            margin=drawing.margin,
        )

    @cached_property
    def drawing(self) -> Drawing:
        """All that is drawn, as numbers."""
        layers = tuple(
            DrawnLayer(
                _array(layer.strokes.pack()[0]),
                layer.level,
                layer.instance,
                layer.mask,
                layer.compositing,
                layer.ends,
                None if layer.load is None else _array(layer.load),
                layer.locked,
                None if layer.keys is None else layer.keys.detach().cpu().numpy().astype(np.int64),
            )
            for layer in self.layers
        )
        return Drawing(
            layers,
            self.background,
            self.width,
            self.height,
            masks=tuple(_array(mask) for mask in self.masks),
            start=None if self.start is None else _array(self.start),
            brush=self.brush,
            paper=self.paper,
            transparent=self.transparent,
            known=_array(self.guidance.mask) if self.guidance.instances else None,
            photo=None if self.photo is None else _array(self.photo),
            hand=self.hand,
            source=self.source,
            tubes=self.tubes,
            cover=None if self.cover is None else _array(self.cover),
            beyond=self.beyond if isinstance(self.beyond, tuple) else _array(self.beyond),
            margin=self.margin,
        )

    @property
    def strokes(self) -> Strokes:
        """All strokes, ``[1, N]``, in the order in which they are painted."""
        return Strokes.cat([Strokes.empty(), *(layer.strokes for layer in self.layers)])

    @property
    def foreground_strokes(self) -> int:
        """Number of strokes that paint an object."""
        return sum(len(layer.strokes) for layer in self.layers if layer.level == "foreground")

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the strokes, in [0, 1], that paint each of the guidance's instances."""
        counts = [0] * len(self.guidance.instances)
        for layer in self.layers:
            if layer.level == "foreground" and layer.instance < len(counts):
                counts[layer.instance] += len(layer.strokes)
        total = max(1, sum(len(layer.strokes) for layer in self.layers))
        return tuple(count / total for count in counts)

    @cached_property
    def canvas(self) -> Tensor:
        """The painted picture, ``[3, height, width]`` in [0, 1]."""
        return torch.from_numpy(self.drawing.canvas)

    def render(self, size: int | None = None) -> Tensor:
        """The painted picture with `size` pixels on its longer side (those of the painting if None)."""
        return torch.from_numpy(self.drawing.render(size))

    def replay(self, size: int | None = None) -> Iterator[Tensor]:
        """The canvas ``[3, H, W]``, empty at first, then after each stroke; the last one is the painting."""
        replay = Replay(self.drawing, size)
        for count in range(len(self.strokes) + 1):
            replay.paint(count)
            yield torch.from_numpy(replay.picture())

    def blank(self, size: int | None = None) -> Tensor:
        """The empty canvas, ``[3, H, W]``, with `size` pixels on its longer side.

        Raises:
            ValueError: `size` is below 1.
        """
        return torch.from_numpy(self.drawing.blank(size))

    def height_map(self, size: int | None = None) -> Tensor:
        """Height of the surface that the light shows, ``[H, W]`` in units of the canvas's longer side.

        It is that of the paint, or of the paper where a brush is for paper; 0 for the flat brush.
        """
        return torch.from_numpy(self.drawing.height_map(size))

    def cut_out(self, size: int | None = None) -> Tensor:
        """The painting without its canvas, or its objects alone, by `transparent`: RGBA ``[4, H, W]``."""
        return torch.from_numpy(self.drawing.cut_out(size))

    def object_mask(self, size: int | None = None) -> Tensor:
        """``[1, H, W]`` in [0, 1] where the objects are: under their masks and their unclipped strokes.

        The masks are those of the guidance, or, if it has no objects, those of the objects' strokes.
        """
        return torch.from_numpy(self.drawing.object_mask(size))

    def save(self, path: str | Path) -> None:
        """Write the painting to `path`, in the format of `EXPORTERS` that its suffix names.

        Raises:
            ValueError: the suffix is not that of a known format.
            OSError: the file cannot be written.
        """
        EXPORTERS.get(EXPORTERS.of(path)).write(self, Path(path))


def _array(values: Tensor) -> NDArray[np.float32]:
    """The same numbers, in the same memory where that is possible."""
    array: NDArray[np.float32] = values.detach().cpu().float().contiguous().numpy()
    return array
