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
from semantic_guidance.core.options import option
from semantic_guidance.painter.presets import MAX_STROKES

if TYPE_CHECKING:
    from semantic_guidance.apps.evaluate import Evaluation

SUMMARY = "compare ways to paint on a folder of pictures"
SKIPPED = 1  # exit status
SHOWN = ("mse", "mse_foreground", "mse_background", "ssim", "perceptual", "lpips", "top1", "top5", "seconds")

EXAMPLES = """examples:
  semantic-guidance evaluate photographs --out evaluation
  semantic-guidance evaluate photographs --masks masks --methods planner+draft,planner+polish --strokes 500
  semantic-guidance evaluate photographs --methods planner,model/actor.safetensors --limit 20"""


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
    from semantic_guidance.apps.evaluate import (
        Evaluation,
        check_folder,
        find_subjects,
        parse_methods,
        write_results,
    )
    from semantic_guidance.apps.files import prepare_folder

    subjects = find_subjects(args.images, args.masks, args.limit)
    methods = parse_methods(None if args.methods is None else args.methods.split(","))
    notes = {
        "images": args.images.resolve().name,
        "masks": args.masks.resolve().name if args.masks else None,
        "limit": args.limit,
    }
    evaluation = Evaluation(subjects, methods, args.out, args.strokes, args.seed, notes, args.lpips)
    check_folder(args.out)
    prepare_folder(args.out)
    document = _run(evaluation, len(subjects) * len(methods))
    write_results(document, args.out)
    skipped = document["skipped"]
    if args.json:
        print(json.dumps(_summary(args, document)))
    else:
        print(_table(document))
        print(args.out / "index.html")
    if skipped:
        print(f"{len(skipped)} of {len(subjects)} pictures skipped", file=sys.stderr)
    return SKIPPED if skipped else 0


def _run(evaluation: Evaluation, total: int) -> dict[str, Any]:
    """The evaluation, with a progress bar where there is a terminal."""
    from tqdm import tqdm

    from semantic_guidance.apps.evaluate import Listener

    form = "{percentage:3.0f}% |{bar}| {elapsed}<{remaining} {desc}"
    with tqdm(total=total, disable=None, leave=False, bar_format=form) as bar:

        def done(count: float, name: str) -> None:
            bar.set_description_str(name[:30], refresh=False)
            bar.update(max(0.0, count - bar.n))

        def skipped(reason: str) -> None:
            bar.write(f"skipped: {reason}", file=sys.stderr)

        return evaluation.run(Listener(done, skipped))


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


def _table(document: dict[str, Any]) -> str:
    """The means as text, in columns."""
    from semantic_guidance.apps.evaluate.columns import read_columns

    columns = [column for column in read_columns(document["columns"]) if column.key in SHOWN]
    rows = [["", *(column.title for column in columns)]]
    for method, figures in document["summary"]["methods"].items():
        rows.append([method, *(column.shown_mean(figures[column.key]["mean"]) for column in columns)])
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
