"""Trained actors as files for painting: safetensors, fp16, with the episode's settings in the metadata."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from semantic_guidance.envs import EnvConfig
from semantic_guidance.export.atomic import replacing
from semantic_guidance.networks.actor import Actor

FORMAT = "semantic-guidance/actor"


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
    about = {
        "format": FORMAT,
        "env": dataclasses.asdict(env),
        "width": actor.conv1.out_channels,
        "canvas_size": size,
    }
    tensors = {
        name: values.detach().cpu().half() if values.is_floating_point() else values.cpu()
        for name, values in actor.state_dict().items()
    }
    with replacing(path) as draft:
        draft.write_bytes(save(tensors, {"config": json.dumps(about)}))


def load_actor(path: str | Path) -> tuple[Actor, EnvConfig, int]:
    """An actor that `save_actor` wrote, in evaluation mode.

    Returns:
        The actor, the episode that it knows, and the side in pixels of the canvas that it learned on.

    Raises:
        ValueError: the file is missing, corrupt, or something else.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})["config"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about["format"] != FORMAT:
            raise ValueError(about["format"])
        env = EnvConfig(**about["env"])
        actor = Actor(env.channels, env.action_size, about["width"])
        actor.load_state_dict(tensors)
        if not all(bool(torch.isfinite(values).all()) for values in tensors.values()):
            raise ValueError("it holds weights that are no numbers")
        size = int(about["canvas_size"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be read, wanted an actor's weights ({reason})") from None
    return actor.to(torch.float32).eval().requires_grad_(False), env, size
