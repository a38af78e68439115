"""Lengths as people write them: in millimetres, centimetres or inches."""

from __future__ import annotations

import math
import re

UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "inch": 25.4, "inches": 25.4, '"': 25.4, "\u2033": 25.4}
"""In mm; the last one is the sign for inches."""

_LENGTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-z\"\u2033]*)\s*", re.ASCII | re.IGNORECASE)

HELP = "in mm, or with a unit: 5cm, 2in"
"""What a length may look like."""


def parse_length(word: str, unit: str = "mm") -> float:
    """A length in mm: a number and one of `UNITS`, or a number alone in units of `unit`.

    >>> parse_length("2.5 cm"), parse_length("1in"), parse_length("7")
    (25.0, 25.4, 7.0)

    Raises:
        ValueError: it is not a length, or below 0.
    """
    found = _LENGTH.fullmatch(word)
    factor = UNITS.get((found[2] or unit).lower()) if found else None
    if found is None or factor is None:
        raise ValueError(f"got {word!r}, wanted a length {HELP}")
    length = round(float(found[1]) * factor, 6)
    if not (math.isfinite(length) and length >= 0):
        raise ValueError(f"got {word!r}, wanted a length of at least 0")
    return length


def parse_several(word: str, parts: list[str]) -> list[float]:
    """Lengths in mm; those without a unit have that of the last.

    Args:
        word: of which they are parts, for the message.
        parts: each a length.

    Raises:
        ValueError: one is not a length.
    """
    last = _LENGTH.fullmatch(parts[-1])
    try:
        return [parse_length(part, (last[2] if last else "") or "mm") for part in parts]
    except ValueError:
        raise ValueError(f"got {word!r}, wanted lengths {HELP}") from None


def parse_lengths(word: str) -> tuple[float, ...]:
    """Lengths above 0, separated by commas, ascending, each once; see `parse_several`.

    >>> parse_lengths("10,2mm"), parse_lengths("0.5,1cm")
    ((2.0, 10.0), (5.0, 10.0))
    """
    try:
        numbers = parse_several(word, word.split(","))
    except ValueError:
        numbers = []
    if not numbers or min(numbers) <= 0:
        raise ValueError(f"got {word!r}, wanted lengths in mm above 0, such as 2,5,10, or with a unit: 1cm")
    return tuple(sorted(set(numbers)))


def parse_two_lengths(word: str) -> tuple[float, float]:
    """Least and greatest length; see `parse_lengths`."""
    numbers = parse_lengths(word)
    if word.count(",") != 1:
        raise ValueError(f"got {word!r}, wanted two lengths in mm, such as 2,20")
    return numbers[0], numbers[-1]


def parse_place(word: str) -> tuple[float, float]:
    """``X,Y``: two lengths of at least 0; see `parse_several`.

    >>> parse_place("24,2.5cm")
    (240.0, 25.0)
    """
    parts = word.split(",")
    if len(parts) != 2:
        raise ValueError(f"got {word!r}, wanted X,Y {HELP}")
    across, down = parse_several(word, parts)
    return across, down
