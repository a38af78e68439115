"""``semantic-guidance paint``: one photograph becomes a painting, a video of it, and more."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import glob
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.batch.inputs import many, matches
from semantic_guidance.apps.batch.naming import FIELDS
from semantic_guidance.apps.batch.options import BatchOptions, usual_workers
from semantic_guidance.apps.cli.flags import add_flags, flag_values
from semantic_guidance.apps.cli.output import tell_flat, tell_note
from semantic_guidance.apps.film.options import FilmOptions
from semantic_guidance.apps.given_options import GuidanceOptions, PictureOptions
from semantic_guidance.apps.hand_options import HandOptions, VariationOptions
from semantic_guidance.apps.job import Job
from semantic_guidance.apps.options import (
    MediumOptions,
    OutputOptions,
    PainterOptions,
    RestyleOptions,
    parse_name,
)
from semantic_guidance.core.ending import Terminated
from semantic_guidance.core.engines.base import Engine
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.plugins import EXPORTERS, PluginError
from semantic_guidance.core.shown import printable
from semantic_guidance.core.start import quick_imports
from semantic_guidance.export.options import NoOptions, PlotterOptions, VideoOptions
from semantic_guidance.images.film_names import is_film, is_pattern
from semantic_guidance.painter.presets import DEFAULT_STYLE

if TYPE_CHECKING:
    from semantic_guidance.apps.batch.inputs import Source
    from semantic_guidance.apps.batch.run import BatchResult
    from semantic_guidance.apps.jobs import Result, Variations

LEAST_BARE = 1.0  # per mille of the canvas, of which people are told

SUMMARY = "turn a photograph into a painting"
FAILED = 1  # exit status
SMALLER = "a smaller --size, fewer --strokes or fewer --formats"

EXAMPLES = """examples:
  semantic-guidance paint cat.jpg
      writes cat_painted.png and cat_painted.mp4 to the current folder
  semantic-guidance paint cat.jpg --strokes 1000 --preset fine --size 2048 --out painted
  semantic-guidance paint cat.jpg --mask cat_mask.png --formats png,json
  semantic-guidance paint cat.jpg --box 120,40,300,260 --json
  semantic-guidance paint cat.jpg --point 200,150 --not-point 420,90 --show-guidance
      paints what lies at the first place as the object, without what lies at the second
  semantic-guidance paint cat.jpg --guidance cat.json
      writes what is known of the picture to cat.json, or reads it, if it is there
  semantic-guidance paint cat.jpg --variations 4 --formats png
      writes cat_painted_1.png to cat_painted_4.png, and all of them on one sheet, cat_variations.png
  semantic-guidance paint photos --out painted --formats png
      paints every picture in a folder and below it, several at a time; interrupted, the same command goes on
  find . -name '*.jpg' | semantic-guidance paint @- --out painted --output '{stem}_{seed}.{ext}'
      paints the pictures of a list, whose files are named by a pattern
  semantic-guidance paint clip.mp4 --strokes 500 --preset draft --formats mp4,track.json
      paints a film, with its sound; interrupted, the same command goes on"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Turns a photograph into a painting. Writes NAME_painted.png, the painting, and\n"
        "NAME_painted.mp4, a video of how it was painted, where NAME.* is the photograph."
    )
    parser.epilog = EXAMPLES
    parser.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        help="the photograph: JPEG, PNG, WebP, TIFF, ...; or many: files, folders, patterns such as"
        " 'photos/**/*.jpg', @LIST (a file that names one a line; @- reads it from standard input); or a"
        " film: clip.mp4, frames/%%04d.png",
    )
    kinds = (PictureOptions, OutputOptions, PainterOptions, VariationOptions, GuidanceOptions, VideoOptions)
    for kind in kinds:
        add_flags(parser, map(_with_pattern, dataclasses.fields(kind)))
    parser.add_argument("--json", action="store_true", help="print a summary as one line of JSON")
    add_flags(parser, dataclasses.fields(HandOptions))
    add_flags(parser, dataclasses.fields(MediumOptions))
    add_flags(parser, dataclasses.fields(PlotterOptions))
    add_flags(parser, dataclasses.fields(RestyleOptions))
    add_flags(parser, dataclasses.fields(FilmOptions))
    add_flags(parser, dataclasses.fields(BatchOptions))
    add_export_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Paint one picture or many, or films; returns the exit status."""
    options = BatchOptions(
        **{**flag_values(args, BatchOptions), "out": str(args.out), "pattern": args.output}
    )
    args.images = [name for word in args.images for name in _named(word, args)]
    films = [word for word in args.images if is_film(Path(word), args.film)]
    if len(films) == len(args.images):
        return _run_films(args, options)
    if films:
        raise InputError(f"{films[0]}: this is a film, and not all are, wanted films and pictures apart")
    for item in dataclasses.fields(FilmOptions):
        if getattr(args, item.name) != item.default:
            raise OptionError(item.name, f"it is for films, and {args.images[0]} is none, wanted it without")
    if many(args.images) or options.asked:
        return _run_batch(args, options)
    return _run_one(args)


def _named(word: str, args: argparse.Namespace) -> list[str]:
    """The films that a word means that is a pattern of some, such as ``'clips/*.mp4'``; else the word itself.

    Raises:
        InputError: there are none.
    """
    path = Path(word)
    if not glob.has_magic(word) or path.exists() or is_pattern(path) or not is_film(path, args.film):
        return [word]
    if found := list(matches(word, str(args.out))):
        return _unpainted(found, os.path.realpath(args.out))
    raise InputError(f"{printable(word)}: no film matches this, wanted a film, or a pattern of some")


def _unpainted(films: list[str], out: str) -> list[str]:
    """Those of some films that are not the painting of another one of them, in the folder where those go."""
    painted = {f"{Path(film).stem}_painted" for film in films}
    return [
        film
        for film in films
        if Path(film).stem not in painted or os.path.realpath(os.path.dirname(film)) != out
    ]


def _with_pattern(item: dataclasses.Field[Any]) -> dataclasses.Field[Any]:
    """A field, as it is told of many pictures; the files' name or folder is a word then, which means more."""
    if item.name not in ("out", "output", "overwrite"):
        return item
    about = {**item.metadata, "parse": str}
    if item.name == "overwrite":
        about |= {"parse": None, "help": f"{about['help']}; of many, paint those again that are done"}
    if item.name == "output":
        about["help"] += "; of many, a pattern such as {stem}_{seed}.{ext}, with any of " + ", ".join(
            f"{{{name}}}" for name in FIELDS[1:-1]
        )
    copy: dataclasses.Field[Any] = dataclasses.field(default=item.default, metadata=about)
    copy.name, copy.type = item.name, item.type
    return copy


def _name(word: str | None) -> str | None:
    """The name of a single picture's files.

    Raises:
        InputError: it is none.
    """
    try:
        return None if word is None else parse_name(word)
    except ValueError as error:
        raise InputError(f"--output: {error} (see 'semantic-guidance paint --help')") from None


def _job(args: argparse.Namespace, image: str, **changes: Any) -> Job:
    """What is asked for."""
    return Job(**{**flag_values(args, Job), "image": image, "export": export_values(args), **changes})


def _run_batch(args: argparse.Namespace, options: BatchOptions) -> int:
    """Paint many pictures; returns 0, or `FAILED` if one could not be painted."""
    from semantic_guidance.apps.batch.inputs import sources
    from semantic_guidance.apps.batch.run import painted_before, run_batch
    from semantic_guidance.apps.cli.progress import BatchBar

    if args.variations is not None:
        raise OptionError(
            "variations", "it is about one picture, and there are several, wanted one at a time"
        )
    job = _job(args, "-", out=Path(options.out), output=None)
    made = functools.cache(lambda: painted_before(options))  # a long list of files needs none of it
    pictures = sources(args.images, options.out, made)
    if options.dry_run:
        return _tell_plan(job, pictures, options, args.json)
    with BatchBar() as bar:
        result = run_batch(job, pictures, options, _engine(job, options, len(pictures)), bar)
    if args.json:
        print(json.dumps(result.summary()))
    else:
        _tell_batch(result)
    return FAILED if result.failed else 0


def _engine(job: Job, options: BatchOptions, pictures: int) -> Engine:
    """Who paints them.

    Raises:
        InputError: Ray is wanted, and not installed.
    """
    if options.ray is None:
        from semantic_guidance.apps.batch.run import PRELOADED
        from semantic_guidance.core.engines.local import LocalEngine

        return LocalEngine(options.workers or usual_workers(pictures), preload=PRELOADED)
    from semantic_guidance.core.engines.ray_engine import LOCAL, RayEngine

    workers = options.workers or (usual_workers(pictures) if options.ray == LOCAL else None)
    return RayEngine(options.ray, workers, gpus=0.0 if job.device == "cpu" else options.gpu_share)


def _tell_plan(job: Job, pictures: list[Source], options: BatchOptions, as_json: bool) -> int:
    """Say what would be painted, and what it would take; returns the exit status."""
    from tqdm import tqdm

    from semantic_guidance.apps.batch.estimate import estimate

    with tqdm(total=1, disable=None, leave=False, bar_format="measuring |{bar}| {elapsed}") as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        plan = estimate(job, pictures, options, tell)
    if as_json:
        print(json.dumps(plan.summary()))
    else:
        print("\n".join(map(printable, plan.lines())))
    return 0


def _tell_batch(result: BatchResult) -> None:
    """Say in words what was done."""
    before = f", {result.before} were done before" if result.before else ""
    failed = f", {result.failed} failed" if result.failed else ""
    print(f"{result.painted} of {result.pictures} pictures painted{before}{failed}, {result.seconds:.1f} s")
    print(printable(result.manifest))


def _run_films(args: argparse.Namespace, options: BatchOptions) -> int:
    """Paint films, one after the other; returns 0, or `FAILED` if one of several could not be painted."""
    from semantic_guidance.apps.cli.film import paint_film

    if args.variations is not None:
        raise OptionError("variations", "it is about a picture, and this is a film, wanted one at a time")
    for name in ("workers", "ray", "shard", "dry_run"):
        if getattr(options, name) not in (None, False):
            raise OptionError(name, "it is for many pictures, and this is a film, wanted it without")
    if args.output is not None and len(args.images) > 1:
        raise OptionError("output", "it would be the name of each of these films, wanted one at a time")
    words = {os.path.abspath(word): word for word in args.images}.values()  # each film once
    jobs = [_job(args, word, out=Path(args.out), output=_name(args.output)) for word in words]
    if len(jobs) > 1:
        with quick_imports():
            from semantic_guidance.apps.film.work import check_apart
        check_apart(jobs)
    status, painted = 0, 0
    for job in jobs:
        before = f"; films painted before it, to be left out next time: {painted}" if painted else ""
        try:
            paint_film(job, FilmOptions(**flag_values(args, FilmOptions)), args.json)
            painted += 1
        except KeyboardInterrupt as end:
            raise KeyboardInterrupt(f"{str(end) or 'interrupted'}{before}") from None
        except Terminated as end:
            raise Terminated(end.number, f"{end.words or 'terminated'}{before}") from None
        except InputError as error:
            if len(jobs) == 1 or isinstance(error, OptionError):
                raise
            print(f"semantic-guidance: failed: {error}", file=sys.stderr)
            status = FAILED
    return status


def _run_one(args: argparse.Namespace) -> int:
    """Paint one picture; returns the exit status."""
    with quick_imports():
        from semantic_guidance.apps.cli.progress import StageBar
        from semantic_guidance.apps.jobs import run as paint
        from semantic_guidance.apps.jobs import run_variations

    job = _job(args, args.images[0], out=Path(args.out), output=_name(args.output))
    if args.variations is not None:
        with StageBar() as bar:
            several = run_variations(job, args.variations, bar)
        for note in several.results[0].notes:
            tell_note(note)
        _tell_all(several, args.json)
        return 0
    with StageBar() as bar:
        result = paint(job, bar)
    tell_flat(result.job.formats, result.painting.brush.style)
    for note in result.notes:
        tell_note(note)
    if args.json:
        print(json.dumps(result.summary()))
    else:
        _tell(result)
    return 0


def _tell_all(several: Variations, as_json: bool) -> None:
    """Say in words, or JSON, what was done, and which options repeat it."""
    if as_json:
        print(json.dumps(several.summary()))
        return
    for number, result in enumerate(several.results):
        _tell(result)
        changes = several.changes(number).items()
        print("   ", " ".join(f"--{name.replace('_', '-')} {printable(value)}" for name, value in changes))
    print(printable(several.sheet))


def _plugged_in() -> dict[str, type]:
    """The options of formats that plug-ins bring, by format; those that cannot be loaded are omitted."""
    kinds = {}
    for name in EXPORTERS.others():
        with contextlib.suppress(PluginError):  # it is reported when the format is asked for
            kinds[name] = EXPORTERS.get(name).options
    return {
        name: kind for name, kind in kinds.items() if kind not in (NoOptions, PlotterOptions, VideoOptions)
    }


def add_export_flags(parser: argparse.ArgumentParser) -> None:
    """Declare flags ``--FORMAT-OPTION`` for the options of plug-ins' formats."""
    for name, kind in _plugged_in().items():
        items = []
        for item in dataclasses.fields(kind):
            about = {**item.metadata, "group": item.metadata.get("group") or f"format {name}"}
            copy: dataclasses.Field[Any] = dataclasses.field(default=item.default, metadata=about)
            copy.name, copy.type = f"{name}_{item.name}".replace(".", "_"), item.type
            items.append(copy)
        add_flags(parser, items)


def export_values(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What these flags say, by format."""
    return {
        name: {
            item.name: getattr(args, f"{name}_{item.name}".replace(".", "_"))
            for item in dataclasses.fields(kind)
        }
        for name, kind in _plugged_in().items()
    }


def _tell(result: Result) -> None:
    """Say in words what was done."""
    for path in result.outputs.values():
        print(printable(path))
    painting, errors = result.painting, result.errors
    line = f"{len(painting.strokes)} strokes, squared error {errors.everywhere:.5f}"
    if errors.foreground is not None:
        line += f" (object {errors.foreground:.5f}, {painting.foreground_strokes} strokes)"
    print(f"{line}, {result.seconds['total']:.1f} s")
    if result.not_needed:
        print(f"{result.not_needed} of {result.job.strokes} strokes were not needed")
    if result.style == "lines" and result.job.style is None:
        print(f"it is a line drawing, painted line by line (--style {DEFAULT_STYLE} paints it all over)")
    if (bare := 1000 * result.bare_share) >= LEAST_BARE:
        print(
            f"semantic-guidance: warning: {bare:.1f} per mille of the canvas stay bare where the picture has"
            " another colour; more --strokes cover it, or --start-canvas hides it",
            file=sys.stderr,
        )
