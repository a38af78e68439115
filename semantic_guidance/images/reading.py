"""What is read from files of JSON, strokes and guidance, each value checked; and pictures as text."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.decoding import TooManyPixelsError, decode_stream

MAX_PIXELS = 100_000_000  # of the canvas, and of all masks together


class FlawError(Exception):
    """What is wrong with a file, without its name."""


def parsed(text: bytes, what: str) -> Any:
    """What a file of JSON holds; `what` is the kind of file that is wanted."""

    def refuse(constant: str) -> NoReturn:
        raise FlawError(f"{constant} is not a number, wanted finite numbers")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise FlawError(f"not JSON ({reason}), wanted {what}") from None


def packed_picture(picture: NDArray[np.float32]) -> str:
    """A picture ``[3, h, w]`` or mask ``[1, h, w]``, in multiples of 1/255, as a PNG picture in base64."""
    pixels = to_bytes(picture)
    packed = io.BytesIO()
    Image.fromarray(pixels[..., 0] if len(picture) == 1 else pixels).save(packed, "PNG")
    return base64.b64encode(packed.getvalue()).decode("ascii")


def read_picture(text: Any, name: str, mode: str, most: int) -> NDArray[np.float32]:
    """The picture ``[C, h, w]`` of at most `most` pixels in a base64 PNG of Pillow's `mode`, L or RGB."""
    wanted = f"{name} is not a {'grey' if mode == 'L' else 'colour'} PNG picture in base64"
    if not isinstance(text, str):
        raise FlawError(wanted)
    try:
        data = io.BytesIO(base64.b64decode(text, validate=True))
        picture = decode_stream(data, name, formats=["PNG"], most=most).image
    except TooManyPixelsError:
        raise FlawError(f"{name} and those before have more than {MAX_PIXELS} pixels, wanted fewer") from None
    except ValueError:  # an InputError or one of base64
        raise FlawError(wanted) from None
    if picture.mode != mode:
        raise FlawError(wanted)
    pixels = np.array(picture)
    channels = pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
    values = np.ascontiguousarray(channels, np.float32)
    values /= np.float32(255)  # in place: it may be 1.2 GB
    return values


def field(record: Mapping[str, Any], name: str, where: str) -> Any:
    """What a record must have."""
    if name not in record:
        raise FlawError(f"{name} is missing in {where}")
    return record[name]


def sequence(value: Any, name: str) -> list[Any]:
    """A value that must be a list."""
    if not isinstance(value, list):
        raise FlawError(f"{name} is {shown(value)}, wanted a list")
    return value


def integer(record: Mapping[str, Any], name: str, low: int, high: int, where: str = "the file") -> int:
    """A whole number in a record, within bounds."""
    value = field(record, name, where)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise FlawError(f"{name} of {where} is {shown(value)}, wanted a whole number from {low} to {high}")
    return value


def floats(
    record: Mapping[str, Any], name: str, shape: tuple[int, ...], low: float, high: float, where: str
) -> list[float]:
    """The numbers of a field of the given shape, flat."""
    values = [field(record, name, where)]
    for length in shape:
        if not all(isinstance(value, list) and len(value) == length for value in values):
            raise FlawError(f"{name} of {where} has another shape, wanted {list(shape)}")
        values = [part for value in values for part in value]
    for value in values:
        if not is_number(value, low, high):
            raise FlawError(
                f"{name} of {where} holds {shown(value)}, wanted numbers from {low:g} to {high:g}"
            )
    return [float(value) for value in values]


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether a value is a number within bounds; NaN is not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high


def shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
