"""What a job is painted with: palette, brushes and paper, read from its options."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from semantic_guidance.apps.files import plotted
from semantic_guidance.apps.options import TUBES, MediumOptions, named
from semantic_guidance.core.options import OptionError
from semantic_guidance.export.options import PLOTTER_COLORS
from semantic_guidance.images.color import MAX_COLORS, Color, parse_color
from semantic_guidance.images.palettes import read_palette
from semantic_guidance.painting.paper import PAPERS, check_margin

if TYPE_CHECKING:  # `render` reads palettes without waiting for torch
    from semantic_guidance.painting.drawing import Drawing
    from semantic_guidance.painting.medium import Medium
    from semantic_guidance.painting.painting import Painting


def make_medium(options: MediumOptions, formats: tuple[str, ...]) -> Medium:
    """What the options ask for; a plotter's file among the formats implies opaque paint and few colours.

    Raises:
        InputError: something is wrong with them.
        OSError: a palette, or a file of tubes, cannot be read.
    """
    from semantic_guidance.painting.medium import Medium
    from semantic_guidance.painting.pigments import read_tubes

    plotter = plotted(formats)
    palette, pigments = options.palette, options.pigments
    if isinstance(palette, str) and palette.lower().endswith(".toml"):
        if pigments is not None:
            raise OptionError("palette", "--pigments names tubes already, wanted only one of the two")
        palette, pigments = None, palette
    tubes = None
    if pigments is not None:
        tubes = read_tubes() if pigments == TUBES else read_tubes(Path(pigments))
    colors = PLOTTER_COLORS if plotter and palette is None else read_colors(palette)
    return named(
        lambda: Medium(
            palette=colors,
            brushes=options.brushes,
            widths=options.widths,
            opaque=options.opaque or plotter,
            paper=options.paper or PAPERS["a4"],
            margin=options.margin,
            tubes=tubes,
        )
    )


Kept = TypeVar("Kept", "Painting", "Drawing")


def on_paper(painting: Kept, paper: tuple[float, float] | None, margin: float | None) -> Kept:
    """A painting on other paper, or with another margin, where these are given.

    Raises:
        OptionError: the margin leaves nothing of the paper.
    """
    size = paper or painting.paper
    free = painting.margin if margin is None else margin
    named(lambda: check_margin(size or PAPERS["a4"], free))
    return replace(painting, paper=size, margin=free)


def read_colors(word: str | int | None) -> tuple[Color, ...] | int | None:
    """What ``--palette`` asks for: colours, or how many; None for any.

    Raises:
        InputError: it is neither a number, nor colours, nor the file of some.
        OSError: a file cannot be read.
    """
    if word is None or isinstance(word, int):
        return word
    if re.fullmatch(r"[+-]?\d{1,9}", word):
        return int(word)
    path = Path(word)
    if word.startswith("#") or ("," in word and not path.exists()):
        try:
            return tuple(dict.fromkeys(parse_color(part) for part in word.split(",")))
        except ValueError as error:
            raise OptionError("palette", str(error)) from None
    if not path.exists():
        raise OptionError(
            "palette",
            f"got {word!r}, wanted a number of colours from 1 to {MAX_COLORS}, colours such as"
            " #c0ffee,#fff, or a file of them",
        )
    return read_palette(path)
