"""Text out of files, as it may be shown: in a terminal, in a spreadsheet."""

from __future__ import annotations

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of characters that a terminal obeys instead of showing: controls, direction marks,
halves of surrogate pairs, separators of lines and paragraphs."""

JOINERS = "\u200c\u200d"
"""Of these categories, but parts of ordinary names, as in Persian, and of many emoji."""

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets take for a formula, or skip before they look for one."""


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
