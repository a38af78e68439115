"""What a run goes on from: its folder or a checkpoint in it, with the settings that it was begun with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.config import MAY_CHANGE, TrainConfig
from semantic_guidance.learning.run import checkpoint, single
from semantic_guidance.learning.run.start import NETWORKS

OWN = frozenset({"resume", "output", "exp_suffix", "load_path"})
"""Settings that are not taken from what is gone on with."""

DEEPEST = 3
"""Folders between a file of a run and its folder, at most, and one."""


def completed(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of a run that goes on: those given, and for all others those that it was begun with.

    Args:
        values: as for `learning.run.loop.train`; if ``resume`` is a path, to the run's folder, a checkpoint
            or any file in it.

    Raises:
        InputError: there is no such run, its settings cannot be read, or it is not the one that ``output``
            and ``exp_suffix`` name.
    """
    resume = values.get("resume", False)
    if not resume:
        return values
    if isinstance(resume, str):
        folder = run_folder(Path(resume))
        place = {"exp_suffix": folder.name, "output": str(folder.parents[1])}
        for name, value in place.items():
            if name in values and Path(values[name]) != Path(value):
                flag = f"--{name.replace('_', '-')}"
                raise InputError(f"--resume: {resume} is not in {flag} {values[name]}, wanted one of the two")
        values = {**values, **place}
    else:
        part = TrainConfig()
        output, dataset = values.get("output", part.run.output), values.get("dataset", part.data.dataset)
        folder = Path(output) / dataset / values.get("exp_suffix", part.run.exp_suffix)
        if not goes_on_from(folder, True):
            return values  # which is told later, with all else that stands in its way
    _, saved, _ = read_saved(folder, resume)
    mine = {name: value for part in json.loads(saved.to_json()).values() for name, value in part.items()}
    return {**{name: value for name, value in mine.items() if name not in OWN}, **values}


def run_folder(path: Path) -> Path:
    """The folder of the run that a path leads into.

    Raises:
        InputError: there is none.
    """
    whole = path.absolute()
    for folder in (whole, *whole.parents)[: DEEPEST + 1]:
        if _kept(folder):
            return _named(path if folder == whole else path.parents[whole.parents.index(folder)])
    raise InputError(
        f"--resume: {path} holds no checkpoint, wanted the folder of a run, or a checkpoint in it"
    )


def _named(folder: Path) -> Path:
    """The same folder, by a path that says its name and two folders above."""
    plain = folder.name and ".." not in folder.parts and len(folder.parents) > 1
    return folder if plain else Path(os.path.abspath(folder))


def folder_of(config: TrainConfig) -> Path:
    """Where a run writes to."""
    if isinstance(config.run.resume, str):
        return run_folder(Path(config.run.resume))
    return Path(config.run.output) / config.data.dataset / config.run.exp_suffix


def goes_on_from(folder: Path, resume: bool | str) -> Path | None:
    """What a run goes on from: a checkpoint's folder, or a file with all of it; None if there is nothing.

    Args:
        folder: of the run.
        resume: a path to one of its checkpoints or into it; else the newest is taken.
    """
    kept = _kept(folder)
    if isinstance(resume, str):
        place = Path(resume).absolute()
        for each in kept:
            if each.absolute() in (place, place.parent):
                return each
    return kept[-1] if kept else None


def _kept(folder: Path) -> list[Path]:
    """What a run has kept to go on from, oldest first: folders of checkpoints, or files with all of it."""
    files = [folder / name for name in single.KEPT if (folder / name).is_file()]
    return checkpoint.checkpoints(folder) or files


def read_saved(folder: Path, resume: bool | str) -> tuple[dict[str, Any], TrainConfig, Path]:
    """What a run goes on from, the settings that it was made with, and where that is.

    Raises:
        InputError: there is nothing, or it is corrupt; the message names an older one, if one was kept.
    """
    path = goes_on_from(folder, resume)
    if path is None:
        raise InputError(
            f"--resume: {folder} holds no checkpoint, wanted a run that was stopped (--resume DIR: in DIR)"
        )
    file = path / NETWORKS if path.is_dir() else path
    try:
        state = single.read_last(file, "config")
        return state, TrainConfig.from_json(state["config"]), path
    except InputError as error:
        raise broken(error, folder, path) from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        wrong = InputError(f"{path}: its settings cannot be read ({error})")
        raise broken(wrong, folder, path) from None


def broken(error: Exception, folder: Path, path: Path) -> InputError:
    """A complaint about a checkpoint, with the one before it to go on from, if that was kept."""
    kept = _kept(folder)
    older = kept[: kept.index(path)] if path in kept else []
    hint = f"; an older one was kept, wanted perhaps --resume {older[-1]}" if older else ""
    return InputError(f"{error}{hint}")


def check_unchanged(config: TrainConfig, saved: TrainConfig, path: Path) -> None:
    """See that a run goes on with settings that it may go on with.

    Raises:
        InputError: some may not differ; the message names all that do, with both values.
    """
    if config.differences(saved):
        told = _told(config, saved, fixed=True)
        raise InputError(
            f"--resume: {path} was made with another {told}, wanted the same, or another --exp-suffix"
        )


def changes(config: TrainConfig, saved: TrainConfig) -> str:
    """In words, what is otherwise than before and may be; empty if nothing is."""
    return printable(_told(config, saved, fixed=False))


def _told(config: TrainConfig, saved: TrainConfig, fixed: bool) -> str:
    pairs = config.changes(saved)
    return ", ".join(
        f"{name} ({_shown(theirs)}, now {_shown(ours)})"
        for name, (theirs, ours) in pairs.items()
        if (name not in MAY_CHANGE) == fixed
    )


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
