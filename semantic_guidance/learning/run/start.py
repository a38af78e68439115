"""Networks that a run starts from, or that are written elsewhere: of our files, or of the papers' code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.files import load_actor
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.weights import State, is_own, unreadable
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.run import checkpoint
from semantic_guidance.learning.run.ltp_files import is_ltp_folder, read_ltp_actor, read_ltp_folder

NETWORKS, ACTOR = "networks.pt", "actor.safetensors"
"""A checkpoint's networks, and the actor that a run leaves for painting."""

WANTED = (
    "the folder of a checkpoint (with networks.pt) or of a run, an actor's file (.safetensors or .pkl), or a "
    "folder with the reference code's actor_*.pkl"
)


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks that were found.

    Attributes:
        states: their state dicts by a run's names: ``actor``, ``critic``, ``slow_actor``, ``whole_live``, ...
        path: of the file or folder.
        env: the episode of their training, if the files tell.
        size: side in pixels of the canvas that they were trained on, if the files tell.
    """

    states: dict[str, State]
    path: Path
    env: EnvConfig | None = None
    size: int | None = None


def read_networks(path: Path, colors: str | None = None) -> Networks:
    """The networks at a path, read without running code from it.

    Args:
        path: a checkpoint's folder; a run's, of which the newest checkpoint is taken, or else the actor; a
            file with an actor, ours or of the papers' code; or a folder of that code.
        colors: in which order of colours networks of that code learned, see `load_ltp_actor`.

    Raises:
        InputError: there are none, or a file is corrupt.
    """
    try:
        if path.is_dir():
            return _of_folder(path, colors)
        if path.is_file():
            return _of_actor(path) if is_own(path) else Networks(read_ltp_actor(path, colors), path)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from None
    raise InputError(f"{path}: there is no such file, wanted {WANTED}")


def _of_folder(folder: Path, colors: str | None) -> Networks:
    if kept := checkpoint.checkpoints(folder):
        return _of_folder(kept[-1], colors)
    if (folder / NETWORKS).is_file():
        return _of_checkpoint(folder / NETWORKS)
    if is_ltp_folder(folder):
        return Networks(read_ltp_folder(folder, colors), folder)
    if (folder / ACTOR).is_file():
        return _of_actor(folder / ACTOR)
    raise InputError(f"{folder}: it holds no networks, wanted {WANTED}")


def _of_checkpoint(path: Path) -> Networks:
    state = checkpoint.read(path)
    try:
        config = TrainConfig.from_json(state["config"])
        states = {name: part for name, part in state["learner"].items() if not name.endswith("optimizer")}
        for name, part in {"actor": None, **states}.items():
            _check_state(name, part)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise unreadable(path, "a checkpoint of a training run", error) from None
    return Networks(states, path.parent, config.env, config.data.side)


def _check_state(name: str, part: Any) -> None:
    """See that a part of a checkpoint is a state dict of finite numbers.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(part, dict) or not part:
        raise ValueError(f"it has no {name}" if part is None else f"its {name} is not a state dict")
    for key, values in part.items():
        if not isinstance(key, str) or not isinstance(values, Tensor):
            raise ValueError(f"{key!r} of its {name} is not a tensor")
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"{key!r} of its {name} is not finite")


def _of_actor(path: Path) -> Networks:
    saved = load_actor(path)
    return Networks({"actor": saved.actor.state_dict()}, path, saved.env, saved.size)
