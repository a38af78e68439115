"""What a person can ask for, each option declared once: this gives a `job.Job` its checks, flags and JSON.

Nothing here needs torch, so that the command line's help comes at once.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.lengths import parse_length, parse_lengths, parse_two_lengths
from semantic_guidance.core.names import LONGEST, plain_name
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.core.plugins import AGENTS, EXPORTERS
from semantic_guidance.export.options import PLOTTER_COLORS, SETS
from semantic_guidance.painter.presets import MAX_STROKES, PRESETS, SIZES
from semantic_guidance.painting.brushes import BRUSHES
from semantic_guidance.painting.brushes.light import SIDES, light_of
from semantic_guidance.painting.paper import PAPERS, parse_paper

ROOM = 24
"""Bytes that a file's name needs beside the part that is given: marks and its end."""

Box = tuple[float, float, float, float]
"""(x, y, width, height)."""

Place = tuple[float, float]
"""(x, y)."""

AGENT_COLORS = ("rgb", "bgr")
"""As `agents.ltp.checkpoint.COLORS`, which needs torch."""

CLEAR = ("painting", "object")
"""What a transparent picture shows, the usual one first."""


def parse_box(word: str) -> Box:
    """``X,Y,W,H``: finite numbers, the last two above 0.

    >>> parse_box("10,20,300,200")
    (10.0, 20.0, 300.0, 200.0)
    """
    try:
        x, y, width, height = (float(part) for part in word.split(","))
    except ValueError:
        x, y, width, height = math.nan, 0.0, 0.0, 0.0
    if not all(math.isfinite(number) for number in (x, y, width, height)) or width <= 0 or height <= 0:
        raise ValueError(f"got {word!r}, wanted X,Y,W,H in pixels, W and H above 0")
    return x, y, width, height


def parse_place(word: str) -> Place:
    """``X,Y``: finite numbers.

    >>> parse_place("120,80.5")
    (120.0, 80.5)
    """
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        x, y = math.nan, 0.0
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"got {word!r}, wanted X,Y in pixels")
    return x, y


def parse_formats(word: str) -> tuple[str, ...]:
    """Names of file formats, separated by commas, each once.

    >>> parse_formats("png,plotter")
    ('png', 'plotter.svg', 'plotter.json')
    """
    given = (name.strip().lower().removeprefix(".") for name in word.split(","))
    names = tuple(dict.fromkeys(name for each in given for name in SETS.get(each, (each,))))
    for name in names:
        if name not in EXPORTERS:
            raise ValueError(f"got {name!r}, wanted one of {','.join([*EXPORTERS.names(), *SETS])}")
    return names


def parse_name(word: str) -> str:
    """The name of a file, without its folder.

    >>> parse_name("result")
    'result'
    """
    if "/" in word or os.sep in word:
        raise ValueError(f"got {word!r}, wanted a name without folders, and --out for the folder")
    if "{" in word or "}" in word:
        raise ValueError(f"got {word!r}, wanted a name without braces")
    if len(word.encode(errors="surrogateescape")) > LONGEST - ROOM:
        raise ValueError(f"got {word[:40]!r}..., wanted a name of at most {LONGEST - ROOM} bytes")
    plain_name(word, "a name")
    return word


def check_name(name: str | None) -> None:
    """See that files can be named so, in whatever way that was said.

    Raises:
        OptionError: they cannot.
    """
    if name is not None:
        try:
            parse_name(name)
        except ValueError as error:
            raise OptionError("output", str(error)) from None


def parse_light(word: str) -> str:
    """The word, if it is a light's.

    >>> parse_light("45,30")
    '45,30'
    """
    light_of(word)
    return word


def named(make: Callable[[], Any]) -> Any:
    """What `make` returns; its errors name options instead of parameters.

    Raises:
        OptionError: a parameter is wrong.
    """
    try:
        return make()
    except InputError:
        raise
    except ValueError as error:
        name, joint, complaint = re.fullmatch(r"(\w+)(:? )(.*)", str(error), re.DOTALL).groups()  # type: ignore[union-attr]
        raise OptionError(name, complaint, joint) from None


def _agents() -> str:
    others = [name for name in AGENTS.names() if name not in ("semantic", "baseline", "planner")]
    more = f", {', '.join(others)}" if others else ""
    return (
        "who makes the first strokes: planner (no network), semantic (a network that knows the objects),"
        f" baseline (one that does not){more}, or the file of a trained agent, ours (.safetensors) or the"
        " papers' (.pkl); it paints a likeness (default: planner; for drafts semantic, or baseline with"
        " --baseline)"
    )


def _formats() -> str:
    return (
        f"formats to write, separated by commas: {', '.join(EXPORTERS.names())}, or"
        f" {', '.join(f'{name} for {chr(32).join(both)}' for name, both in SETS.items())}"
        " (default: %(default)s)"
    )


def formats_option(usual: tuple[str, ...]) -> Any:
    """The formats to write, with those that are usual."""
    return option(usual, _formats, metavar="LIST", parse=parse_formats)


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Which files are written."""

    out: Path = option(
        Path(),
        "folder for the files, created if missing, or a file, such as painted/result.png (default: the"
        " current folder)",
        metavar="DIR|FILE",
        parse=Path,
    )
    output: str | None = option(
        None,
        "name of the files, without their ends, such as result (default: by the name of what is painted)",
        metavar="NAME",
        parse=parse_name,
    )
    overwrite: bool = option(False, "replace pictures even if they were made of another photograph")
    formats: tuple[str, ...] = formats_option(("png", "mp4"))


BRUSH = "brush"


@dataclass(frozen=True, kw_only=True)
class DialOptions:
    """How a textured brush is held, and in which light its paint is seen."""

    relief: float | None = option(
        None,
        "how high paint stands, or how rough the paper is: 0 (none) to 1 (default: the brush's, mostly 0.5)",
        min=0,
        max=1,
        group=BRUSH,
    )
    bristle: float | None = option(
        None,
        "0 (smooth) to 1 (strong streaks, grains or gaps) (default: the brush's)",
        min=0,
        max=1,
        group=BRUSH,
    )
    dry: float | None = option(
        None,
        "how early a long stroke runs dry, 0 (never) to 1 (default: the brush's)",
        min=0,
        max=1,
        group=BRUSH,
    )
    light: str | None = option(
        None,
        f"where the light on the relief comes from: {', '.join(SIDES)}, none, or AZIMUTH,ELEVATION in"
        " degrees, clockwise from the top; the flat brush has no relief (default: the upper left)",
        metavar="WHERE",
        parse=parse_light,
        group=BRUSH,
    )


@dataclass(frozen=True, kw_only=True)
class BrushOptions(DialOptions):
    """How strokes look."""

    brush: str | None = option(
        None,
        f"how the strokes look: {', '.join(BRUSHES)}, or a grey picture of your own brush, bright where it"
        " leaves paint, drawn from left to right (default: that of the style, or of the file)",
        metavar="NAME|FILE",
    )
    seed: int = option(
        0,
        "the same number gives the same result (default: %(default)s)",
        metavar="N",
        min=0,
        max=MAX_SEED,
    )


@dataclass(frozen=True, kw_only=True)
class PainterOptions(BrushOptions):
    """How the picture is painted."""

    strokes: int = option(
        300, "number of brush strokes (default: %(default)s)", metavar="N", min=1, max=MAX_STROKES
    )
    preset: str = option(
        "standard",
        f"{', '.join(PRESETS)}: from the fastest to the best (default: %(default)s)",
        metavar="NAME",
    )
    agent: str | None = option(None, _agents, metavar="NAME|PATH")
    agent_colors: str | None = option(
        None,
        "order of the colours in which an agent of the papers' files (.pkl) learned: rgb, as those of"
        " Semantic Guidance, or bgr, as those of Learning to Paint (default: rgb)",
        metavar="ORDER",
        choices=AGENT_COLORS,
    )
    size: int | None = option(
        None,
        "longer side of the painting (default: the photograph's, but 512 to 2048)",
        metavar="PIXELS",
        min=SIZES[0],
        max=SIZES[1],
    )
    device: str = option(
        "cpu",
        "where strokes are refined: cpu, or cuda for a graphics card (default: %(default)s)",
        metavar="NAME",
    )


PAINT = "paint and paper"
TUBES = "tubes"
"""Stands for the tubes that ship."""


@dataclass(frozen=True, kw_only=True)
class MediumOptions:
    """What the picture is painted with, and on what."""

    palette: str | int | None = option(
        None,
        "paint with N colours chosen from the picture, with a list of them such as '#204060,#fff', or with"
        " those in a file: hex colours, a palette of GIMP, Lospec, JASC, paint.net or Adobe (.ase, .aco), a"
        " picture, or tubes of paint as for --pigments",
        metavar="N|COLORS|FILE",
        group=PAINT,
    )
    pigments: str | None = option(
        None,
        "paint with mixtures of at most three tubes: those in a TOML file, or a dozen common ones (default if"
        f" given: {TUBES}); --formats recipes tells how to mix them",
        metavar="TUBES",
        optional=TUBES,
        group=PAINT,
    )
    opaque: bool = option(
        False,
        "unclipped opaque strokes of one colour and one width, which a person can copy; implied by --formats"
        f" plotter, which also implies --palette {PLOTTER_COLORS}",
        group=PAINT,
    )
    brushes: tuple[float, ...] = option(
        (),
        "widths of the brushes or pens in mm, or in the unit of the last: 0.5,1cm (default: any)",
        metavar="MM,...",
        parse=parse_lengths,
        group=PAINT,
    )
    widths: tuple[float, float] | None = option(
        None,
        "widths of strokes in mm (opaque: 1,40)",
        metavar="MIN,MAX",
        parse=parse_two_lengths,
        group=PAINT,
    )
    paper: tuple[float, float] | None = option(
        None,
        f"paper for plotters: {', '.join(PAPERS)} or WxH, in mm, 30x40cm or 8.5x11in (default: a4)",
        metavar="SIZE",
        parse=parse_paper,
        group=PAINT,
    )
    margin: float | None = option(
        None,
        "least distance of the picture from the paper's edges, in mm, 1cm or 0.5in (default: a twentieth of"
        " the shorter side)",
        metavar="LENGTH",
        parse=parse_length,
        min=0,
        group=PAINT,
    )


def paper_options() -> list[dataclasses.Field[Any]]:
    """The options that say on what paper a painting is that is done."""
    return [item for item in dataclasses.fields(MediumOptions) if item.name in ("paper", "margin")]


CANVAS = "canvas and colours"


@dataclass(frozen=True, kw_only=True)
class ClearOptions:
    """Whether pictures show their canvas."""

    transparent: str | None = option(
        None,
        "omit the canvas (painting) or all but the object (object) in png, webp and svg; a picture that is"
        f" transparent itself is painted as transparent as it is (default if given: {CLEAR[0]})",
        metavar="WHAT",
        choices=CLEAR,
        optional=CLEAR[0],
        group=CANVAS,
    )


@dataclass(frozen=True, kw_only=True)
class RestyleOptions(ClearOptions):
    """Other colours, another background, and canvases that are not empty."""

    palette_from: Path | None = option(
        None, "paint in the colours of another picture", metavar="IMAGE", parse=Path, group=CANVAS
    )
    background: str | None = option(
        None,
        "paint the object in front of a colour such as '#204060', or of another picture",
        metavar="COLOR|IMAGE",
        group=CANVAS,
    )
    start_canvas: str | None = option(
        None, "paint on a colour, or on another picture", metavar="COLOR|IMAGE", group=CANVAS
    )
