"""What commands print."""

from __future__ import annotations

import sys

from semantic_guidance.core.shown import printable


def tell_flat(formats: tuple[str, ...], style: str) -> None:
    """Say on standard error in which of the formats a brush of that style does not show, if in any."""
    from semantic_guidance.apps.brush import flat_note

    tell_note(flat_note(formats, style))


def tell_note(note: str | None) -> None:
    """Say something on standard error, if there is anything to be said."""
    if note:
        print(f"semantic-guidance: note: {printable(note)}", file=sys.stderr)
