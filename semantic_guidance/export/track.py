"""The strokes of a painted film from frame to frame: told in records, and drawn from them.

What is drawn of a film is always drawn from rounded numbers, those that a file of its track holds: so the
film that is painted and the one that is rendered from its track are the same to the last bit.

A part is a record of consecutive frames, usually a second. Of each stroke it tells what has changed: when it
was born and where in the order it lies, its numbers where they are other ones than before, and its death. A
stroke that stands still is not told of. To go on, only the strokes that are alive are needed.
"""

from __future__ import annotations

import base64
import io
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.packed import check_finite
from semantic_guidance.images.arrays import resample_array
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import Compositing, DrawnLayer, Ends, Level

UNITS = np.array([1e5] * 8 + [1e3] * 6)
"""How many steps there are in 1 of each number of a stroke, and of its load."""

FAR = 100.0
LOW, HIGH = np.array([-FAR] * 6 + [0.0] * 8), np.array([FAR] * 8 + [1.0] * 6)
"""Bounds of these numbers."""

GROUND_UNITS = 1e5
"""The same of a canvas's colour."""

LONGEST_MASK = 512
"""Pixels of a mask's longer side at most; larger ones are reduced."""

Integers = NDArray[np.int64]
Array = NDArray[np.float32]


class Kind(NamedTuple):
    """What strokes of one layer share, see `painting.Layer`.

    Attributes:
        keyed: whether their textures go by keys.
    """

    level: Level
    instance: int
    mask: int | None
    compositing: Compositing
    ends: Ends
    locked: bool
    keyed: bool


@dataclass(frozen=True, eq=False)
class Standing:
    """All strokes of a frame, in painting order, ``[N]`` each.

    Attributes:
        ids: which strokes they are.
        steps: ``[N, 14]`` their numbers and loads, in steps of `UNITS`.
        kinds: what they share with their layers, by numbers.
        keys: of their textures.
    """

    ids: Integers
    steps: Integers
    kinds: Integers
    keys: Integers

    @staticmethod
    def none() -> Standing:
        """No strokes."""
        empty = np.empty(0, np.int64)
        return Standing(empty, np.empty((0, len(UNITS)), np.int64), empty, empty)


@dataclass(eq=False)
class Stage:
    """Where strokes come and go: the last frame, and what has been told since the last part.

    Attributes:
        blank: what all frames share: the canvas, the brush, the hand; without strokes.
        count: of frames so far.
        strokes: that there have been.
        standing: those of the last frame.
        kinds: all kinds of layers so far.
        ground: the canvas's colour in the last frame.
        masks: ``[1, h, w]`` each, of the last frame.
    """

    blank: Drawing
    count: int = 0
    strokes: int = 0
    standing: Standing = field(default_factory=Standing.none)
    kinds: dict[Kind, int] = field(default_factory=dict)
    ground: tuple[float, float, float] | None = None
    masks: tuple[Array, ...] = ()
    _told: dict[int, dict[str, Any]] = field(default_factory=dict)
    _part: dict[str, Any] = field(default_factory=dict)

    def drawing(self) -> Drawing:
        """The last frame."""
        layers = tuple(self._layers())
        ground = self.blank.background if self.ground is None else self.ground
        return replace(self.blank, layers=layers, background=ground, masks=self.masks)

    def _layers(self) -> Iterator[DrawnLayer]:
        standing, kinds = self.standing, tuple(self.kinds)
        numbers = (standing.steps / UNITS).astype(np.float32)
        changes = np.flatnonzero(np.diff(standing.kinds)) + 1
        for begin, end in zip([0, *changes], [*changes, len(standing.kinds)], strict=True):
            if begin == end:
                continue
            kind = kinds[standing.kinds[begin]]
            load = np.ascontiguousarray(numbers[begin:end, 13])
            yield DrawnLayer(
                np.ascontiguousarray(numbers[begin:end, :13]),
                kind.level,
                kind.instance,
                kind.mask,
                kind.compositing,
                kind.ends,
                None if bool((load == 1).all()) else load,
                kind.locked,
                standing.keys[begin:end] if kind.keyed else None,
            )

    def tell(self, drawing: Drawing, ids: NDArray[Any], fresh: bool = False) -> Drawing:
        """Take up the next frame.

        Args:
            drawing: of it.
            ids: ``[N]`` which strokes they are, in painting order.
            fresh: whether all of them are new.

        Returns:
            The frame as it is told: in rounded numbers, its masks perhaps reduced.

        Raises:
            ValueError: there is not one number for each stroke, or one comes twice.
        """
        number = self._begin()
        if fresh:
            self._part["fresh"].append(number)
        ground = _rounded_color(drawing.background)
        if ground != self.ground:
            self._part["grounds"].append([number, *ground])
            self.ground = ground
        self._tell_masks(number, drawing.masks)
        before, now = self.standing, self._standing(drawing, ids)
        places = {stroke: place for place, stroke in enumerate(before.ids.tolist())}
        was = np.array([places.get(stroke, -1) for stroke in now.ids.tolist()], np.int64)
        for stroke in set(places) - set(now.ids.tolist()):
            self._record(stroke)["death"] = number
        kept = was >= 0
        moved = _moved(was)
        moved[kept] |= before.kinds[was[kept]] != now.kinds[kept]
        changed = ~kept
        changed[kept] = (before.steps[was[kept]] != now.steps[kept]).any(axis=1)
        order = now.ids.tolist()
        for place in np.flatnonzero(moved | changed).tolist():
            record = self._record(order[place])
            if not kept[place]:
                record["birth"] = number
                self.strokes += 1
                if self._keyed(now, place) and now.keys[place] != order[place]:
                    record["key"] = int(now.keys[place])
            if moved[place]:
                under = order[place - 1] if place else None
                record.setdefault("places", []).append([number, int(now.kinds[place]), under])
            if changed[place]:
                record.setdefault("keys", []).append([number, *_plain(now.steps[place])])
        self.standing = now
        return self.drawing()

    def tell_same(self) -> None:
        """Take up the next frame, in which nothing has changed."""
        self._begin()

    def part(self) -> dict[str, Any]:
        """The record of all frames since the last one; `read` takes it."""
        part = {name: value for name, value in self._part.items() if value or name in ("frame", "frames")}
        part["strokes"] = list(self._told.values())
        self._part, self._told = {}, {}
        return part

    def _begin(self) -> int:
        number = self.count
        self.count += 1
        if not self._part:
            self._part = {"frame": number, "frames": 0, "fresh": [], "grounds": [], "masks": [], "layers": []}
        self._part["frames"] += 1
        return number

    def _record(self, stroke: int) -> dict[str, Any]:
        return self._told.setdefault(stroke, {"id": stroke})

    def _keyed(self, now: Standing, place: int) -> bool:
        return tuple(self.kinds)[now.kinds[place]].keyed

    def _standing(self, drawing: Drawing, ids: NDArray[Any]) -> Standing:
        numbers, kinds, keys = [np.empty((0, len(UNITS)))], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for layer in drawing.layers:
            count = len(layer.strokes)
            kind = Kind(
                layer.level, layer.instance, layer.mask, layer.compositing, layer.ends, layer.locked,
                layer.keys is not None,
            )  # fmt: skip
            if count and kind not in self.kinds:
                self.kinds[kind] = len(self.kinds)
                self._part["layers"].append(_kind_record(kind))
            load = np.ones(count) if layer.load is None else layer.load.astype(np.float64)
            numbers.append(np.concatenate([layer.strokes.astype(np.float64), load[:, None]], axis=1))
            kinds.append(np.full(count, self.kinds.get(kind, 0), np.int64))
            keys.append(np.zeros(count, np.int64) if layer.keys is None else layer.keys)
        values = np.concatenate(numbers)
        check_finite(values)
        steps = np.rint(values.clip(LOW, HIGH) * UNITS).astype(np.int64)
        strokes = np.asarray(ids, np.int64)
        if len(strokes) != len(steps) or len(np.unique(strokes)) != len(strokes):
            raise ValueError(f"ids are {len(strokes)} for {len(steps)} strokes, wanted one for each")
        return Standing(strokes, steps, np.concatenate(kinds), np.concatenate(keys))

    def _tell_masks(self, number: int, masks: tuple[Array, ...]) -> None:
        """Take up the masks of a frame; those that are as before are not told again."""
        now = tuple(_reduced(mask) for mask in masks)
        same = [n < len(self.masks) and np.array_equal(mask, self.masks[n]) for n, mask in enumerate(now)]
        if len(now) != len(self.masks) or not all(same):
            told = [None if each else packed_mask(mask) for mask, each in zip(now, same, strict=True)]
            self._part["masks"].append([number, told])
            self.masks = now


def _moved(was: Integers) -> NDArray[np.bool_]:
    """``[N]`` which strokes are elsewhere in the order than those that stay, by their places before.

    Those that stay are as many as can be: a longest rising subsequence.

    Args:
        was: ``[N]`` the places, -1 of new ones.
    """
    moved = np.ones(len(was), bool)
    kept = np.flatnonzero(was >= 0)
    if bool((np.diff(was[kept]) > 0).all()):
        moved[kept] = False
        return moved
    tails: list[int] = []  # lowest last place of a rising sequence of each length
    ends: list[int] = []  # where that is
    links = {}
    for place in kept.tolist():
        length = bisect_left(tails, int(was[place]))
        links[place] = ends[length - 1] if length else None
        tails[length : length + 1] = [int(was[place])]
        ends[length : length + 1] = [place]
    last: int | None = ends[-1]
    while last is not None:
        moved[last], last = False, links[last]
    return moved


def _plain(steps: Integers) -> list[float]:
    """The numbers of a stroke, and its load if it is not 1."""
    numbers: list[float] = (steps / UNITS).tolist()
    return numbers[:-1] if numbers[-1] == 1 else numbers


def _rounded_color(color: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = (round(part * GROUND_UNITS) / GROUND_UNITS for part in color)
    return red, green, blue


def _kind_record(kind: Kind) -> dict[str, Any]:
    record: dict[str, Any] = {"level": kind.level, "instance": kind.instance}
    usual = {"mask": None, "compositing": "over", "ends": "round", "locked": False, "keyed": False}
    return record | {name: value for name in usual if (value := getattr(kind, name)) != usual[name]}


def _reduced(mask: Array) -> Array:
    """A mask ``[1, h, w]`` as it is stored: in multiples of 1/255, not longer than `LONGEST_MASK`."""
    longer = max(mask.shape[1:])
    if longer > LONGEST_MASK:
        height, width = (max(1, round(side * LONGEST_MASK / longer)) for side in mask.shape[1:])
        mask = resample_array(mask, height, width)
    levels: Array = np.rint(mask.clip(0, 1) * 255).astype(np.uint8).astype(np.float32)
    levels /= np.float32(255)
    return levels


def packed_mask(mask: Array) -> str:
    """A mask in multiples of 1/255 as a grey PNG in base64."""
    packed = io.BytesIO()
    Image.fromarray(np.rint(mask[0] * 255).astype(np.uint8)).save(packed, "PNG")
    return base64.b64encode(packed.getvalue()).decode("ascii")
