"""How the strokes of each style go on from frame to frame."""

from __future__ import annotations

from semantic_guidance.painter.film.following import AnyStrokes, Following
from semantic_guidance.painter.film.hands import HandStrokes
from semantic_guidance.painter.film.lined import Lines
from semantic_guidance.painter.linework import LineCopy, LineWork
from semantic_guidance.painter.painter import Painter


def following(painter: Painter) -> Following:
    """How strokes of a painter's manner are followed."""
    style, count = painter.style, painter.strokes
    if style.hand is not None and style.marks == "strokes":
        return HandStrokes(style.hand, style.ends, count, painter.foreground_share)
    if isinstance(painter.manner, LineWork | LineCopy):
        work = painter.manner if isinstance(painter.manner, LineWork) else None
        return Lines(work, count, style.ends)
    return AnyStrokes(count, style.ends)
