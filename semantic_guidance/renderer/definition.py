"""Numbers that define what a stroke looks like; every renderer follows them."""

from __future__ import annotations

import math

DISCS = 100
"""Discs that the reference code stamps along a stroke; a stroke's opacity takes as many values."""

FLATNESS = 0.1
"""Greatest distance in pixels between the curve and its polyline."""

MAX_SEGMENTS = 256
"""Greatest number of segments of one stroke, reached only by curves of 26,000 px."""

ENDS = ("round", "square", "filbert")
"""How strokes may end: in a half disc, cut off straight, or cut off with rounded corners."""

SQUARE = math.pi / 4
"""Radii that a square end reaches beyond the end point: it covers as much as the half disc in its place."""

FILBERT = SQUARE * math.gamma(1.5) / math.gamma(1.25) ** 2
"""The same of a filbert end, half a superellipse of exponent 4."""

FARTHEST = {"round": 1.0, "square": math.hypot(1, SQUARE), "filbert": (1 + FILBERT**4) ** 0.25}
"""Radii from an end point to the farthest place of each kind of end."""

STILL = 1e-6
"""Pixels: an end whose next place on the curve is no farther away has no direction, as a dot has none."""

MIN_LEADING = 1e-4
"""Lower bound of |A| in `last_disc` in square pixels, so that single precision suffices to divide by it."""
