"""Which files are films, by their names."""

from __future__ import annotations

import re
from pathlib import Path

VIDEOS = frozenset(
    re.findall(
        r"\w+",
        "3g2 3gp asf avi dv f4v flv m2ts m2v m4v mkv mov mp4 mpeg mpg mts mxf ogv qt ts vob webm wmv y4m",
    )
)
"""Ends of the names of files that are films, without a dot."""

NUMBER = re.compile(r"%(0\d)?d")
"""Stands for the number of a frame in a pattern."""


def is_film(path: Path, asked: bool = False) -> bool:
    """Whether what a path leads to is painted as a film.

    Videos are, by their names, and patterns of numbered frames; animated pictures, and folders of frames, if
    that is asked for.
    """
    return asked or path.suffix.lower().removeprefix(".") in VIDEOS or is_pattern(path)


def is_pattern(path: Path) -> bool:
    """Whether it is one of numbered frames, such as ``frames/%04d.png``."""
    return NUMBER.search(path.name) is not None and not path.exists()
