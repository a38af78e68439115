"""Rates of frames as video people write them, kept exactly: 23.976 is 24000/1001."""

from __future__ import annotations

import re
from fractions import Fraction

SLOWED = (24, 30, 48, 60)
"""Rates that NTSC slowed down by a thousandth, and that are written as decimals: 23.976, 23.98, 29.97."""

BOUNDS = (1, 60)
"""Frames per second at least and at most."""

LARGEST = 10**9
"""What the two numbers of a fraction may be at most: containers have 32 bits for them."""

FINEST = 10**6
"""The denominator of a decimal's fraction at most."""

WANTED = f"a number from {BOUNDS[0]} to {BOUNDS[1]}, such as 25 or 23.976, or a fraction such as 24000/1001"

_FRACTION = re.compile(r"\s*(\d{1,10})\s*/\s*(\d{1,10})\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*(\d{1,10})(?:\.(\d{0,20}))?\s*", re.ASCII)


def parse_rate(word: str) -> Fraction:
    """Frames per second, of a whole number, a decimal or a fraction.

    A decimal of two digits or more that is a rate of NTSC's rounded to them is that rate.

    >>> parse_rate("25"), parse_rate("12.5"), parse_rate("29.97"), parse_rate("24000/1001")
    (Fraction(25, 1), Fraction(25, 2), Fraction(30000, 1001), Fraction(24000, 1001))

    Raises:
        ValueError: it is none of these, or out of range.
    """
    rate = _rate(word)
    if rate is None or not fits(rate):
        raise ValueError(f"got {word!r}, wanted {WANTED}")
    return rate


def exact_rate(value: Fraction | float | str) -> Fraction:
    """Frames per second as `parse_rate` reads them: 29.97 as a number is 30000/1001, too.

    Raises:
        ValueError: it is no such number, or out of range.
    """
    if isinstance(value, Fraction) and fits(value):
        return value
    try:
        return parse_rate("" if isinstance(value, bool) else str(value))
    except ValueError:
        raise ValueError(f"is {value}, wanted {WANTED}") from None


def fits(rate: Fraction) -> bool:
    """Whether films can have this rate."""
    return BOUNDS[0] <= rate <= BOUNDS[1] and max(rate.numerator, rate.denominator) <= LARGEST


def _rate(word: str) -> Fraction | None:
    found = _FRACTION.fullmatch(word)
    if found is not None:
        return Fraction(int(found[1]), int(found[2])) if int(found[2]) else None
    found = _DECIMAL.fullmatch(word)
    if found is None:
        return None
    digits = found[2] or ""
    rate = Fraction(f"{found[1]}.{digits or 0}")
    if len(digits) >= 2:
        for whole in SLOWED:
            slowed = Fraction(whole * 1000, 1001)
            if abs(rate - slowed) <= max(Fraction(1, 2 * 10 ** len(digits)), Fraction(1, 10**12)):
                return slowed
    return rate.limit_denominator(FINEST)  # 1.3333333333333333 is 4/3
