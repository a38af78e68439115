"""Rendering of strokes: `render`, differentiable in strokes and canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semantic_guidance.core.lazy import lazy

if TYPE_CHECKING:
    from semantic_guidance.renderer.rendering import render as render

# So the compiled kernels can paint without torch.
__getattr__, __dir__ = lazy(__name__, {"render": "rendering"})
