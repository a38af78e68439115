"""Text out of files, as it may be shown: in a terminal, in a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of characters that a terminal obeys instead of showing: controls, direction marks,
halves of surrogate pairs, separators of lines and paragraphs."""

JOINERS = "\u200c\u200d"
"""Of these categories, but parts of ordinary names, as in Persian, and of many emoji."""

FORMULA = re.compile(r'(^|;)(?=[\s"]*[-=+@＝＋－＠])')
"""Where a cell begins that spreadsheets take for a formula; where numbers have a comma, a semicolon divides
cells, and within all cells but a row's first it does so in spite of quotes."""


LONGEST = 10_000
"""Letters that are shown of a text, at most: more than any path has, less than takes a while."""


def printable(text: object) -> str:
    r"""The text with what a terminal would obey spelled out: ``\x1b``, ``\u202e``, a line's end as ``\n``.

    Of a text longer than `LONGEST`, the beginning.
    """
    whole = str(text)
    shown = whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}..."
    return "".join(
        letter.encode("unicode_escape").decode() if _hidden(letter) else letter for letter in shown
    )


def table_cell(text: object) -> str:
    """The text for a cell of a CSV file: no spreadsheet takes it for a formula.

    An apostrophe goes before what begins like one, after a semicolon, too; spreadsheets take the rest for
    text. Numbers stay numbers.
    """
    shown = printable(text)
    return shown if isinstance(text, (int, float)) else FORMULA.sub(r"\1'", shown)


def _hidden(letter: str) -> bool:
    return unicodedata.category(letter) in HIDDEN and letter not in JOINERS
