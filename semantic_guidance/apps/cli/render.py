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
from semantic_guidance.apps.cli.output import shown
from semantic_guidance.apps.cli.paint import add_export_flags, export_values
from semantic_guidance.apps.options import BrushOptions, ClearOptions, MediumOptions, OutputOptions
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import option
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.painter.presets import SIZES

if TYPE_CHECKING:
    from semantic_guidance.painting.painting import Painting

SUMMARY = "turn a file of strokes into pictures and videos"
MAX_WORK = 10**11  # pixels touched by all strokes: a quarter of an hour; 300 strokes at 8192 px touch 10**9

EXAMPLES = """examples:
  semantic-guidance render cat_painted.json
      writes cat_painted.png, the same picture to the last bit
  semantic-guidance render cat_painted.json --size 4096 --formats png,mp4 --out large
  semantic-guidance render cat_painted.json --brush watercolor --formats png,gif --duration 5"""


@dataclass(frozen=True, kw_only=True)
class RenderOptions(VideoOptions, ClearOptions, BrushOptions, OutputOptions):
    """How strokes are rendered."""

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
    paper = [item for item in dataclasses.fields(MediumOptions) if item.name == "paper"]
    add_flags(parser, [*dataclasses.fields(RenderOptions), *paper])
    parser.set_defaults(formats=("png",))
    parser.add_argument("--json", action="store_true", help="print a summary as one line of JSON")
    add_export_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Render; returns the exit status."""
    from semantic_guidance.apps.cli.progress import StageBar
    from semantic_guidance.apps.files import check_formats, check_outputs, prepare_folder, write_outputs
    from semantic_guidance.apps.medium import check_plotter
    from semantic_guidance.apps.restyle import check_transparent

    started = time.perf_counter()
    options = RenderOptions(**flag_values(args, RenderOptions))
    check_transparent(options.transparent, options.formats)
    check_formats(options.formats, options)
    painting = _painting(args.strokes, options, args.paper)
    check_plotter(options.formats, len(painting.strokes), args.strokes)
    outputs = {name: options.out / f"{args.strokes.stem}.{name}" for name in options.formats}
    inputs = [path for path in (args.strokes, Path(options.brush)) if path.is_file()]
    check_outputs(outputs.values(), inputs)
    prepare_folder(options.out)
    with StageBar() as bar:
        export = export_values(args)
        write_outputs(painting, outputs, options, lambda share: bar("export", share), export=export)
    if args.json:
        summary = {
            "input": str(args.strokes),
            "outputs": {name: str(path) for name, path in outputs.items()},
            "strokes": len(painting.strokes),
            "foreground_strokes": painting.foreground_strokes,
            "width": painting.width,
            "height": painting.height,
            "seconds": {"total": round(time.perf_counter() - started, 4)},
        }
        print(json.dumps(summary))
    else:
        for path in outputs.values():
            print(shown(path))
    return 0


def _painting(strokes: Path, options: RenderOptions, paper: tuple[float, float] | None) -> Painting:
    """The painting in the file, at the size asked for.

    Raises:
        OSError: there is no such file.
        InputError: it is not a file of strokes, or has so many large ones that painting would take hours.
    """
    from semantic_guidance.apps.medium import named
    from semantic_guidance.export.strokes_json import read_strokes
    from semantic_guidance.painting.brushes.brush import Brush

    brush = named(lambda: Brush.of(options.brush, options.seed))
    painting = dataclasses.replace(read_strokes(strokes), brush=brush)
    if options.size is not None:
        height, width = painting.blank(options.size).shape[1:]
        painting = dataclasses.replace(painting, width=width, height=height)
    transparent: Any = options.transparent
    try:
        painting = dataclasses.replace(painting, paper=paper or painting.paper, transparent=transparent)
    except ValueError as error:
        raise InputError(f"{strokes}: --{error}") from None
    size = max(painting.width, painting.height)
    if size > SIZES[1]:
        raise InputError(f"{strokes}: the painting is {size} pixels long, wanted --size {SIZES[1]} or less")
    touched = work(painting)
    if touched > MAX_WORK:
        raise InputError(
            f"{strokes}: its strokes touch {touched:.1e} pixels at size {size}, wanted at most "
            f"{MAX_WORK:.0e}: fewer, smaller ones, or a smaller --size"
        )
    return painting


def work(painting: Painting) -> float:
    """Pixels that painting touches at most: the strokes' boxes, and the canvas for each masked layer."""
    import torch

    whole = painting.width * painting.height
    longer = max(painting.width, painting.height)
    sides = torch.tensor([painting.width, painting.height], dtype=torch.float64)
    touched = 0.0
    for layer in painting.layers:
        if layer.compositing == "seed":
            touched += whole * len(layer.strokes)
            continue
        reach = layer.strokes.radius[0].double().amax(dim=1, keepdim=True) * longer + 1
        points = layer.strokes.points[0].double() * longer
        low, high = points.amin(dim=1) - reach, points.amax(dim=1) + reach
        spans = (torch.minimum(high, sides) - low.clamp(min=0)).clamp(min=0)
        touched += float(spans.prod(dim=1).sum()) + whole * (layer.mask is not None)
    return touched
