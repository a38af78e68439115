"""Ranges of a configuration's numbers, declared beside their help strings.

A field's metadata may hold ``least``, ``above`` and ``most``. What has a number for its default takes numbers
only, whole ones if the default is whole, and never one that is infinite or no number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

LAST_SEED = 2**32 - 1
"""The largest seed of a random generator."""

MOST_THREADS = 1024
"""The largest number of threads of a process: with very many of them OpenMP crashes."""


def check_ranges(config: Any) -> None:
    """See that a frozen dataclass holds numbers as it declares them; call it from ``__post_init__``.

    Raises:
        ValueError: one is not; the message has its name, what it is and what is wanted.
    """
    for item in dataclasses.fields(config):
        default: Any = item.default
        several = isinstance(default, tuple)
        example = default[0] if several else default
        if isinstance(example, bool) or not isinstance(example, int | float):
            continue
        value = getattr(config, item.name)
        numbers = value if several else (value,)
        whole = isinstance(example, int)
        if not all(_fits(number, whole, item.metadata) for number in numbers):
            raise ValueError(f"{item.name} is {value}, wanted {wanted(item.metadata, whole)}")


def _fits(number: Any, whole: bool, bounds: Mapping[str, Any]) -> bool:
    if isinstance(number, bool) or not isinstance(number, int if whole else int | float):
        return False
    return (
        (whole or math.isfinite(number))
        and number >= bounds.get("least", -math.inf)
        and number <= bounds.get("most", math.inf)
        and ("above" not in bounds or number > bounds["above"])
    )


def wanted(bounds: Mapping[str, Any], whole: bool) -> str:
    """The range in words."""
    kind = "a whole number" if whole else "a number"
    if "least" in bounds and "most" in bounds:
        return f"{kind} from {bounds['least']} to {bounds['most']}"
    words = {"least": "of at least", "above": "above", "most": "of at most"}
    return " ".join([kind, *(f"{word} {bounds[key]}" for key, word in words.items() if key in bounds)])
