"""Errors and seconds of our paintings beside those of published ones.

    python benchmarks/paint.py FOLDER

FOLDER holds, for each picture NAME, the target NAME__target.png, if wanted its mask NAME__mask.png (bright
where the object is), and published paintings of it, NAME__METHOD.png; all may be .jpg, too. Each target is
painted with its mask if there is one. Prints tables in Markdown and writes `benchmarks/results/paint.json`,
which has numbers only.

Errors are means over pixels and RGB in [0, 1], pictures squashed to 128 x 128, and so is SSIM. Published
paintings that were cut out of figures may be off by a pixel, so their error is also given where it is lowest
when they are moved by up to 2 pixels ("registered"); ours never is.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import RESULTS, Neighbours, Parser, Timing, finish, headline, significant, table, write_results

from semantic_guidance.core.shown import printable

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_guidance.apps.evaluate.published import Published
    from semantic_guidance.painter.painter import Painter
    from semantic_guidance.painting.painting import Painting

VIDEO_SHARES = (0.10, 0.25, 0.50, 0.75, 1.0)
SIDE = 128
MOVES = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)  # pixels of 128


def quality(painted: Tensor, target: Tensor, mask: Tensor | None) -> dict[str, float | None]:
    """Errors and similarity of a painting."""
    from semantic_guidance.images.metrics import painting_errors, squashed, ssim

    errors = painting_errors(painted, target, mask)
    return {
        "all": significant(errors.everywhere),
        "foreground": None if errors.foreground is None else significant(errors.foreground),
        "background": None if errors.background is None or mask is None else significant(errors.background),
        "ssim": round(ssim(squashed(painted), squashed(target)), 4),
    }


def registered_error(painted: Tensor, target: Tensor) -> float:
    """The lowest error of a painting when it is moved by up to two pixels of 128."""
    import cv2
    import numpy as np

    from semantic_guidance.images.metrics import squashed

    first, second = (squashed(image).permute(1, 2, 0).numpy() for image in (painted, target))
    lowest = np.inf
    for dx in MOVES:
        for dy in MOVES:
            move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            moved = cv2.warpAffine(first, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
            lowest = min(lowest, float(((moved - second) ** 2).mean()))
    return significant(lowest)


def film(painting: Painting, target: Tensor, mask: Tensor | None) -> list[dict[str, Any]]:
    """Errors of the unfinished painting, after each of `VIDEO_SHARES` of its strokes."""
    from semantic_guidance.images.metrics import painting_errors

    total = len(painting.strokes)
    marks = {share: round(share * total) for share in VIDEO_SHARES}
    found = []
    for count, canvas in enumerate(painting.replay()):
        for share in (share for share, mark in marks.items() if mark == count):
            errors = painting_errors(canvas, target, mask)
            row = {"share": share, "strokes": count, "all": significant(errors.everywhere)}
            if errors.foreground is not None:
                row["foreground"] = significant(errors.foreground)
            found.append(row)
    return found


def compare(subject: Published, painter: Painter, repeats: int, pictures: Path | None) -> dict[str, Any]:
    """Paint a subject and judge it and its published paintings."""
    from semantic_guidance.core.guidance import Guidance
    from semantic_guidance.images.files import load_image, load_mask

    target = load_image(subject.target)
    mask = None if subject.mask is None else load_mask(subject.mask, *target.shape[1:])
    published = {method: load_image(path) for method, path in subject.paintings.items()}
    guidance = None if mask is None else Guidance.from_mask(mask)
    paintings = [painter.paint(target, guidance) for _ in range(repeats)]
    painting = paintings[0]  # they are all the same
    seconds = {stage: [done.seconds[stage] for done in paintings] for stage in ("plan", "polish")}
    seconds["total"] = [sum(parts) for parts in zip(seconds["plan"], seconds["polish"], strict=True)]
    if pictures is not None:
        save_sheet(pictures / f"{subject.name}.png", {"target": target, "ours": painting.canvas} | published)
    return {
        "target": subject.name,
        "mask_given": mask is not None,
        "foreground_share": None if mask is None else significant(float(mask.mean()), 3),
        "published": {
            method: quality(image, target, mask) | {"registered": registered_error(image, target)}
            for method, image in published.items()
        },
        "ours": quality(painting.canvas, target, mask),
        "strokes": len(painting.strokes),
        "foreground_strokes": painting.foreground_strokes,
        "seconds": {stage: Timing.of(values).record() for stage, values in seconds.items()},
        "film": film(painting, target, mask),
    }


def save_sheet(path: Path, images: dict[str, Tensor]) -> None:
    """Write pictures side by side, 256 pixels high, with their names."""
    from PIL import Image, ImageDraw

    from semantic_guidance.images.arrays import to_bytes

    height, strip = 256, 14
    tiles = []
    for name, image in images.items():
        tile = Image.fromarray(to_bytes(image))
        tile = tile.resize(
            (max(1, round(tile.width * height / tile.height)), height), Image.Resampling.LANCZOS
        )
        tiles.append((name, tile))
    sheet = Image.new("RGB", (sum(tile.width for _, tile in tiles), height + strip), "white")
    left = 0
    for name, tile in tiles:
        sheet.paste(tile, (left, strip))
        ImageDraw.Draw(sheet).text((left + 2, 1), name, fill="black")
        left += tile.width
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def show(rows: list[dict[str, Any]], neighbours: Neighbours) -> None:
    """Print the tables."""
    print(f"{headline(neighbours)}\n\n## Errors at 128 x 128\n")
    lines = []
    for row in rows:
        for method, found in (row["published"] | {"**ours**": row["ours"]}).items():
            parts = (found["all"], found["foreground"], found["background"], found.get("registered"))
            seconds = f"{row['seconds']['total']['median_s']:.2f}" if method == "**ours**" else ""
            lines.append([row["target"], method, *map(_error, parts), f"{found['ssim']:.3f}", seconds])
    heads = ("target", "painting", "all", "foreground", "background", "registered", "SSIM", "seconds")
    print(table(heads, lines))
    print("\n## Error of ours as it is painted, by share of the strokes\n")
    lines = []
    for row in rows:
        for region in ("all", "foreground"):
            if region in row["film"][0]:
                lines.append([row["target"], region, *(_error(mark.get(region)) for mark in row["film"])])
    columns = ("target", "where", *(f"{share:.0%}" for share in VIDEO_SHARES))
    print(table(columns, lines))


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def positive(word: str) -> int:
    """A whole number above 0."""
    number = int(word) if word.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {word!r}, wanted a whole number above 0")
    return number


def parse() -> argparse.Namespace:
    parser = Parser(prog="paint.py", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="targets, masks and published paintings")
    parser.add_argument("--strokes", type=positive, default=300)
    parser.add_argument("--preset", default="standard", help="draft, standard or fine")
    parser.add_argument("--agent", help="semantic, baseline, planner, or a file (default: the painter's)")
    parser.add_argument(
        "--repeats", type=positive, default=1, help="paintings of each target, for the seconds"
    )
    parser.add_argument("--only", metavar="NAME", nargs="+", help="the targets to paint (default: all)")
    parser.add_argument("--out", metavar="JSON", type=Path, default=RESULTS / "paint.json")
    parser.add_argument(
        "--pictures", metavar="DIR", type=Path, help="folder for pictures of all side by side"
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """The whole benchmark."""
    from semantic_guidance.apps.evaluate.published import read_published
    from semantic_guidance.core.errors import InputError

    subjects = read_published(args.folder)
    unknown = set(args.only or ()) - {subject.name for subject in subjects}
    if unknown:
        raise InputError(f"{args.folder}: no target {min(unknown)}")
    subjects = [subject for subject in subjects if not args.only or subject.name in args.only]

    from semantic_guidance.images.files import load_image
    from semantic_guidance.painter.painter import Painter

    neighbours = Neighbours()
    chosen = {"agent": args.agent} if args.agent else {}
    painter = Painter(**chosen, preset=args.preset, strokes=args.strokes)
    painter.paint(load_image(subjects[0].target))  # warm-up: compiles, or loads what was compiled
    rows = []
    for number, subject in enumerate(subjects):
        print(f"{number + 1} of {len(subjects)}: {printable(subject.name)}", file=sys.stderr)
        rows.append(compare(subject, painter, args.repeats, args.pictures))
    settings = {"strokes": args.strokes, "agent": args.agent, "preset": args.preset}
    settings["preset_numbers"] = asdict(painter.preset)
    write_results(args.out, "paint", neighbours, {"settings": settings, "results": rows})
    show(rows, neighbours)


def main() -> int:
    args = parse()
    return finish("paint.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
