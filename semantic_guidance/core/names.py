"""Names of files that others wrote down: in lists, archives and JSON. They are not trusted."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from semantic_guidance.core.errors import InputError

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of characters that a terminal obeys instead of showing: controls, direction marks,
halves of surrogate pairs, separators of lines and paragraphs."""

JOINERS = "\u200c\u200d"
"""Of these categories, but parts of ordinary names, as in Persian, and of many emoji."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets take for a formula, or skip before they look for one."""


def inside(folder: Path, name: str, source: object) -> Path:
    """The file `name` in `folder`, which it cannot leave.

    Args:
        folder: where the file is to be; the folder itself may be a link.
        name: relative to `folder`, with ``/`` between its parts; the file need not exist.
        source: who says so, for the message: a file, or a line of one.

    Raises:
        InputError: the name is empty or absolute, holds ``..``, a control character or a backslash, or leads
            out of the folder through a link.
    """
    parts = name.split("/")
    reason = None
    if not name.strip() or all(part in ("", ".") for part in parts):
        reason = "is empty"
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        reason = "holds control characters"
    elif "\\" in name:
        reason = "holds a backslash"
    elif name.startswith("/") or re.match("[A-Za-z]:", name):
        reason = "is absolute"
    elif ".." in parts:
        reason = "climbs out of its folder"
    elif not _within(folder, folder / name):
        reason = "leads out of its folder through a link"
    if reason:
        said, place = printable(source), printable(folder)
        raise InputError(f"{said}: the name {printable(name)!r} {reason}, wanted a file in {place}")
    return folder / name


def printable(text: object) -> str:
    r"""The text with what a terminal would obey spelled out: ``\x1b``, ``\u202e``, a line's end as ``\n``."""
    return "".join(
        letter.encode("unicode_escape").decode() if _hidden(letter) else letter for letter in str(text)
    )


def table_cell(text: object) -> str:
    """The text for a cell of a CSV file: no spreadsheet takes it for a formula.

    An apostrophe goes before what begins like one; spreadsheets take the rest for text. Numbers stay numbers.
    """
    shown = printable(text)
    if not isinstance(text, (int, float)) and shown.lstrip().startswith(FORMULA):
        return f"'{shown}"
    return shown


def _hidden(letter: str) -> bool:
    return unicodedata.category(letter) in HIDDEN and letter not in JOINERS


def _within(folder: Path, path: Path) -> bool:
    """Whether the path, all links followed, is below the folder."""
    home = os.path.realpath(folder)
    return os.path.realpath(path).startswith(home.rstrip(os.sep) + os.sep)
