"""Actors and other networks in the files of the papers' code: pickled state dicts.

Learning to Paint (Huang et al. 2019) reads pictures with OpenCV and leaves them as they are, blue first; the
code of Singh & Zheng (2021) turns them into RGB. Their actors without guidance look the same; only those that
the latter trained on several devices have ``module.`` in their parameters' names.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.files import replacing
from semantic_guidance.core.state_dicts import MARKS
from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.core.weights import State, Unfilled, filled, find_network

BASELINE_CHANNELS = 9


@dataclass(frozen=True)
class Sight:
    """What an actor of the papers' code is shown beside canvas, target, step and coordinates."""

    use_bilevel: bool
    use_gbp: bool

    @property
    def levels(self) -> int:
        """Bundles of strokes a step."""
        return 2 if self.use_bilevel else 1


SIGHTS = {
    BASELINE_CHANNELS: Sight(use_bilevel=False, use_gbp=False),
    10: Sight(use_bilevel=False, use_gbp=True),
    12: Sight(use_bilevel=True, use_gbp=False),
    13: Sight(use_bilevel=True, use_gbp=True),
}
"""By the number of channels: the focus map has one; mask and alignment grid, which go together, three."""

ACTOR = "an actor's checkpoint of the papers' code"

COLORS = ("rgb", "bgr")
"""Orders of the colours in which actors have learned."""

PART_MARKS = {
    "actor": MARKS["an actor"],
    "critic": MARKS["the critic"],
    "whole_live": MARKS["a discriminator"],
    "foreground_live": MARKS["a discriminator"],
}
"""By a run's names for its networks."""

_PICTURES = {"actor": 2, "critic": 3, "whole_live": 2, "foreground_live": 2}
"""Pictures of three channels with which each network's input begins."""

log = logging.getLogger(__name__)


def load_ltp_actor(path: str | Path, colors: str | None = None) -> Actor:
    """An actor from a checkpoint of the papers' code, ready for use (in evaluation mode).

    Args:
        path: of a pickled state dict, or of safetensors: of the baseline, of semantic guidance, or of one
            kind of guidance alone; with or without prefixes such as ``module.``, perhaps in a dict with
            others. It is read without running code from it.
        colors: in which order of colours it learned, one of `COLORS`; if None, ``rgb``, and a line in the log
            where it may be another.

    Returns:
        A module for pictures in RGB: observation ``[B, 9, 10, 12 or 13, 128, 128]`` to LTP vectors
        ``[B, 65 or 78]`` in [0, 1].

    Raises:
        ValueError: the file is missing, corrupt, or not such a checkpoint.
    """
    state = read_ltp_network(path, ACTOR, "actor", colors)
    try:
        width, channels = state["conv1.weight"].shape[:2]
        outputs = len(state["fc.bias"])
    except (ValueError, TypeError, IndexError):
        raise ValueError(f"{path} does not hold an actor, wanted {ACTOR}") from None
    sight = SIGHTS.get(channels)
    if sight is None or outputs == 0 or outputs % (NUMBERS * sight.levels):
        wanted = ", ".join(f"{count} and {65 if kind.levels == 1 else 78}" for count, kind in SIGHTS.items())
        raise ValueError(
            f"{path} is an actor with {channels} channels and {outputs} outputs, wanted {wanted}"
        )
    with Unfilled():
        actor = Actor(channels, outputs, width)
    return filled(actor, state, path, ACTOR)


def read_ltp_network(path: str | Path, what: str, part: str, colors: str | None = None) -> State:
    """One of the networks of the papers' code, for pictures in RGB.

    Args:
        path: of the file.
        what: was wanted, for messages.
        part: a run's name for it, one of `PART_MARKS`.
        colors: see `load_ltp_actor`.

    Raises:
        ValueError: the file is missing, corrupt, or holds no such network.
    """
    if colors not in (None, *COLORS):
        raise ValueError(f"colors is {colors!r}, wanted one of {', '.join(COLORS)}")
    found = find_network(path, what, PART_MARKS[part])
    if colors == "bgr":
        return turned_colors(found.state, part)
    plain = part == "actor" and found.state["conv1.weight"].shape[1:2] == (BASELINE_CHANNELS,)
    if colors is None and plain and not found.parallel:
        log.warning(
            "%s: taken for an actor that learned on RGB, as those of Semantic Guidance did; those of Learning"
            " to Paint (Huang et al. 2019) learned on BGR: paint, test and export-agent take --agent-colors"
            " bgr (or rgb, to be told no more)",
            path,
        )
    return found.state


def turned_colors(state: State, part: str) -> State:
    """A network that learned on BGR as one for RGB, or the other way round: the same up to rounding.

    Args:
        state: its tensors.
        part: a run's name for it, one of `PART_MARKS`.

    Raises:
        ValueError: its shapes are not those of such a network.
    """
    pictures = _PICTURES[part]
    turned = dict(state)
    first = {"actor": "conv1.weight", "critic": "conv1.weight_v"}.get(part, "conv0.weight_v")
    if state[first].ndim != 4 or state[first].shape[1] < 3 * pictures:
        raise ValueError(f"{first} has shape {list(state[first].shape)}, wanted that of a network of {part}")
    turned[first] = state[first][:, _turned(range(state[first].shape[1]), 0, 3, pictures)]
    if part == "actor":
        for name in ("fc.weight", "fc.bias"):
            count = len(state[name])
            if count % NUMBERS:
                raise ValueError(f"{name} has {count} rows, wanted a multiple of {NUMBERS}")
            turned[name] = state[name][_turned(range(count), NUMBERS - 3, NUMBERS, count // NUMBERS)]
    return turned


def _turned(places: Sequence[int], first: int, step: int, count: int) -> list[int]:
    """Places, in which `count` groups of three, the first one at `first`, are turned round."""
    order = list(places)
    for start in range(first, first + step * count, step):
        order[start], order[start + 2] = order[start + 2], order[start]
    return order


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
