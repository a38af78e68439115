"""Paper and brushes that people have, in mm."""

from __future__ import annotations

from dataclasses import dataclass

PAPERS = {"a5": (148.0, 210.0), "a4": (210.0, 297.0), "a3": (297.0, 420.0), "a2": (420.0, 594.0)}
"""Width and height in mm, upright."""

MARGIN = 0.05
"""Share of the paper's shorter side that stays free on every side."""

SIDES = (20.0, 5000.0)
"""Bounds of a paper's sides in mm."""

MAX_BRUSHES = 16

WIDTHS = (1.0, 40.0)
"""Range of the widths of opaque strokes in mm, by default."""


@dataclass(frozen=True)
class Sheet:
    """A painting on paper.

    Attributes:
        width: of the paper in mm, landscape or portrait like the painting.
        height: of the paper in mm.
        unit: mm of the painting's longer side.
        left: mm to the painting from the left.
        top: mm to the painting from the top.
    """

    width: float
    height: float
    unit: float
    left: float
    top: float

    @staticmethod
    def of(paper: tuple[float, float], height: float, width: float) -> Sheet:
        """The largest painting of some height and width on `paper` (width and height in mm), centred."""
        across, down = sorted(paper, reverse=width > height)
        margin = MARGIN * min(paper)
        scale = min((across - 2 * margin) / width, (down - 2 * margin) / height)
        left, top = (across - scale * width) / 2, (down - scale * height) / 2
        return Sheet(across, down, scale * max(width, height), left, top)
