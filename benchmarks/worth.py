"""What guidance costs and buys on pictures of all kinds, from landscapes to screenshots.

    python benchmarks/worth.py FOLDER

FOLDER holds pictures.csv with the columns name, kind, object (yes where there is a clear object, else no),
the pictures NAME.jpg or NAME.png, and NAME_mask.png where there is an object: `runs/guidance` fetches such a
set. Each picture is painted as it comes, no mask given, and without guidance; masks are for measuring only.
Prints a Markdown table with the errors relative to those without guidance and writes
`benchmarks/results/worth.json`. Errors: see paint.py.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    RESULTS,
    BenchmarkError,
    Neighbours,
    Parser,
    finish,
    headline,
    significant,
    table,
    write_results,
)

WITHOUT, WITH, OBJECT = 1.12, 1.2, 0.6
"""Wanted bounds: of the whole where there is no clear object; of the whole and the object where there is."""


@dataclass(frozen=True)
class Subject:
    """A picture of the set.

    Attributes:
        name: of the picture.
        kind: of the picture, such as "landscape".
        picture: its file.
        mask: the file of its object's mask; None where there is no clear object.
    """

    name: str
    kind: str
    picture: Path
    mask: Path | None


def read_set(folder: Path) -> list[Subject]:
    """The pictures of a folder, in the order of its table.

    Raises:
        BenchmarkError: the table or a file is missing.
    """
    if not (folder / "pictures.csv").is_file():
        raise BenchmarkError(f"{folder} has no pictures.csv, wanted the folder of a set of pictures")
    with (folder / "pictures.csv").open(newline="", encoding="utf-8") as file:
        return [_subject(folder, row) for row in csv.DictReader(file)]


def _subject(folder: Path, row: dict[str, str]) -> Subject:
    found = [folder / f"{row['name']}{suffix}" for suffix in (".jpg", ".png")]
    mask = folder / f"{row['name']}_mask.png" if row["object"] == "yes" else None
    missing = [each for each in (mask,) if each is not None and not each.is_file()]
    if missing or not any(each.is_file() for each in found):
        raise BenchmarkError(f"{(missing or found)[0]} is missing, wanted all that pictures.csv names")
    return Subject(row["name"], row["kind"], next(each for each in found if each.is_file()), mask)


def compare(subject: Subject, strokes: int, preset: str) -> dict[str, Any]:
    """Errors with guidance and without, the objects' share of the strokes, and seconds."""
    from semantic_guidance import Guidance, Painter, load_image
    from semantic_guidance.images.files import load_mask
    from semantic_guidance.images.metrics import painting_errors

    image = load_image(subject.picture)
    mask = None if subject.mask is None else load_mask(subject.mask, *image.shape[1:])
    guided = Painter(preset=preset, strokes=strokes).paint(image)
    plain = Painter("baseline", preset, strokes=strokes).paint(image, Guidance.none(*image.shape[1:]))
    seen, unseen = (painting_errors(painting.canvas, image, mask) for painting in (guided, plain))
    numbers: dict[str, float] = {
        "all": seen.everywhere,
        "all_without": unseen.everywhere,
        "share": guided.foreground_strokes / max(1, len(guided.strokes)),
        "painting_s": guided.seconds["plan"] + guided.seconds["polish"],
        "painting_without_s": plain.seconds["plan"] + plain.seconds["polish"],
        "guidance_s": guided.seconds["guidance"],
    }
    if mask is not None and seen.foreground is not None and unseen.foreground is not None:
        numbers |= {"object": seen.foreground, "object_without": unseen.foreground}
    return {"kind": subject.kind, **{name: significant(float(value)) for name, value in numbers.items()}}


def ratio(row: dict[str, Any], part: str) -> float | None:
    """The error of a part with guidance over that without; None where there is no such part."""
    return float(row[part] / row[f"{part}_without"]) if part in row else None


def kept(row: dict[str, Any]) -> bool:
    """Whether a picture's errors are within the wanted bounds."""
    whole, own = ratio(row, "all"), ratio(row, "object")
    if whole is None or own is None:
        return whole is not None and whole <= WITHOUT
    return whole <= WITH and own <= OBJECT


def summary(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Of the pictures with a clear object and of those without: means, the worst, and how many are kept."""
    groups: dict[str, list[dict[str, Any]]] = {"object": [], "none": []}
    for row in rows:
        groups["object" if "object" in row else "none"].append(row)
    found: dict[str, Any] = {}
    for name, group in groups.items():
        if group:
            whole = [ratio(row, "all") or 0.0 for row in group]
            found[name] = {
                "pictures": len(group),
                "kept": sum(kept(row) for row in group),
                "all": significant(float(np.exp(np.mean(np.log(whole))))),
                "worst_all": significant(max(whole)),
            }
    if "object" in found:
        own = [ratio(row, "object") or 0.0 for row in groups["object"]]
        both = [min(ratio(row, "all") or 0.0, ratio(row, "object") or 0.0) > 1 for row in groups["object"]]
        found["object"] |= {
            "object": significant(float(np.exp(np.mean(np.log(own))))),
            "worst_object": significant(max(own)),
            "worse_in_both": sum(both),
        }
    return found


def run(folder: Path, strokes: int, preset: str, results: Path) -> None:
    """Paint, print and write.

    Raises:
        BenchmarkError: the folder does not have the wanted form.
    """
    subjects = read_set(folder)
    neighbours = Neighbours()
    compare(subjects[0], 20, preset)  # compiles and loads what is needed
    rows = {}
    for subject in subjects:
        rows[subject.name] = compare(subject, strokes, preset)
        print(subject.name, file=sys.stderr)
    print(headline(neighbours))
    heads = ("picture", "kind", "all", "object", "share", "seconds", "without", "of guidance", "kept")
    lines = []
    for name, row in rows.items():
        own = ratio(row, "object")
        lines.append(
            (
                name,
                row["kind"],
                f"{ratio(row, 'all'):.2f}",
                "" if own is None else f"{own:.2f}",
                f"{row['share']:.2f}",
                f"{row['painting_s']:.1f}",
                f"{row['painting_without_s']:.1f}",
                f"{row['guidance_s']:.1f}",
                "yes" if kept(row) else "no",
            )
        )
    print(table(heads, lines))
    found = summary(rows.values())
    for name, numbers in found.items():
        print(f"{name}: {', '.join(f'{key} {value}' for key, value in numbers.items())}")
    record = {"strokes": strokes, "preset": preset, "summary": found, "pictures": rows}
    write_results(results, "worth", neighbours, record)


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--strokes", type=int, default=300)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--out", type=Path, default=RESULTS / "worth.json")
    args = parser.parse_args()
    return finish("worth.py", lambda: run(args.folder, args.strokes, args.preset, args.out))


if __name__ == "__main__":
    sys.exit(main())
