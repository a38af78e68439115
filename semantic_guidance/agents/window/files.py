"""Window agents in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS
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

FORMAT = "semantic-guidance/window-actor"
WHAT = "an agent's weights"

MOST_CHANNELS, MOST_STAGES = 10_000, 64
"""Bounds of what a file may ask for."""


def save_window_actor(actor: WindowActor, guided: bool, training: dict[str, Any], path: Path) -> None:
    """Write a window actor.

    Args:
        actor: to write.
        guided: whether it learned with guidance.
        training: facts about its training, for people.
        path: of the file, which is either whole or untouched.

    Raises:
        OSError: the file cannot be written.
    """
    config = {"channels": actor.channels, "widths": actor.widths, "guided": guided, "training": training}
    write_weights(actor, {"format": FORMAT, **config}, path)


def load_window_actor(path: str | Path) -> tuple[WindowActor, bool]:
    """A window actor that `save_window_actor` wrote, in evaluation mode, and whether it uses guidance.

    Raises:
        ValueError: the file is missing, corrupt, or of another kind.
    """
    config, state = read_weights(path, FORMAT, WHAT)
    try:
        with Unfilled():
            actor = WindowActor(
                whole(config, "channels", CHANNELS, CHANNELS),
                wholes(config, "widths", (1, MOST_STAGES), 1, MOST_CHANNELS),
            )
        guided = flag(config, "guided")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unreadable(path, WHAT, error) from None
    return filled(actor, state, path, WHAT), guided
