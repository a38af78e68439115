"""Numbers that define what a stroke looks like; every renderer follows them."""

from __future__ import annotations

DISCS = 100
"""Discs that the reference code stamps along a stroke; a stroke's opacity takes as many values."""

FLATNESS = 0.1
"""Greatest distance in pixels between the curve and its polyline."""

MAX_SEGMENTS = 256
"""Greatest number of segments of one stroke, reached only by curves of 26,000 px."""

ENDS = ("round", "square", "filbert")
"""How strokes may end: in a half disc, cut off straight, or cut off with rounded corners."""

MIN_LEADING = 1e-4
"""Lower bound of |A| in `last_disc` in square pixels, so that single precision suffices to divide by it."""
