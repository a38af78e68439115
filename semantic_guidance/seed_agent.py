"""Painting with an actor of the seed (see `compat.load_seed_actor`), as the seed does it.

It learned with the seed's compositing rule, which masks a stroke's colour but not its alpha, so that outside
the mask a stroke blackens what it covers. These actors count on it; everything else here uses `render`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from semantic_guidance.compat import BASELINE_CHANNELS, SEED_SIZE
from semantic_guidance.envs import (
    EnvConfig,
    Renderer,
    apply_strokes,
    decode,
    guidance_tensors,
    initial,
    observation,
)
from semantic_guidance.networks.actor import Actor
from semantic_guidance.renderer import render
from semantic_guidance.renderer.seed_rule import seed_composite
from semantic_guidance.types import Guidance, Strokes

Level = Literal["background", "foreground"]


def seed_config(actor: Actor, steps: int) -> EnvConfig:
    """The episode that a seed actor knows: whether it paints on two levels shows in its channels."""
    semantic = actor.conv1.in_channels != BASELINE_CHANNELS
    return EnvConfig(
        max_eps_len=steps,
        bundle_size=actor.fc.out_features // 13,
        use_bilevel=semantic,
        use_gbp=semantic,
    )


def paint_with_seed_actor(
    actor: Actor, image: Tensor, guidance: Guidance | None = None, steps: int = 50
) -> list[tuple[Strokes, Level]]:
    """The strokes that a seed actor paints a picture with.

    The picture is squashed to 128 x 128 pixels, as the seed does it; the strokes are in units of that
    square's side. To see the painting, put them on a black canvas with `seed_composite`, the background's
    bundles under the mask's complement and the foreground's under the mask.

    Args:
        actor: from `compat.load_seed_actor`.
        image: ``[3, H, W]`` in [0, 1].
        guidance: of any size; nothing in particular if None.
        steps: of the actor. A baseline actor paints 5 strokes each, a semantic one 3 and 3.

    Returns:
        Bundles ``[1, N]`` with their levels, in the order in which they are painted.

    Raises:
        ValueError: the image has another shape, or `steps` is below 1.
    """
    return paint_with_actor(
        actor, seed_config(actor, steps), image, guidance, size=SEED_SIZE, composite=seed_composite
    )


@torch.no_grad()
def paint_with_actor(
    actor: Actor,
    config: EnvConfig,
    image: Tensor,
    guidance: Guidance | None = None,
    size: int = SEED_SIZE,
    composite: Renderer = render,
) -> list[tuple[Strokes, Level]]:
    """The strokes that an actor paints a picture with, one episode long; see `paint_with_seed_actor`.

    Args:
        actor: from `agent_file.load_actor` (or a seed actor, with its compositing rule).
        config: the episode that it knows.
        image: ``[3, H, W]`` in [0, 1], squashed to a square.
        guidance: of any size; nothing in particular if None.
        size: side in pixels of the canvas on which the actor sees its painting.
        composite: paints the strokes.

    Returns:
        Bundles ``[1, N]`` with their levels, in the order in which they are painted.

    Raises:
        ValueError: the image has another shape.
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image has shape {list(image.shape)}, wanted [3, height, width]")
    known = Guidance.none(size, size) if guidance is None else guidance
    mask, focus, box = guidance_tensors(known, size, size)
    target = F.interpolate(image[None], (size, size), mode="bilinear", antialias=True).clamp(0, 1)
    state = initial(target, mask[None], focus[None], box[None])
    levels: tuple[Level, ...] = ("background", "foreground")
    bundles: list[tuple[Strokes, Level]] = []
    for _ in range(config.max_eps_len):
        painted = decode(actor(observation(state, config)), config)
        bundles += zip(painted, levels, strict=False)
        state = apply_strokes(state, painted, config, composite)
    return bundles
