"""``semantic-guidance render``: a file of strokes becomes pictures and videos again, at any size."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.apps.cli.output import tell_flat
from semantic_guidance.apps.cli.paint import add_export_flags, export_values
from semantic_guidance.apps.options import (
    ClearOptions,
    DialOptions,
    OutputOptions,
    formats_option,
    paper_options,
)
from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.core.shown import printable
from semantic_guidance.export.options import FileOptions
from semantic_guidance.painter.presets import SIZES
from semantic_guidance.painting.brushes import BRUSHES

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
  semantic-guidance render cat_painted.json --palette 8 --background '#204060' --out others"""


FORMATS = ("png",)
ALTER = "what is changed"


@dataclass(frozen=True, kw_only=True)
class AlterOptions:
    """What is changed of a painting that is done."""

    palette: str | None = option(
        None,
        "each stroke in the colour that looks most like its own: of N chosen from the strokes', of a list"
        " such as '#204060,#fff', or of those in a file: hex colours, a palette of GIMP, Lospec, JASC,"
        " paint.net or Adobe (.ase, .aco), or a picture",
        metavar="N|COLORS|FILE",
        group=ALTER,
    )
    background: str | None = option(
        None,
        "only the object's strokes, on a colour such as '#204060' or on a picture; all strokes on it, if the"
        " file has no object",
        metavar="COLOR|IMAGE",
        group=ALTER,
    )
    mask: Path | None = option(
        None,
        "strokes only where this picture is bright, elsewhere the canvas",
        metavar="FILE",
        parse=Path,
        group=ALTER,
    )
    invert_mask: bool = option(False, "strokes only where the mask is dark", group=ALTER)


@dataclass(frozen=True, kw_only=True)
class RenderOptions(FileOptions, AlterOptions, ClearOptions, DialOptions, OutputOptions):
    """How strokes are rendered."""

    formats: tuple[str, ...] = formats_option(FORMATS)
    brush: str | None = option(
        None,
        f"how the strokes look: {', '.join(BRUSHES)}, or a grey picture of your own brush, bright where it"
        " leaves paint, drawn from left to right (default: that of the painting in the file)",
        metavar="NAME|FILE",
    )
    seed: int | None = option(
        None,
        "of the brush's texture (default: that of the painting in the file)",
        metavar="N",
        min=0,
        max=MAX_SEED,
    )
    size: int | None = option(
        None,
        "longer side of the painting (default: that of the painting in the file)",
        metavar="PIXELS",
        min=SIZES[0],
        max=SIZES[1],
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Renders the strokes that 'paint --formats json' wrote. At the size of the painting the\n"
        "picture is the same to the last bit; at any other it shows the same strokes."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("strokes", metavar="STROKES", type=Path, help="the file of strokes, NAME.json")
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

    started = time.perf_counter()
    options = settled(RenderOptions(**flag_values(args, RenderOptions)), FORMATS)
    check_transparent(options.transparent, options.formats)
    check_formats(options.formats, options)
    drawing = _drawing(args.strokes, options, args.paper, args.margin)
    check_plotter(options.formats, len(drawing.strokes), args.strokes)
    outputs = job_files(options, args.strokes)
    words = (options.brush or "", options.palette or "", options.background or "", options.mask or "")
    inputs = [args.strokes, *(Path(word) for word in words)]
    check_outputs(outputs.values(), [path for path in inputs if path.is_file()])
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


def _drawing(
    strokes: Path, options: RenderOptions, paper: tuple[float, float] | None, margin: float | None
) -> Drawing:
    """The painting in the file, at the size asked for.

    Raises:
        OSError: there is no such file.
        InputError: it is not a file of strokes, or has so many large ones that painting would take hours.
    """
    from semantic_guidance.apps.brush import make_brush
    from semantic_guidance.apps.medium import on_paper
    from semantic_guidance.apps.room import check_room
    from semantic_guidance.apps.work import MAX_WORK, work
    from semantic_guidance.export.strokes_json import read_drawing

    drawing = read_drawing(strokes)
    brush = make_brush(options.brush, options.seed, options, drawing.brush)
    drawing = dataclasses.replace(drawing, brush=brush)
    if options.size is not None:
        height, width = drawing.sides(options.size)
        drawing = dataclasses.replace(drawing, width=width, height=height)
    drawing = _altered(drawing, options)
    transparent: Any = options.transparent
    drawing = on_paper(drawing, paper, margin)
    try:
        drawing = dataclasses.replace(drawing, transparent=transparent)
    except ValueError as error:
        raise InputError(f"{strokes}: --{error}") from None
    size = max(drawing.width, drawing.height)
    if size > SIZES[1]:
        raise InputError(f"{strokes}: the painting is {size} pixels long, wanted --size {SIZES[1]} or less")
    sides, clear = (drawing.height, drawing.width), transparent is not None
    covered = drawing.cover is not None
    check_room(sides, brush, options.formats, strokes, clear, _kept(drawing), covered)
    touched = work(drawing, options.formats)
    if touched > MAX_WORK:
        raise InputError(
            f"{strokes}: its strokes touch {touched:.1e} pixels at size {size}, as many as take the time of"
            f" this brush and these formats, wanted at most {MAX_WORK:.0e}: fewer, smaller ones, a smaller"
            " --size, --brush flat, or other --formats"
        )
    return drawing


def _kept(drawing: Drawing) -> int:
    """Bytes of the masks and pictures of a drawing."""
    pictures = (*drawing.masks, drawing.start, drawing.known, drawing.photo, drawing.cover)
    return sum(picture.nbytes for picture in pictures if picture is not None)


def _altered(drawing: Drawing, options: AlterOptions) -> Drawing:
    """The drawing with other colours, before another background, under a mask.

    Raises:
        InputError: something is wrong with the options.
        OSError: a file cannot be read.
    """
    from semantic_guidance.apps.files import color_or_file
    from semantic_guidance.apps.medium import read_colors
    from semantic_guidance.apps.options import named
    from semantic_guidance.images.color import MAX_COLORS
    from semantic_guidance.images.files import load_array, load_mask_array
    from semantic_guidance.painting.altered import mask_sides, on_background, recolored, within

    palette = read_colors(options.palette)
    if palette is not None:
        count = palette if isinstance(palette, int) else len(palette)
        if not 1 <= count <= MAX_COLORS:
            raise OptionError("palette", f"got {count} colours, wanted 1 to {MAX_COLORS}")
        drawing = recolored(drawing, palette)
    if options.background is not None:
        found = color_or_file("background", options.background)
        drawing = on_background(drawing, load_array(found) if isinstance(found, Path) else found)
    if options.mask is not None:
        mask = load_mask_array(options.mask, *mask_sides(drawing), invert=options.invert_mask)
        drawing = named(lambda: within(drawing, mask))
    return drawing
