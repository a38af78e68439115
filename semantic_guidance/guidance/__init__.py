"""Guidance: where a picture's objects are, and which of their pixels identify them.

It knows nothing about painting.
"""

from __future__ import annotations

from semantic_guidance.guidance.base import GuideLike, NoGuide, Prompt
from semantic_guidance.guidance.focus import focus_map, guided_backprop, guided_relus
from semantic_guidance.guidance.guide import Guide, split_instances
from semantic_guidance.guidance.segmenter import Segmenter

__all__ = [
    "Guide",
    "GuideLike",
    "NoGuide",
    "Prompt",
    "Segmenter",
    "focus_map",
    "guided_backprop",
    "guided_relus",
    "split_instances",
]
