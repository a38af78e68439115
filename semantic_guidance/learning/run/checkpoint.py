"""Checkpoints of training runs: folders that are either whole or not there."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import torch

from semantic_guidance.core import files
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import telling_of_disk
from semantic_guidance.core.pickles import read_pickle

FOLDER = "checkpoints"
PAUSE = 600.0
"""Seconds between checkpoints at most, where what is to be saved allows it."""
_DRAFT = ".part"
_NAME = re.compile("[0-9]{8,}")  # other folders are not for a run to delete


def checkpoints(run: Path) -> list[Path]:
    """The whole checkpoints of a run's folder, oldest first."""
    found = (run / FOLDER).iterdir() if (run / FOLDER).is_dir() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name) and path.is_dir())


def is_due(done: int, interval: int) -> bool:
    """Whether a run saves after so many episodes or updates: early, half as often each time, then regularly.

    >>> [done for done in range(1, 40) if is_due(done, 10)]
    [1, 2, 4, 8, 10, 20, 30]
    """
    early = done < interval and done & (done - 1) == 0
    return early or done % interval == 0


def draft(run: Path, episode: int) -> Path:
    """A folder to write a checkpoint's files to, without effect until it is `publish`\\ ed."""
    path = run / FOLDER / f"{episode:08d}{_DRAFT}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def publish(path: Path, keep: int) -> Path:
    """Make a draft the run's newest checkpoint, and delete all but the newest `keep`.

    Those with greater numbers are of what was not gone on with, and deleted, too.
    """
    whole = path.with_suffix("")
    run = whole.parents[1]
    if whole.exists():
        _retire(whole)
    os.replace(path, whole)
    there = checkpoints(run)
    mine = there.index(whole) + 1
    for old in there[: max(0, mine - keep)] + there[mine:]:
        _retire(old)
    _sweep_folders(run)
    return whole


def _retire(old: Path) -> None:
    """Take a checkpoint's name from it, at once: a process that is killed leaves no part of one."""
    os.replace(old, old.with_name(f"{old.name}.{secrets.token_hex(4)}{_DRAFT}"))


def _sweep_folders(run: Path) -> None:
    for left in (run / FOLDER).glob(f"*{_DRAFT}"):
        shutil.rmtree(left, ignore_errors=True)


def sweep(run: Path) -> None:
    """Remove what killed processes left half-written in a run's folder, whose lock this one holds."""
    files.sweep(run, alone=True)
    _sweep_folders(run)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write one of a draft's files, and see that it has reached the disk."""
    with telling_of_disk(path, path), path.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> dict[str, Any]:
    """One of a checkpoint's files, without running code from it.

    Raises:
        InputError: it is missing or corrupt.
    """
    try:
        content: dict[str, Any] = read_pickle(path, "a checkpoint of a training run")
    except ValueError as error:
        raise InputError(str(error)) from None
    return content
