"""How much memory a training run takes, told before the work: all that it keeps, together."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from semantic_guidance.core.weights import Unfilled
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.memory import START, check_room
from semantic_guidance.learning.networks.critic import Critic

GUIDE = 80_000_000
"""Bytes of the networks that find objects and their focus; measured, as are the following."""

PLANES = 5
"""Bytes of a pixel of a picture: colour, mask, focus."""

PARAMETER = {"ddpg": 24, "apg": 22}
"""Bytes for each number of a network that learns: itself, gradient, optimizer, target or mean, and a copy."""

SAMPLE = {"ddpg": (480, 12.5), "vector": (150, 7.5), "dense": (460, 7.5)}
"""Bytes for each pixel of an update's pictures, and for each of those and of the networks' width: of ddpg and
of what apg teaches."""

DISCRIMINATOR = 250
"""Bytes for each pixel of an update's pictures with a second discriminator."""

PAINTED = 150
"""Bytes for each pixel of the pictures that are painted at once."""


KEPT = ("pictures", "replay memory")
"""What is not on the device that learns."""


def training_parts(config: TrainConfig, pictures: int, network: Callable[[], nn.Module]) -> dict[str, int]:
    """Bytes that a run takes beside `START`, by what they are for.

    Args:
        config: of the run.
        pictures: to learn from and to measure on.
        network: makes the one that learns to paint.
    """
    env, learn, pixels = config.env, config.learn, config.data.side**2
    with Unfilled():
        networks = [network()]
        if learn.method == "ddpg":
            networks.append(Critic(3 + env.channels, learn.width))
    numbers = sum(values.numel() for each in networks for values in each.parameters())
    fixed, wide = SAMPLE["ddpg" if learn.method == "ddpg" else config.apg.head]
    seen = pixels
    if learn.method == "apg":
        seen = config.apg.horizon * (pixels if config.apg.head == "dense" else config.apg.view_size**2)
    each = fixed + wide * learn.width
    if learn.method == "ddpg" and env.aligned and config.reward.seggt_coef:
        each += DISCRIMINATOR
    parts = {
        "pictures": PLANES * pixels * pictures,
        "networks": PARAMETER[learn.method] * numbers + (GUIDE if env.use_bilevel or env.use_gbp else 0),
        "updates": round(learn.batch_size / learn.accumulate * seen * each),
    }
    if learn.method == "ddpg":
        canvases = 3 * (env.max_eps_len + 1) * pixels
        parts["replay memory"] = canvases * learn.rmsize
        parts["updates"] = max(parts["updates"], learn.nenv * (2 * canvases + PAINTED * pixels))
    return parts


def check_training_room(
    config: TrainConfig, pictures: int, network: Callable[[], nn.Module], on_card: bool = False
) -> None:
    """Check that what a run keeps fits into the memory that is free.

    Args:
        config: of the run.
        pictures: to learn from and to measure on.
        network: makes the one that learns to paint.
        on_card: whether networks are in the memory of a graphics card, which tells for itself.

    Raises:
        InputError: it does not.
    """
    parts = training_parts(config, pictures, network)
    if on_card:
        parts = {name: count for name, count in parts.items() if name in KEPT}
    flags = "--rmsize, --nenv, " if config.learn.method == "ddpg" else ""
    check_room(START, parts, f"{flags}--batch-size, --width, --canvas-size")
