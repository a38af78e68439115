"""A region of a painting painted over again, the rest unchanged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.watching import Easel, Sketch, Watch
from semantic_guidance.core.bezier import weights
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import POINTS, RADIUS, Strokes, affine
from semantic_guidance.images.arrays import resize
from semantic_guidance.images.files import to_image
from semantic_guidance.images.restyle import without_white
from semantic_guidance.painter.likeness import stored
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.stages import StageProgress
from semantic_guidance.painter.styles import Style
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.painting import Layer, Painting

ASPECT_TOLERANCE = 0.02
"""Of the photograph's aspect ratio against the painting's."""

LARGEST = 2048
"""Longer side in pixels at which the painting is looked at."""

MARGIN = 0.15
"""What is seen around the region's box, in its sides."""

SAMPLES = 33
"""Places along a stroke at which it is asked whether it lies within the region."""

REACH = 1.5
"""How far a stroke's paint may be from its curve, in radii: to the corner of a square end."""

Box = tuple[slice, slice]
"""Rows and columns of the photograph."""


def repaint(
    painting: Painting,
    image: Any,
    region: Tensor,
    strokes: int = 80,
    *,
    style: Style | None = None,
    erase: bool = False,
    lock: bool = False,
    progress: StageProgress | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Painting:
    """Paint over a region of a painting with more strokes, as the photograph is there.

    The new strokes lie on top of all others, under the region as their mask, so that nothing outside changes
    (but for light on the relief of a textured brush, within few pixels of the region; and, if strokes are
    erased, for the grain of such a brush). Locked strokes are neither erased nor painted over.

    Args:
        painting: to be changed; of the textures of its brush nothing is seen.
        image: the photograph, as `Painter.paint` takes it, of the painting's aspect ratio.
        region: ``[1, h, w]`` in [0, 1], 1 where to paint, at any size of that aspect ratio.
        strokes: number of new ones.
        style: of the new strokes; that of the painting's own hand if None.
        erase: whether strokes that lie wholly within the region are taken away before.
        lock: whether the new strokes are locked.
        progress: see `Painter.paint`.
        watch: see `Painter.paint`; it is shown the whole painting.
        options: more arguments of `Painter`: ``preset``, ``seed``, ``guide``, ``device``, ``backend``.

    Returns:
        The painting with new layers; its `seconds` are those of this work.

    Raises:
        InputError: the painting's hand has a dial that is not known.
        ValueError: the photograph has another aspect ratio, there is nothing to be painted in the region, or
            an option is wrong.
    """
    picture = to_image(image)
    height, width = picture.shape[-2:]
    check_aspect(picture, painting)
    asked = resample(region, height, width).clamp(0, 1)
    under = erased(painting, asked) if erase else painting
    asked = asked * (1 - _locked(painting, height, width))
    if not bool((asked > 0.5).any()):
        raise ValueError(
            "region is empty, wanted bright pixels where to paint, without strokes that are locked"
        )
    box = _box(asked)
    flat = replace(under, brush=Brush(), cover=None).render(min(max(height, width), LARGEST))
    canvas = resize(flat, height, width).clamp(0, 1)
    target = canvas + asked * (_own_colors(picture, painting) - canvas)
    painter = Painter(
        style=style or Style.of_record(painting.hand, "the painting"),
        strokes=strokes,
        start=canvas[:, *box],
        **options,
    )
    found = painter.guide(picture) if painter.guided else Guidance.none(height, width)
    known, origins = _within(found.resized(height, width), asked)
    cut = tuple(Instance.from_mask(each.mask[:, *box], each.kind) for each in known.instances)
    masks = [stored(mask) for mask in (asked, *(each.mask for each in known.instances))]
    first = len(under.masks)

    def placed(layers: Iterable[Layer]) -> Painting:
        new = (_placed(layer, box, picture, painting, origins, first, lock) for layer in layers)
        return replace(
            under, layers=(*under.layers, *_joined(new)), masks=(*under.masks, *masks), photo=picture
        )

    inside = None if watch is None else _Inside(watch, placed)
    known = Guidance(known.mask[:, *box], known.focus[:, *box], cut)
    part = painter.paint(target[:, *box], known, progress, inside)
    return replace(placed(part.layers), seconds=part.seconds)


class _Inside(Watch):
    """Looks on while a region is painted, and shows another watch the whole painting.

    Args:
        watch: that one.
        placed: the whole painting, with these layers of the region's.
    """

    def __init__(self, watch: Watch, placed: Callable[[Iterable[Layer]], Painting]) -> None:
        self._watch, self._placed = watch, placed

    @property
    def stopped(self) -> bool:
        """See `Watch`."""
        return self._watch.stopped

    def due(self) -> bool:
        """See `Watch`."""
        return self._watch.due()

    def begin(self, easel: Easel) -> None:
        """See `Watch`."""
        whole = self._placed(())
        self._watch.begin(Easel(whole.width, whole.height, whole.background, whole.start, whole.masks))

    def sketch(self, sketch: Sketch) -> None:
        """See `Watch`."""
        self._watch.sketch(Sketch.of(self._placed(sketch.painted).layers))


def check_aspect(picture: Tensor, painting: Painting) -> None:
    """Check that a photograph ``[3, H, W]`` has the aspect ratio of a painting.

    Raises:
        ValueError: it has not.
    """
    height, width = picture.shape[-2:]
    wanted = height * painting.width / width
    if abs(painting.height - wanted) > max(1.0, ASPECT_TOLERANCE * max(wanted, painting.height)):
        raise ValueError(
            f"image is {width} x {height}, wanted the painting's {painting.width} x {painting.height} or the"
            " same aspect ratio"
        )


def _own_colors(picture: Tensor, painting: Painting) -> Tensor:
    """What strokes, perhaps under a cover, are to show of a photograph ``[3, H, W]`` over white."""
    if painting.cover is None:
        return picture
    return without_white(picture, resample(painting.cover, *picture.shape[-2:]))


def _locked(painting: Painting, height: int, width: int) -> Tensor:
    """``[1, height, width]`` in [0, 1] what locked strokes cover."""
    layers = tuple(layer for layer in painting.layers if layer.locked)
    if not layers:
        return torch.zeros(1, height, width, dtype=torch.float32)
    alone = replace(painting, layers=layers, brush=Brush(), transparent="painting", cover=None)
    return resample(alone.cut_out(min(max(height, width), LARGEST))[3:], height, width).clamp(0, 1)


def _box(region: Tensor) -> Box:
    """Of a region ``[1, H, W]``, with a margin."""
    seen = (region[0] > 0).numpy()
    sides = []
    for axis in (1, 0):
        places = np.flatnonzero(seen.any(axis=axis))
        first, last = int(places[0]), int(places[-1]) + 1
        margin = max(2, round(MARGIN * (last - first)))
        sides.append(slice(max(0, first - margin), min(seen.shape[1 - axis], last + margin)))
    return sides[0], sides[1]


def _within(found: Guidance, region: Tensor) -> tuple[Guidance, list[int | None]]:
    """What is in the region ``[1, H, W]``: the rest of it, then the objects found there.

    Returns:
        Guidance whose instances together are the region, and the number of each among those found, None for
        the rest.
    """
    parts: list[tuple[int | None, Tensor]] = [(None, region * (1 - found.mask))]
    parts += [(number, region * each.mask) for number, each in enumerate(found.instances)]
    parts = [(number, mask) for number, mask in parts if bool((mask > 0.5).any())] or [(None, region)]
    kinds = ["object" if number is None else found.instances[number].kind for number, _ in parts]
    instances = tuple(Instance.from_mask(mask, kind) for (_, mask), kind in zip(parts, kinds, strict=True))
    return Guidance(region, found.focus * region, instances), [number for number, _ in parts]


def _placed(
    layer: Layer,
    box: Box,
    picture: Tensor,
    painting: Painting,
    origins: list[int | None],
    first: int,
    lock: bool,
) -> Layer:
    """A layer of the region's painting as one of the whole, whose new masks begin with number `first`."""
    height, width = picture.shape[-2:]
    rows, columns = box
    side, longer = max(rows.stop - rows.start, columns.stop - columns.start), max(height, width)
    across, down = (each / max(painting.width, painting.height) for each in (painting.width, painting.height))
    scale, shift = affine(
        (side * across / width, side * down / height),
        (columns.start * across / width, rows.start * down / height),
        side / longer,
    )
    origin = origins[layer.instance] if layer.level == "foreground" else None
    clipped = layer.mask is not None and layer.mask < len(origins)
    return replace(
        layer,
        strokes=Strokes.unpack(layer.strokes.pack() * scale + shift),
        level="background" if origin is None else "foreground",
        instance=origin or 0,
        mask=first + 1 + layer.mask if clipped and layer.mask is not None else first,
        locked=lock,
    )


def _joined(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Consecutive layers that differ in their strokes alone as one, as files have them."""

    def kind(layer: Layer) -> tuple[object, ...]:
        return layer.level, layer.instance, layer.mask, layer.compositing, layer.ends, layer.keys is None

    for _, run in itertools.groupby(layers, kind):
        group = list(run)
        loads = [
            torch.ones(len(each.strokes), dtype=torch.float32) if each.load is None else each.load
            for each in group
        ]
        strokes = Strokes.cat([each.strokes for each in group])
        keys = [each.keys for each in group if each.keys is not None]
        yield replace(
            group[0], strokes=strokes, load=torch.cat(loads), keys=torch.cat(keys) if keys else None
        )


def erased(painting: Painting, region: Tensor) -> Painting:
    """The painting without strokes that lie wholly within the region ``[1, H, W]``; locked ones stay."""
    inside = np.ascontiguousarray((region[0] > 0.5).numpy(), np.uint8)
    away = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    sides = painting.width, painting.height
    layers = []
    for layer in painting.layers:
        stay = np.ones(len(layer.strokes), bool) if layer.locked else ~_covered(layer, away, sides)
        kept = torch.from_numpy(np.flatnonzero(stay))
        if len(kept):
            load, keys = (None if each is None else each[kept] for each in (layer.load, layer.keys))
            layers.append(replace(layer, strokes=layer.strokes[kept], load=load, keys=keys))
    return replace(painting, layers=tuple(layers))


def _covered(layer: Layer, away: NDArray[np.float32], sides: tuple[int, int]) -> NDArray[np.bool_]:
    """``[N]`` whether all that a stroke paints is within the region.

    Args:
        layer: of the strokes.
        away: ``[H, W]`` distance in pixels from what is not the region.
        sides: width and height of the painting.
    """
    height, width = away.shape
    vectors = layer.strokes.pack()[0].numpy()
    points, radius = vectors[:, POINTS].reshape(-1, 3, 2), vectors[:, RADIUS]
    t = np.linspace(0, 1, SAMPLES, dtype=np.float32)
    curve = np.stack(weights(t), -1) @ points  # [N, SAMPLES, 2]
    place = curve * max(sides) / np.array(sides, np.float32) * (width, height)
    columns, rows = np.floor(place).astype(np.intp).transpose(2, 0, 1)
    reach = radius[:, :1] + (radius[:, 1:] - radius[:, :1]) * t
    far = REACH * reach * max(height, width) + 1.5
    inside = away[rows.clip(0, height - 1), columns.clip(0, width - 1)] > far
    return np.asarray(inside.all(axis=1))
