"""``semantic-guidance render``: a file of strokes becomes pictures and films again, at any size."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_guidance.commands import looks, values
from semantic_guidance.commands.folder import add_folder, prepare_folder
from semantic_guidance.commands.medium import add_paper, check_plotter
from semantic_guidance.commands.outputs import check_outputs, shown
from semantic_guidance.commands.styles import add_transparent, check_transparent
from semantic_guidance.errors import InputError

if TYPE_CHECKING:
    from semantic_guidance.painting import Painting

SIZES = (16, 8192)  # pixels of the longer side
MOST_WORK = 10**11  # pixels touched by all strokes: a quarter of an hour; 300 strokes at 8192 px touch 10**9

EXAMPLES = """examples:
  semantic-guidance render cat_painted.json
      writes cat_painted.png, the same picture to the last bit
  semantic-guidance render cat_painted.json --size 4096 --formats png,mp4 --out large
  semantic-guidance render cat_painted.json --brush watercolor --formats png,gif --duration 5"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Renders the strokes that 'paint --formats json' wrote. At the size of the painting the\n"
        "picture is the same to the last bit; at any other one it is the same strokes."
    )
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("strokes", metavar="STROKES", type=Path, help="the file of strokes, NAME.json")
    add_folder(parser)
    add(
        "--size",
        metavar="PIXELS",
        type=values.whole_number(*SIZES),
        help="longer side of the painting (default: that of the painting in the file)",
    )
    add(
        "--formats",
        metavar="LIST",
        type=values.formats,
        default=("png",),
        help="what to write, as with paint (default: png)",
    )
    looks.add_brush(parser)
    looks.add_film(parser)
    looks.add_seed(parser, of="brush texture")
    add("--json", action="store_true", help="print a summary as one line of JSON")
    add_paper(parser)
    add_transparent(parser)


def run(args: argparse.Namespace) -> int:
    """Render; returns the exit status."""
    from semantic_guidance.commands.progress import StageBar
    from semantic_guidance.export import save_painting

    started = time.perf_counter()
    check_transparent(args)
    film = looks.film(args)
    painting = _painting(args)
    check_plotter(args.formats, len(painting.strokes), args.strokes)
    outputs = {name: args.out / f"{args.strokes.stem}.{name}" for name in args.formats}
    check_outputs(outputs.values(), [path for path in (args.strokes, Path(args.brush)) if path.is_file()])
    prepare_folder(args.out)
    with StageBar() as bar:
        for n, path in enumerate(outputs.values()):

            def tell(fraction: float, done: int = n) -> None:
                bar("export", (done + fraction) / len(outputs))

            tell(0.0)
            save_painting(painting, path, tell, film)
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


def _painting(args: argparse.Namespace) -> Painting:
    """The painting in the file, at the size that is asked for.

    Raises:
        OSError: there is no such file.
        InputError: it holds no strokes, or so many large ones that painting them would take hours.
    """
    from dataclasses import replace

    from semantic_guidance.brushes import Brush
    from semantic_guidance.export.strokes_json import read_strokes

    try:
        brush = Brush.of(args.brush, args.seed)
    except InputError:
        raise
    except ValueError as error:  # it names its parameter as we name our flag
        raise InputError(f"--{error}") from None
    painting = replace(read_strokes(args.strokes), brush=brush)
    if args.size is not None:
        height, width = painting.blank(args.size).shape[1:]
        painting = replace(painting, width=width, height=height)
    try:
        painting = replace(painting, paper=args.paper or painting.paper, transparent=args.transparent)
    except ValueError as error:
        raise InputError(f"{args.strokes}: --{error}") from None
    size = max(painting.width, painting.height)
    if size > SIZES[1]:
        raise InputError(
            f"{args.strokes}: the painting is {size} pixels long, wanted --size {SIZES[1]} or less"
        )
    touched = work(painting)
    if touched > MOST_WORK:
        raise InputError(
            f"{args.strokes}: its strokes touch {touched:.1e} pixels at size {size}, wanted at most "
            f"{MOST_WORK:.0e}: fewer, smaller ones, or a smaller --size"
        )
    return painting


def work(painting: Painting) -> float:
    """Pixels that painting touches at most: the strokes' boxes, and all of it for each masked layer."""
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
