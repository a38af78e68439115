"""Means, medians and ratios over the pictures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from semantic_guidance.apps.evaluate.columns import COLUMNS, Column

DIGITS = 6

Json = dict[str, Any]


def summarise(pictures: Sequence[Json], methods: Sequence[str], columns: Sequence[Column] = COLUMNS) -> Json:
    """What results.json says of all pictures together.

    Args:
        pictures: as results.json has them.
        methods: their names.
        columns: the figures.

    Returns:
        ``methods``: for each method and figure, ``mean``, ``median`` and the number of ``pictures`` that have
        it. ``ratios``: for each method, each other method and each figure whose ratios are meaningful,
        the ratio ``of_means`` over the pictures where both have the figure, and the ``median`` of the
        pictures' own ratios; None where it would be a division by zero.
    """
    means = {name: {c.key: _average(_values(pictures, name, c)) for c in columns} for name in methods}
    ratios = {
        first: {
            second: {c.key: _ratio(pictures, first, second, c) for c in columns if c.ratio}
            for second in methods
            if second != first
        }
        for first in methods
    }
    return {"methods": means, "ratios": ratios}


def _values(pictures: Sequence[Json], method: str, column: Column) -> list[float | None]:
    """The figure of each picture."""
    values = [picture["results"][method][column.key] for picture in pictures]
    return [None if value is None else float(value) for value in values]


def _average(values: Sequence[float | None]) -> Json:
    there = [value for value in values if value is not None]
    mean = _rounded(statistics.fmean(there)) if there else None
    median = _rounded(statistics.median(there)) if there else None
    return {"mean": mean, "median": median, "pictures": len(there)}


def _ratio(pictures: Sequence[Json], first: str, second: str, column: Column) -> Json:
    both = [
        (over, under)
        for over, under in zip(
            _values(pictures, first, column), _values(pictures, second, column), strict=True
        )
        if over is not None and under is not None
    ]
    below = sum(under for _, under in both)
    each = [over / under for over, under in both if under > 0]
    return {
        "of_means": _rounded(sum(over for over, _ in both) / below) if below > 0 else None,
        "median": _rounded(statistics.median(each)) if each else None,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
