"""``semantic-guidance repaint``: a region of a painting is painted over, the rest unchanged."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.apps.cli.output import tell_flat
from semantic_guidance.apps.cli.paint import add_export_flags, export_values
from semantic_guidance.apps.given_options import GuidanceOptions, PictureOptions
from semantic_guidance.apps.hand_options import HandOptions
from semantic_guidance.apps.options import (
    BrushOptions,
    OutputOptions,
    PainterOptions,
    formats_option,
    named,
    paper_options,
)
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.core.shown import printable
from semantic_guidance.core.start import quick_imports
from semantic_guidance.export.options import FileOptions
from semantic_guidance.painter.presets import MAX_STROKES

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_guidance.images.files import Picture
    from semantic_guidance.painter.stages import StageProgress
    from semantic_guidance.painting.painting import Layer, Painting

SUMMARY = "paint over a region of a painting, the rest unchanged"
SMALLER = "fewer --strokes or fewer --formats"

EXAMPLES = """examples:
  semantic-guidance repaint cat_painted.json cat.jpg --mask face.png
      writes cat_painted_repainted.png and cat_painted_repainted.json: 80 strokes more, all in the face
  semantic-guidance repaint cat_painted.json cat.jpg --mask face.png --strokes 200 --erase --looseness 0.2
  semantic-guidance repaint cat_painted.json cat.jpg --point 210,120
  semantic-guidance repaint cat_painted.json cat.jpg --mask eyes.png --lock
      and what is painted over the face later leaves these eyes alone"""

FORMATS = ("png", "json")
SHARED = ("preset", "device", "baseline", "invert_mask", "point", "not_point")
"""Options of ``paint`` that are options here as well."""


@dataclass(frozen=True, kw_only=True)
class RepaintOptions(PictureOptions, FileOptions, HandOptions, BrushOptions, OutputOptions):
    """How a region is painted over."""

    formats: tuple[str, ...] = formats_option(FORMATS)
    strokes: int = option(
        80, "number of new brush strokes (default: %(default)s)", metavar="N", min=1, max=MAX_STROKES
    )
    erase: bool = option(False, "first take away strokes that lie wholly in the region, but no locked ones")
    lock: bool = option(
        False, "lock the new strokes: whatever is painted over later, they are neither erased nor covered"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Paints over a region of a painting that 'paint --formats json' wrote, with more strokes on top.\n"
        "They are made by the hand that made the others, unless another --style is named."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("strokes_file", metavar="STROKES", type=Path, help="the file of strokes, NAME.json")
    parser.add_argument("photo", metavar="PHOTO", type=Path, help="the photograph that was painted")
    parser.add_argument(
        "--mask",
        metavar="REGION",
        type=Path,
        help="picture that is bright where to paint; or --point: what lies there",
    )
    add_flags(parser, dataclasses.fields(RepaintOptions))
    for kind in (PainterOptions, GuidanceOptions):
        add_flags(parser, [item for item in dataclasses.fields(kind) if item.name in SHARED])
    add_flags(parser, paper_options())
    parser.add_argument("--json", action="store_true", help="print a summary as one line of JSON")
    add_export_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Paint over; returns the exit status."""
    with quick_imports():
        from semantic_guidance.apps.brush import make_brush
        from semantic_guidance.apps.cli.progress import StageBar
        from semantic_guidance.apps.files import (
            check_formats,
            check_outputs,
            check_plotter,
            prepare_folder,
            write_outputs,
        )
        from semantic_guidance.apps.medium import on_paper
        from semantic_guidance.apps.outputs import check_replaced, job_files, settled, source_note
        from semantic_guidance.export.strokes_json import read_strokes

    started = time.perf_counter()
    _check_region(args)
    options = settled(RepaintOptions(**flag_values(args, RepaintOptions)), FORMATS)
    check_formats(options.formats, options)
    before = on_paper(read_strokes(args.strokes_file), args.paper, args.margin)
    check_plotter(options.formats, len(before.strokes) + options.strokes, args.strokes_file)
    outputs = job_files(options, args.strokes_file, "_repainted")
    words = (options.brush or "", options.style or "")
    inputs = [args.strokes_file, args.photo, args.mask or Path(), *(Path(word) for word in words)]
    check_outputs(outputs.values(), [path for path in inputs if path.is_file()])
    source = before.source or source_note(args.photo, before.strokes.pack().numpy())
    check_replaced([outputs], source, options)
    brush = make_brush(options.brush, None, options, before.brush)
    before = dataclasses.replace(before, brush=brush, source=source)
    work = _prepared(before, args, options)
    prepare_folder(options.out)
    with StageBar() as bar:
        after = _done(work, args, bar)
        export = export_values(args)
        write_outputs(after, outputs, options, lambda share: bar("export", share), export=export)
    tell_flat(options.formats, after.brush.style)
    fresh = sum(len(layer.strokes) for layer in after.layers if _is_new(layer, before))
    summary = {
        "input": str(args.strokes_file),
        "photo": str(args.photo),
        "outputs": {name: str(path) for name, path in outputs.items()},
        "strokes": len(after.strokes),
        "new_strokes": fresh,
        "erased_strokes": len(before.strokes) + fresh - len(after.strokes),
        "seconds": {"total": round(time.perf_counter() - started, 4)},
    }
    _tell(summary, args.json)
    return 0


def _check_region(args: argparse.Namespace) -> None:
    """Check that something says where to paint, and but one thing.

    Raises:
        OptionError: nothing does, or too much.
    """
    if args.mask is None and args.point is None:
        raise OptionError("mask", "nothing says where to paint, wanted --mask REGION or --point X,Y")
    if args.mask is not None and (args.point is not None or args.not_point is not None):
        option = "point" if args.point is not None else "not_point"
        raise OptionError(option, "the region is given by --mask already, wanted only one of the two")
    if args.invert_mask and args.mask is None:
        raise OptionError("invert_mask", "there is no mask, wanted --mask with it")


def _region(args: argparse.Namespace, picture: Picture, photo: Tensor) -> Tensor:
    """Where to paint, ``[1, H, W]``: what is bright in a mask, or lies under points of the photograph.

    Raises:
        InputError: the mask cannot be read or does not fit, or a point lies outside the picture.
        OSError: the mask cannot be read.
    """
    from semantic_guidance.apps.given import given_points
    from semantic_guidance.guidance.base import Prompt
    from semantic_guidance.guidance.guide import Guide
    from semantic_guidance.images.files import load_mask

    if args.mask is not None:
        return load_mask(args.mask, photo.shape[1], photo.shape[2], args.invert_mask)
    said = GuidanceOptions(point=args.point, not_point=args.not_point)
    points = given_points(said, photo, picture.size)
    return Guide(focus=False, faces=False)(photo, Prompt(points=points)).mask


def _is_new(layer: Layer, before: Painting) -> bool:
    """Whether a layer was not there before: new ones have new masks."""
    return layer.mask is not None and layer.mask >= len(before.masks)


def _prepared(before: Painting, args: argparse.Namespace, options: RepaintOptions) -> Callable[..., Painting]:
    """What paints over the region, with all that it needs read and checked.

    Raises:
        InputError: something is wrong with the files or the options; the message names it.
        OSError: a file cannot be read.
    """
    from semantic_guidance.apps.hand import make_style
    from semantic_guidance.apps.repainting import photograph_of
    from semantic_guidance.images.files import load_picture
    from semantic_guidance.painter.repaint import repaint
    from semantic_guidance.painter.styles import Style

    style = make_style(options, own=Style.of_record(before.hand, str(args.strokes_file)))
    picture = load_picture(args.photo, options.frame)
    photo = photograph_of(before, picture, options.strokes, options.formats, args.photo, args.strokes_file)
    return functools.partial(
        repaint,
        before,
        photo,
        _region(args, picture, photo),
        options.strokes,
        style=style,
        erase=options.erase,
        lock=options.lock,
        preset=args.preset,
        seed=options.seed,
        device=args.device,
        guide="none" if args.baseline else "default",
    )


def _done(work: Callable[..., Painting], args: argparse.Namespace, tell: StageProgress) -> Painting:
    """The painting with its region painted over.

    Raises:
        InputError: all of the region is locked, or an option is not usable.
    """
    try:
        return named(lambda: work(progress=tell))
    except OptionError as error:
        if str(error).startswith("region "):
            raise InputError(f"{args.mask or '--point'}: the {error}") from None
        raise


def _tell(summary: dict[str, Any], as_json: bool) -> None:
    """Say what was done."""
    if as_json:
        print(json.dumps(summary))
        return
    for path in summary["outputs"].values():
        print(printable(path))
    erased = f", {summary['erased_strokes']} erased" if summary["erased_strokes"] else ""
    print(f"{summary['new_strokes']} new strokes{erased}, {summary['seconds']['total']:.1f} s")
