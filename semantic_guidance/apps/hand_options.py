"""In which style a person wants a picture painted. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_guidance.core.options import option
from semantic_guidance.core.plugins import STYLES
from semantic_guidance.painter.presets import DEFAULT_STYLE
from semantic_guidance.painter.variations import COUNTS

HAND = "the painter's hand"


def _styles() -> str:
    return (
        f"how it is painted: {', '.join(STYLES.names())}, or the file of your own style, NAME.toml (default:"
        f" {DEFAULT_STYLE}; lines if it is a line drawing; likeness with --agent and for plotters)"
    )


@dataclass(frozen=True, kw_only=True)
class HandOptions:
    """In which style, and by how much that is changed. What is None is as the style says."""

    style: str | None = option(None, _styles, metavar="NAME|FILE", group=HAND)
    length: float | None = option(
        None, "how long strokes are: 0.5 half as long, 2 twice", metavar="X", min=0.1, max=10, group=HAND
    )
    width: float | None = option(
        None, "how wide strokes are: 0.5 half as wide, 2 twice", metavar="X", min=0.1, max=10, group=HAND
    )
    curvature: float | None = option(
        None, "how far strokes may bend, 0 (straight) to 1", metavar="SHARE", min=0, max=1, group=HAND
    )
    opacity: float | None = option(
        None, "opacity of strokes, 0.02 to 1", metavar="SHARE", min=0.02, max=1, group=HAND
    )
    flow: float | None = option(
        None, "how strictly strokes run along the picture's forms, 0 to 1", metavar="SHARE", min=0, max=1,
        group=HAND,
    )  # fmt: skip
    looseness: float | None = option(
        None, "how far strokes wander and run over into other colours, 0 to 1", metavar="SHARE", min=0, max=1,
        group=HAND,
    )  # fmt: skip
    edges: float | None = option(
        None, "whether objects' edges stop strokes (1) or are lost (0)", metavar="SHARE", min=0, max=1,
        group=HAND,
    )  # fmt: skip
    economy: float | None = option(
        None, "how much fewer and larger strokes are where nobody looks, 0 to 1", metavar="SHARE", min=0,
        max=1, group=HAND,
    )  # fmt: skip
    variety: float | None = option(
        None, "how much strokes differ in colour: 0 not at all, 2 twice as much", metavar="X", min=0, max=10,
        group=HAND,
    )  # fmt: skip
    saturation: float | None = option(
        None, "strength of colours: 0 grey, 1 as they are", metavar="X", min=0, max=4, group=HAND
    )
    warmth: float | None = option(
        None, "warm lights and cool darks (1), or cool lights and warm darks (-1)", metavar="X", min=-1,
        max=1, group=HAND,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class VariationOptions:
    """How many paintings there are to choose from."""

    variations: int | None = option(
        None,
        "paint N variations, each with another seed and in its own way: NAME_painted_1 and so on, and"
        " NAME_variations.png to choose from",
        metavar="N",
        min=COUNTS[0],
        max=COUNTS[1],
    )
