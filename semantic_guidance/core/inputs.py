"""Files to be read, as people name them: ``-`` is standard input, and an address is none."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import BinaryIO

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable

STDIN = Path("-")
"""Stands for standard input."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def standard_input(wanted: str) -> BinaryIO:
    """What is piped into the program, which can be read once.

    Args:
        wanted: what to pipe in, for messages.

    Raises:
        InputError: it is closed, or a terminal.
    """
    if sys.stdin is None:
        raise InputError(f"-: standard input is closed, wanted {wanted}")
    if sys.stdin.isatty():
        raise InputError(
            f"-: standard input is a terminal, wanted {wanted} from a pipe, as in 'cat FILE | ... -'"
        )
    return sys.stdin.buffer


def no_such_file(path: Path, wanted: str) -> FileNotFoundError:
    """The error to raise where there is no such file."""
    name = printable(path)
    found = _ADDRESS.match(str(path))
    if found is None:
        return FileNotFoundError(f"{name}: no such file, wanted {wanted}")
    way = "its path alone" if found[1].lower() == "file" else "a file: download it first"
    return FileNotFoundError(f"{name}: this is an address, wanted {way}")
