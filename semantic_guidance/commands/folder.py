"""The folder that a command writes to."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declare ``--out``."""
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="folder for what is written, made if there is none (default: the current folder)",
    )


def prepare_folder(folder: Path) -> None:
    """Make the folder for the outputs, if there is none, and see that files can be made in it.

    Raises:
        OSError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".{secrets.token_hex(6)}.part"
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise OSError(f"--out: {folder}: {error.strerror}, wanted a folder to write to") from None
