"""Actors of the papers' kind in files of ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.weights import Unfilled, filled, read_weights, unreadable, write_weights

FORMAT = "semantic-guidance/actor"
WHAT = "an agent's weights"


def save_actor(actor: Actor, env: EnvConfig, size: int, path: Path) -> None:
    """Write an actor's weights and what is needed to paint with it.

    Args:
        actor: to write.
        env: the episode of its training.
        size: side in pixels of the canvas that it was trained on.
        path: of the file, which is either whole or untouched.

    Raises:
        OSError: the file cannot be written.
    """
    config = {"env": dataclasses.asdict(env), "width": actor.conv1.out_channels, "canvas_size": size}
    write_weights(actor, {"format": FORMAT, **config}, path)


def load_actor(path: str | Path) -> tuple[Actor, EnvConfig, int]:
    """An actor that `save_actor` wrote, in evaluation mode.

    Returns:
        The actor, the episode of its training, and the side in pixels of the canvas that it was trained on.

    Raises:
        ValueError: the file is missing, corrupt, or of another kind.
    """
    config, state = read_weights(path, FORMAT, WHAT)
    try:
        env = EnvConfig(**config["env"])
        with Unfilled():
            actor = Actor(env.channels, env.action_size, config["width"])
        size = int(config["canvas_size"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unreadable(path, WHAT, error) from None
    return filled(actor, state, path, WHAT), env, size
