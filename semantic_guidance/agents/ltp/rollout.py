"""Painting with an actor of the reference code (see `checkpoint.load_ltp_actor`), as that code does.

It learned with a compositing rule that masks a stroke's colour but not its alpha, so that outside
the mask a stroke blackens what it covers, and on pictures that were shrunk without antialiasing. These actors
rely on both; everything else here uses `render` and shrinks by averaging.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from semantic_guidance.agents.ltp.checkpoint import SIGHTS
from semantic_guidance.agents.ltp.episode import (
    EnvConfig,
    Renderer,
    apply_strokes,
    decode,
    guidance_tensors,
    initial,
    observation,
)
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.check import check_shape
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.ltp_format import LTP_SIZE
from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import NUMBERS, Strokes
from semantic_guidance.images.arrays import check_unit
from semantic_guidance.painting.painting import Level


def ltp_config(actor: Actor, steps: int) -> EnvConfig:
    """The episode of an LTP actor's training: its channels tell what it is shown, and on how many levels."""
    sight = SIGHTS[actor.conv1.in_channels]
    return EnvConfig(
        max_eps_len=steps,
        bundle_size=actor.fc.out_features // NUMBERS,
        use_bilevel=sight.use_bilevel,
        use_gbp=sight.use_gbp,
        compositing="seed",
    )


def paint_with_ltp_actor(
    actor: Actor, image: Tensor, guidance: Guidance | None = None, steps: int = 50
) -> list[tuple[Strokes, Level]]:
    """The strokes with which an LTP actor paints a picture.

    Picture and guidance are squashed to 128 x 128 pixels as the reference code does, by OpenCV's bilinear
    ``resize``, which does not average; the strokes are in units of that
    square's side. To see the painting, put them on a black canvas with `renderer.ltp_rule.ltp_composite`, the
    background's bundles under the mask's complement and the foreground's under the mask.

    Args:
        actor: from `checkpoint.load_ltp_actor`.
        image: ``[3, H, W]`` in [0, 1].
        guidance: of any size; no objects if None.
        steps: of the actor. A baseline actor paints 5 strokes in each, a semantic one 3 and 3.

    Returns:
        Bundles ``[1, N]`` with their levels, in the order in which they are painted.

    Raises:
        ValueError: the image has another shape, or `steps` is below 1.
    """
    return paint_with_actor(actor, ltp_config(actor, steps), image, guidance, antialias=False)


@torch.no_grad()
def paint_with_actor(
    actor: Actor,
    config: EnvConfig,
    image: Tensor,
    guidance: Guidance | None = None,
    size: int = LTP_SIZE,
    canvas: Tensor | None = None,
    antialias: bool = True,
    renderer: Renderer | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[tuple[Strokes, Level]]:
    """The strokes with which an actor paints a picture, one episode long; see `paint_with_ltp_actor`.

    Args:
        actor: from `files.load_actor` (or an LTP actor, without `antialias`).
        config: the episode of its training, with its compositing rule.
        image: ``[3, H, W]`` in [0, 1], squashed to a square.
        guidance: of any size; no objects if None.
        size: side in pixels of the canvas on which the actor sees its painting.
        canvas: ``[3, h, w]`` before the first stroke, squashed like the image; black if None.
        antialias: how it was shown pictures in training, see `resample`.
        renderer: paints what it sees of its painting; the episode's `compositor` if None.
        stopped: whether the episode is to end, asked after each step.

    Returns:
        Bundles ``[1, N]`` with their levels, in the order in which they are painted.

    Raises:
        ValueError: the image has another shape, or is not in [0, 1].
    """
    check_shape("image", image, 3, "height", "width")
    check_unit(image, "image")
    known = Guidance.none(size, size) if guidance is None else guidance
    mask, focus, box = guidance_tensors(known, size, size, antialias)
    target = resample(image, size, size, antialias).clamp(0, 1)[None]
    state = initial(target, mask[None], focus[None], box[None])
    if canvas is not None:
        state = replace(state, canvas=resample(canvas, size, size, antialias).clamp(0, 1)[None])
    levels: tuple[Level, ...] = ("background", "foreground")
    bundles: list[tuple[Strokes, Level]] = []
    for _ in range(config.max_eps_len):
        painted = decode(actor(observation(state, config)), config)
        bundles += zip(painted, levels, strict=False)
        if stopped():
            break
        state = apply_strokes(state, painted, config, renderer)
    return bundles
