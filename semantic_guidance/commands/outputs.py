"""Files that commands write: they are nobody's input."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from semantic_guidance.errors import InputError


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """See that none of the files to be written is a directory or one of the files that are read.

    Raises:
        InputError: one is.
    """
    inputs = list(inputs)
    for output in outputs:
        if output.is_dir():
            raise InputError(f"{output}: this is a directory, wanted to write a file of this name")
        for path in inputs:
            if output.exists() and output.samefile(path):
                raise InputError(f"{output}: painting would overwrite its own input, wanted another --out")


def shown(path: Path) -> str:
    """A file's name as it can be printed anywhere."""
    return str(path).encode("utf-8", "backslashreplace").decode()
