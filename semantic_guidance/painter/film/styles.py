"""How the strokes of each style go on from frame to frame."""

from __future__ import annotations

from semantic_guidance.painter.film.following import AnyStrokes, Following
from semantic_guidance.painter.painter import Painter


def following(painter: Painter) -> Following:
    """How strokes of a painter's manner are followed."""
    return AnyStrokes(painter.strokes, painter.style.ends)
