"""A painted film rendered anew from its track: at any size, with another brush, in other colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semantic_guidance.apps.film.outputs import (
    TRACK,
    Pixels,
    check_formats,
    pixels_of,
    shown_sides,
    sinks,
    write_stills,
)
from semantic_guidance.apps.rendering import RenderOptions, altered, rendered
from semantic_guidance.apps.room import check_room
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError
from semantic_guidance.export.kinds import KINDS
from semantic_guidance.export.options import check_coding
from semantic_guidance.export.sound import Sound
from semantic_guidance.export.track import Stage
from semantic_guidance.export.track_json import Track, blank_of, header, part_text, write_track
from semantic_guidance.painting.drawing import Drawing

REFUSED = {
    "background": "its objects are those of a film, wanted a file of strokes",
    "transparent": "films are painted on their canvas, wanted a file of strokes, or --frame N --formats png",
    "duration": "a film is as long as it was, wanted it without",
    "fps": "a film keeps its own rate, wanted it without",
}
"""Options that films do not have, and why."""


def check_options(options: RenderOptions) -> None:
    """See that a track can be rendered so.

    Raises:
        OptionError: it cannot.
    """
    check_formats(options.formats)
    check_coding(options, options.formats)
    for name, complaint in REFUSED.items():
        if getattr(options, name) not in (None, False):
            raise OptionError(name, complaint)
    if options.palette is not None and options.palette.isdigit():
        raise OptionError(
            "palette", f"got {options.palette}, wanted the colours themselves: a list or a file"
        )


def frame_of(track: Track, number: int) -> Drawing:
    """The frame of that number, counted from 1.

    Raises:
        InputError: there is none, or the file is broken.
    """
    if number > track.count:
        raise OptionError("frame", f"got {number}, wanted 1 to {track.count}, as many as there are")
    drawing: Drawing | None = None
    for count, found in enumerate(track.frames(), 1):
        drawing = found or drawing
        if count == number:
            break
    if drawing is None:
        raise InputError(f"{track.path}: there is no frame in it, wanted a whole file")
    return drawing


def render_film(
    track: Track,
    options: RenderOptions,
    outputs: Mapping[str, Path],
    tell: Callable[[float], None],
    export: Mapping[str, Mapping[str, Any]],
) -> tuple[int, int]:
    """Write the files of a film.

    Args:
        track: of the film.
        options: how it is rendered.
        outputs: the file for each format.
        tell: called with the share that is done.
        export: options of formats that plug-ins bring.

    Returns:
        Width and height.

    Raises:
        InputError: something is wrong with the file or the options.
        OSError: a file cannot be read or written.
    """
    first = rendered(frame_of(track, 1), track.path, replace(options, formats=()))
    height, width = shown_sides((first.height, first.width), options.film_size)
    sides = first.height, first.width
    check_room(sides, first.brush, outputs, track.path, film_size=max(height, width))
    if any(name in KINDS for name in outputs):
        pixels: Pixels = np.empty(0, np.uint8)
        sound = None if options.sound is None else Sound(options.sound)
        with sinks(outputs, track.rate, (width, height), options, sound) as into:
            for number, drawing in enumerate(_frames(track, options, first), 1):
                pixels = pixels if drawing is None else pixels_of(drawing, max(height, width))
                for sink in into:
                    sink.add(pixels)
                tell(number / track.count)
    if TRACK in outputs:
        _write_track(track, options, first, outputs[TRACK])
    write_stills(first, outputs, export)
    tell(1.0)
    return first.width, first.height


def _frames(track: Track, options: RenderOptions, first: Drawing) -> Iterator[Drawing | None]:
    """The frames as they are rendered; None for one that is as the one before."""
    other = options.palette is not None or options.mask is not None
    for drawing in track.frames():
        if drawing is None:
            yield None
            continue
        drawing = replace(drawing, brush=first.brush, width=first.width, height=first.height)
        yield altered(drawing, options) if other else drawing


def _write_track(track: Track, options: RenderOptions, first: Drawing, path: Path) -> None:
    """Write the track as it is rendered."""
    blank = blank_of(first)
    stage = Stage(blank)

    def parts() -> Iterator[str]:
        beat = max(1, round(track.rate))
        for number, (drawing, ids, fresh) in enumerate(track.steps(), 1):
            if drawing is None:
                stage.tell_same()
            else:
                changed = replace(drawing, brush=first.brush, width=first.width, height=first.height)
                stage.tell(altered(changed, options), ids, fresh)
            if number % beat == 0 or number == track.count:
                yield part_text(stage.part())

    write_track(path, header(blank, track.rate), parts(), stage)
