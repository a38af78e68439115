"""Brushes, hands and pictures as files of strokes have them: written, and read with every value checked."""

from __future__ import annotations

from typing import Any, get_args

from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.images.reading import (
    FlawError,
    field,
    floats,
    integer,
    is_number,
    packed_picture,
    read_picture,
    shown,
)
from semantic_guidance.painting.brushes import BRUSHES, DIALS
from semantic_guidance.painting.brushes.brush import LARGEST, Brush, levels_of
from semantic_guidance.painting.brushes.light import LOWEST, UPPER_LEFT, Light
from semantic_guidance.painting.layers import Ends

MAX_NAME = 64  # characters of a style's name, or a dial's
MAX_DIALS = 64  # of a hand, and numbers in one of them
FAR = 100.0  # no coordinate or radius is further than this from 0, in units of the longer side


def brush_record(brush: Brush) -> dict[str, Any]:
    """A brush as `read_brush` takes it."""
    record: dict[str, Any] = {"style": brush.style, "seed": brush.seed}
    record |= {name: brush.dial(name) for name in DIALS}
    record["light"] = None if brush.light is None else list(brush.light)
    if brush.levels is not None:
        record["picture"] = packed_picture(brush.levels[:1])
    return record


def read_brush(record: Any) -> Brush:
    """The brush of a painting."""
    where = "the brush"
    if not isinstance(record, dict):
        raise FlawError(f"brush is {shown(record)}, wanted an object")
    style = field(record, "style", where)
    styles = (*BRUSHES, "picture")
    if style not in styles:
        raise FlawError(f"style of {where} is {shown(style)}, wanted one of {', '.join(styles)}")
    seed = integer(record, "seed", 0, MAX_SEED, where)
    dials = {name: floats(record, name, (), 0, 1, where)[0] for name in DIALS if name in record}
    light: Light | None = UPPER_LEFT
    if "light" in record:
        light = None
        if record["light"] is not None:
            azimuth, elevation = floats(record, "light", (2,), 0, 360, where)
            if not LOWEST <= elevation <= 90:
                raise FlawError(f"light of {where} is {elevation:g} degrees high, wanted {LOWEST:g} to 90")
            light = (azimuth, elevation)
    levels = None
    if style == "picture":
        most = LARGEST[0] * LARGEST[1]
        picture = read_picture(field(record, "picture", where), f"picture of {where}", "L", most)
        levels = levels_of(picture[0])
    return Brush(style, seed, levels, **dials, light=light)


def read_hand(record: Any) -> dict[str, Any]:
    """Whose strokes they are: the name of a style, and dials by name."""
    if not isinstance(record, dict):
        raise FlawError(f"hand is {shown(record)}, wanted an object")
    style, dials = field(record, "style", "the hand"), field(record, "dials", "the hand")
    if not isinstance(style, str) or not 0 < len(style) <= MAX_NAME:
        raise FlawError(f"style of the hand is {shown(style)}, wanted a text of 1 to {MAX_NAME} letters")
    if not isinstance(dials, dict) or len(dials) > MAX_DIALS:
        raise FlawError(f"dials of the hand is {shown(dials)}, wanted an object of at most {MAX_DIALS}")
    for name, value in dials.items():
        if len(name) > MAX_NAME:
            raise FlawError(f"{shown(name)} is no dial of a hand, wanted at most {MAX_NAME} letters")
        numbers = value if isinstance(value, list) else [value]
        flag = isinstance(value, bool)
        if len(numbers) > MAX_DIALS or not (flag or all(is_number(each, -FAR, FAR) for each in numbers)):
            raise FlawError(
                f"{name} of the hand is {shown(value)}, wanted a number from {-FAR:g} to {FAR:g}, at most"
                f" {MAX_DIALS} of them in a list, or true or false"
            )
    found: dict[str, Any] = {"style": style}
    for name, words in (("ends", get_args(Ends)), ("marks", None)):
        if name in record:
            word = record[name]
            if not isinstance(word, str) or len(word) > MAX_NAME or (words is not None and word not in words):
                raise FlawError(f"{name} of the hand is {shown(word)}, wanted those of a style")
            found[name] = word
    found["dials"] = dials
    return found
