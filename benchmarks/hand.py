"""How a painting is made: strokes, ground, errors and seconds by style and number of strokes.

    python benchmarks/hand.py PICTURES... [--styles likeness,alla-prima] [--strokes 300,1000,3000]

PICTURES are files, or folders of png and jpg (of which files NAME_mask.* are left out). Every picture is
looked at once, then painted in each style in turn with each number of strokes. Prints tables in Markdown,
means and medians over the pictures, and writes `benchmarks/results/hand.json`, which has each picture's
numbers, too. `benchmarks/marks.py` defines what is measured of the strokes.

Errors are mean squared errors over RGB in [0, 1] at the painting's size: of the whole, of the objects, and
weighted by the focus; of the painting as its brush paints it, and of the same strokes flat. With --palette N
each picture is painted once more in each style, in N opaque colours, and the errors of its flat strokes are
given. "Painting" is planning and refinement, in seconds of the clock and of the processor; looking for
objects is the same for all and counted apart. Ratios to `likeness` are taken picture by picture, if it is
among the styles.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import (
    RESULTS,
    SUFFIXES,
    BenchmarkError,
    Neighbours,
    Parser,
    finish,
    headline,
    significant,
    table,
    timed,
    write_results,
)
from kodak import whole_numbers
from paint import positive
from tqdm import tqdm

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_guidance.core.guidance import Guidance
    from semantic_guidance.painter.painter import Painter
    from semantic_guidance.painting.painting import Painting

Row = dict[str, Any]

REFERENCE = "likeness"  # the style to which ratios are taken
RATIOS = {  # name of the ratio: of which number
    "mse_ratio": "mse",
    "flat_mse_ratio": "flat_mse",
    "palette_mse_focus_ratio": "palette_mse_focus",
    "painting_ratio": "painting_s",
    "cpu_ratio": "painting_cpu_s",
}
TILE, STRIP, GAP = 480, 18, 4  # pixels of a sheet's pictures, of the labels above them, between them

STROKES = (  # number, head, factor, format
    ("painted", "strokes painted", 1, ".0f"),
    ("glazes", "under half opacity, %", 100, ".1f"),
    ("angle_deg", "angle to structure, degrees", 1, ".1f"),
    ("length_to_width", "length to width", 1, ".2f"),
    ("turn_deg", "turn, degrees", 1, ".0f"),
    ("beyond_region", "longer than their region, %", 100, ".1f"),
    ("hidden", "hidden, %", 100, ".1f"),
    ("bare_per_mille", "bare ground, flat, per mille", 1, ".2f"),
    ("bare_brush_per_mille", "bare ground, per mille", 1, ".2f"),
)
ERRORS = (
    ("mse", "whole", 1, ".5f"),
    ("mse_ratio", "ratio", 1, ".2f"),
    ("mse_object", "object", 1, ".5f"),
    ("mse_focus", "focus", 1, ".5f"),
    ("flat_mse", "flat, whole", 1, ".5f"),
    ("flat_mse_ratio", "ratio", 1, ".2f"),
    ("flat_mse_object", "flat, object", 1, ".5f"),
    ("flat_mse_focus", "flat, focus", 1, ".5f"),
)
PALETTE = (
    ("palette_mse", "whole", 1, ".5f"),
    ("palette_mse_object", "object", 1, ".5f"),
    ("palette_mse_focus", "focus", 1, ".5f"),
    ("palette_mse_focus_ratio", "ratio in the focus", 1, ".2f"),
)
SECONDS = (
    ("guidance_s", "guidance", 1, ".2f"),
    ("plan_s", "plan", 1, ".2f"),
    ("polish_s", "refinement", 1, ".2f"),
    ("painting_s", "painting", 1, ".2f"),
    ("painting_ratio", "ratio", 1, ".2f"),
    ("painting_cpu_s", "painting, processor", 1, ".2f"),
    ("cpu_ratio", "ratio", 1, ".2f"),
    ("draw_s", "drawing", 1, ".2f"),
    ("total_s", "all", 1, ".2f"),
)
Columns = Sequence[tuple[str, str, int, str]]


@dataclass(frozen=True)
class Setting:
    """How pictures are painted.

    Attributes:
        style: its name, or its file.
        strokes: number of strokes.
    """

    style: str
    strokes: int

    @property
    def label(self) -> str:
        """For files."""
        return f"{Path(self.style).stem}_{self.strokes}"


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture to paint.

    Attributes:
        name: of its file, without suffix.
        picture: ``[3, H, W]`` in [0, 1].
        guidance: what is in it.
        seconds: that it took to find that.
    """

    name: str
    picture: Tensor
    guidance: Guidance
    seconds: float


def find_pictures(paths: Sequence[Path]) -> dict[str, Path]:
    """Picture files by name, those of each folder in the order of their names.

    Raises:
        BenchmarkError: a path is not there, a folder has no pictures, or two pictures have the same name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise BenchmarkError(f"{path}: no such file or folder")
        files = [path]
        if path.is_dir():
            pictures = (each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
            files = sorted(each for each in pictures if not each.stem.endswith("_mask"))
        if not files:
            raise BenchmarkError(f"{path}: no pictures, wanted png or jpg")
        for file in files:
            if file.stem in found:
                raise BenchmarkError(f"{file}: {found[file.stem]} is there, too, wanted one of that name")
            found[file.stem] = file
    return found


def errors(painting: Painting, subject: Subject, prefix: str = "") -> Row:
    """The errors of a painting, their names led by a prefix."""
    from marks import errors as measured

    known = subject.guidance
    found = measured(painting.canvas, subject.picture, known.mask, known.focus)
    return {f"{prefix}mse" + (f"_{name}" if name != "whole" else ""): value for name, value in found.items()}


def flat(painting: Painting) -> Painting:
    """The same strokes without texture."""
    from semantic_guidance.painting.brushes.brush import Brush

    return painting if painting.brush.style == "flat" else replace(painting, brush=Brush())


def judge(painter: Painter, subject: Subject) -> tuple[Painting, Row]:
    """Paint a picture and measure the painting."""
    from marks import marks

    wall, cpu = time.perf_counter(), time.process_time()
    painting = painter.paint(subject.picture, subject.guidance)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    drawing = timed(lambda: painting.canvas)
    plan, polish = painting.seconds["plan"], painting.seconds["polish"]
    row: Row = {"painted": len(painting.strokes), **marks(painting, subject.picture)}
    row |= errors(painting, subject) | errors(flat(painting), subject, "flat_")
    row |= {
        "guidance_s": subject.seconds,
        "plan_s": plan,
        "polish_s": polish,
        "painting_s": plan + polish,
        "painting_cpu_s": cpu,
        "draw_s": drawing,
        "total_s": subject.seconds + wall + drawing,
    }
    return painting, row


def rounded(row: Row) -> Row:
    """Numbers with five digits, those that are none as None."""

    def plain(value: object) -> object:
        if not isinstance(value, float):
            return value
        return significant(value, 5) if math.isfinite(value) else None

    return {name: plain(value) for name, value in row.items()}


def add_ratios(rows: Sequence[Row]) -> None:
    """Add the ratios to `REFERENCE` to the rows, where the same picture has so many strokes in it."""
    known = {(row["picture"], row["strokes"]): row for row in rows if row["style"] == REFERENCE}
    for row in rows:
        other = known.get((row["picture"], row["strokes"]), {})
        for ratio, name in RATIOS.items():
            if row.get(name) is not None and other.get(name):
                row[ratio] = significant(row[name] / other[name])


def summary(rows: Sequence[Row], setting: Setting) -> Row:
    """Mean and median over the pictures of every number of a setting, of pictures that have it."""
    chosen = [row for row in rows if (row["style"], row["strokes"]) == (setting.style, setting.strokes)]
    names = dict.fromkeys(itertools.chain.from_iterable(chosen))
    found: Row = {"style": setting.style, "strokes": setting.strokes, "pictures": len(chosen)}
    for name in names:
        values = [row[name] for row in chosen if isinstance(row.get(name), int | float)]
        if values and name not in found:
            mean, median = statistics.fmean(values), statistics.median(values)
            found[name] = {"mean": significant(mean), "median": significant(median)}
    return found


def show(title: str, columns: Columns, summaries: Sequence[Row]) -> None:
    """Print a table of means and medians, without columns that are empty."""
    columns = [column for column in columns if any(column[0] in row for row in summaries)]
    lines = []
    for row in summaries:
        cells = [row["style"], row["strokes"]]
        for name, _, factor, form in columns:
            both = (
                [format(factor * row[name][kind], form) for kind in ("mean", "median")] if name in row else []
            )
            cells.append(", ".join(both))
        lines.append(cells)
    heads = ("style", "strokes", *(head for _, head, _, _ in columns))
    print(f"\n{title}: mean, median\n\n{table(heads, lines)}")


def save_sheet(folder: Path, name: str, photo: Path, settings: Sequence[Setting]) -> None:
    """Write the sheet of a picture's saved paintings: a row for each style, led by the photograph."""
    from PIL import Image, ImageDraw

    from semantic_guidance.images.arrays import to_bytes
    from semantic_guidance.images.files import load_image

    def tile(file: Path) -> Image.Image:
        image = Image.fromarray(to_bytes(load_image(file)))
        scale = TILE / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS)

    rows = {each.style: [("photograph", tile(photo))] for each in settings}
    for each in settings:
        label = f"{each.style}, {each.strokes} strokes"
        rows[each.style].append((label, tile(folder / f"{name}_{each.label}.png")))
    most = max(map(len, rows.values()))
    first = next(iter(rows.values()))[0][1]
    width, height = first.width + GAP, first.height + STRIP
    sheet = Image.new("RGB", (width * most - GAP, height * len(rows)), "white")
    for top, row in enumerate(rows.values()):
        for left, (label, image) in enumerate(row):
            sheet.paste(image, (left * width, top * height + STRIP))
            ImageDraw.Draw(sheet).text((left * width + 2, top * height + 3), label, fill="black")
    sheet.save(folder / f"{name}_sheet.png")


def paint_all(files: dict[str, Path], painters: dict[Setting, list[Painter]], save: Path | None) -> list[Row]:
    """Paint every picture with every setting, and measure.

    Args:
        files: of the pictures, by name.
        painters: of each setting: the style's and, if wanted, the one with few colours.
        save: folder for the paintings and a sheet of each picture, if they are wanted.

    Returns:
        A row for each picture and setting.
    """
    from semantic_guidance.images.files import load_image

    rows = []
    with tqdm(total=len(files) * len(painters), file=sys.stderr, unit="painting") as bar:
        for name, file in files.items():
            picture, begun = load_image(file), time.perf_counter()
            guidance = next(iter(painters.values()))[0].guide(picture)
            subject = Subject(name, picture, guidance, time.perf_counter() - begun)
            for setting, (painter, *limited) in painters.items():
                bar.set_description(f"{name}, {setting.style}, {setting.strokes}")
                painting, row = judge(painter, subject)
                for each in limited:
                    row |= errors(flat(each.paint(picture, guidance)), subject, "palette_")
                rows.append(rounded({"picture": name, **asdict(setting), **row}))
                if save is not None:
                    painting.save(save / f"{name}_{setting.label}.png")
                bar.update()
            if save is not None:
                save_sheet(save, name, file, list(painters))
    return rows


def warm_up(file: Path, styles: Sequence[str]) -> None:
    """Paint a little in every style, which compiles or loads what was compiled."""
    from semantic_guidance.images.files import load_image
    from semantic_guidance.painter.painter import Painter

    picture = load_image(file)[:, :64, :64]
    for style in styles:
        painter = Painter(style=style, strokes=20, size=64)
        painter.paint(picture, painter.guide(picture)).canvas  # noqa: B018


def parse() -> argparse.Namespace:
    parser = Parser(prog="hand.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "pictures", metavar="PICTURES", type=Path, nargs="+", help="files, or folders of them"
    )
    parser.add_argument("--styles", metavar="LIST", default=f"{REFERENCE},alla-prima", help="names, or files")
    parser.add_argument(
        "--strokes", metavar="LIST", type=whole_numbers, default=[300, 1000, 3000], help="how many"
    )
    parser.add_argument("--size", metavar="N", type=positive, default=1024, help="pixels of the longer side")
    parser.add_argument(
        "--palette", metavar="N", type=positive, help="paint in so many opaque colours, too (default: do not)"
    )
    parser.add_argument(
        "--out", metavar="JSON", type=Path, default=RESULTS / "hand.json", help="where numbers go"
    )
    parser.add_argument("--save", metavar="DIR", type=Path, help="folder for the paintings, and a sheet each")
    args = parser.parse_args()
    args.styles = list(dict.fromkeys(args.styles.split(",")))
    return args


def run(args: argparse.Namespace) -> None:
    """The whole benchmark.

    Raises:
        BenchmarkError: the pictures are not there, or two styles have the same name.
    """
    files = find_pictures(args.pictures)
    if len({Path(style).stem for style in args.styles}) < len(args.styles):
        raise BenchmarkError(f"--styles has two of one name, got {','.join(args.styles)}")

    from semantic_guidance.painter.painter import Painter
    from semantic_guidance.painting.medium import Medium

    settings = [Setting(style, count) for count in args.strokes for style in args.styles]
    media = [
        None,
        *([Medium(palette=args.palette, opaque=True)] if args.palette else []),
    ]  # None: the style's
    painters = {
        each: [
            Painter(style=each.style, strokes=each.strokes, size=args.size, medium=medium) for medium in media
        ]
        for each in settings
    }
    if args.save is not None:
        args.save.mkdir(parents=True, exist_ok=True)
    neighbours = Neighbours()
    warm_up(next(iter(files.values())), args.styles)
    rows = paint_all(files, painters, args.save)
    add_ratios(rows)
    summaries = [summary(rows, setting) for setting in settings]
    about = {name: getattr(args, name) for name in ("styles", "strokes", "size", "palette")}
    write_results(args.out, "hand", neighbours, {"settings": about, "summary": summaries, "results": rows})
    print(f"{headline(neighbours)}\n\n{len(files)} pictures at {args.size} px; ratios are to {REFERENCE}")
    show("Strokes", STROKES, summaries)
    show("Errors", ERRORS, summaries)
    if args.palette is not None:
        show(f"Errors in {args.palette} opaque colours", PALETTE, summaries)
    show("Seconds", SECONDS, summaries)


def main() -> int:
    args = parse()
    return finish("hand.py", lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
