"""Files made of a painting."""

from __future__ import annotations

from semantic_guidance.core.lazy import lazy

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Exporter": "base",
        "Film": "options",
        "Progress": "base",
        "VideoOptions": "options",
        "save": "saving",
        "save_painting": "saving",
    },
)
