"""The options of file formats."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.lengths import parse_length, parse_place
from semantic_guidance.core.options import option

PLOTTER_COLORS = 12
"""Of a plotter's painting, if nothing else is said."""

SETS = {"plotter": ("plotter.svg", "plotter.json"), "recipes": ("recipes.svg", "recipes.json")}
"""Formats that go together, by the name that stands for them."""


@dataclass(frozen=True)
class NoOptions:
    """For formats without options."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """What a video of the painting process is like."""

    fps: int | None = option(
        None,
        "frames per second of videos (default: 30; gif and apng 15, anim.webp 20)",
        metavar="N",
        min=1,
        max=60,
    )
    duration: float | None = option(
        None,
        "length of videos, including the hold at the end (default: about 10, by the number of strokes)",
        metavar="SECONDS",
        min=0.5,
        max=3600,
    )

    def __post_init__(self) -> None:
        check_ranges(self)


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


def Film(fps: int | None = None, seconds: float | None = None) -> VideoOptions:  # noqa: N802
    """The earlier name of `VideoOptions`, for one release."""
    warnings.warn("Film is now VideoOptions and will be removed in 0.3", DeprecationWarning, stacklevel=2)
    return VideoOptions(fps=fps, duration=seconds)
