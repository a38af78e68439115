"""The files that a painted film becomes, all written frame by frame."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.options import OptionError, from_json
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export.base import Exporter
from semantic_guidance.export.encoder import KINDS, Encoder
from semantic_guidance.export.options import SETS, VideoOptions
from semantic_guidance.export.sound import Sound
from semantic_guidance.painting.drawing import Drawing, Replay

USUAL = ("mp4",)
"""Formats of a film, if none are given."""

TRACK = "track.json"

PIECE = 1 << 27
"""Strokes times pixels that are drawn before it is asked whether the frame is still wanted: half a second."""

Pixels = NDArray[np.uint8]


def check_formats(formats: Iterable[str]) -> None:
    """See that a film can be written in these formats.

    Raises:
        OptionError: one is for pictures alone.
    """
    for name in formats:
        if name in SETS["plotter"] or name in SETS["recipes"] or name == "html":
            raise OptionError("formats", f"{name} is for a picture, and this is a film, wanted mp4 or others")


@contextlib.contextmanager
def sinks(
    outputs: Mapping[str, Path],
    rate: Fraction,
    size: tuple[int, int],
    options: VideoOptions,
    sound: Sound | None,
) -> Iterator[list[Encoder]]:
    """What takes the frames for all videos, and for numbered frames, among the files.

    Args:
        outputs: the file for each format.
        rate: frames per second.
        size: width and height of the frames that come.
        options: of the formats.
        sound: that videos get, if there is any.

    Raises:
        InputError: one cannot be encoded.
        OSError: one cannot be written.
    """
    with ExitStack() as stack:
        videos = {name: path for name, path in outputs.items() if name in KINDS}
        yield [
            stack.enter_context(Encoder(path, KINDS[name], rate, *size, options, sound=sound))
            for name, path in videos.items()
        ]


def shown_sides(sides: tuple[int, int], film_size: int | None) -> tuple[int, int]:
    """Height and width of the frames of a painting that has these; they stay if there is no other size."""
    if film_size is None:
        return sides
    height, width = (max(1, round(side * film_size / max(sides))) for side in sides)
    return height, width


def pixels_of(drawing: Drawing, size: int, unwanted: Event | None = None) -> Pixels:
    """A frame as it is drawn with `size` pixels on its longer side, ``[H, W, 3]``.

    Args:
        drawing: of it.
        size: of the frame.
        unwanted: is set as soon as nobody wants it any more.

    Raises:
        CancelledError: nobody wants it.
    """
    replay = Replay(drawing, size)
    count, step = len(drawing.strokes), max(1, PIECE // (replay.height * replay.width))
    for done in range(step, count + step, step):
        if unwanted is not None and unwanted.is_set():
            raise CancelledError
        replay.paint(done)
    pixels = np.empty((replay.height, replay.width, 3), np.uint8)
    replay.easel().rgb(pixels, 0, replay.height, 0, replay.width)
    return pixels


def write_stills(
    drawing: Drawing, outputs: Mapping[str, Path], export: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write the files of one frame, those that are pictures and the like.

    Args:
        drawing: of it.
        outputs: the file for each format of the film.
        export: options of formats that plug-ins bring.

    Raises:
        OSError: one cannot be written.
    """
    for name, path in outputs.items():
        if name not in KINDS and name != TRACK:
            exporter: Exporter = EXPORTERS.get(name)
            exporter.write(drawing, path, from_json(exporter.options, dict(export.get(name, {}))))
