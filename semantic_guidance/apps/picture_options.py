"""Which picture of a file is painted."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_guidance.core.options import option


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """Which of several pictures in a file."""

    frame: int | None = option(
        None,
        "which frame of an animation, or page of a TIFF, counted from 1 (default: the first)",
        metavar="N",
        min=1,
    )
