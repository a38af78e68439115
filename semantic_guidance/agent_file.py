"""Trained agents as files for painting: safetensors, fp16, with what one has to know in the metadata."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from semantic_guidance.envs import EnvConfig
from semantic_guidance.export.atomic import replacing
from semantic_guidance.networks.actor import Actor
from semantic_guidance.networks.window_actor import WindowActor

ACTOR, WINDOW_ACTOR = "semantic-guidance/actor", "semantic-guidance/window-actor"
_BROKEN = (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError)


def save_actor(actor: Actor, env: EnvConfig, size: int, path: Path) -> None:
    """Write an actor's weights and what one has to know to paint with it.

    Args:
        actor: to write.
        env: the episode that it knows.
        size: side in pixels of the canvas that it learned on.
        path: of the file, replaced only by a whole one.

    Raises:
        OSError: the file cannot be written.
    """
    about = {"env": dataclasses.asdict(env), "width": actor.conv1.out_channels, "canvas_size": size}
    _write(actor, {"format": ACTOR, **about}, path)


def load_actor(path: str | Path) -> tuple[Actor, EnvConfig, int]:
    """An actor that `save_actor` wrote, in evaluation mode.

    Returns:
        The actor, the episode that it knows, and the side in pixels of the canvas that it learned on.

    Raises:
        ValueError: the file is missing, corrupt, or something else.
    """
    try:
        about, tensors = _read(path, ACTOR)
        env = EnvConfig(**about["env"])
        actor = Actor(env.channels, env.action_size, about["width"])
        actor.load_state_dict(tensors)
        size = int(about["canvas_size"])
    except _BROKEN as error:
        raise _unreadable(path, error) from None
    return actor.to(torch.float32).eval().requires_grad_(False), env, size


def save_window_actor(actor: WindowActor, guided: bool, training: dict[str, Any], path: Path) -> None:
    """Write a window actor.

    Args:
        actor: to write.
        guided: whether it learned with guidance.
        training: facts about its training, for people.
        path: of the file, replaced only by a whole one.

    Raises:
        OSError: the file cannot be written.
    """
    about = {"channels": actor.channels, "widths": actor.widths, "guided": guided, "training": training}
    _write(actor, {"format": WINDOW_ACTOR, **about}, path)


def load_window_actor(path: str | Path) -> tuple[WindowActor, bool]:
    """A window actor that `save_window_actor` wrote, in evaluation mode, and whether it knows guidance.

    Raises:
        ValueError: the file is missing, corrupt, or something else.
    """
    try:
        about, tensors = _read(path, WINDOW_ACTOR)
        actor = WindowActor(about["channels"], tuple(about["widths"]))
        actor.load_state_dict(tensors)
        guided = bool(about["guided"])
    except _BROKEN as error:
        raise _unreadable(path, error) from None
    return actor.to(torch.float32).eval().requires_grad_(False), guided


def is_ours(path: str | Path) -> bool:
    """Whether a file's name says that it is one of ours, not a pickle of the papers' code."""
    return Path(path).suffix.lower() == ".safetensors"


def agent_format(path: str | Path) -> str:
    """`ACTOR` or `WINDOW_ACTOR`, whichever the file says that it holds.

    Raises:
        ValueError: the file is missing, corrupt, or something else.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            found = json.loads((file.metadata() or {})["config"])["format"]
        if found not in (ACTOR, WINDOW_ACTOR):
            raise ValueError(found)
    except _BROKEN as error:
        raise _unreadable(path, error) from None
    return str(found)


def _write(network: nn.Module, about: dict[str, Any], path: Path) -> None:
    tensors = {
        name: (values.half() if values.is_floating_point() else values).detach().cpu().contiguous()
        for name, values in network.state_dict().items()
    }
    with replacing(path) as draft:
        draft.write_bytes(save(tensors, {"config": json.dumps(about)}))


def _read(path: str | Path, wanted: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The metadata and the tensors of a file of the format `wanted`."""
    with safe_open(str(path), framework="pt") as file:
        about = json.loads((file.metadata() or {})["config"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if about["format"] != wanted:
        raise ValueError(about["format"])
    if not all(bool(torch.isfinite(values).all()) for values in tensors.values()):
        raise ValueError("it holds weights that are no numbers")
    return about, tensors


def _unreadable(path: str | Path, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, KeyError):  # whose text is the bare name
        reason = f"it has no {reason}"
    return ValueError(f"{path} cannot be read, wanted an agent's weights ({reason})")
