"""Parts of a track as a file holds them: every value is checked, and frames are made of them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.export.track import GROUND_UNITS, HIGH, LOW, UNITS, Kind, Stage, Standing
from semantic_guidance.images.reading import FlawError, integer, is_number, read_picture, sequence, shown
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import Compositing, Ends, Level

MAX_FRAMES = 10_000_000
MAX_PART = 10_000  # frames of a part
MAX_STROKES = 200_000  # that are there at once, or told of in a part
MAX_KINDS = 10_000  # of layers
MAX_MASKS = 1000
MAX_MASK_PIXELS = 4_000_000  # of all masks of a frame together
MAX_ID = 2**53

Places = dict[int, list[tuple[int, int, int | None]]]
"""By frame: which strokes are put there: stroke, kind, and the stroke below."""


@dataclass
class _Events:
    """What happens in each frame of a part."""

    births: dict[int, list[int]] = field(default_factory=dict)
    deaths: dict[int, set[int]] = field(default_factory=dict)
    places: Places = field(default_factory=dict)
    keys: dict[int, list[tuple[int, list[float]]]] = field(default_factory=dict)
    textures: dict[int, int] = field(default_factory=dict)


def read_part(stage: Stage, part: Any) -> Iterator[tuple[Drawing | None, bool]]:
    """Go through the frames of a part: what is drawn then, and whether all of it is new; None if it stays.

    Args:
        stage: of the frame before; it goes along.
        part: what a file holds.

    Raises:
        FlawError: something in it is wrong.
    """
    if not isinstance(part, dict):
        raise FlawError(f"a part is {shown(part)}, wanted an object")
    first = integer(part, "frame", 0, MAX_FRAMES, "a part")
    where = f"the part of frame {first}"
    if first != stage.count:
        raise FlawError(f"{where} comes after {stage.count} frames, wanted them in order")
    count = integer(part, "frames", 1, MAX_PART, where)
    if first + count > MAX_FRAMES:
        raise FlawError(f"there are more than {MAX_FRAMES} frames in it, wanted at most that many")
    frames = range(first, first + count)
    for record in sequence(part.get("layers", []), f"layers of {where}"):
        kind = _kind(record, where)
        if kind in stage.kinds or len(stage.kinds) >= MAX_KINDS:
            raise FlawError(f"a layer of {where} is there already, wanted each once")
        stage.kinds[kind] = len(stage.kinds)
    events = _events(part, frames, len(stage.kinds), where)
    fresh = set()
    for number in sequence(part.get("fresh", []), f"fresh of {where}"):
        fresh.add(_frame(number, frames, where))
    grounds = _grounds(part, frames, where)
    masks = _masks(part, frames, where)
    for number in frames:
        changed = number in grounds or number in masks
        if number in grounds:
            stage.ground = grounds[number]
        if number in masks:
            stage.masks = _mask_pictures(stage, masks[number], f"masks of frame {number}")
        changed = _step(stage, events, number) or changed
        stage.count += 1
        _check_kinds(stage, number)
        yield stage.drawing() if changed or not number else None, number in fresh


def _step(stage: Stage, events: _Events, number: int) -> bool:
    """Take the strokes to a frame; returns whether any has changed."""
    told = [each.get(number) for each in (events.births, events.deaths, events.places, events.keys)]
    if not any(told):
        return False
    standing = stage.standing
    there = {stroke: place for place, stroke in enumerate(standing.ids.tolist())}
    gone = events.deaths.get(number, set())
    if not gone <= there.keys():
        raise FlawError(f"stroke {min(gone - there.keys())} dies in frame {number}, wanted it there before")
    births = events.births.get(number, [])
    if there.keys() & set(births):
        raise FlawError(f"stroke {births[0]} is born in frame {number}, wanted it not there before")
    stage.strokes += len(births)
    rows = {stroke: standing.steps[place] for stroke, place in there.items()}
    kinds = dict(zip(standing.ids.tolist(), standing.kinds.tolist(), strict=True))
    keys = dict(zip(standing.ids.tolist(), standing.keys.tolist(), strict=True))
    for stroke in births:
        rows[stroke], keys[stroke] = np.zeros(0, np.int64), events.textures.get(stroke, stroke)
    put = {}
    placed = set()
    for stroke, kind, under in events.places.get(number, []):
        if stroke not in rows or stroke in gone or under in put or stroke in placed:
            raise FlawError(f"stroke {stroke} is put nowhere in frame {number}, wanted it there")
        put[under] = stroke
        placed.add(stroke)
        kinds[stroke] = kind
    for stroke, numbers in events.keys.get(number, []):
        if stroke not in rows or stroke in gone:
            raise FlawError(f"stroke {stroke} changes in frame {number}, wanted it there")
        rows[stroke] = np.rint(np.array(numbers) * UNITS).astype(np.int64)
    order = _ordered([each for each in there if each not in gone and each not in placed], put)
    if put or len(order) != len(there) - len(gone) + len(births):
        raise FlawError(f"strokes of frame {number} are put over some that are not there, wanted an order")
    if len(order) > MAX_STROKES:
        raise FlawError(f"there are {len(order)} strokes in frame {number}, wanted at most {MAX_STROKES}")
    if any(len(rows[stroke]) == 0 for stroke in births):
        raise FlawError(f"a stroke that is born in frame {number} has no numbers, wanted keys of it")
    keyed = [kind.keyed for kind in stage.kinds]
    flat = [keys[stroke] if keyed[kinds[stroke]] else 0 for stroke in order]
    stage.standing = Standing(
        np.array(order, np.int64),
        np.array([rows[stroke] for stroke in order], np.int64).reshape(-1, len(UNITS)),
        np.array([kinds[stroke] for stroke in order], np.int64),
        np.array(flat, np.int64),
    )
    return True


def _ordered(staying: list[int], put: dict[int | None, int]) -> list[int]:
    """Strokes in painting order: those that stay, and over each of them what is put there, and over that."""
    order: list[int] = []
    for under in (None, *staying):
        if under is not None:
            order.append(under)
        over = put.pop(under, None)
        while over is not None:
            order.append(over)
            over = put.pop(over, None)
    return order


def _events(part: dict[str, Any], frames: range, kinds: int, where: str) -> _Events:
    """What the records of strokes say, by frame."""
    events = _Events()
    records = sequence(part.get("strokes", []), f"strokes of {where}")
    if len(records) > MAX_STROKES:
        raise FlawError(f"there are more than {MAX_STROKES} strokes in {where}, wanted at most that many")
    seen = set()
    for record in records:
        if not isinstance(record, dict):
            raise FlawError(f"a stroke of {where} is {shown(record)}, wanted an object")
        stroke = integer(record, "id", 0, MAX_ID, f"a stroke of {where}")
        name = f"stroke {stroke} in {where}"
        if stroke in seen:
            raise FlawError(f"{name} comes twice, wanted each once")
        seen.add(stroke)
        if "birth" in record:
            events.births.setdefault(_frame(record["birth"], frames, name), []).append(stroke)
            events.textures[stroke] = integer(record, "key", 0, MAX_ID, name) if "key" in record else stroke
        if "death" in record:
            events.deaths.setdefault(_frame(record["death"], frames, name), set()).add(stroke)
        for place in sequence(record.get("places", []), f"places of {name}"):
            number, kind, under = _place(place, frames, kinds, name)
            events.places.setdefault(number, []).append((stroke, kind, under))
        before = -1
        for key in sequence(record.get("keys", []), f"keys of {name}"):
            number, numbers = _key(key, frames, name)
            if number <= before:
                raise FlawError(f"keys of {name} go back to frame {number}, wanted them in order")
            before = number
            events.keys.setdefault(number, []).append((stroke, numbers))
    return events


def _frame(value: Any, frames: range, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in frames:
        raise FlawError(f"{where}: {shown(value)} is no frame of it, wanted {frames[0]} to {frames[-1]}")
    return value


def _place(place: Any, frames: range, kinds: int, where: str) -> tuple[int, int, int | None]:
    whole = isinstance(place, list) and len(place) == 3
    if not whole or not all(isinstance(each, int) and not isinstance(each, bool) for each in place[:2]):
        raise FlawError(f"a place of {where} is {shown(place)}, wanted a frame, a layer and a stroke below")
    number, kind, under = place
    if not 0 <= kind < kinds:
        raise FlawError(f"a place of {where} is in layer {shown(kind)}, wanted one of {kinds}")
    if under is not None and (not isinstance(under, int) or isinstance(under, bool)):
        raise FlawError(f"a place of {where} is over {shown(under)}, wanted a stroke, or null")
    return _frame(number, frames, where), kind, under


def _key(key: Any, frames: range, where: str) -> tuple[int, list[float]]:
    if not isinstance(key, list) or len(key) not in (len(UNITS), len(UNITS) + 1):
        raise FlawError(f"a key of {where} is {shown(key)}, wanted a frame and {len(UNITS) - 1} numbers")
    numbers = [*key[1:], 1.0] if len(key) == len(UNITS) else key[1:]
    for value, low, high in zip(numbers, LOW, HIGH, strict=True):
        if not is_number(value, low, high):
            raise FlawError(f"a key of {where} holds {shown(value)}, wanted numbers from {low:g} to {high:g}")
    return _frame(key[0], frames, where), numbers


def _kind(record: Any, where: str) -> Kind:
    """What the strokes of a layer share."""
    name = f"a layer of {where}"
    if not isinstance(record, dict):
        raise FlawError(f"{name} is {shown(record)}, wanted an object")
    words: dict[str, str] = {}
    for key, usual, known in (
        ("level", "background", Level),
        ("compositing", "over", Compositing),
        ("ends", "round", Ends),
    ):
        words[key] = record.get(key, usual)
        if words[key] not in get_args(known):
            raise FlawError(f"{key} of {name} is {shown(words[key])}, wanted {', '.join(get_args(known))}")
    flags = [record.get(key, False) for key in ("locked", "keyed")]
    if not all(isinstance(flag, bool) for flag in flags):
        raise FlawError(f"locked or keyed of {name} is {shown(flags)}, wanted true or false")
    mask = integer(record, "mask", 0, MAX_MASKS, name) if "mask" in record else None
    instance = integer(record, "instance", 0, MAX_STROKES, name) if "instance" in record else 0
    shared: Any = (words["level"], instance, mask, words["compositing"], words["ends"])
    return Kind(*shared, *flags)


def _grounds(part: dict[str, Any], frames: range, where: str) -> dict[int, tuple[float, float, float]]:
    grounds = {}
    for each in sequence(part.get("grounds", []), f"grounds of {where}"):
        if not isinstance(each, list) or len(each) != 4 or not all(is_number(n, 0, 1) for n in each[1:]):
            raise FlawError(f"a ground of {where} is {shown(each)}, wanted a frame and a colour, 0 to 1")
        red, green, blue = (round(n * GROUND_UNITS) / GROUND_UNITS for n in each[1:])
        grounds[_frame(each[0], frames, where)] = (red, green, blue)
    return grounds


def _masks(part: dict[str, Any], frames: range, where: str) -> dict[int, list[Any]]:
    masks = {}
    for each in sequence(part.get("masks", []), f"masks of {where}"):
        if not isinstance(each, list) or len(each) != 2 or not isinstance(each[1], list):
            raise FlawError(f"masks of {where} are {shown(each)}, wanted a frame and a list of pictures")
        if len(each[1]) > MAX_MASKS:
            raise FlawError(f"there are {len(each[1])} masks in {where}, wanted at most {MAX_MASKS}")
        masks[_frame(each[0], frames, where)] = each[1]
    return masks


def _mask_pictures(stage: Stage, told: list[Any], where: str) -> tuple[NDArray[np.float32], ...]:
    found: list[NDArray[np.float32]] = []
    left = MAX_MASK_PIXELS
    for number, text in enumerate(told):
        if text is None and number >= len(stage.masks):
            raise FlawError(f"{where}: number {number} is as before, wanted a picture of it")
        mask = stage.masks[number] if text is None else read_picture(text, where, "L", left)
        left -= mask.size
        if left < 0:
            raise FlawError(f"{where} have more than {MAX_MASK_PIXELS} pixels, wanted fewer")
        found.append(mask)
    return tuple(found)


def _check_kinds(stage: Stage, number: int) -> None:
    """See that the masks of all layers are there."""
    kinds = tuple(stage.kinds)
    for kind in np.unique(stage.standing.kinds).tolist():
        mask = kinds[kind].mask
        if mask is not None and mask >= len(stage.masks):
            raise FlawError(f"a layer of frame {number} is under mask {mask}, wanted one that is there")
