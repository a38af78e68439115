"""The quadratic Bezier curve: numbers, arrays and tensors alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def weights(t: Any) -> tuple[Any, Any, Any]:
    """Weights of start, control and end at the parameter `t`, each with the shape of `t`.

    >>> weights(0.5)
    (0.25, 0.5, 0.25)
    """
    return (1 - t) ** 2, 2 * t * (1 - t), t**2


def part(points: Sequence[Any], first: float, last: float) -> tuple[Any, Any, Any]:
    """Start, control and end of the part between two parameters; beyond [0, 1] the curve is continued.

    They are the blossom of the curve at (first, first), (first, last) and (last, last).

    Args:
        points: start, control and end of the whole.
        first: parameter at which the part starts.
        last: parameter at which it ends.
    """
    start, control, end = points

    def blossom(s: float, t: float) -> Any:
        return (1 - s) * (1 - t) * start + (s * (1 - t) + t * (1 - s)) * control + s * t * end

    return blossom(first, first), blossom(first, last), blossom(last, last)


def head(points: Sequence[Any], last: float) -> tuple[Any, Any, Any]:
    """`part` from 0 on, with fewer operations and the start point exact."""
    start, control, end = points
    at_start, at_control, at_end = weights(last)
    return start, start + last * (control - start), at_start * start + at_control * control + at_end * end
