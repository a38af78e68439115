"""How a film is painted. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.options import option
from semantic_guidance.painter.film.presets import HOLDS

FILM = "films"

MOST = 1000
"""Frames of which one is painted, at most."""


@dataclass(frozen=True, kw_only=True)
class FilmOptions:
    """How a film is painted.

    Raises:
        ValueError: a number is out of its range.
    """

    film: bool = option(
        False,
        "paint all frames of an animated GIF, WebP or PNG, or of a folder of numbered frames, as a film;"
        " videos (mp4, mov, webm, mkv, avi, ...) and patterns such as frames/%04d.png are films anyway",
        group=FILM,
    )
    hold: str = option(
        "steady",
        "how long strokes hold: steady (as long as they can) or lively (they follow the picture more closely)"
        " (default: %(default)s)",
        choices=tuple(HOLDS),
        metavar="NAME",
        group=FILM,
    )
    every: int = option(
        1,
        "paint every n-th frame; the film is as long as before, or up to n - 1 frames longer, with so many"
        " fewer frames a second (default: %(default)s)",
        metavar="N",
        min=1,
        max=MOST,
        group=FILM,
    )

    def __post_init__(self) -> None:
        check_ranges(self)
