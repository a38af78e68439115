"""Paper and brushes that people have, in mm."""

from __future__ import annotations

PAPERS = {"a5": (148.0, 210.0), "a4": (210.0, 297.0), "a3": (297.0, 420.0), "a2": (420.0, 594.0)}
"""Width and height in mm, upright."""

MARGIN = 0.05
"""Share of the paper's shorter side that stays free on every side."""

SIDES = (20.0, 5000.0)
"""Bounds of a paper's sides in mm."""

MAX_BRUSHES = 16

WIDTHS = (1.0, 40.0)
"""Range of the widths of opaque strokes in mm, by default."""
