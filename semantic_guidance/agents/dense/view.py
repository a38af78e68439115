"""What the dense actor sees: the paper's observation, and the same zoomed to the object or elsewhere."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState, alignment_grid, observation, zoom

SIDE = 128
"""Pixels of the squashed picture."""

ZOOM = 64
"""Pixels of a square that is seen closer, such as the aligned object."""

MARGIN = 0.16
"""Of the object's square, in units of its box."""

LEAST = 8 / SIDE
"""Side of the smallest such square, in units of the picture."""

CONTRAST = 4.0
"""Factor of the difference between target and canvas, of which most is small."""


def episode(guided: bool, steps: int) -> EnvConfig:
    """The paper's episode that these paintings are: two levels and focus, or neither."""
    return EnvConfig(max_eps_len=steps, use_bilevel=guided, use_gbp=guided)


def channels(guided: bool) -> int:
    """Of an observation: the paper's 13, or 9 for the baseline, and the difference 3."""
    return episode(guided, 1).channels + 3


def object_square(box: Tensor) -> Tensor:
    """The square round an object, with a margin, in which its cells lie.

    Args:
        box: ``[B, 4]`` (x, y, width, height) of the object, in units of the squashed picture.

    Returns:
        ``[B, 4]`` the same of the square; parts of it may lie outside the picture. All of the picture for a
        box that is all of it.
    """
    corner, size = box[:, :2], box[:, 2:]
    longer = size.amax(dim=1, keepdim=True)
    side = ((1 + MARGIN) * longer).clamp(min=LEAST)
    side = torch.where(longer < 1, side, longer)
    return torch.cat([corner + size / 2 - side / 2, side, side], dim=1)


def state_of(
    canvas: Tensor, target: Tensor, mask: Tensor, focus: Tensor, square: Tensor, step: Tensor
) -> PaintState:
    """Paintings as the paper's states, whose alignment grid covers a square.

    Args:
        canvas: ``[B, 3, H, W]`` in [0, 1].
        target: ``[B, 3, H, W]`` in [0, 1].
        mask: ``[B, 1, H, W]`` of the object, in [0, 1], or of what is painted in the square.
        focus: ``[B, 1, H, W]`` in [0, 1].
        square: ``[B, 4]``, see `object_square`.
        step: ``[B]`` steps taken.
    """
    return PaintState(canvas, target, mask, focus, alignment_grid(square, *canvas.shape[-2:]), step)


def observe(state: PaintState, guided: bool, steps: int) -> Tensor:
    """What an actor sees of paintings, ``[B, C, H, W]``: the difference, then the paper's channels.

    Args:
        state: from `state_of`; after the last step, the observed step stays as it was before it.
        guided: whether it is told about the object.
        steps: of a painting.
    """
    state = replace(state, step=state.step.clamp(max=steps - 1))
    difference = CONTRAST * (state.target - state.canvas)
    return torch.cat([difference, observation(state, episode(guided, steps))], dim=1)


def closer(seen: Tensor, square: Tensor) -> Tensor:
    """Squares ``[B, 4]`` of planes ``[B, C, H, W]``, see `object_square`, as ``[B, C, ZOOM, ZOOM]``."""
    return zoom(seen, alignment_grid(square, ZOOM, ZOOM))
