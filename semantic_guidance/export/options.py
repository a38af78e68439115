"""The options of file formats."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from semantic_guidance.core.config import check_ranges
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


def Film(fps: int | None = None, seconds: float | None = None) -> VideoOptions:  # noqa: N802
    """The earlier name of `VideoOptions`, for one release."""
    warnings.warn("Film is now VideoOptions and will be removed in 0.3", DeprecationWarning, stacklevel=2)
    return VideoOptions(fps=fps, duration=seconds)
