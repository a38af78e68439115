"""The options of file formats."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.lengths import parse_length, parse_place
from semantic_guidance.core.options import OptionError, option
from semantic_guidance.core.rates import BOUNDS, exact_rate, parse_rate

PLOTTER_COLORS = 12
"""Of a plotter's painting, if nothing else is said."""

SETS = {"plotter": ("plotter.svg", "plotter.json"), "recipes": ("recipes.svg", "recipes.json")}
"""Formats that go together, by the name that stands for them."""


@dataclass(frozen=True)
class NoOptions:
    """For formats without options."""


CRF = {"mp4": 51, "webm": 63}
"""The largest rate factor, by format."""

QUALITY = ("anim.webp",)
"""Formats of films with a quality of 0 to 100."""

FILM_SIZES = (16, 4096)
"""Pixels of a film's longer side, at least and at most."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """What a video of the painting process is like."""

    fps: Fraction | float | None = option(
        None,
        "frames per second of videos, kept exactly: 25, 12.5, 23.976 (which is 24000/1001), 30000/1001"
        " (default: 30; gif and apng 15, anim.webp 20)",
        metavar="RATE",
        parse=parse_rate,
        min=BOUNDS[0],
        max=BOUNDS[1],
    )
    duration: float | None = option(
        None,
        "length of videos, including the hold at the end (default: about 10, by the number of strokes)",
        metavar="SECONDS",
        min=0.5,
        max=3600,
    )
    film_size: int | None = option(
        None,
        "pixels of the longer side of videos, which are drawn at any (default: that of the painting, but at"
        " most 720; gif and apng 480, anim.webp 640)",
        metavar="PIXELS",
        min=FILM_SIZES[0],
        max=FILM_SIZES[1],
    )
    crf: int | None = option(
        None,
        "how much videos may lose: 0 is finest; mp4 to 51 (default: 18), webm to 63 (default: 30)",
        metavar="N",
        min=0,
        max=max(CRF.values()),
    )
    quality: int | None = option(
        None,
        "of anim.webp, 100 is finest (default: 80)",
        metavar="N",
        min=0,
        max=100,
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        keep_exactly(self)


def keep_exactly(options: VideoOptions) -> None:
    """Make the rate of options that are being made a fraction.

    Raises:
        ValueError: it is out of range.
    """
    if options.fps is not None:
        try:
            object.__setattr__(options, "fps", exact_rate(options.fps))
        except ValueError as error:
            raise ValueError(f"fps {error}") from None


def check_coding(options: VideoOptions, formats: Iterable[str]) -> None:
    """Check that what is said of the coding is of one of the formats, and fits all of them.

    Raises:
        OptionError: it does not.
    """
    formats = tuple(formats)
    coded = [name for name in formats if name in CRF]
    if options.crf is not None and not coded:
        raise OptionError(
            "crf", f"--formats has no video with such a factor, wanted {' or '.join(CRF)} in it"
        )
    for name in coded:
        if options.crf is not None and options.crf > CRF[name]:
            raise OptionError("crf", f"got {options.crf}, wanted at most {CRF[name]} for {name}")
    if options.quality is not None and not set(formats) & set(QUALITY):
        raise OptionError("quality", f"--formats has none with a quality, wanted {QUALITY[0]} in it")


PLOTTER = "plotters"

FARTHEST = 10_000.0
"""Mm to the paint at most."""


def check_dip(dip: tuple[float, float] | None) -> None:
    """Check that a place in mm can be one of paint.

    Raises:
        ValueError: it is not.
    """
    if dip is not None and not (len(dip) == 2 and all(0 <= each <= FARTHEST for each in dip)):
        raise ValueError(f"dip is {list(dip)}, wanted X and Y from 0 to {FARTHEST:g} mm")


@dataclass(frozen=True, kw_only=True)
class PlotterOptions:
    """How a plotter's file is drawn; lengths in mm."""

    border: bool = option(
        False,
        "cut lines straight at the picture's edges (default: they may run into the margin)",
        group=PLOTTER,
    )
    longest_stroke: float | None = option(
        None,
        "cut longer lines into equal ones, in mm, 15cm or 6in, none of them shorter than its brush is wide"
        " (default: lines are as long as they are)",
        metavar="LENGTH",
        parse=parse_length,
        min=1,
        group=PLOTTER,
    )
    reload: float | None = option(
        None,
        "length of line that a brush draws before it is loaded with paint again, in mm, 20cm or 8in; each"
        " load is a layer, before which an AxiDraw pauses, and one line at least, see --longest-stroke"
        " (default: brushes never run dry)",
        metavar="LENGTH",
        parse=parse_length,
        min=1,
        group=PLOTTER,
    )
    dip: tuple[float, float] | None = option(
        None,
        "where the paint is for --reload, in mm or in the unit of the last (30,2.5cm), from the paper's upper"
        " left corner: instead of a pause, a small circle is drawn there before each load; beyond the paper,"
        " the page grows",
        metavar="X,Y",
        parse=parse_place,
        group=PLOTTER,
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        check_dip(self.dip)


@dataclass(frozen=True, kw_only=True)
class FileOptions(PlotterOptions, VideoOptions):
    """The options of all formats that ship."""

    def __post_init__(self) -> None:
        PlotterOptions.__post_init__(self)
        keep_exactly(self)


def Film(fps: int | None = None, seconds: float | None = None) -> VideoOptions:  # noqa: N802
    """The earlier name of `VideoOptions`, for one release."""
    warnings.warn("Film is now VideoOptions and will be removed in 0.3", DeprecationWarning, stacklevel=2)
    return VideoOptions(fps=fps, duration=seconds)
