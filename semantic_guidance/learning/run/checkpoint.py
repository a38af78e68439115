"""Checkpoints of training runs: folders that are either whole or not there."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.pickles import read_pickle

FOLDER = "checkpoints"
_DRAFT = ".part"
_NAME = re.compile("[0-9]{8,}")  # other folders are not for a run to delete


def checkpoints(run: Path) -> list[Path]:
    """The whole checkpoints of a run's folder, oldest first."""
    found = (run / FOLDER).iterdir() if (run / FOLDER).is_dir() else ()
    return sorted(path for path in found if _NAME.fullmatch(path.name) and path.is_dir())


def draft(run: Path, episode: int) -> Path:
    """A folder to write a checkpoint's files to, without effect until it is `publish`\\ ed."""
    path = run / FOLDER / f"{episode:08d}{_DRAFT}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def publish(path: Path, keep: int) -> Path:
    """Make a draft the run's newest checkpoint, and delete all but the newest `keep`."""
    whole = path.with_suffix("")
    if whole.exists():
        shutil.rmtree(whole)
    os.replace(path, whole)
    run = whole.parents[1]
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    for left in (run / FOLDER).glob(f"*{_DRAFT}"):
        shutil.rmtree(left, ignore_errors=True)
    return whole


def sweep(run: Path) -> None:
    """Remove what a killed process left half-written in a run's folder."""
    for left in run.glob(f".*{_DRAFT}.*"):
        left.unlink(missing_ok=True)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write one of a draft's files, and see that it has reached the disk."""
    with path.open("wb") as file:
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
