"""The papers' rule of compositing, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.packed import COLOR
from semantic_guidance.renderer.backends.cpu.easel import Easel

Array = NDArray[np.float32]


def seed_composite(canvas: Array, strokes: Array, mask: Array, softness: float, ends: str) -> Easel:
    """`renderer.ltp_rule.ltp_composite`, to the last bit.

    Args:
        canvas: ``[3, H, W]``.
        strokes: ``[N, 13]`` packed.
        mask: ``[H, W]`` that holds back their colour, but not their alpha.
        softness: width of their soft edge in pixels.
        ends: how they end, one of `renderer.definition.ENDS`.
    """
    for stroke in strokes:
        plain = stroke[None].copy()
        plain[:, COLOR] = 1
        easel = Easel(np.zeros_like(canvas))
        easel.paint(plain, None, softness, ends)
        alpha = easel.picture()[:1]
        canvas = canvas * (1 - alpha) + stroke[COLOR][:, None, None] * alpha * mask
    return Easel(canvas)
