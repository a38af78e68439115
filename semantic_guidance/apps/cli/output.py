"""What commands print."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path) -> str:
    """A file's name as it can be printed anywhere."""
    return str(path).encode("utf-8", "backslashreplace").decode()
