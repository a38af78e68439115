"""What values and colours of a mask mean: black and white, a soft matte, or labels of several objects.

A label is a value or a colour that fills areas, see `areas`; what is only along edges is a mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.images.areas import (
    MOST_COLORS,
    Plane,
    are_alike,
    clustered,
    drawn,
    filling,
    kinds_of,
    numbered,
    without_rims,
)

EDGES = 0.35  # of what is not background, at most, that is no label
SOFT_EDGES = 0.6  # the same of colours that fill areas without the least noise
NESTED = 8  # more values than these whose neighbours differ by one or two are the steps of a matte
VOID = 32  # of 255: labels up to here may have a border of white, as PASCAL VOC's have
VOID_COLOR = (224, 224, 192)  # that border in colour
DARK = 16  # of 255: still black
TINT = 32  # of 255: a colour whose channels differ by no more is a tinted grey
CITYSCAPES = 24_000  # class x 1,000 + number, from here on; classes alone, up to 33, are no objects
CITYSCAPES_CLASSES = 33
NEAR = [(y, x) for ring in (1, 2) for y in range(-ring, ring + 1) for x in range(-ring, ring + 1)]
SPREAD = 4  # times that labels grow by two pixels into mixtures
MOST_LABELS = 4096  # colours
SAMPLE = 1_000_000  # pixels in which colours are counted, about


class UnclearMaskError(ValueError):
    """What a mask means cannot be told; the message says what was seen, and goes on after "the mask "."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Objects that are told apart.

    Attributes:
        plane: ``[H, W]`` whole numbers, 0 where no object is, else that of the object, from 1.
        strength: ``[H, W]`` in [0, 1], how much of a pixel the object fills; None if that is all or nothing.
    """

    plane: Plane
    strength: Plane | None

    def objects(self, most: int) -> Plane:
        """``[N, H, W]`` in [0, 1], a mask for each object, largest first.

        Args:
            most: objects; if there are more, the last one is all small ones.
        """
        areas = np.bincount(self.plane.ravel())
        areas[0] = 0
        order = np.argsort(-areas, kind="stable")[: int((areas > 0).sum())]
        ranks = np.zeros(len(areas), np.intp)
        ranks[order] = np.minimum(np.arange(len(order)), most - 1) + 1
        placed = ranks[self.plane]
        count = max(1, min(len(order), most))
        masks = np.stack([placed == n for n in range(1, count + 1)]).astype(np.float32)
        return masks if self.strength is None else masks * self.strength


def grey_labels(values: Plane, white: int) -> Labels | None:
    """The objects of a grey mask ``[H, W]`` of whole numbers from 0; None if it is one of black and white.

    So it is if white or something nearly so is in it, but for labels with a border of white; or if it is all
    the same. Of greys one of which alone fills areas, that one is white.

    Raises:
        UnclearMaskError: it is too dark for a matte, and no labels can be told apart.
    """
    kinds, counts = kinds_of(values)
    things = kinds[kinds > 0]
    if is_plain(kinds, white):
        return None
    if _is_cityscapes(kinds):
        return _labelled(values, things[things >= CITYSCAPES])
    mains = drawn(values, kinds, kinds[:, None])
    if things[-1] == white:
        labels = things[:-1]
        filled = mains[(mains > 0) & (mains < white)]
        larger = len(filled) > 1 and counts[-1 - len(labels) : -1].sum() > counts[-1]
        bordered = len(filled) > 0 and (larger or filled[-1] <= white * VOID // 255)
        return _labelled(values, labels) if bordered else None
    return _greys(values, kinds, counts, mains[mains > 0] if len(things) > 1 else things, white)


def is_plain(kinds: Plane, white: int) -> bool:
    """Whether values, in order, are those of black and white or of a matte, wherever they are."""
    things = kinds[kinds > 0]
    if len(things) < 2:
        return not (len(things) == 1 and len(kinds) == 2 and things[0] not in (1, white))
    return bool(things[-1] == white and things[-2] >= white / 2)


def _greys(values: Plane, kinds: Plane, counts: Plane, mains: Plane, white: int) -> Labels | None:
    """`grey_labels` of a picture without white, whose values that fill areas are known."""
    lit, bright = counts[kinds > 0].sum(), bool(kinds[-1] >= white / 2)
    edges = 1 - counts[np.isin(kinds, mains)].sum() / lit
    alike = len(mains) > 1 and mains[0] >= white / 2 and mains[-1] - mains[0] < white / 8
    labels = len(mains) and kinds[0] == 0 and edges <= EDGES and not alike
    if not labels or _is_matte(values, kinds, len(mains)):
        if bright:
            return None
        raise UnclearMaskError(
            f"has {_listed(kinds.tolist())} of {white}, wanted white where the object is, or 0 and"
            " a number for each object"
        )
    if len(mains) == 1:
        return Labels((values > 0).astype(np.uint8), (values / np.float32(mains[0])).clip(0, 1))
    return _with_edges(values[..., None], mains[:, None], np.searchsorted(mains, values, "right"))


def colour_labels(rgb: NDArray[np.uint8], on_white: bool = False) -> Labels:
    """The objects of a mask in colours ``[H, W, 3]``, each of a colour of its own on black.

    Of two colours without black, one dark and one bright, the bright one is the object.

    Args:
        rgb: the picture.
        on_white: whether the background is white instead of black.

    Raises:
        UnclearMaskError: it has no such background, or its colours do not fill areas, as in a photograph.
    """
    rgb = 255 - rgb if on_white else rgb
    red, green, blue = (rgb[..., n].astype(np.int32) for n in range(3))
    packed = red << 16 | green << 8 | blue
    count = len(np.unique(_sample(packed)))
    kinds = kinds_of(packed)[0] if count <= MOST_LABELS else packed[:0, 0]
    colors = drawn(packed, kinds, _unpacked(kinds)) if len(kinds) else kinds
    mains, numbers = _unpacked(colors), numbered(packed, colors)
    flat = _covers(numbers, mains, SOFT_EDGES)
    if flat and len(kinds) - len(colors) > 2 * len(colors) + 2 and are_alike(mains):
        flat = len(mains) <= MOST_COLORS  # they are shades of a JPEG
        numbers, mains = without_rims(numbers, mains) if flat else (numbers, mains)
    if not flat or (len(mains) > NESTED and _is_stepwise(_peaks(rgb))):
        part = _sample(rgb)
        if _single_hue(part) is not None and (matte := _single_hue(rgb)) is not None:
            return matte
        if not flat and _covers(*clustered(part)):
            numbers, mains = clustered(rgb)
            flat = _covers(numbers, mains)
    if not flat:
        raise UnclearMaskError(
            f"has more than {count - 1:,} colours, as a photograph or a drawing over one has, wanted white,"
            " or a few flat colours, on black"
        )
    return _on_black(rgb, mains, numbers)


def is_coloured(rgb: NDArray[np.uint8]) -> bool:
    """Whether a mask ``[H, W, 3]`` is one of colours, not of greys with a tint or a speck."""
    high = _peaks(rgb)
    spread = high - np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    if high.max(initial=0) < 128:
        return bool((spread > 0).any())
    return bool((spread > TINT).sum() >= 0.05 * (high > TINT).sum())


def palette_labels(numbers: Plane, palette: Plane) -> Labels | None:
    """The objects of numbers ``[H, W]`` in a palette ``[N, 3]`` of labels; None if it stores mixtures, too.

    0 is the background; the colour of PASCAL VOC's border belongs to no object.
    """
    kinds, _ = kinds_of(numbers)
    areas = filling(numbers, kinds)
    if len(kinds) - len(areas) > len(areas) + 2:
        return None
    void = [n for n in kinds if n < len(palette) and tuple(palette[n]) == VOID_COLOR]
    return _labelled(numbers, kinds[(kinds > 0) & ~np.isin(kinds, void)])


def _sample(values: Plane) -> Plane:
    """Every so many pixels of a picture."""
    step = max(1, math.isqrt(values.shape[0] * values.shape[1] // SAMPLE))
    return values[::step, ::step]


def _peaks(rgb: Plane) -> Plane:
    """The greatest channel of each pixel."""
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def _unpacked(colors: Plane) -> Plane:
    """``[N, 3]`` colours of numbers ``[N]``, eight bits for each channel."""
    return np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=-1)


def _labelled(values: Plane, kinds: Plane) -> Labels:
    """An object for each of some values."""
    return Labels(numbered(values, kinds), None)


def _is_cityscapes(kinds: Plane) -> bool:
    instances = (kinds >= CITYSCAPES) & (kinds < 1000 * (CITYSCAPES_CLASSES + 1))
    return bool(instances.any() and (instances | (kinds <= CITYSCAPES_CLASSES)).all())


def _is_matte(values: Plane, kinds: Plane, count: int) -> bool:
    """Whether so many values that fill areas are the steps of a matte, perhaps one in fewer greys."""
    if count > 3 * NESTED:
        return _is_stepwise(np.searchsorted(kinds, values))
    return count > NESTED and _is_stepwise(values)


def _is_stepwise(values: Plane) -> bool:
    """Whether neighbours that differ do so by one or two, nearly everywhere."""
    steps = np.concatenate([np.abs(np.diff(values.astype(np.int64), axis=axis)).ravel() for axis in (0, 1)])
    steps = steps[steps > 0]
    return bool((steps <= 2).mean() >= 0.9)


def _covers(numbers: Plane, mains: Plane, edges: float = EDGES) -> bool:
    """Whether the colours that fill areas, numbered from 1, are all that is not black, but for some edges."""
    if not len(mains):
        return False
    lit = ~np.isin(numbers, np.flatnonzero(mains.max(axis=-1) <= DARK) + 1)
    return int((numbers == 0).sum()) <= edges * int(lit.sum())


def _single_hue(rgb: NDArray[np.uint8]) -> Labels | None:
    """The matte that a picture of a single hue is; None if it has others."""
    peak = _peaks(rgb)
    top = int(peak.max())
    lit = peak > 2 * TINT
    if top < 128 or not lit.any() or bool((peak > DARK).all()):
        return None
    shares = rgb[lit] / peak[lit][:, None]
    hue = shares[peak[lit] >= 0.8 * top].mean(axis=0)
    if float((np.abs(shares - hue).max(axis=-1) <= 0.2).mean()) < 0.97:
        return None
    strength = (peak / np.float32(top)).clip(0, 1).astype(np.float32)
    return Labels((peak > 0).astype(np.uint8), strength)


def _on_black(rgb: Plane, mains: Plane, numbers: Plane) -> Labels:
    """The objects of colours that fill areas."""
    peaks = mains.max(axis=-1)
    black = peaks == 0 if bool((peaks == 0).any()) else peaks <= DARK
    if not black.any():
        light = mains @ np.array([0.299, 0.587, 0.114])
        if len(mains) == 2 and light.min() < 64 and light.max() > 128:
            dark, lit = mains[light.argmin()].astype(np.float64), mains[light.argmax()]
            away = (rgb - dark) @ (lit - dark) / ((lit - dark) ** 2).sum()
            return Labels(np.ones(numbers.shape, np.uint8), away.clip(0, 1).astype(np.float32))
        hint = " (--invert-mask, if the background is white)" if (mains.min(axis=-1) >= 239).any() else ""
        colors = _listed([f"#{r:02x}{g:02x}{b:02x}" for r, g, b in mains.round().astype(int)], "colours")
        raise UnclearMaskError(f"has {colors} and no black, wanted the objects in colours on black{hint}")
    palette = bool((mains % 64 == 0).all(axis=-1)[~_is_void(mains)].all())
    nothing = black | (_is_void(mains) & palette)
    ranks = np.zeros(len(mains) + 1, np.intp)
    ranks[1:][~nothing] = np.arange(1, int((~nothing).sum()) + 1)
    plane = np.where(numbers > 0, ranks[numbers], -1)
    if palette:
        plane[(rgb == np.array(VOID_COLOR)).all(axis=-1)] = 0
    if len(mains) - nothing.sum() == 1 and nothing.sum() == 1:
        return Labels((plane != 0).astype(np.uint8), _share(rgb, mains[~nothing]))
    return _with_edges(rgb, mains[~nothing], plane)


def _is_void(mains: Plane) -> Plane:
    return (mains == VOID_COLOR).all(axis=-1)


def _with_edges(values: Plane, mains: Plane, plane: Plane) -> Labels:
    """Objects of the colours `mains`, their edges, -1 in `plane`, as far as they fill them."""
    if values.shape[-1] == 1:
        plane = np.where(mains[plane - 1, 0] == values[..., 0], plane, np.where(values[..., 0] > 0, -1, 0))
    if not (plane < 0).any():
        return Labels(plane, None)
    plane, strength = plane.copy(), np.ones(plane.shape, np.float32)
    for _ in range(SPREAD):
        rows, columns = np.nonzero(plane < 0)
        padded = np.pad(plane, 2)
        nearest, other = np.zeros(len(rows), np.intp), np.zeros(len(rows), bool)
        for y, x in NEAR:
            seen = padded[rows + 2 + y, columns + 2 + x].clip(min=0)
            other |= (seen > 0) & (nearest > 0) & (seen != nearest)
            nearest = np.where(nearest > 0, nearest, seen)
        share = _share(values[rows, columns], mains[nearest - 1])
        strength[rows, columns] = np.where(other, 1, share)
        plane[rows, columns] = np.where(nearest > 0, nearest, -1)
    return Labels(plane.clip(0), strength)


def _share(values: Plane, color: Plane) -> Plane:
    """How much of a colour ``[..., C]`` there is in values ``[..., C]``, in [0, 1]; the rest is black."""
    color = color.astype(np.float32)
    return ((values * color).sum(axis=-1) / (color**2).sum(axis=-1)).clip(0, 1)


def _listed(kinds: list[Any], noun: str = "values") -> str:
    """Of what was seen, some.

    >>> _listed([0, 3, 90])
    'values 0, 3 and 90'
    """
    if len(kinds) > NESTED:
        return f"{len(kinds):,} {noun} from {kinds[0]} to {kinds[-1]}"
    return f"{noun} {', '.join(str(kind) for kind in kinds[:-1])}{' and ' * (len(kinds) > 1)}{kinds[-1]}"
