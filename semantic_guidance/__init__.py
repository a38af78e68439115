"""Object-aware painting: a photograph becomes strokes, and the strokes a painting."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from semantic_guidance.version import __version__

if TYPE_CHECKING:
    from semantic_guidance.export import save
    from semantic_guidance.images import load_image
    from semantic_guidance.painter import Painter
    from semantic_guidance.painting import Painting
    from semantic_guidance.renderer import render
    from semantic_guidance.training.loop import train
    from semantic_guidance.types import Guidance, Strokes

__all__ = [
    "Guidance",
    "Painter",
    "Painting",
    "Strokes",
    "__version__",
    "load_image",
    "render",
    "save",
    "train",
]

_HOMES = {
    "Guidance": "types",
    "Painter": "painter",
    "Painting": "painting",
    "Strokes": "types",
    "load_image": "images",
    "render": "renderer",
    "save": "export",
    "train": "training.loop",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line's help need not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
