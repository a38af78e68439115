"""Actors from the checkpoints of the papers' code."""

from __future__ import annotations

from pathlib import Path

from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.core.weights import Unfilled, filled, read_state

BASELINE_CHANNELS, SEMANTIC_CHANNELS = 9, 13
"""Channels that the papers' two kinds of actors see."""


def load_ltp_actor(path: str | Path) -> Actor:
    """An actor from a checkpoint of the papers' code, ready for use (in evaluation mode).

    Args:
        path: of a pickled state dict, of the baseline or of semantic guidance, with or without the prefix
            ``module.``. It is read without running code from it.

    Returns:
        A module: observation ``[B, 9 or 13, 128, 128]`` to LTP vectors ``[B, 65 or 78]`` in [0, 1].

    Raises:
        ValueError: the file is missing, corrupt, or not such a checkpoint.
    """
    what = "an actor's checkpoint of the papers' code"
    state = read_state(path, what)
    try:
        width, channels = state["conv1.weight"].shape[:2]
        outputs = len(state["fc.bias"])
    except (KeyError, ValueError, TypeError, IndexError):
        raise ValueError(f"{path} does not hold an actor, wanted {what}") from None
    levels = {BASELINE_CHANNELS: 1, SEMANTIC_CHANNELS: 2}.get(channels)
    if levels is None or outputs == 0 or outputs % (NUMBERS * levels):
        raise ValueError(
            f"{path} is an actor with {channels} channels and {outputs} outputs, "
            f"wanted {BASELINE_CHANNELS} and 65, or {SEMANTIC_CHANNELS} and 78"
        )
    with Unfilled():
        actor = Actor(channels, outputs, width)
    return filled(actor, state, path, what)
