"""Dense agents in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.core.weights import (
    Unfilled,
    filled,
    flag,
    read_weights,
    unreadable,
    whole,
    wholes,
    write_weights,
)

FORMAT = "semantic-guidance/dense-actor"
WHAT = "an agent's weights"

MOST_CHANNELS, MOST_STEPS = 4096, 10_000
"""Bounds of what a file may ask for."""


def save_dense_actor(actor: DenseActor, training: dict[str, Any], path: Path) -> None:
    """Write a dense actor.

    Args:
        actor: to write.
        training: facts about its training, for people.
        path: of the file, which is either whole or untouched.

    Raises:
        OSError: the file cannot be written.
    """
    config = {"guided": actor.guided, "steps": actor.steps, "widths": actor.widths, "training": training}
    write_weights(actor, {"format": FORMAT, **config}, path)


def load_dense_actor(path: str | Path) -> DenseActor:
    """A dense actor that `save_dense_actor` wrote, in evaluation mode.

    Raises:
        ValueError: the file is missing, corrupt, or of another kind.
    """
    config, state = read_weights(path, FORMAT, WHAT)
    try:
        first, second, third, fourth = wholes(config, "widths", 4, 1, MOST_CHANNELS)
        steps = whole(config, "steps", 1, MOST_STEPS)
        with Unfilled():
            actor = DenseActor(flag(config, "guided"), steps, (first, second, third, fourth))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unreadable(path, WHAT, error) from None
    return filled(actor, state, path, WHAT)
