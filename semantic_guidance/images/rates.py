"""Frames per second: of films that do not keep to one rate, which one is taken."""

from __future__ import annotations

from fractions import Fraction

STANDARD = tuple(
    Fraction(*pair)
    for pair in (
        (5, 1), (6, 1), (8, 1), (10, 1), (12, 1), (15, 1), (16, 1), (18, 1), (20, 1), (24000, 1001), (24, 1),
        (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (100, 1), (120, 1),
    )
)  # fmt: skip
"""Rates of cameras and of screens."""

CLOSE = Fraction(1, 2000)
"""Share by which a rate that is told in rounded numbers may differ from what is meant: less than that of 24
and 24000/1001."""

NEARLY = Fraction(1, 100)
"""Share by which a rate that varies may be higher than that which is taken."""


def named(rate: Fraction) -> Fraction:
    """The rate that is meant by a number which may be rounded: 23.976 is 24000/1001.

    >>> named(Fraction(2997, 100)), named(Fraction(14))
    (Fraction(30000, 1001), Fraction(14, 1))
    """
    nearest = min(STANDARD, key=lambda each: abs(each - rate))
    return nearest if abs(nearest - rate) <= CLOSE * rate else rate.limit_denominator(1001)


def evened(rate: Fraction) -> Fraction:
    """The lowest of the usual rates at which hardly a frame is lost of a film that varies round this one.

    >>> evened(Fraction(2871, 100)), evened(Fraction(13))
    (Fraction(30000, 1001), Fraction(15, 1))
    """
    fitting = [each for each in STANDARD if each * (1 + NEARLY) >= rate]
    return fitting[0] if fitting else STANDARD[-1]
