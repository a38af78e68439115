"""Ranges of a configuration's numbers, declared beside their help strings.

A field's metadata may hold ``min``, ``above`` and ``max``. A field whose default is a number takes numbers
only, whole ones if the default is whole, and never infinity or NaN.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

MAX_SEED = 2**32 - 1
"""The largest seed of a random generator."""

MAX_THREADS = 1024
"""The largest number of threads of a process: OpenMP crashes with far more."""


def check_ranges(config: Any) -> None:
    """Check that a frozen dataclass's numbers and choices are in range; call it from ``__post_init__``.

    Raises:
        ValueError: one is not; the message gives its name, its value and what is wanted.
    """
    for item in dataclasses.fields(config):
        value, kind = getattr(config, item.name), kind_of(item)
        choices = item.metadata.get("choices")
        if choices is not None and value not in (*choices, item.default):
            raise ValueError(f"{item.name} is {value!r}, wanted {' or '.join(map(str, choices))}")
        if kind not in (int, float) or (value is None and item.default is None):
            continue
        numbers = value if isinstance(item.default, tuple) else (value,)
        whole = kind is int
        if not all(fits(number, whole, item.metadata) for number in numbers):
            raise ValueError(f"{item.name} is {value}, wanted {wanted(item.metadata, whole)}")


def kind_of(item: dataclasses.Field[Any]) -> type:
    """The type of a field's value, or of a tuple's parts: that of its default, else the annotated one."""
    default: Any = item.default
    if default is None:
        named = {"int | None": int, "float | None": float}
        return named.get(str(item.type), str)
    return type(default[0]) if isinstance(default, tuple) and default else type(default)


def fits(number: Any, whole: bool, bounds: Mapping[str, Any]) -> bool:
    """Whether a number (a whole one if `whole`) is within the bounds ``min``, ``above`` and ``max``."""
    if isinstance(number, bool) or not isinstance(number, int if whole else int | float):
        return False
    return (
        (whole or finite(number))
        and number >= bounds.get("min", -math.inf)
        and number <= bounds.get("max", math.inf)
        and ("above" not in bounds or number > bounds["above"])
    )


def finite(number: Any) -> bool:
    """Whether a number is finite, and no whole one that is too large for a float."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def wanted(bounds: Mapping[str, Any], whole: bool) -> str:
    """The range in words."""
    kind = "a whole number" if whole else "a number"
    if "min" in bounds and "max" in bounds:
        return f"{kind} from {bounds['min']} to {bounds['max']}"
    words = {"min": "of at least", "above": "above", "max": "of at most"}
    return " ".join([kind, *(f"{word} {bounds[key]}" for key, word in words.items() if key in bounds)])
