"""Actors and other networks in the files of the papers' code: pickled state dicts."""

from __future__ import annotations

from pathlib import Path

import torch

from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.files import replacing
from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.core.weights import State, Unfilled, filled, read_state

BASELINE_CHANNELS, SEMANTIC_CHANNELS = 9, 13
"""Channels that the papers' two kinds of actors see."""

ACTOR = "an actor's checkpoint of the papers' code"


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
    state = read_state(path, ACTOR)
    try:
        width, channels = state["conv1.weight"].shape[:2]
        outputs = len(state["fc.bias"])
    except (KeyError, ValueError, TypeError, IndexError):
        raise ValueError(f"{path} does not hold an actor, wanted {ACTOR}") from None
    levels = {BASELINE_CHANNELS: 1, SEMANTIC_CHANNELS: 2}.get(channels)
    if levels is None or outputs == 0 or outputs % (NUMBERS * levels):
        raise ValueError(
            f"{path} is an actor with {channels} channels and {outputs} outputs, "
            f"wanted {BASELINE_CHANNELS} and 65, or {SEMANTIC_CHANNELS} and 78"
        )
    with Unfilled():
        actor = Actor(channels, outputs, width)
    return filled(actor, state, path, ACTOR)


def write_ltp_state(state: State, path: Path) -> None:
    """Write a network's tensors, on the CPU and in single precision, as the papers' code does.

    Args:
        state: the network's state dict.
        path: of the file, which is either whole or untouched.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {
        name: (values.float() if values.is_floating_point() else values).detach().cpu().contiguous()
        for name, values in state.items()
    }
    with replacing(path) as draft:
        torch.save(tensors, draft)
