"""``semantic-guidance evaluate``: ways to paint, compared on a folder of pictures."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.apps.cli.flags import add_flags
from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.core.engines.base import Engine
from semantic_guidance.core.engines.options import ray_option
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.data.sources import SPLITS
from semantic_guidance.painter.presets import MAX_STROKES

if TYPE_CHECKING:
    from semantic_guidance.apps.evaluate import Evaluation, Method, Subject
    from semantic_guidance.apps.evaluate.published import Published

SUMMARY = "compare ways to paint on a folder of pictures"
SMALLER = "fewer --strokes or smaller pictures"
SKIPPED = 1  # exit status
SHOWN = ("mse", "mse_foreground", "mse_background", "ssim", "perceptual", "lpips", "top1", "top5", "seconds")

EXAMPLES = """examples:
  semantic-guidance evaluate photographs --out evaluation
  semantic-guidance evaluate photographs --masks masks --methods planner+draft,planner+polish --strokes 500
  semantic-guidance evaluate photographs --methods planner,model/actor.safetensors --limit 20
  semantic-guidance evaluate data --dataset cub200 --limit 28 --methods semantic+draft,baseline+draft
  semantic-guidance evaluate published --paper --only bird_4008,bird_4648,bird_5602"""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What is compared, and how."""

    masks: Path | None = option(
        None,
        "folder of masks NAME.png or NAME_mask.png, bright where the object is (default: the object is"
        " detected, as in pictures without a mask)",
        metavar="DIR",
        parse=Path,
    )
    methods: str | None = option(
        None,
        "ways to paint, separated by commas: AGENT (draft and polish), AGENT+draft, AGENT+polish or"
        " AGENT+fine, all as in paint; with +unguided at the end the agent does not know the object"
        " (default: all agents that ship)",
        metavar="LIST",
    )
    paper: bool = option(
        False,
        "the papers' comparison: each agent alone, with at most 300 strokes, beside the published paintings"
        " in IMAGES_DIR: NAME__target.png, NAME__mask.png, and NAME__METHOD.png for each painting",
    )
    dataset: str | None = option(
        None,
        "IMAGES_DIR is the folder of this data set, as for train; paints the pictures that train holds out"
        " (if its --num-val is the default)",
        metavar="NAME",
    )
    split: str = option("random", "with --dataset: what is held out, as for train", choices=SPLITS)
    dataset_masks: str = option(
        "found",
        "with --dataset: real, the masks that cub200 has; predicted, those of preprocess; found: the object"
        " is detected",
        metavar="KIND",
        choices=("real", "predicted", "found"),
    )
    only: str | None = option(None, "only these pictures, their names separated by commas", metavar="LIST")
    strokes: int = option(
        300, "number of brush strokes of each painting", metavar="N", min=1, max=MAX_STROKES
    )
    out: Path = option(Path("evaluation"), "folder for the results", metavar="DIR", parse=Path)
    limit: int | None = option(
        None,
        "only the first N pictures by name (default: all)",
        metavar="N",
        min=1,
        max=10**9,
    )
    lpips: bool = option(
        False, "measure LPIPS, too; needs the extra 'metrics' and AlexNet's weights (233 MB)"
    )
    seed: int = option(0, "the same number gives the same paintings", metavar="N", min=0, max=MAX_SEED)
    ray: str | None = ray_option()
    workers: int | None = option(
        None,
        "with --ray: pictures that are painted at the same time (default: as many as there are cores); the"
        " seconds measured are those of a core that may have busy neighbours",
        metavar="N",
        min=1,
        max=1024,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Paints every picture of a folder in several ways and compares the paintings: errors, SSIM,\n"
        "perceptual distance, whether a classifier recognises them, and seconds. Writes index.html, a page\n"
        "with all of them side by side, results.csv and results.json. Run again, it continues where it was\n"
        "interrupted."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("images", metavar="IMAGES_DIR", type=Path, help="folder of the pictures")
    add_flags(parser, dataclasses.fields(EvaluateOptions))
    parser.add_argument("--json", action="store_true", help="print a summary as one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status: 0, or 1 if a picture was skipped."""
    from semantic_guidance.apps.evaluate import Evaluation, check_folder, write_results
    from semantic_guidance.apps.files import prepare_folder

    subjects, published = _subjects(args)
    methods = _methods(args)
    notes = {
        "images": args.images.resolve().name,
        "masks": args.masks.resolve().name if args.masks else None,
        "limit": args.limit,
    } | {name: value for name in ("dataset", "only") if (value := getattr(args, name)) is not None}
    notes |= {
        name: value
        for name in ("split", "dataset_masks")
        if (value := getattr(args, name)) != getattr(EvaluateOptions(), name)
    }
    engine = _engine(args)
    evaluation = Evaluation(subjects, methods, args.out, args.strokes, args.seed, notes, args.lpips)
    check_folder(args.out)
    prepare_folder(args.out)
    document = _run(evaluation, len(subjects) * len(methods), engine)
    write_results(document, args.out)
    skipped = document["skipped"]
    summary = _summary(args, document) if args.json else {}
    if args.paper:
        rows, remark = _compared(subjects, published, document, args.out)
        summary |= {"paintings": rows, "remark": remark}
        table = f"{_paper_table(rows)}\n{remark}"
    else:
        table = _table(document)
    print(json.dumps(summary) if args.json else f"{table}\n{printable(args.out / 'index.html')}")
    if skipped:
        print(f"{len(skipped)} of {len(subjects)} pictures skipped", file=sys.stderr)
    return SKIPPED if skipped else 0


def _engine(args: argparse.Namespace) -> Engine | None:
    """Who paints and measures; None if this process does.

    Raises:
        InputError: Ray is wanted, and not installed.
    """
    if args.ray is None:
        if args.workers is not None:
            raise OptionError(
                "workers", "it means nothing without --ray: else one painting is made at a time"
            )
        return None
    from semantic_guidance.core.engines.ray_engine import RayEngine

    return RayEngine(args.ray, args.workers)


def _run(evaluation: Evaluation, total: int, engine: Engine | None) -> dict[str, Any]:
    """The evaluation, with a progress bar where there is a terminal."""
    from tqdm import tqdm

    from semantic_guidance.apps.evaluate import Listener

    form = "{percentage:3.0f}% |{bar}| {elapsed}<{remaining} {desc}"
    with tqdm(total=total, disable=None, leave=False, bar_format=form) as bar:

        def done(count: float, name: str) -> None:
            bar.set_description_str(printable(name[:30]), refresh=False)
            bar.update(max(0.0, count - bar.n))

        def skipped(reason: str) -> None:
            bar.write(f"skipped: {printable(reason)}", file=sys.stderr)

        return evaluation.run(Listener(done, skipped), engine)


def _summary(args: argparse.Namespace, document: dict[str, Any]) -> dict[str, Any]:
    """What ``--json`` prints: the means, without what is only in the files."""
    from semantic_guidance.apps.evaluate import OUTPUTS

    means = document["summary"]["methods"]
    return {
        "outputs": {name: str(args.out / name) for name in OUTPUTS},
        "pictures": len(document["pictures"]),
        "skipped": len(document["skipped"]),
        "strokes": args.strokes,
        "methods": {
            method: {name: figure["mean"] for name, figure in figures.items()}
            for method, figures in means.items()
        },
    }


def _subjects(args: argparse.Namespace) -> tuple[list[Subject], list[Published]]:
    """The pictures, and the published paintings of them.

    Raises:
        InputError: there are none, or flags do not go together.
    """
    from semantic_guidance.apps.evaluate import find_subjects, published_subjects, read_published
    from semantic_guidance.apps.evaluate.published import check_paintings

    if args.masks is not None and (args.paper or args.dataset):
        raise OptionError(
            "masks", "not with --paper or --dataset, which have masks of their own or find them"
        )
    if args.paper and args.dataset is not None:
        raise OptionError("dataset", "not with --paper, whose pictures and paintings are files of a folder")
    for name in ("split", "dataset_masks"):
        if args.dataset is None and getattr(args, name) != getattr(EvaluateOptions(), name):
            raise OptionError(name, "means nothing without --dataset")
    published: list[Published] = []
    if args.dataset is not None:
        from semantic_guidance.apps.evaluate.held_out import held_out_subjects

        limit = None if args.only else args.limit
        subjects = held_out_subjects(args.images, args.dataset, limit, args.split, args.dataset_masks)
    elif args.paper:
        published = read_published(args.images)
        subjects = published_subjects(published)
    else:
        subjects = find_subjects(args.images, args.masks, None if args.only else args.limit)
    if args.only is not None:
        names = args.only.split(",")
        if unknown := [name for name in names if name not in {subject.name for subject in subjects}]:
            raise OptionError(
                "only", f"{args.images} has no picture {unknown[0]!r}, wanted names of its pictures"
            )
        subjects = [subject for subject in subjects if subject.name in names]
    subjects = subjects[: args.limit]
    check_paintings(subjects, published)
    return subjects, published


def _methods(args: argparse.Namespace) -> list[Method]:
    """The ways to paint.

    Raises:
        InputError: a word is none, or nobody would paint alone, as ``--paper`` wants it.
    """
    from semantic_guidance.apps.evaluate import parse_methods
    from semantic_guidance.apps.evaluate.methods import ALONE
    from semantic_guidance.apps.evaluate.published import MOST_STROKES

    methods = parse_methods(None if args.methods is None else args.methods.split(","))
    if not args.paper:
        return methods
    if args.strokes > MOST_STROKES:
        raise OptionError(
            "strokes",
            f"got {args.strokes}, wanted at most {MOST_STROKES} with --paper, as published ones have",
        )
    alone = [method for method in methods if method.preset == ALONE]
    if not alone:
        raise OptionError("methods", f"got {args.methods!r}, wanted AGENT or AGENT+{ALONE} with --paper")
    return alone


def _compared(
    subjects: list[Subject], published: list[Published], document: dict[str, Any], out: Path
) -> tuple[list[dict[str, Any]], str]:
    """The errors of all paintings, and a remark on them."""
    from semantic_guidance.apps.evaluate.published import about_shrinking, compare

    rows = compare(subjects, published, document, out)
    return [
        {
            "picture": row.picture,
            "painting": row.painting,
            "pictures": row.pictures,
            **dict(zip(("all", "object", "background"), row.errors, strict=True)),
        }
        for row in rows
    ], about_shrinking(rows)


def _paper_table(rows: list[dict[str, Any]]) -> str:
    """The errors as text, in columns."""
    cells = [["picture", "painting", "all", "object", "background"]]
    before = None
    for row in rows:
        painting = row["painting"] if row["pictures"] == 1 else f"{row['painting']} ({row['pictures']})"
        figures = ["–" if row[name] is None else f"{row[name]:.5f}" for name in cells[0][2:]]
        cells.append(["" if row["picture"] == before else row["picture"], painting, *figures])
        before = row["picture"]
    return _columns(cells, 2)


def _columns(rows: list[list[str]], left: int = 1) -> str:
    """Rows of cells as lines, the first `left` columns to the left, the others to the right."""
    rows = [[printable(cell) for cell in cells] for cells in rows]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n < left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _table(document: dict[str, Any]) -> str:
    """The means as text, in columns."""
    from semantic_guidance.apps.evaluate.columns import read_columns

    columns = [column for column in read_columns(document["columns"]) if column.key in SHOWN]
    rows = [["", *(column.title for column in columns)]]
    for method, figures in document["summary"]["methods"].items():
        rows.append([method, *(column.shown_mean(figures[column.key]["mean"]) for column in columns)])
    return _columns(rows)
