"""Painted films as JSON: ``semantic-guidance/track``, version 1.

The file is one JSON object; its first line holds what all frames share, each of the following lines a part of
the film, usually a second, and the last line the numbers of frames and strokes. So it is written and read
part by part, and memory does not grow with the film's length. See `track` for what a part tells.
Nothing that is read from a file is trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.inputs import no_such_file
from semantic_guidance.core.shown import printable
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.export.records import brush_record, read_brush, read_hand
from semantic_guidance.export.track import Stage
from semantic_guidance.export.track_reading import MAX_FRAMES, MAX_STROKES, read_part
from semantic_guidance.images.reading import (
    FlawError,
    field,
    integer,
    packed_picture,
    parsed,
    read_picture,
    shown,
)
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing

FORMAT = "semantic-guidance/track"
VERSION = 1
TRACK_END = ".track.json"
WANTED = "a track of a painted film"
MAX_LINE = 128 << 20  # bytes of a part
MAX_COMMAS = 32 * MAX_STROKES  # of a part, which bounds the memory of parsing
MAX_SIDE = 32_768
MAX_CANVAS = 100_000_000  # pixels
MAX_RATE = 1000
MAX_SOURCE = 4000  # letters
WHITE = (1.0, 1.0, 1.0)
OPENING = '"parts": ['
CLOSING = re.compile(rb'\n\], "frames": (\d{1,9}), "strokes": (\d{1,15})\}\s*\Z')
TAIL = 200  # bytes in which the end is


def header(blank: Drawing, rate: Fraction) -> str:
    """The first line: what all frames of a film share.

    Args:
        blank: its canvas, brush and hand.
        rate: frames per second.
    """
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "width": blank.width,
        "height": blank.height,
        "rate": [rate.numerator, rate.denominator],
    }
    if blank.source:
        head["source"] = blank.source
    if blank.hand is not None:
        head["hand"] = dict(blank.hand)
    if blank.brush.style != "flat":
        head["brush"] = brush_record(blank.brush)
    if blank.start is not None:
        head["start"] = packed_picture(blank.start)
    return json.dumps(head)[:-1] + f", {OPENING}"


def stage_of(head: str) -> tuple[Stage, Fraction]:
    """The empty stage that a first line tells of, and the film's rate.

    Raises:
        FlawError: something in it is wrong.
    """
    return _stage(parsed((head.rstrip() + "]}").encode(), WANTED))


def blank_of(drawing: Drawing) -> Drawing:
    """What the frames of a film share, of one of them."""
    return Drawing(
        (),
        WHITE,
        drawing.width,
        drawing.height,
        start=drawing.start,
        brush=drawing.brush,
        hand=drawing.hand,
        source=drawing.source,
    )


def part_text(part: dict[str, Any]) -> str:
    """A part as a line."""
    return json.dumps(part, allow_nan=False)


def write_track(path: Path, head: str, parts: Iterable[str], stage: Stage) -> None:
    """Write a file of a track.

    Args:
        path: of the file, which is either whole or untouched.
        head: its first line.
        parts: those that follow.
        stage: at the film's end; `parts` may take it there.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.write(head)
        for number, part in enumerate(parts):
            file.write((",\n" if number else "\n") + part)
        file.write(f'\n], "frames": {stage.count}, "strokes": {stage.strokes}}}\n')


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write a picture as a film of one frame."""
    blank = blank_of(drawing)
    stage = Stage(blank)
    stage.tell(drawing, np.arange(len(drawing.strokes)), fresh=True)
    write_track(path, header(blank, Fraction(1)), [part_text(stage.part())], stage)
    progress(1.0)


@dataclass(frozen=True, eq=False)
class Track:
    """A track in a file.

    Attributes:
        path: of the file.
        blank: what all frames share: canvas, brush, hand.
        rate: frames per second.
        count: of frames.
        strokes: that there are in all of them.
        head: the first line.
    """

    path: Path
    blank: Drawing
    rate: Fraction
    count: int
    strokes: int
    head: str

    def frames(self) -> Iterator[Drawing | None]:
        """What is drawn in each frame; None if it is the same as in the one before.

        Raises:
            OSError: the file cannot be read.
            InputError: something in it is wrong; the message names the file and the place.
        """
        return (drawing for drawing, _, _ in self.steps())

    def steps(self) -> Iterator[tuple[Drawing | None, NDArray[np.int64], bool]]:
        """The same, with the numbers of its strokes, and whether all of them are new; see `frames`."""
        stage = Stage(self.blank)
        try:
            with self.path.open("rb") as file:
                for part in _parts(file):
                    for drawing, fresh in read_part(stage, part):
                        yield drawing, stage.standing.ids, fresh
            if (stage.count, stage.strokes) != (self.count, self.strokes):
                raise FlawError(
                    f"there are {stage.count} frames and {stage.strokes} strokes in it, wanted {self.count}"
                    f" and {self.strokes} as it says at its end"
                )
        except FlawError as flaw:
            raise InputError(f"{self.path}: {flaw}") from None


def is_track(path: Path) -> bool:
    """Whether a file begins as a track does."""
    try:
        with path.open("rb") as file:
            return f'"{FORMAT}"'.encode() in file.read(TAIL)
    except (OSError, ValueError):
        return False


def read_track(path: Path) -> Track:
    """The track in a file, of which only its beginning and its end are read now.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is no track, or is cut off; the message names the file.
    """
    try:
        with path.open("rb") as file:
            head = file.readline(MAX_LINE)
            file.seek(max(0, file.seek(0, 2) - TAIL))
            closing = CLOSING.search(file.read())
    except FileNotFoundError:
        raise no_such_file(path, WANTED) from None
    except OSError as error:
        raise OSError(f"{printable(path)}: cannot be read ({error.strerror}), wanted {WANTED}") from None
    try:
        if not head.rstrip().endswith(OPENING.encode()):
            raise FlawError(f"its first line does not end in {OPENING}, wanted {WANTED}")
        text = head.decode("utf-8", "replace")
        stage, rate = stage_of(text)
        if closing is None or int(closing[1]) > MAX_FRAMES or not int(closing[1]):
            raise FlawError('it does not end in ], "frames": N, "strokes": M}, wanted a whole file')
    except FlawError as flaw:
        raise InputError(f"{path}: {flaw}") from None
    return Track(path, stage.blank, rate, int(closing[1]), int(closing[2]), text.rstrip())


def _parts(file: BinaryIO) -> Iterator[Any]:
    """The parts in an open file, after its first line."""
    file.readline(MAX_LINE)
    while True:
        line = file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE or line.count(b",") > MAX_COMMAS or line.count(b"{") > 2 * MAX_STROKES:
            raise FlawError(f"a line is longer than {MAX_LINE} bytes, or has too much in it, wanted parts")
        if not line or line.startswith(b"]"):
            return
        yield parsed(line.rstrip().removesuffix(b","), "a part of a track")


def _stage(document: Any) -> tuple[Stage, Fraction]:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FlawError(f"not a track, wanted an object whose format is {FORMAT!r}")
    version = field(document, "version", "the file")
    if version != VERSION or isinstance(version, bool):
        raise FlawError(f"version is {shown(version)}, wanted {VERSION}")
    width = integer(document, "width", 1, MAX_SIDE)
    height = integer(document, "height", 1, MAX_SIDE)
    if width * height > MAX_CANVAS:
        raise FlawError(f"the canvas is {width} x {height}, wanted at most {MAX_CANVAS} pixels")
    rate = field(document, "rate", "the file")
    if not isinstance(rate, list) or len(rate) != 2:
        raise FlawError(f"rate is {shown(rate)}, wanted two whole numbers, such as [24000, 1001]")
    above, below = (integer({"rate": part}, "rate", 1, 10**9) for part in rate)
    if not Fraction(1, 1000) <= Fraction(above, below) <= MAX_RATE:
        raise FlawError(f"rate is {above}/{below}, wanted at most {MAX_RATE} frames a second")
    source = document.get("source", "")
    if not isinstance(source, str) or len(source) > MAX_SOURCE:
        raise FlawError(f"source is {shown(source)}, wanted at most {MAX_SOURCE} letters")
    start = None
    if "start" in document:
        start = read_picture(document["start"], "start", "RGB", MAX_CANVAS)
    blank = Drawing(
        (),
        WHITE,
        width,
        height,
        start=start,
        source=source,
        brush=read_brush(document["brush"]) if "brush" in document else Brush(),
        hand=read_hand(document["hand"]) if "hand" in document else None,
    )
    return Stage(blank), Fraction(above, below)


track = Exporter(write, "the strokes of a film, from frame to frame", plain=True)
