"""The flags for how strokes and films look."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from semantic_guidance.commands import values
from semantic_guidance.errors import InputError

if TYPE_CHECKING:
    from semantic_guidance.export import Film

MOST_SEED = 2**32 - 1


def add_brush(parser: argparse.ArgumentParser) -> None:
    """Declare ``--brush``."""
    parser.add_argument(
        "--brush",
        metavar="NAME|FILE",
        default="flat",
        help="how the strokes look: flat, oil, watercolor, pencil, or a grey picture of your own brush,"
        " bright where it leaves paint, drawn from left to right (default: flat)",
    )


def add_film(parser: argparse.ArgumentParser) -> None:
    """Declare ``--fps`` and ``--duration``."""
    parser.add_argument(
        "--fps",
        metavar="N",
        type=values.whole_number(1, 60),
        help="frames a second of films (default: 30; gif and apng 15, anim.webp 20)",
    )
    parser.add_argument(
        "--duration",
        metavar="SECONDS",
        type=values.seconds,
        help="length of films, a hold at the end included (default: about 10, by the number of strokes)",
    )


def add_seed(parser: argparse.ArgumentParser, of: str = "painting") -> None:
    """Declare ``--seed``, which decides what is random in `of`."""
    parser.add_argument(
        "--seed",
        metavar="N",
        type=values.whole_number(0, MOST_SEED),
        default=0,
        help=f"the same number gives the same {of} (default: 0)",
    )


def film(args: argparse.Namespace) -> Film:
    """How films are to be.

    Raises:
        InputError: no film is among the formats, and yet a flag is about films.
    """
    from semantic_guidance.export import FORMATS, Film

    films = [name for name, kind in FORMATS.items() if kind.film]
    for flag in ("fps", "duration"):
        if getattr(args, flag) is not None and not set(films) & set(args.formats):
            raise InputError(f"--{flag}: --formats has no film, wanted one of {', '.join(films)} in it")
    return Film(args.fps, args.duration)
