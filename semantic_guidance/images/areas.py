"""The values and colours of a plane that fill areas, and what else there is, along their edges.

A value *fills* if at least half of its pixels lie in a 2 x 2 square of the same value.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[Any]

FILLS = 0.5  # share of a label's pixels that lie in squares of it
TABLE = 1 << 24  # values below it are looked up
SHADES = 8  # neighbouring colours that JPEG may make of one, each way, on average
REACH = 28  # and at most
RIM = 8  # pixels from an area up to which JPEG changes colours: half a block of subsampled ones
NEAR = 0.9  # share of a shade's pixels that are so near to the colour of which it is one
CORE = 0.25  # share of an area's pixels that lie in 5 x 5 squares, at least; a rim has fewer
MOST_COLORS = 64  # of a JPEG
MOST_OTHERS = 8  # values that fill no areas and may yet be labels: dots and thin lines


def kinds_of(values: Plane) -> tuple[Plane, Plane]:
    """The values of a plane in order, and how many pixels have each."""
    if values.max() >= min(TABLE, 1024 + 8 * values.size):
        return np.unique(values, return_counts=True)
    counts = np.bincount(values.ravel())
    kinds = np.flatnonzero(counts)
    return kinds, counts[kinds]


def filling(values: Plane, kinds: Plane) -> Plane:
    """Those of the values of a plane that fill areas."""
    if min(values.shape) < 2:
        return kinds
    across, down = values[:, 1:] == values[:, :-1], values[1:] == values[:-1]
    square = across[1:] & across[:-1] & down[:, 1:]
    inside = np.zeros(values.shape, bool)
    for rows in (slice(1, None), slice(None, -1)):
        for columns in (slice(1, None), slice(None, -1)):
            inside[rows, columns] |= square
    places = numbered(values, kinds)
    areas = np.bincount(places.ravel(), minlength=len(kinds) + 1)[1:]
    solid = np.bincount(places[inside], minlength=len(kinds) + 1)[1:]
    return kinds[solid >= np.maximum(FILLS * areas, 1)]


def numbered(values: Plane, kinds: Plane) -> Plane:
    """The number of each pixel's value among some, in order, from 1; 0 if it is none of them."""
    if not len(kinds):
        return np.zeros(values.shape, np.intp)
    top = int(max(values.max(), kinds[-1]))
    if top < min(TABLE, 1024 + 8 * values.size):
        numbers = np.zeros(top + 1, np.int32)
        numbers[kinds] = np.arange(len(kinds)) + 1
        return numbers[values]
    places = np.searchsorted(kinds, values).clip(max=len(kinds) - 1)
    return np.where(kinds[places] == values, places + 1, 0)


def drawn(values: Plane, kinds: Plane, points: Plane) -> Plane:
    """Those of the values that fill areas, and if they are few, the others that are no mixtures.

    Mixtures lie between those that fill areas, in colour and in the picture; dots and thin lines do not.

    Args:
        values: ``[H, W]``.
        kinds: ``[N]``, all values there are, in order.
        points: ``[N, C]``, their colours.
    """
    filled = np.isin(kinds, filling(values, kinds))
    others = np.flatnonzero(~filled)
    if not filled.any() or not 0 < len(others) <= min(MOST_OTHERS, filled.sum() + 2):
        return kinds[filled]
    solid = points[filled].astype(np.float64)
    near = widened(numbered(values, kinds[filled & points.any(axis=-1)]) > 0, 2)
    for n in others:
        own = values == kinds[n]
        filled[n] = not is_between(points[n], solid, 1) or near[own].mean() < 0.5
    return kinds[filled]


def is_between(point: Plane, ends: Plane, tolerance: float) -> bool:
    """Whether a colour ``[C]`` is a mixture of two of some ``[N, C]``."""
    if len(ends) > MOST_COLORS:
        return True
    first, way = ends[:, None], ends[None] - ends[:, None]
    share = ((point - first) * way).sum(axis=-1) / np.maximum((way**2).sum(axis=-1), 1e-9)
    off = np.abs(first + share.clip(0, 1)[..., None] * way - point).max(axis=-1)
    return bool(((off <= tolerance) & (share > 0) & (share < 1)).any())


def widened(area: Plane, pixels: int) -> Plane:
    """An area with all that is within some pixels of it, also askew."""
    import cv2  # takes a while, and few pictures are masks

    size = 2 * pixels + 1
    return cv2.dilate(area.astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def are_alike(mains: Plane) -> bool:
    """Whether any two of some colours ``[N, C]``, or one of them and black, differ by little."""
    if len(mains) > MOST_COLORS:
        return True
    ends = np.unique(np.concatenate([mains, np.zeros_like(mains[:1])]).astype(np.int64), axis=0)
    away = np.abs(ends[:, None] - ends[None]).max(axis=-1)
    return bool((away[~np.eye(len(ends), dtype=bool)] <= REACH).any())


def clustered(rgb: NDArray[np.uint8]) -> tuple[Plane, Plane]:
    """The number ``[H, W]`` of each pixel's among the few colours ``[N, 3]`` of which JPEG has made many."""
    red, green, blue = ((rgb[..., n] >> 3).astype(np.int32) for n in range(3))
    bins = red << 10 | green << 5 | blue
    counts = np.bincount(bins.ravel(), minlength=32768)
    used = np.flatnonzero(counts)
    colors = 8 * np.stack([used >> 10, used >> 5 & 31, used & 31], axis=-1) + 4
    owner, left = np.zeros(32768, np.intp), counts[used]
    mains: list[Plane] = []
    while len(mains) < MOST_COLORS and left.max() >= max(4, 0.002 * bins.size):
        near = (np.abs(colors - colors[left.argmax()]).max(axis=-1) <= REACH) & (left > 0)
        mean = np.average(colors[near], axis=0, weights=left[near])
        off = np.average(np.abs(colors[near] - mean).max(axis=-1), weights=left[near])
        left[near] = 0
        if off <= SHADES:
            mains.append(mean)
            owner[used[near]] = len(mains)
    numbers = owner[bins]
    colors = np.array(mains).reshape(-1, 3)
    areas = filling(numbers, np.arange(len(mains) + 1))  # not the mixtures at edges
    areas = areas[areas > 0]
    return without_rims(numbered(numbers, areas), colors[areas - 1])


def without_rims(numbers: Plane, mains: Plane) -> tuple[Plane, Plane]:
    """Colours and their numbers without shades and mixtures that lie only round larger areas.

    JPEG makes such; what they are shades of gets their pixels.
    """
    import cv2

    areas = np.bincount(numbers.ravel(), minlength=len(mains) + 1)[1:]
    kept: list[int] = []
    place = np.zeros(len(mains) + 1, np.intp)
    for n in np.argsort(-areas, kind="stable").tolist():
        own = numbers == n + 1
        shade = next((k for k in kept if np.abs(mains[n] - mains[k]).max() <= 2 * REACH), None)
        if shade is not None and widened(numbers == shade + 1, RIM)[own].mean() >= NEAR:
            place[n + 1] = place[shade + 1]
            continue
        core = cv2.morphologyEx(own.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).sum()
        if kept and core < CORE * areas[n] and is_between(mains[n], mains[kept], REACH):
            continue
        kept.append(n)
        place[n + 1] = len(kept)
    return place[numbers], mains[kept]
