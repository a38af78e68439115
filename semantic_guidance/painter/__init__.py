"""From a photograph and what is known about it to a painting."""

from __future__ import annotations

from semantic_guidance.core.lazy import lazy

__getattr__, __dir__ = lazy(
    __name__,
    {
        "PRESETS": "presets",
        "Painter": "painter",
        "Preset": "presets",
        "RefineConfig": "presets",
    },
)
