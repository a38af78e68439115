"""What commands print."""

from __future__ import annotations

import sys
from pathlib import Path


def shown(path: Path) -> str:
    """A file's name as it can be printed anywhere."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def tell_flat(formats: tuple[str, ...], style: str) -> None:
    """Say on standard error in which of the formats a brush of that style does not show, if in any."""
    from semantic_guidance.apps.brush import flat_note

    if note := flat_note(formats, style):
        print(f"semantic-guidance: note: {note}", file=sys.stderr)
