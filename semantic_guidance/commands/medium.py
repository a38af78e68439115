"""The flags for what a painting is painted with, and on what."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_guidance.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semantic_guidance.medium import Medium
    from semantic_guidance.palette import Color

PLOTTER_COLORS = 12  # of a plotter's painting, if nothing else is said


def add_paper(parser: argparse._ActionsContainer) -> None:
    """Declare ``--paper``."""
    parser.add_argument(
        "--paper",
        metavar="SIZE",
        type=paper,
        help="paper for plotters: a5, a4, a3, a2 or WxH in mm (default: a4)",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    group = parser.add_argument_group("paint and paper")
    add = group.add_argument
    add(
        "--palette",
        metavar="N|COLORS|FILE",
        help="paint with N colours chosen from the picture, with a list of them such as '#204060,#fff', or"
        " with those in a file: hex colours, or a palette of GIMP",
    )
    add(
        "--opaque",
        action="store_true",
        help="whole opaque strokes of one colour and one width, such as a person can copy; implied by"
        f" --formats plotter, which also implies --palette {PLOTTER_COLORS}",
    )
    add("--brushes", metavar="MM,...", type=millimetres, default=(), help="widths of the brushes there are")
    add("--widths", metavar="LEAST,MOST", type=two_millimetres, help="widths of strokes in mm (opaque: 1,40)")
    add_paper(group)


def check_plotter(formats: Sequence[str], count: int, where: object) -> None:
    """See that, if plotters' files are among the formats, `count` strokes are not too many for them.

    Raises:
        InputError: they are; it names `where`.
    """
    if _plotted(formats):
        from semantic_guidance.export.plotter import check_count

        check_count(count, where)


def _plotted(formats: Sequence[str]) -> bool:
    from semantic_guidance.export import SETS

    return bool(set(formats) & set(SETS["plotter"]))


def medium(args: argparse.Namespace) -> Medium:
    """What the flags ask for.

    Raises:
        InputError: something is wrong with them.
        OSError: a palette cannot be read.
    """
    from semantic_guidance.medium import PAPERS, Medium

    plotted = _plotted(args.formats)
    palette = PLOTTER_COLORS if plotted and args.palette is None else _palette(args.palette)
    try:
        return Medium(
            palette=palette,
            brushes=args.brushes,
            widths=args.widths,
            opaque=args.opaque or plotted,
            paper=args.paper or PAPERS["a4"],
        )
    except ValueError as error:  # it names its parameters as we name our flags
        raise InputError(f"--{error}") from None


def _palette(word: str | None) -> Sequence[Color] | int | None:
    from semantic_guidance.palette import MOST_COLORS, parse_color, read_palette

    if word is None:
        return None
    if re.fullmatch(r"[+-]?\d{1,9}", word):
        return int(word)
    path = Path(word)
    if word.startswith("#") or ("," in word and not path.exists()):
        try:
            return tuple(dict.fromkeys(parse_color(part) for part in word.split(",")))
        except ValueError as error:
            raise InputError(f"--palette: {error}") from None
    if not path.exists():
        raise InputError(
            f"--palette: got {word!r}, wanted a number of colours from 1 to {MOST_COLORS}, colours such as "
            "#c0ffee,#fff, or a file of them"
        )
    return read_palette(path)


def millimetres(word: str) -> tuple[float, ...]:
    """Takes lengths in mm above 0, separated by commas; ``mm`` may follow."""
    try:
        numbers = tuple(
            float(part.strip().removesuffix("mm")) for part in word.removesuffix(" mm").split(",")
        )
    except ValueError:
        numbers = ()
    if not numbers or not all(math.isfinite(number) and number > 0 for number in numbers):
        raise argparse.ArgumentTypeError(f"got {word!r}, wanted lengths in mm above 0, such as 2,5,10")
    return tuple(sorted(set(numbers)))


def two_millimetres(word: str) -> tuple[float, float]:
    """Takes the least and the greatest of a length in mm."""
    numbers = millimetres(word)
    if not 1 <= len(numbers) <= 2 or word.count(",") != 1:
        raise argparse.ArgumentTypeError(f"got {word!r}, wanted two lengths in mm, such as 2,20")
    return numbers[0], numbers[-1]


def paper(word: str) -> tuple[float, float]:
    """Takes the name of a paper size, or ``WxH`` in mm."""
    from semantic_guidance.medium import PAPERS, SIDES

    if word.lower() in PAPERS:
        return PAPERS[word.lower()]
    try:
        width, height = (float(side.removesuffix("mm")) for side in word.lower().split("x"))
    except ValueError:
        width = height = 0.0
    if not all(SIDES[0] <= side <= SIDES[1] for side in (width, height)):
        raise argparse.ArgumentTypeError(
            f"got {word!r}, wanted {', '.join(PAPERS)}, or WxH in mm from {SIDES[0]:g} to {SIDES[1]:g}"
        )
    return width, height
