"""``semantic-guidance paint``: one photograph becomes a painting, a film of it, and more."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.commands import looks, medium, styles, values
from semantic_guidance.commands.folder import add_folder, prepare_folder
from semantic_guidance.commands.outputs import check_outputs, shown
from semantic_guidance.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_guidance.commands.progress import StageBar
    from semantic_guidance.export import Film
    from semantic_guidance.metrics import Errors
    from semantic_guidance.painter import Painter
    from semantic_guidance.painting import Painting
    from semantic_guidance.types import Box, Guidance

MOST_STROKES = 100_000
MOST_DETAIL = 8
SIZES = (16, 8192)  # pixels of the longer side

EXAMPLES = """examples:
  semantic-guidance paint cat.jpg
      writes cat_painted.png and cat_painted.mp4 to the current folder
  semantic-guidance paint cat.jpg --strokes 1000 --preset fine --size 2048 --out painted
  semantic-guidance paint cat.jpg --mask cat_mask.png --formats png,json
  semantic-guidance paint cat.jpg --box 120,40,300,260 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Turns a photograph into a painting. Writes NAME_painted.png, the painting, and\n"
        "NAME_painted.mp4, a film of how it was painted, where NAME.* is the photograph."
    )
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("image", metavar="IMAGE", type=Path, help="the photograph: JPEG, PNG, WebP, TIFF, ...")
    add_folder(parser)
    add(
        "--strokes",
        metavar="N",
        type=values.whole_number(1, MOST_STROKES),
        default=300,
        help="number of brush strokes (default: 300)",
    )
    add(
        "--preset",
        metavar="NAME",
        default="standard",
        help="draft (fastest), standard, or fine (best, slowest) (default: standard)",
    )
    add(
        "--agent",
        metavar="NAME|PATH",
        help="who makes the first strokes: semantic (a network that knows the objects), baseline (one that"
        " does not), planner (no network), or the file of a trained agent, ours (.safetensors) or the"
        " papers' (.pkl) (default: semantic; baseline with --baseline)",
    )
    add(
        "--baseline",
        "--no-guidance",
        action="store_true",
        help="paint without knowing what the picture is of",
    )
    add("--mask", metavar="FILE", type=Path, help="picture that is bright where the object is")
    add("--box", metavar="X,Y,W,H", type=values.box, help="where the object is, in pixels from the top left")
    add(
        "--foreground-share",
        metavar="SHARE",
        type=values.share,
        help="share of the strokes, 0 to 1, that objects get (default: by their area)",
    )
    add(
        "--show-guidance",
        action="store_true",
        help="also write NAME_guidance.png: the photograph with the mask, box and focus that were used",
    )
    add(
        "--detail",
        metavar="N",
        type=values.whole_number(1, MOST_DETAIL),
        help="work N times as closely, in windows, 1 for not at all (default: by the number of strokes)",
    )
    add(
        "--size",
        metavar="PIXELS",
        type=values.whole_number(*SIZES),
        help="longer side of the painting (default: the photograph's, but from 512 to 2048)",
    )
    looks.add_brush(parser)
    add(
        "--formats",
        metavar="LIST",
        type=values.formats,
        default=("png", "mp4"),
        help="what to write: some of png,jpg,webp, films mp4,webm,gif,anim.webp,apng, html (a page that"
        " replays the strokes), json (the strokes), svg (their outlines, for editing), exact.svg (for"
        " showing), plotter (centre lines in mm, as SVG and JSON) (default: png,mp4)",
    )
    looks.add_film(parser)
    looks.add_seed(parser)
    add("--json", action="store_true", help="print a summary as one line of JSON")
    medium.add_arguments(parser)
    styles.add_arguments(parser)


@dataclass(frozen=True)
class _Job:
    """Everything needed for a painting, checked.

    Attributes:
        image: ``[3, H, W]`` to be painted.
        shown: the same as a person sees it: over white, where it is transparent.
        guidance: given by the person; None if the painter is to look for itself.
        scale: pixels of the file for each pixel of `image`, across and down; above 1 if it was reduced.
        guidance_seconds: time that finding what the person pointed at took.
        painter: ready to paint.
        film: how films are to be.
        outputs: the file for each format.
    """

    image: Tensor
    shown: Tensor
    guidance: Guidance | None
    scale: tuple[float, float]
    guidance_seconds: float
    painter: Painter
    film: Film
    outputs: dict[str, Path]


def run(args: argparse.Namespace) -> int:
    """Paint; returns the exit status."""
    from semantic_guidance.commands.progress import StageBar

    started = time.perf_counter()
    with StageBar() as bar:
        job = _check(args, bar)
        painting = replace(job.painter.paint(job.image, job.guidance), transparent=args.transparent)
        exporting = time.perf_counter()
        _export(painting, job, bar)
    finished = time.perf_counter()
    from semantic_guidance.metrics import painting_errors

    canvas = painting.canvas
    if painting.transparent == "painting":
        rgba = painting.cut_out()
        canvas = rgba[:3] * rgba[3:] + (1 - rgba[3:])
    errors = painting_errors(canvas, job.shown, painting.guidance.mask)
    seconds = {stage: painting.seconds.get(stage, 0.0) for stage in ("guidance", "plan", "polish")}
    seconds["guidance"] += job.guidance_seconds
    seconds |= {"export": finished - exporting, "total": finished - started}
    if args.json:
        print(json.dumps(_summary(args, job, painting, errors, seconds)))
    else:
        _tell(job, painting, errors, seconds)
    return 0


def _check(args: argparse.Namespace, bar: StageBar) -> _Job:
    """The job that the arguments ask for.

    Raises:
        InputError: something is wrong with them.
        OSError: a file cannot be read, or the folder not written.
    """
    for flag in ("mask", "box"):
        if args.baseline and getattr(args, flag) is not None:
            raise InputError(f"--{flag}: --baseline paints without guidance, wanted only one of the two")
    if args.mask is not None and args.box is not None:
        raise InputError("--box: the object is given by --mask already, wanted only one of the two")
    from semantic_guidance.images import load_picture

    film = looks.film(args)
    medium.check_plotter(args.formats, args.strokes, "--strokes")
    picture = load_picture(args.image)
    image, file_size = picture.image, picture.size
    outputs = _outputs(args)
    style = styles.Style.of(args, picture)
    painter = _painter(args, bar, style)
    bar("guidance", 0.0)
    looking = time.perf_counter()
    image, guidance = style.apply(image, _guidance(args, image, file_size))
    job = _Job(
        image=image,
        shown=style.shown(image),
        guidance=guidance,
        guidance_seconds=time.perf_counter() - looking,
        scale=(file_size[0] / image.shape[2], file_size[1] / image.shape[1]),
        painter=painter,
        film=film,
        outputs=outputs,
    )
    prepare_folder(args.out)
    return job


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The file for each format, none of which is one of the inputs."""
    outputs = {name: args.out / f"{args.image.stem}_painted.{name}" for name in args.formats}
    if args.show_guidance:
        outputs["guidance"] = args.out / f"{args.image.stem}_guidance.png"
    named = (Path(name or "") for name in (args.agent, args.brush, args.palette))
    given = (args.image, args.mask, *named, *styles.files(args))
    inputs = [path for path in given if path and path.is_file()]
    check_outputs(outputs.values(), inputs)
    return outputs


def _guidance(args: argparse.Namespace, image: Tensor, file_size: tuple[int, int]) -> Guidance | None:
    from semantic_guidance.guidance import Guide
    from semantic_guidance.types import Guidance

    height, width = image.shape[1:]
    if args.baseline:
        return Guidance.none(height, width)
    if args.mask is not None:
        from semantic_guidance.images import load_mask

        return Guide().from_mask(image, load_mask(args.mask, height, width))
    if args.box is not None:
        return Guide().from_box(image, _clipped_box(args.box, image, file_size))
    return None


def _clipped_box(box: Box, image: Tensor, file_size: tuple[int, int]) -> Box:
    """The part of `box` within the picture, in pixels of `image`.

    Raises:
        InputError: less than a pixel of it is within the picture.
    """
    x, y, width, height = box
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(file_size[0], x + width), min(file_size[1], y + height)
    if right - left < 1 or bottom - top < 1:
        shown = ",".join(f"{number:g}" for number in box)
        raise InputError(f"--box: {shown} lies outside the picture of {file_size[0]} x {file_size[1]} pixels")
    sx, sy = image.shape[2] / file_size[0], image.shape[1] / file_size[1]
    return left * sx, top * sy, (right - left) * sx, (bottom - top) * sy


def _painter(args: argparse.Namespace, bar: StageBar, style: styles.Style) -> Painter:
    from semantic_guidance.painter import Painter

    try:
        return Painter(
            agent=args.agent or ("baseline" if args.baseline else "semantic"),
            preset=args.preset,
            strokes=args.strokes,
            size=args.size,
            seed=args.seed,
            foreground_share=1.0 if style.alone and args.foreground_share is None else args.foreground_share,
            medium=medium.medium(args),
            start=style.start,
            brush=args.brush,
            detail=args.detail,
            progress=bar,
        )
    except InputError:
        raise
    except ValueError as error:  # it names its parameters as we name our flags
        raise InputError(f"--{error}") from None


def _export(painting: Painting, job: _Job, bar: StageBar) -> None:
    from semantic_guidance.export import save, save_painting
    from semantic_guidance.export.overlay import guidance_overlay

    for n, (name, path) in enumerate(job.outputs.items()):

        def tell(fraction: float, done: int = n) -> None:
            bar("export", (done + fraction) / len(job.outputs))

        if name == "guidance":
            save(guidance_overlay(job.shown, painting.guidance), path)
        else:
            save_painting(painting, path, tell, job.film)


def _summary(
    args: argparse.Namespace, job: _Job, painting: Painting, errors: Errors, seconds: dict[str, float]
) -> dict[str, Any]:
    """What ``--json`` prints."""
    boxes = painting.guidance.boxes
    return {
        "input": str(args.image),
        "outputs": {name: str(path) for name, path in job.outputs.items()},
        "strokes": len(painting.strokes),
        "foreground_strokes": painting.foreground_strokes,
        "mse": errors.everywhere,
        "mse_foreground": errors.foreground,
        "mse_background": errors.background,
        "box": [round(n * s, 2) for n, s in zip(boxes[0], job.scale * 2, strict=True)] if boxes else None,
        "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
    }


def _tell(job: _Job, painting: Painting, errors: Errors, seconds: dict[str, float]) -> None:
    """Say in words what was done."""
    for path in job.outputs.values():
        print(shown(path))
    line = f"{len(painting.strokes)} strokes, squared error {errors.everywhere:.5f}"
    if errors.foreground is not None:
        line += f" (object {errors.foreground:.5f}, {painting.foreground_strokes} strokes)"
    print(f"{line}, {seconds['total']:.1f} s")
