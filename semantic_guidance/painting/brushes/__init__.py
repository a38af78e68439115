"""Brushes: the same strokes in oil, watercolour, ink or pencil, or with a person's own brush.

A brush changes how a painting looks, not its strokes. All texture is computed from a seed in units of the
picture: a canvas of any size shows the same marks, a larger one finer ones besides.
"""

from __future__ import annotations

from semantic_guidance.core.lazy import lazy

BRUSHES = ("flat", "oil", "knife", "gouache", "watercolor", "ink", "pencil")
"""Those that ship, by name."""

DIALS = ("relief", "bristle", "dry")
"""Of a `Brush`."""

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Brush": "brush",
    },
)
