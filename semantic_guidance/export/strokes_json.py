"""The strokes of a painting as JSON: ``semantic-guidance/strokes``, version 2.

Numbers have nine significant digits, which name each float32 exactly, and the masks that clip strokes are
stored along with them, so that replaying the file gives the same canvas bit for bit. In addition to the
strokes' own numbers, ``masks`` lists grey PNG pictures in base64, and a stroke's ``mask``, if it has one,
is an index into that list; strokes that an actor of the papers' code painted by itself say so in
``compositing``, and those that do not end round or carry little paint in ``ends`` and ``load``, which
version 1 did not have; a ``key`` is what a stroke's texture is made of, if not of its place, as in frames of
films; ``locked`` ones are not to be changed; ``brush`` says how the strokes look, if not
flat, by its style, seed, dials and the direction of the light (null for none), and for a person's own brush
its ``picture`` (grey PNG in base64), which version 1 did not have either; ``hand`` tells whose strokes they
are, if a hand made them, by its ``style`` and its ``dials``; ``paper`` is the size in mm of the paper that a
painting is meant for, if any, ``margin`` what stays free on every side of it, if not a twentieth of its
shorter one, and ``start`` a picture (PNG in base64) on the canvas before the first stroke.
``cover``, if there is one, is a grey PNG picture in base64 that limits canvas and strokes together: how much
is seen of them, where the picture that was painted is transparent itself, and ``beyond`` a colour, or a
picture (PNG in base64), that is seen in their place; readers that do not know them show all of the canvas.
Nothing that is read from a file is trusted.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.inputs import STDIN, no_such_file, standard_input
from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.records import FAR, brush_record, read_brush, read_hand
from semantic_guidance.images.reading import (
    MAX_PIXELS,
    FlawError,
    field,
    floats,
    integer,
    packed_picture,
    parsed,
    read_picture,
    sequence,
    shown,
)
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.layers import Compositing, DrawnLayer, Ends, Level
from semantic_guidance.painting.paper import PAPERS, SIDES, check_margin

if TYPE_CHECKING:
    from semantic_guidance.painting.painting import Painting

FORMAT = "semantic-guidance/strokes"
VERSION = 2
READABLE = (1, 2)
MAX_STROKES = 200_000
MAX_COMMAS = 32 * MAX_STROKES  # a stroke has 20; this bounds the memory of parsing
MAX_MASKS = 10_000
MAX_KEY = 2**53 - 1  # what any reader of JSON tells apart
MAX_SIDE = 32_768  # pixels of a canvas or a mask
MAX_BYTES = 128 << 20
ASPECT_TOLERANCE = 0.05  # of a mask's sides against the canvas's, besides rounding
MAX_SOURCE = 4000  # letters of what is said of the photograph
WHITE = (1.0, 1.0, 1.0)


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
    if drawing.source:
        head["source"] = drawing.source
    if drawing.paper is not None:
        head["paper"] = list(drawing.paper)
    if drawing.margin is not None:
        head["margin"] = drawing.margin
    if drawing.hand is not None:
        head["hand"] = dict(drawing.hand)
    if drawing.brush.style != "flat":
        head["brush"] = brush_record(drawing.brush)
    if drawing.start is not None:
        head["start"] = packed_picture(drawing.start)
    if drawing.cover is not None:
        head["cover"] = packed_picture(drawing.cover)
        plain = isinstance(drawing.beyond, tuple)
        head["beyond"] = list(drawing.beyond) if plain else packed_picture(np.asarray(drawing.beyond))
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(head)[:-1] + ', "strokes": [')
        for n, line in enumerate(lines):
            file.write((",\n" if n else "\n") + line)
        file.write("\n]}\n")
    progress(1.0)


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
        if layer.keys is not None:
            stroke["key"] = int(layer.keys[number])
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
    except FlawError as flaw:
        raise InputError(f"{path}: {flaw}") from None


def _load(path: Path) -> Any:
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted a file of strokes")
    try:
        if path == STDIN:
            text = standard_input("a file of strokes").read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES + 1)  # not `stat`, which does not know a pipe's length
    except FileNotFoundError:
        raise no_such_file(path, "a file of strokes") from None
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror}), wanted a file of strokes") from None
    if len(text) > MAX_BYTES:
        raise FlawError(f"the file is larger than {MAX_BYTES} bytes")
    # Before parsing, which takes many times the memory of the text.
    objects = MAX_STROKES + 1 + (b'"brush"' in text) + 2 * (b'"hand"' in text)
    if text.count(b"{") > objects or text.count(b",") > MAX_COMMAS:
        raise FlawError(f"there are more than {MAX_STROKES} strokes in it, wanted at most that many")
    return parsed(text, "a file of strokes")


def _drawing(document: Any) -> Drawing:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FlawError(f"not a file of strokes, wanted an object whose format is {FORMAT!r}")
    version = field(document, "version", "the file")
    if version not in READABLE or isinstance(version, bool):
        raise FlawError(f"version is {shown(version)}, wanted {' or '.join(map(str, READABLE))}")
    width = integer(document, "width", 1, MAX_SIDE)
    height = integer(document, "height", 1, MAX_SIDE)
    if width * height > MAX_PIXELS:
        raise FlawError(f"the canvas is {width} x {height}, wanted at most {MAX_PIXELS} pixels")
    red, green, blue = floats(document, "background", (3,), 0, 1, "the file")
    strokes = sequence(field(document, "strokes", "the file"), "strokes")
    if len(strokes) > MAX_STROKES:
        raise FlawError(f"there are more than {MAX_STROKES} strokes in it, wanted at most that many")
    masks = _masks(sequence(document.get("masks", []), "masks"), width, height)
    start = None
    if "start" in document:
        start = read_picture(document["start"], "start", "RGB", MAX_PIXELS)
        _check_sides(start, "start", width, height)
    cover, beyond = _cover(document, width, height) if "cover" in document else (None, WHITE)
    parsed = [_stroke(stroke, n, len(masks)) for n, stroke in enumerate(strokes)]
    layers = tuple(
        _layer(shared, list(group)) for shared, group in itertools.groupby(parsed, key=lambda each: each[0])
    )
    across, down = floats(document, "paper", (2,), *SIDES, "the file") if "paper" in document else (0.0, 0.0)
    paper = (across, down) if across else None
    margin = floats(document, "margin", (), 0, SIDES[1], "the file")[0] if "margin" in document else None
    try:
        check_margin(paper or PAPERS["a4"], margin)
    except ValueError as error:
        raise FlawError(str(error)) from None
    hand = read_hand(document["hand"]) if "hand" in document else None
    source = document.get("source", "")
    if not isinstance(source, str) or len(source) > MAX_SOURCE:
        raise FlawError(f"source is {shown(source)}, wanted at most {MAX_SOURCE} letters")
    brush = read_brush(document["brush"]) if "brush" in document and version > 1 else Brush()
    return Drawing(
        layers,
        (red, green, blue),
        width,
        height,
        masks=tuple(masks),
        paper=paper,
        margin=margin,
        start=start,
        source=source,
        hand=hand,
        brush=brush,
        cover=cover,
        beyond=beyond,
    )


def _cover(
    document: dict[str, Any], width: int, height: int
) -> tuple[NDArray[np.float32], tuple[float, float, float] | NDArray[np.float32]]:
    """The cover of a canvas of the given size, and what is beyond it."""
    cover = read_picture(document["cover"], "cover", "L", MAX_PIXELS)
    _check_sides(cover, "cover", width, height)
    if isinstance(document.get("beyond"), str):
        picture = read_picture(document["beyond"], "beyond", "RGB", MAX_PIXELS)
        _check_sides(picture, "beyond", width, height)
        return cover, picture
    if "beyond" not in document:
        return cover, WHITE
    red, green, blue = floats(document, "beyond", (3,), 0, 1, "the file")
    return cover, (red, green, blue)


_Shared = tuple[Level, int, int | None, Compositing, Ends, bool, bool]
"""What strokes of one layer share: level, instance, mask, compositing, ends, and whether they are locked and
have keys."""


def _layer(shared: _Shared, strokes: list[tuple[_Shared, list[float], int]]) -> DrawnLayer:
    """The layer of strokes, see `_stroke`."""
    values = np.array([numbers for _, numbers, _ in strokes], np.float32)
    load = None if bool((values[:, -1] == 1).all()) else np.ascontiguousarray(values[:, -1])
    keys = np.array([key for *_, key in strokes], np.int64) if shared[6] else None
    return DrawnLayer(
        np.ascontiguousarray(values[:, :-1]), *shared[:5], load=load, locked=shared[5], keys=keys
    )


def _stroke(stroke: Any, number: int, masks: int) -> tuple[_Shared, list[float], int]:
    """What a stroke shares with others of its layer, its 13 numbers and its load, and its key or 0."""
    where = f"stroke {number}"
    if not isinstance(stroke, dict):
        raise FlawError(f"{where} is {shown(stroke)}, wanted an object")
    level = field(stroke, "level", where)
    if level not in get_args(Level):
        raise FlawError(f"level of {where} is {shown(level)}, wanted one of {', '.join(get_args(Level))}")
    instance = integer(stroke, "instance", 0, MAX_STROKES, where)
    mask = integer(stroke, "mask", 0, masks - 1, where) if "mask" in stroke else None
    compositing = stroke.get("compositing", "over")
    if compositing not in get_args(Compositing):
        raise FlawError(f"compositing of {where} is {shown(compositing)}, wanted over or seed")
    ends = stroke.get("ends", "round")
    if ends not in get_args(Ends):
        raise FlawError(f"ends of {where} is {shown(ends)}, wanted one of {', '.join(get_args(Ends))}")
    locked = stroke.get("locked", False)
    if not isinstance(locked, bool):
        raise FlawError(f"locked of {where} is {shown(locked)}, wanted true or false")
    vector = [
        *floats(stroke, "points", (3, 2), -FAR, FAR, where),
        *floats(stroke, "radius", (2,), 0, FAR, where),
        *floats(stroke, "opacity", (2,), 0, 1, where),
        *floats(stroke, "color", (3,), 0, 1, where),
        *(floats(stroke, "load", (), 0, 1, where) if "load" in stroke else [1.0]),
    ]
    key = integer(stroke, "key", 0, MAX_KEY, where) if "key" in stroke else 0
    return (level, instance, mask, compositing, ends, locked, "key" in stroke), vector, key


def _masks(texts: list[Any], width: int, height: int) -> list[NDArray[np.float32]]:
    """The masks of a canvas of the given size, all together of at most `MAX_PIXELS`."""
    if len(texts) > MAX_MASKS:
        raise FlawError(f"there are {len(texts)} masks in it, wanted at most {MAX_MASKS}")
    masks, left = [], MAX_PIXELS
    for number, text in enumerate(texts):
        masks.append(read_picture(text, f"mask {number}", "L", left))
        left -= masks[-1].size
        _check_sides(masks[-1], f"mask {number}", width, height)
    return masks


def _check_sides(picture: NDArray[np.float32], name: str, width: int, height: int) -> None:
    """Check that a picture ``[C, h, w]`` has the aspect ratio of the canvas; sides may have been rounded."""
    sides = picture.shape[1:]
    grow = max(width, height) / max(sides)
    for got, wanted in zip(sides, (height, width), strict=True):
        if abs(got * grow - wanted) > 1 + grow + ASPECT_TOLERANCE * wanted:
            raise FlawError(
                f"{name} is {sides[1]} x {sides[0]}, wanted the canvas's {width} x {height} "
                "or the same aspect ratio"
            )


strokes = Exporter(write, "the strokes", plain=True)
