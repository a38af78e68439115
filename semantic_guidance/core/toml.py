"""TOML files that people write, read with limits."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from semantic_guidance.core.errors import InputError


def read_toml(path: Path, what: str, limit: int) -> dict[str, Any]:
    """The tables in a TOML file.

    Args:
        path: of the file.
        what: it is to be, for messages: ``a style``.
        limit: of its size in bytes.

    Raises:
        OSError: it cannot be read.
        InputError: it is too large or not TOML; the message names the file.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted {what}")
    try:
        with path.open("rb") as file:
            text = file.read(limit + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, wanted {what}") from None
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror}), wanted {what}") from None
    if len(text) > limit:
        raise InputError(f"{path}: the file is larger than {limit} bytes, wanted {what}")
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not TOML ({reason}), wanted {what}") from None
