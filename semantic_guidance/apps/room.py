"""How much memory a painting's files take, told before the work."""

from __future__ import annotations

from collections.abc import Iterable

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.memory import free_memory
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.painting.brushes.brush import Brush

START = 95_000_000
"""Bytes of the program that renders, before its first pixel."""

FLAT, TEXTURED, LIT, CLEAR, HEIGHT = 35, 54, 123, 27, 26
"""Bytes for each pixel, measured on 4 to 67 million of them: of a picture with the flat brush, with another
one, with relief and light or running water, and what transparency adds; of the height of the paint."""

PAPERS = ("watercolor", "ink", "pencil")
"""Brushes for paper, whose height is as much work as the picture."""


def needed_bytes(pixels: int, brush: Brush, formats: Iterable[str], clear: bool = False) -> int:
    """Bytes that it takes to paint and write files of so many pixels; 0 if none is of the painting's size.

    Args:
        pixels: of the painting.
        brush: of it.
        formats: of the files.
        clear: whether its canvas is transparent.
    """
    lit = brush.style == "watercolor" or (brush.dial("relief") > 0 and brush.light is not None)
    textured = LIT if lit else TEXTURED
    picture = (FLAT if brush.style == "flat" else textured) + (CLEAR if clear else 0)
    each = [picture for name in formats if EXPORTERS.get(name).still]
    height = TEXTURED if brush.style in PAPERS else HEIGHT
    each += [height for name in formats if name == "height.png" and brush.style != "flat"]
    return START + pixels * max(each) if each else 0


def check_room(
    sides: tuple[int, int], brush: Brush, formats: Iterable[str], where: object, clear: bool = False
) -> None:
    """Check that the pictures among a painting's files fit into the memory that is free.

    Args:
        sides: height and width of the painting in pixels.
        brush: of it.
        formats: of the files.
        where: what the complaint begins with.
        clear: whether its canvas is transparent.

    Raises:
        InputError: they do not.
    """
    height, width = sides
    needed, free = needed_bytes(height * width, brush, formats, clear), free_memory()
    if free is not None and needed > free:
        raise InputError(
            f"{where}: painting {width} x {height} pixels takes about {needed / 1e9:.1f} GB of memory, wanted"
            f" less than the {free / 1e9:.1f} GB that are free: a smaller --size"
            + (", or --brush flat" if brush.style != "flat" else "")
        )
