"""Brushes: the same strokes in oil, watercolour or pencil, or with a person's own brush.

A brush changes how a painting looks, not its strokes. All texture is computed from a seed at the size of the
canvas: larger canvases show finer bristles and finer paper.
"""

from __future__ import annotations

from semantic_guidance.core.lazy import lazy

BRUSHES = ("flat", "oil", "watercolor", "pencil")
"""Those that ship, by name."""

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Brush": "brush",
    },
)
