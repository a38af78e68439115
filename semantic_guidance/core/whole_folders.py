"""Folders of files that are either whole or not there."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import FOLDER, drafted, naming
from semantic_guidance.core.shown import printable

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def check_folder(path: Path, own: re.Pattern[str]) -> None:
    """See that a folder may be written, or replaced.

    Args:
        path: of the folder, which need not be there.
        own: of names of files; nothing else may be in it.

    Raises:
        NotADirectoryError: a file has its name.
        InputError: there is something else in it, or it cannot be read.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path}: this is a file, wanted the name of a folder")
    try:
        entries = sorted(os.listdir(path)) if path.exists() else []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    strange = next((name for name in entries if not own.fullmatch(name)), None)
    if strange is not None:
        raise InputError(
            f"{path}: {printable(strange)} is in this folder, which would be replaced, wanted another name"
        )


@contextlib.contextmanager
def replacing_folder(path: Path, own: re.Pattern[str]) -> Iterator[Path]:
    """A new empty folder beside `path` that takes its place if the block succeeds, and is removed otherwise.

    Until then `path` is untouched. Where the system can, an earlier folder is exchanged for it in one step.

    Args:
        path: of the folder.
        own: of names of files: an earlier folder in which there is something else is not replaced.

    Raises:
        InputError: see `check_folder`.
        OSError: no folder can be made there, a file has its name, or the disk is full: it names `path`.
    """
    final = Path(os.path.realpath(path))
    check_folder(final, own)
    with drafted(final, final) as mark:
        draft = mark.with_name(f"{mark.name}{FOLDER}")
        try:
            with naming(final):
                draft.mkdir()
            yield draft
            _place(draft, final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)  # what was there before, if it has been exchanged


def _place(draft: Path, final: Path) -> None:
    if not final.exists():
        os.replace(draft, final)
    elif not exchange(draft, final):
        earlier = draft.with_name(f"{draft.name}.old{FOLDER}")
        os.replace(final, earlier)
        try:
            os.replace(draft, final)
        except BaseException:
            os.replace(earlier, final)
            raise
        shutil.rmtree(earlier, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Give two folders each other's names at once; returns whether the system can."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # not in every library of C
    return rename is not None and rename(_HERE, bytes(one), _HERE, bytes(other), _EXCHANGE) == 0
