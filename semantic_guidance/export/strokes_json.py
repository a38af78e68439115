"""The strokes of a painting as JSON: ``semantic-guidance/strokes``, version 2.

Numbers have nine significant digits, which name each float32 exactly, and the masks that clip strokes are
stored along with them, so that replaying the file gives the same canvas bit for bit. In addition to the
strokes' own numbers, ``masks`` lists grey PNG pictures in base64, and a stroke's ``mask``, if it has one,
is an index into that list; strokes that an actor of the papers' code painted by itself say so in
``compositing``, and those that do not end round or carry little paint in ``ends`` and ``load``, which
version 1 did not have; ``locked`` ones are not to be changed; ``hand`` tells whose strokes they are, if
a hand made them: its ``style`` and its ``dials``; ``paper`` is the size in mm of the paper that a painting
is meant for, if any, and ``start`` a picture (PNG in base64) on the canvas before the first stroke. Nothing
that is read from a file is trusted.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.painting.drawing import Compositing, Drawing, DrawnLayer, Ends, Level
from semantic_guidance.painting.paper import SIDES

if TYPE_CHECKING:
    from semantic_guidance.painting.painting import Painting

FORMAT = "semantic-guidance/strokes"
VERSION = 2
READABLE = (1, 2)
MAX_STROKES = 200_000
MAX_COMMAS = 32 * MAX_STROKES  # a stroke has 20; this bounds the memory of parsing
MAX_SIDE = 32_768  # pixels of a canvas or a mask
MAX_PIXELS = 100_000_000  # of the canvas, and of all masks together
MAX_BYTES = 128 << 20
ASPECT_TOLERANCE = 0.05  # of a mask's sides against the canvas's, besides rounding
MAX_NAME = 64  # characters of a style's name, or a dial's
MAX_DIALS = 64  # of a hand, and numbers in one of them
FAR = 100.0  # no coordinate or radius is further than this from 0, in units of the longer side


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the strokes to `path`, one per line."""
    lines = [line for layer in drawing.layers for line in _stroke_lines(layer)]
    head = {
        "format": FORMAT,
        "version": VERSION,
        "width": drawing.width,
        "height": drawing.height,
        "background": _numbers(np.array(drawing.background, np.float32)),
        "masks": [packed_picture(mask) for mask in drawing.masks],
    }
    if drawing.paper is not None:
        head["paper"] = list(drawing.paper)
    if drawing.hand is not None:
        head["hand"] = dict(drawing.hand)
    if drawing.start is not None:
        head["start"] = packed_picture(drawing.start)
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(head)[:-1] + ', "strokes": [')
        for n, line in enumerate(lines):
            file.write((",\n" if n else "\n") + line)
        file.write("\n]}\n")
    progress(1.0)


def packed_picture(picture: NDArray[np.float32]) -> str:
    """A picture ``[3, h, w]`` or mask ``[1, h, w]``, in multiples of 1/255, as a PNG picture in base64."""
    pixels = to_bytes(picture)
    packed = io.BytesIO()
    Image.fromarray(pixels[..., 0] if len(picture) == 1 else pixels).save(packed, "PNG")
    return base64.b64encode(packed.getvalue()).decode("ascii")


def _stroke_lines(layer: DrawnLayer) -> Iterator[str]:
    extra: dict[str, Any] = {} if layer.mask is None else {"mask": layer.mask}
    if layer.compositing != "over":
        extra["compositing"] = layer.compositing
    if layer.ends != "round":
        extra["ends"] = layer.ends
    if layer.locked:
        extra["locked"] = True
    loads = None if layer.load is None else _numbers(layer.load)
    for number, vector in enumerate(_numbers(layer.strokes)):
        points = vector[POINTS]
        stroke = {
            "level": layer.level,
            "instance": layer.instance,
            **extra,
            "points": [points[0:2], points[2:4], points[4:6]],
            "radius": vector[RADIUS],
            "opacity": vector[OPACITY],
            "color": vector[COLOR],
        }
        if loads is not None:
            stroke["load"] = loads[number]
        yield json.dumps(stroke, allow_nan=False)


def _numbers(values: NDArray[np.float32]) -> Any:
    """An array as nested lists of Python floats with nine significant digits."""

    def shortened(item: Any) -> Any:
        return [shortened(part) for part in item] if isinstance(item, list) else float(f"{item:.9g}")

    return shortened(values.tolist())


def read_strokes(path: str | Path) -> Painting:
    """The painting in a file of strokes: its canvas is that of the painting that was written.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is not a file of strokes, or something in it is missing or wrong; the message names
            the file and the place.
    """
    from semantic_guidance.painting.painting import Painting

    return Painting.of(read_drawing(path))


def read_drawing(path: str | Path) -> Drawing:
    """The painting in a file of strokes as plain numbers, without torch; see `read_strokes`.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is not a file of strokes, or something in it is missing or wrong; the message names
            the file and the place.
    """
    path = Path(path)
    try:
        document = _load(path)
        return _drawing(document)
    except _FlawError as flaw:
        raise InputError(f"{path}: {flaw}") from None


class _FlawError(Exception):
    """What is wrong with a file, without its name."""


def _load(path: Path) -> Any:
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted a file of strokes")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)  # not `stat`, which does not know a pipe's length
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, wanted a file of strokes") from None
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror}), wanted a file of strokes") from None
    if len(text) > MAX_BYTES:
        raise _FlawError(f"the file is larger than {MAX_BYTES} bytes")
    # Before parsing, which takes many times the memory of the text.
    if text.count(b"{") > MAX_STROKES + 3 or text.count(b",") > MAX_COMMAS:
        raise _FlawError(f"there are more than {MAX_STROKES} strokes in it, wanted at most that many")

    def refuse(constant: str) -> NoReturn:
        raise _FlawError(f"{constant} is not a number, wanted finite numbers")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise _FlawError(f"not JSON ({reason}), wanted a file of strokes") from None


def _drawing(document: Any) -> Drawing:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _FlawError(f"not a file of strokes, wanted an object whose format is {FORMAT!r}")
    version = _field(document, "version", "the file")
    if version not in READABLE or isinstance(version, bool):
        raise _FlawError(f"version is {_shown(version)}, wanted {' or '.join(map(str, READABLE))}")
    width = _integer(document, "width", 1, MAX_SIDE)
    height = _integer(document, "height", 1, MAX_SIDE)
    if width * height > MAX_PIXELS:
        raise _FlawError(f"the canvas is {width} x {height}, wanted at most {MAX_PIXELS} pixels")
    red, green, blue = _floats(document, "background", (3,), 0, 1, "the file")
    strokes = _list(_field(document, "strokes", "the file"), "strokes")
    if len(strokes) > MAX_STROKES:
        raise _FlawError(f"there are more than {MAX_STROKES} strokes in it, wanted at most that many")
    masks = _masks(_list(document.get("masks", []), "masks"), width, height)
    start = None
    if "start" in document:
        start = _picture(document["start"], "start", "RGB", MAX_PIXELS)
        _check_sides(start, "start", width, height)
    parsed = [_stroke(stroke, n, len(masks)) for n, stroke in enumerate(strokes)]
    layers = tuple(
        _layer(key, [numbers for _, numbers in group])
        for key, group in itertools.groupby(parsed, key=lambda pair: pair[0])
    )
    across, down = _floats(document, "paper", (2,), *SIDES, "the file") if "paper" in document else (0.0, 0.0)
    paper = (across, down) if across else None
    hand = _hand(document["hand"]) if "hand" in document else None
    return Drawing(
        layers,
        (red, green, blue),
        width,
        height,
        masks=tuple(masks),
        paper=paper,
        start=start,
        hand=hand,
    )


def _hand(record: Any) -> dict[str, Any]:
    """Whose strokes they are: the name of a style, and dials by name."""
    if not isinstance(record, dict):
        raise _FlawError(f"hand is {_shown(record)}, wanted an object")
    style, dials = _field(record, "style", "the hand"), _field(record, "dials", "the hand")
    if not isinstance(style, str) or not 0 < len(style) <= MAX_NAME:
        raise _FlawError(f"style of the hand is {_shown(style)}, wanted a text of 1 to {MAX_NAME} letters")
    if not isinstance(dials, dict) or len(dials) > MAX_DIALS:
        raise _FlawError(f"dials of the hand is {_shown(dials)}, wanted an object of at most {MAX_DIALS}")
    for name, value in dials.items():
        if len(name) > MAX_NAME:
            raise _FlawError(f"{_shown(name)} is no dial of a hand, wanted at most {MAX_NAME} letters")
        numbers = value if isinstance(value, list) else [value]
        flag = isinstance(value, bool)
        if len(numbers) > MAX_DIALS or not (flag or all(_is_number(each, -FAR, FAR) for each in numbers)):
            raise _FlawError(
                f"{name} of the hand is {_shown(value)}, wanted a number from {-FAR:g} to {FAR:g}, at most"
                f" {MAX_DIALS} of them in a list, or true or false"
            )
    return {"style": style, "dials": dials}


_Key = tuple[Level, int, int | None, Compositing, Ends, bool]
"""What strokes of one layer share: level, instance, mask, compositing, ends, and whether they are locked."""


def _layer(key: _Key, numbers: list[list[float]]) -> DrawnLayer:
    """The layer of strokes ``[N][14]``, each of 13 numbers and a load."""
    values = np.array(numbers, np.float32)
    load = None if bool((values[:, -1] == 1).all()) else np.ascontiguousarray(values[:, -1])
    return DrawnLayer(np.ascontiguousarray(values[:, :-1]), *key[:5], load=load, locked=key[5])


def _stroke(stroke: Any, number: int, masks: int) -> tuple[_Key, list[float]]:
    """What a stroke shares with others of its layer, its 13 numbers and its load."""
    where = f"stroke {number}"
    if not isinstance(stroke, dict):
        raise _FlawError(f"{where} is {_shown(stroke)}, wanted an object")
    level = _field(stroke, "level", where)
    if level not in get_args(Level):
        raise _FlawError(f"level of {where} is {_shown(level)}, wanted one of {', '.join(get_args(Level))}")
    instance = _integer(stroke, "instance", 0, MAX_STROKES, where)
    mask = _integer(stroke, "mask", 0, masks - 1, where) if "mask" in stroke else None
    compositing = stroke.get("compositing", "over")
    if compositing not in get_args(Compositing):
        raise _FlawError(f"compositing of {where} is {_shown(compositing)}, wanted over or seed")
    ends = stroke.get("ends", "round")
    if ends not in get_args(Ends):
        raise _FlawError(f"ends of {where} is {_shown(ends)}, wanted one of {', '.join(get_args(Ends))}")
    locked = stroke.get("locked", False)
    if not isinstance(locked, bool):
        raise _FlawError(f"locked of {where} is {_shown(locked)}, wanted true or false")
    vector = [
        *_floats(stroke, "points", (3, 2), -FAR, FAR, where),
        *_floats(stroke, "radius", (2,), 0, FAR, where),
        *_floats(stroke, "opacity", (2,), 0, 1, where),
        *_floats(stroke, "color", (3,), 0, 1, where),
        *(_floats(stroke, "load", (), 0, 1, where) if "load" in stroke else [1.0]),
    ]
    return (level, instance, mask, compositing, ends, locked), vector


def _masks(texts: list[Any], width: int, height: int) -> list[NDArray[np.float32]]:
    """The masks of a canvas of the given size, all together of at most `MAX_PIXELS`."""
    masks, left = [], MAX_PIXELS
    for number, text in enumerate(texts):
        masks.append(_picture(text, f"mask {number}", "L", left))
        left -= masks[-1].size
        _check_sides(masks[-1], f"mask {number}", width, height)
    return masks


def _check_sides(picture: NDArray[np.float32], name: str, width: int, height: int) -> None:
    """Check that a picture ``[C, h, w]`` has the aspect ratio of the canvas; sides may have been rounded."""
    sides = picture.shape[1:]
    grow = max(width, height) / max(sides)
    for got, wanted in zip(sides, (height, width), strict=True):
        if abs(got * grow - wanted) > 1 + grow + ASPECT_TOLERANCE * wanted:
            raise _FlawError(
                f"{name} is {sides[1]} x {sides[0]}, wanted the canvas's {width} x {height} "
                "or the same aspect ratio"
            )


def _picture(text: Any, name: str, mode: str, most: int) -> NDArray[np.float32]:
    """The picture ``[C, h, w]`` of at most `most` pixels in a base64 PNG of Pillow's `mode`, L or RGB."""
    wanted = f"{name} is not a {'grey' if mode == 'L' else 'colour'} PNG picture in base64"
    if not isinstance(text, str):
        raise _FlawError(wanted)
    try:
        data = io.BytesIO(base64.b64decode(text, validate=True))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow's, about gigantic pictures
            with Image.open(data, formats=["PNG"]) as picture:
                if picture.width * picture.height > most:
                    raise _FlawError(
                        f"{name} and those before have more than {MAX_PIXELS} pixels, wanted fewer"
                    )
                pixels = np.array(picture)
                got = picture.mode
    except _FlawError:
        raise
    except Exception:  # decoders raise nearly anything on broken data
        raise _FlawError(wanted) from None
    if got != mode:
        raise _FlawError(wanted)
    channels = pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
    return np.ascontiguousarray(channels, np.float32) / np.float32(255)


def _field(record: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in record:
        raise _FlawError(f"{name} is missing in {where}")
    return record[name]


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _FlawError(f"{name} is {_shown(value)}, wanted a list")
    return value


def _integer(record: Mapping[str, Any], name: str, low: int, high: int, where: str = "the file") -> int:
    value = _field(record, name, where)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _FlawError(f"{name} of {where} is {_shown(value)}, wanted a whole number from {low} to {high}")
    return value


def _floats(
    record: Mapping[str, Any], name: str, shape: tuple[int, ...], low: float, high: float, where: str
) -> list[float]:
    """The numbers of a field of the given shape, flat."""
    values = [_field(record, name, where)]
    for length in shape:
        if not all(isinstance(value, list) and len(value) == length for value in values):
            raise _FlawError(f"{name} of {where} has another shape, wanted {list(shape)}")
        values = [part for value in values for part in value]
    for value in values:
        if not _is_number(value, low, high):
            raise _FlawError(
                f"{name} of {where} holds {_shown(value)}, wanted numbers from {low:g} to {high:g}"
            )
    return [float(value) for value in values]


def _is_number(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high  # false for NaN


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


strokes = Exporter(write, "the strokes", plain=True)
