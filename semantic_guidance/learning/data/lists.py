"""Lists of pictures that others wrote: columns apart by spaces, or CSV. A line that does not fit is named."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import plain_name

MOST_BYTES = 64 * 2**20
"""Of a list, at most; a million pictures take less."""

SHOWN = 120
"""Letters of a line in a message, at most."""


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text in UTF-8, with or without a byte order mark.

    Args:
        path: of the file.
        what: the file's meaning, for messages.

    Raises:
        InputError: the file cannot be read, is empty or too large.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} cannot be read (no ordinary file), wanted {what}")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} cannot be read (more than {MOST_BYTES // 2**20} MiB), wanted {what}")
        text = path.read_text(encoding="utf-8-sig")  # line ends are all \n now
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), wanted {what}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} cannot be read (not UTF-8), wanted {what}") from None
    if not text:
        raise InputError(f"{path} cannot be read (it is empty), wanted {what}")
    return text.removesuffix("\n").split("\n")


def read_table(
    path: Path,
    columns: Sequence[Callable[[str], Any]],
    what: str,
    head: int = 0,
    files: Sequence[int] = (),
) -> list[list[Any]]:
    """Rows of a text file with space-separated columns, without blank lines.

    A last column that is text may hold spaces, and files' names may have backslashes in place of slashes.

    Args:
        path: of the file.
        columns: converter of each column; `str` for text.
        what: the file's meaning, for messages.
        head: lines at the beginning that are left out.
        files: those of the columns, from 0, that name files.

    Raises:
        InputError: the file cannot be read or a line does not fit.
    """
    rows = []
    splits = len(columns) - 1 if columns[-1] is str else -1
    for number, line in enumerate(read_lines(path, what), 1):
        cells = line.rstrip().split(None, splits)
        if not cells or number <= head:
            continue
        source = f"{path} line {number}"
        try:
            row = [convert(cell) for convert, cell in zip(columns, cells, strict=True)]
        except (ValueError, OverflowError):
            raise InputError(f"{source} is {line[:SHOWN]!r}, wanted {what}") from None
        for column in files:
            row[column] = plain_name(row[column].replace("\\", "/"), source)
        rows.append(row)
    return rows


def read_csv(
    path: Path, columns: Sequence[str], what: str, files: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Rows of a CSV file by the names of its columns, which are the first line; at least one row.

    Spreadsheets leave out empty cells at the end of a row, or write some too many; rows without any are none.

    Args:
        path: of the file.
        columns: that every row must have; others are passed over.
        what: the file's meaning, for messages.
        files: those of these columns that name files.

    Raises:
        InputError: the file cannot be read, or a row does not fit.
    """
    records = _records(path, what)
    _, names = next(records)
    wanted = {column: names.index(column) for column in columns if column in names}
    rows = []
    for number, cells in records:
        if not any(cells):
            continue
        source = f"{path} line {number}"
        for column, place in wanted.items():
            if place >= len(cells):
                raise InputError(f"{source} has no {column}, wanted {what}")
            if "\n" in cells[place]:
                raise InputError(f"{source}: the cell of {column} goes on over lines, wanted {what}")
            if column in files:
                plain_name(cells[place], source)
        rows.append({column: cells[place] for column, place in wanted.items()})
    if not rows or len(wanted) < len(columns):
        raise InputError(f"{path} is malformed, wanted CSV with columns {', '.join(columns)}")
    return rows


def _records(path: Path, what: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row of a CSV file, and the number of the line on which it begins.

    Raises:
        InputError: the file cannot be read, or a row is malformed.
    """
    reader, number = csv.reader(f"{line}\n" for line in read_lines(path, what)), 1
    try:
        for cells in reader:
            yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path} line {number} is malformed, wanted {what} ({error})") from None


def finite(cell: str) -> float:
    """A number that is neither infinite nor NaN.

    Raises:
        ValueError: it is none.
    """
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError(f"got {cell!r}, wanted a finite number")
    return number
