"""What a painting is: strokes in layers, what they are painted with, and how they look."""

from __future__ import annotations

from semantic_guidance.core.lazy import lazy

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Brush": "brushes.brush",
        "Layer": "painting",
        "Medium": "medium",
        "Painting": "painting",
    },
)
