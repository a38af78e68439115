"""What flags take: functions from a word on the command line to a value, with complaints that help."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Takes whole numbers from `low` to `high`."""

    def parse(word: str) -> int:
        try:
            number = int(word)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"got {word!r}, wanted a whole number from {low} to {high}")
        return number

    return parse


def share(word: str) -> float:
    """Takes numbers from 0 to 1."""
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"got {word!r}, wanted a number from 0 to 1")
    return number


def seconds(word: str) -> float:
    """Takes numbers of seconds from half a one to an hour."""
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0.5 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"got {word!r}, wanted a number of seconds from 0.5 to 3600")
    return number


def box(word: str) -> tuple[float, float, float, float]:
    """Takes ``X,Y,W,H``: finite numbers, the last two above 0."""
    complaint = f"got {word!r}, wanted X,Y,W,H in pixels, W and H above 0"
    try:
        x, y, width, height = (float(part) for part in word.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(complaint) from None
    if not all(math.isfinite(number) for number in (x, y, width, height)) or width <= 0 or height <= 0:
        raise argparse.ArgumentTypeError(complaint)
    return x, y, width, height


def formats(word: str) -> tuple[str, ...]:
    """Takes names of file formats, separated by commas, each once."""
    from semantic_guidance.export import FORMATS, SETS

    given = (name.strip().lower().removeprefix(".") for name in word.split(","))
    names = tuple(dict.fromkeys(name for each in given for name in SETS.get(each, (each,))))
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"got {name!r}, wanted some of {','.join([*FORMATS, *SETS])}")
    return names
