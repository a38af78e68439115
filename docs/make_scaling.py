"""Writes what a million pictures cost into `scaling.md`: ``python docs/make_scaling.py``.

The figures are those of `benchmarks/results/batch.json`, which ``python benchmarks/batch.py`` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "scaling.md"
RESULTS = HERE.parent / "benchmarks" / "results" / "batch.json"
START, END = "<!-- million -->\n", "<!-- end -->"
MILLION, CORES, PRICE = 1_000_000, 320, 0.04


def main() -> None:
    """Fill the page's table."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(page: str) -> str:
    """The page with its table as it is now."""
    head, rest = page.split(START)
    return head + START + table() + END + rest.partition(END)[2]


def table() -> str:
    """What a million pictures take, by preset."""
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = document["results"]["workers"]
    settings = document["settings"]
    lines = [
        f"| preset | pictures a minute, one core | core hours | on {CORES} cores | at {PRICE} a core hour |",
        "|---|---|---|---|---|",
        *(_line(row) for row in rows if row["setup"] == "1 worker, 1 core"),
    ]
    about = (
        f"Pictures of {settings['side']} pixels, {settings['strokes']} strokes, png; {settings['pictures']}"
        f" of them, the median of {settings['repeats']} runs"
    )
    return "\n".join([*lines, "", f"{about}. {_gain(rows)}", ""])


def _line(row: dict[str, Any]) -> str:
    rate = row["running"] or row["a_minute"]
    hours = MILLION / rate / 60
    cells = (
        row["preset"],
        f"{rate:.3g}",
        f"{hours:,.0f}",
        f"{hours / CORES:,.0f} h",
        f"{hours * PRICE:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _gain(rows: list[dict[str, Any]]) -> str:
    """How much two workers gain over one."""
    gains = [f"{row['preset']} {row['a_minute_gain']:g}" for row in rows if row["setup"] == "2 workers"]
    share = f"{', '.join(gains)} times as fast as one on one core"
    return f"Two workers on two cores, with their start, are {share}."


if __name__ == "__main__":
    main()
