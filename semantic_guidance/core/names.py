"""Names of files that others wrote down: in lists, archives and JSON. They are not trusted."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable

LONGEST = 255
"""Bytes of a part of a name, at most, on all common systems."""

WINDOWS_OWN = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\.|:|$)", re.IGNORECASE
)
"""Names that are devices there, whatever their folder and suffix."""


def inside(folder: Path, name: str, source: object) -> Path:
    """The file `name` in `folder`, which it cannot leave.

    Args:
        folder: where the file is to be; the folder itself may be a link.
        name: relative to `folder`, with ``/`` between its parts; the file need not exist.
        source: who says so, for the message: a file, or a line of one.

    Raises:
        InputError: `plain_name` refuses the name, or it leads out of the folder through a link.
    """
    reason = _reason(name, os.name == "nt")
    if reason is None and not _within(folder, folder / name):
        refusal = _refused(name, "leads out of its folder through a link", source, folder)
        raise InputError(f"{refusal}; copy it there, or link the whole folder")
    if reason:
        raise _refused(name, reason, source, folder)
    return folder / name


def plain_name(name: str, source: object, windows: bool = os.name == "nt") -> str:
    """The name, which says where a file is in a folder without leaving it. No file is looked at.

    Args:
        name: with ``/`` between its parts.
        source: who says so, for the message: a file, or a line of one.
        windows: whether names that are devices or streams there are refused.

    Raises:
        InputError: the name is empty or absolute, holds ``..``, a control character or a backslash, or is too
            long for a file.
    """
    if reason := _reason(name, windows):
        raise _refused(name, reason, source)
    return name


def _reason(name: str, windows: bool) -> str | None:
    """Why a name is refused."""
    parts = name.split("/")
    if not name.strip() or all(part in ("", ".") for part in parts):
        return "is empty"
    if not name.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "holds control characters"
    if "\\" in name:
        return "holds a backslash"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "is absolute"
    if any(part.startswith("..") and not part.strip(". ") for part in parts):  # Windows drops dots at the end
        return "climbs out of its folder"
    if len(name) * 4 > LONGEST and any(len(part.encode()) > LONGEST for part in parts):
        return "is too long"
    if windows and any(part != "." and _is_special(part) for part in parts):
        return "is none of a file on Windows"
    return None


def _is_special(part: str) -> bool:
    """Whether a part of a name means something else on Windows: a device, a stream, a shorter name."""
    return bool(WINDOWS_OWN.match(part)) or ":" in part or part != part.rstrip(". ")


def _refused(name: str, reason: str, source: object, folder: Path | None = None) -> InputError:
    place = "its folder" if folder is None else printable(folder)
    return InputError(f"{printable(source)}: the name {_quoted(name)} {reason}, wanted a file in {place}")


def _quoted(name: str) -> str:
    """The name as in a message: in quotes, shortened if it is endless."""
    shown = printable(name)
    return f"'{shown if len(shown) <= 120 else shown[:100] + '...'}'"


def _within(folder: Path, path: Path) -> bool:
    """Whether the path, all links followed, is below the folder."""
    home = os.path.realpath(folder)
    return os.path.realpath(path).startswith(home.rstrip(os.sep) + os.sep)
