"""The files that a job reads and writes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from semantic_guidance.core.errors import InputError


def prepare_folder(folder: Path) -> None:
    """Create the folder for the outputs, if it is missing, and check that files can be created in it.

    Raises:
        OSError: it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".{secrets.token_hex(6)}.part"
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise OSError(f"--out: {folder}: {error.strerror}, wanted a folder to write to") from None


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Check that none of the files to be written is a directory or one of the files that are read.

    Raises:
        InputError: one is.
    """
    inputs = list(inputs)
    for output in outputs:
        if output.is_dir():
            raise InputError(f"{output}: this is a directory, wanted a file name")
        for path in inputs:
            if output.exists() and output.samefile(path):
                raise InputError(f"{output}: painting would overwrite its own input, wanted another --out")
