"""Actors of the papers' kind in files of ours."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.weights import (
    Unfilled,
    filled,
    flag,
    read_weights,
    unreadable,
    whole,
    write_weights,
)

FORMAT = "semantic-guidance/actor"
WHAT = "an agent's weights"

MOST_CHANNELS, MOST_PIXELS = 4096, 2048
MOST_OF = {"max_eps_len": 10**6, "bundle_size": 10**4}
"""Bounds of what a file may ask for."""


def save_actor(
    actor: Actor,
    env: EnvConfig,
    size: int,
    path: Path,
    any_ground: bool = False,
    windows: bool = False,
    *,
    int8: bool = False,
) -> None:
    """Write an actor's weights and what is needed to paint with it.

    Args:
        actor: to write.
        env: the episode of its training.
        size: side in pixels of the canvas that it was trained on.
        path: of the file, which is either whole or untouched.
        any_ground: whether it began on canvases of any colour in training, not on black ones alone.
        windows: whether it was also shown parts of pictures.
        int8: whether most weights are bytes, see `core.weights.write_weights`: half the size.

    Raises:
        OSError: the file cannot be written.
    """
    config = {"env": dataclasses.asdict(env), "width": actor.conv1.out_channels, "canvas_size": size}
    config |= {"any_ground": any_ground, "windows": windows}
    write_weights(actor, {"format": FORMAT, **config}, path, int8=int8)


@dataclass(frozen=True)
class SavedActor:
    """What `save_actor` was given; the actor is in evaluation mode."""

    actor: Actor
    env: EnvConfig
    size: int
    any_ground: bool
    windows: bool


def load_actor(path: str | Path) -> SavedActor:
    """An actor that `save_actor` wrote.

    Raises:
        ValueError: the file is missing, corrupt, or of another kind.
    """
    config, state = read_weights(path, FORMAT, WHAT)
    try:
        env = _read_env(config["env"])
        width = whole(config, "width", 1, MOST_CHANNELS)
        size = whole(config, "canvas_size", 8, MOST_PIXELS)
        any_ground, windows = flag(config, "any_ground", False), flag(config, "windows", False)
        with Unfilled():
            actor = Actor(env.channels, env.action_size, width)
    except (KeyError, OverflowError, TypeError, ValueError, RuntimeError) as error:
        raise unreadable(path, WHAT, error) from None
    return SavedActor(filled(actor, state, path, WHAT), env, size, any_ground, windows)


def _read_env(values: Any) -> EnvConfig:
    """The episode in a file.

    Raises:
        KeyError, TypeError, ValueError: it is none, or out of bounds.
    """
    if not isinstance(values, dict):
        raise ValueError("its env is not an object of names and values")
    env = EnvConfig(**values)
    for name, most in MOST_OF.items():
        whole(vars(env), name, 1, most)
    for name in ("use_bilevel", "no_alignment", "use_gbp"):
        flag(vars(env), name)
    return env
