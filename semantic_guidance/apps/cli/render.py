"""``semantic-guidance render``: a file of strokes becomes pictures and videos again, at any size."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.apps.cli.output import tell_flat
from semantic_guidance.apps.cli.paint import add_export_flags, export_values
from semantic_guidance.apps.options import paper_options
from semantic_guidance.apps.rendering import FORMATS, RenderOptions, rendered
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.shown import printable

if TYPE_CHECKING:
    from semantic_guidance.painting.drawing import Drawing

SUMMARY = "turn a file of strokes into pictures and videos"
SMALLER = "a smaller --size or fewer --formats"

EXAMPLES = """examples:
  semantic-guidance render cat_painted.json
      writes cat_painted.png, the same picture to the last bit
  semantic-guidance render cat_painted.json --size 4096 --formats png,mp4 --out large
  semantic-guidance render cat_painted.json --brush watercolor --formats png,gif --duration 5
  semantic-guidance render cat_painted.json --brush oil --relief 0.8 --light left --formats png,height.png
  semantic-guidance render cat_painted.json --palette 8 --background '#204060' --out others
  semantic-guidance render clip_painted.track.json --size 1920 --sound clip.mp4
      writes clip_painted.mp4, the painted film, larger"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Renders the strokes that 'paint --formats json' wrote. At the size of the painting the\n"
        "picture is the same to the last bit; at any other it shows the same strokes."
    )
    parser.epilog = EXAMPLES
    parser.add_argument(
        "strokes",
        metavar="STROKES",
        type=Path,
        help="the file of strokes, NAME.json, or a painted film's, NAME.track.json",
    )
    add_flags(parser, [*dataclasses.fields(RenderOptions), *paper_options()])
    parser.add_argument("--json", action="store_true", help="print a summary as one line of JSON")
    add_export_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Render; returns the exit status."""
    from semantic_guidance.apps.cli.progress import StageBar
    from semantic_guidance.apps.files import (
        check_formats,
        check_outputs,
        check_plotter,
        check_transparent,
        prepare_folder,
        write_outputs,
    )
    from semantic_guidance.apps.outputs import check_replaced, job_files, settled, source_note
    from semantic_guidance.export.strokes_json import read_drawing
    from semantic_guidance.export.track_json import is_track

    started = time.perf_counter()
    options = settled(RenderOptions(**flag_values(args, RenderOptions)), FORMATS)
    filmed = is_track(args.strokes)
    if filmed and options.frame is None:
        return _render_film(args, options)
    for name in ("frame", "sound"):
        if getattr(options, name) is not None and not filmed:
            raise OptionError(name, f"{args.strokes} is no film, wanted a film's track with it")
    check_transparent(options.transparent, options.formats)
    check_formats(options.formats, options)
    read = _frame(args.strokes, options.frame) if options.frame is not None else read_drawing(args.strokes)
    drawing = rendered(read, args.strokes, options, args.paper, args.margin)
    check_plotter(options.formats, len(drawing.strokes), args.strokes)
    outputs = job_files(options, _named(args.strokes) if filmed else args.strokes)
    words = (options.brush or "", options.palette or "", options.background or "", options.mask or "")
    inputs = [args.strokes, *(Path(word) for word in words)]
    check_outputs(outputs.values(), [path for path in inputs if os.path.isfile(path)])
    source = drawing.source or source_note(args.strokes, drawing.strokes)
    check_replaced([outputs], source, options)
    drawing = dataclasses.replace(drawing, source=source)
    prepare_folder(options.out)
    with StageBar() as bar:
        export = export_values(args)
        write_outputs(drawing, outputs, options, lambda share: bar("export", share), export=export)
    tell_flat(options.formats, drawing.brush.style)
    if args.json:
        summary = {
            "input": str(args.strokes),
            "outputs": {name: str(path) for name, path in outputs.items()},
            "strokes": len(drawing.strokes),
            "foreground_strokes": drawing.foreground_strokes,
            "width": drawing.width,
            "height": drawing.height,
            "seconds": {"total": round(time.perf_counter() - started, 4)},
        }
        print(json.dumps(summary))
    else:
        for path in outputs.values():
            print(printable(path))
    return 0


def _named(path: Path) -> Path:
    """After what the files of a track are called: ``a`` for ``a.track.json``."""
    from semantic_guidance.export.track_json import TRACK_END

    return path.with_name(path.name.removesuffix(TRACK_END) + ".json")


def _frame(path: Path, number: int) -> Drawing:
    """A frame of a film."""
    from semantic_guidance.apps.film.rendering import frame_of
    from semantic_guidance.export.track_json import read_track

    return frame_of(read_track(path), number)


def _render_film(args: argparse.Namespace, options: RenderOptions) -> int:
    """Render a film; returns the exit status."""
    from semantic_guidance.apps.cli.progress import StageBar
    from semantic_guidance.apps.files import check_outputs, prepare_folder
    from semantic_guidance.apps.film.outputs import USUAL
    from semantic_guidance.apps.film.rendering import check_options, render_film
    from semantic_guidance.apps.outputs import job_files
    from semantic_guidance.export.track_json import read_track

    started = time.perf_counter()
    if options.formats is FORMATS:
        options = dataclasses.replace(options, formats=USUAL)
    check_options(options)
    track = read_track(args.strokes)
    outputs = job_files(options, _named(args.strokes))
    words = [options.brush or "", options.palette or "", options.mask or "", options.sound or ""]
    read = [path for path in (args.strokes, *map(Path, words)) if os.path.isfile(path)]
    check_outputs(outputs.values(), read)
    prepare_folder(options.out)
    with StageBar() as bar:
        tell: Callable[[float], None] = functools.partial(bar, "export")
        width, height = render_film(track, options, outputs, tell, export_values(args))
    if args.json:
        summary = {
            "input": str(args.strokes),
            "outputs": {name: str(path) for name, path in outputs.items()},
            "frames": track.count,
            "rate": [track.rate.numerator, track.rate.denominator],
            "strokes": track.strokes,
            "width": width,
            "height": height,
            "seconds": {"total": round(time.perf_counter() - started, 4)},
        }
        print(json.dumps(summary))
        return 0
    for path in outputs.values():
        print(printable(path))
    return 0
