"""What can be chosen of file formats."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.options import option

SETS = {"plotter": ("plotter.svg", "plotter.json")}
"""Formats that go together, by the name for all of them."""


@dataclass(frozen=True)
class NoOptions:
    """For formats without a choice."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How a film of the painting process is to be."""

    fps: int | None = option(
        None,
        "frames a second of films (default: 30; gif and apng 15, anim.webp 20)",
        metavar="N",
        min=1,
        max=60,
    )
    duration: float | None = option(
        None,
        "length of films, with the hold at the end (default: about 10, by the number of strokes)",
        metavar="SECONDS",
        min=0.5,
        max=3600,
    )

    def __post_init__(self) -> None:
        check_ranges(self)


def Film(fps: int | None = None, seconds: float | None = None) -> VideoOptions:  # noqa: N802
    """The earlier name of `VideoOptions`, for one release."""
    warnings.warn("Film is now VideoOptions; the old name goes with 0.3", DeprecationWarning, stacklevel=2)
    return VideoOptions(fps=fps, duration=seconds)
