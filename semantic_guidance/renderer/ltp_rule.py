"""The reference code's compositing rule, for paintings by actors that learned with it."""

from __future__ import annotations

import torch
from torch import Tensor

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.base import Backend


def ltp_composite(
    strokes: Strokes,
    canvas: Tensor,
    mask: Tensor | None = None,
    softness: float = 1.0,
    backend: str | Backend = "auto",
    ends: str = "round",
) -> Tensor:
    """Paint strokes by the reference code's rule: ``canvas <- canvas * (1 - a) + colour * a m``.

    A stroke multiplies the canvas by ``1 - a`` everywhere and adds its colour only within the mask. White on
    black, the renderer gives ``a``.

    Args:
        strokes: ``[B, N]`` strokes.
        canvas: ``[B, 3, H, W]`` in [0, 1].
        mask: ``[B, 1, H, W]`` in [0, 1]; everywhere if None, which is the same as `render`.
        softness: see `render`.
        backend: see `render`.
        ends: see `render`.

    Returns:
        The painted canvas, ``[B, 3, H, W]``.
    """
    if mask is None:
        return render(strokes, canvas, softness=softness, backend=backend, ends=ends)
    for n in range(len(strokes)):
        one = strokes[n : n + 1]
        plain = Strokes(one.points, one.radius, one.opacity, torch.ones_like(one.color))
        black = torch.zeros_like(canvas)
        alpha = render(plain, black, softness=softness, backend=backend, ends=ends)[:, :1]
        canvas = canvas * (1 - alpha) + one.color[:, 0, :, None, None] * alpha * mask
    return canvas
