"""A file format: one row of numbers for each stroke. It imports no torch, so that help comes at once."""

from __future__ import annotations

import csv as tables
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.files import replacing
from semantic_guidance.core.options import option
from semantic_guidance.export.base import Exporter, Progress

if TYPE_CHECKING:
    from semantic_guidance.painting.painting import Painting

LENGTHS = ("x0", "y0", "x1", "y1", "x2", "y2", "radius0", "radius1")
OTHERS = ("opacity0", "opacity1", "red", "green", "blue")


@dataclass(frozen=True)
class TableOptions:
    """Each field is a flag of ``paint`` and ``render``: ``--csv-digits`` and ``--csv-pixels``."""

    digits: int = option(4, "digits after the point", metavar="N", min=0, max=9)
    pixels: bool = option(False, "lengths in pixels of the painting, not in units of its longer side")

    def __post_init__(self) -> None:
        check_ranges(self)


def write(painting: Painting, path: Path, options: TableOptions, progress: Progress) -> None:
    """Write the strokes to `path`, which is whole or untouched whatever happens."""
    unit = max(painting.width, painting.height) if options.pixels else 1
    scale = [unit] * len(LENGTHS) + [1] * len(OTHERS)
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = tables.writer(file)
        table.writerow(("level", "instance", *LENGTHS, *OTHERS))
        for layer in painting.layers:
            for stroke in layer.strokes.pack()[0].tolist():
                numbers = (number * factor for number, factor in zip(stroke, scale, strict=True))
                table.writerow([layer.level, layer.instance, *(f"{x:.{options.digits}f}" for x in numbers)])
    progress(1.0)


csv = Exporter(write, "the strokes as a table", options=TableOptions)
