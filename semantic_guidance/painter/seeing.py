"""A picture as a hand sees it: where it looks, and in which tones and colours it will paint."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.flow import blur
from semantic_guidance.agents.problem import Problem
from semantic_guidance.images.arrays import to_array
from semantic_guidance.images.color import LUMA
from semantic_guidance.painter.hand import Hand

Array = NDArray[np.float32]

DARK_SCALE, DARK_RANGE = 3.0, (0.6, 2.2)
"""Pixels over which lightness is averaged for the weight of darks, and the least and greatest weight."""

FACE = 4.0
"""What a face counts beyond the rest."""

WARM = np.array([0.7, 0.1, -0.9], np.float32)
"""What makes a colour warmer."""

GROUND_TINT = np.array([0.62, 0.45, 0.31], np.float32)
"""Burnt sienna thinned: what a canvas is toned with."""


def attention(problem: Problem) -> Array:
    """Factor of the weight ``[h, w]``: more for faces, focus, and darks, where small differences are seen."""
    light = blur(to_array(problem.target) @ LUMA, DARK_SCALE)
    dark = np.clip(0.45 / (light + 0.12), *DARK_RANGE)
    return np.asarray(dark * (1 + FACE * faces(problem)) * (1 + problem.focus.numpy()), np.float32)


def faces(problem: Problem) -> Array:
    """``[h, w]`` in [0, 1] where the instances are that are faces."""
    face = np.zeros(problem.weight.shape, np.float32)
    for mask, instance in zip(problem.masks.numpy(), problem.guidance.instances, strict=True):
        if instance.kind == "face":
            face = np.maximum(face, mask)
    return face


def calmness(heed: Array) -> Array:
    """``[h, w]`` in [0, 1]: 1 where nobody looks, 0 where everybody does."""
    return np.asarray(1 - np.clip(heed / max(float(np.percentile(heed, 99)), 1e-6), 0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Sight:
    """A problem as the hand will paint it, and where it looks.

    Attributes:
        problem: with the hand's tones and colours as its target, weighted by attention.
        heed: ``[h, w]`` factor by which its weight was multiplied.
    """

    problem: Problem
    heed: Array

    @staticmethod
    def of(problem: Problem, hand: Hand) -> Sight:
        """How a hand sees a problem."""
        heed = attention(problem)
        mean = float((to_array(problem.target) @ LUMA).mean())
        zooms = tuple(replace(zoom, target=_recolored(zoom.target, hand, mean)) for zoom in problem.zooms)
        seen = replace(
            problem,
            target=_recolored(problem.target, hand, mean),
            weight=problem.weight * torch.from_numpy(heed),
            zooms=zooms,
        )
        return Sight(seen, heed)


def _recolored(picture: Tensor, hand: Hand, mean: float) -> Tensor:
    """A picture ``[3, h, w]`` in the hand's tones; `mean` is the lightness that contrast leaves alone."""
    if not hand.tones and hand.contrast == 1 and hand.warmth == 0:
        return picture
    color = to_array(picture)
    light = color @ LUMA
    wanted = mean + hand.contrast * (light - mean)
    if hand.tones:
        wanted = _stepped(wanted, hand.tones)
    turned = hand.warmth * 0.25 * (light - mean)[..., None] * WARM
    shifted = color * (wanted / np.maximum(light, 0.02))[..., None]
    shifted = np.where((wanted > light)[..., None], color + (wanted - light)[..., None], shifted) + turned
    return torch.from_numpy(np.clip(shifted, 0, 1).astype(np.float32)).permute(2, 0, 1).contiguous()


def _stepped(light: Array, tones: int) -> Array:
    """Lightness in so many levels, with soft steps from one to the next."""
    scaled = light * tones - 0.5
    below = np.floor(scaled)
    rest = np.clip((scaled - below - 0.5) * 4 + 0.5, 0, 1)
    return np.asarray((below + rest * rest * (3 - 2 * rest) + 0.5) / tones, np.float32)


def toned_ground(problem: Problem) -> tuple[float, float, float]:
    """A warm ground, three quarters as light as the picture."""
    mean = to_array(problem.target).mean(axis=(0, 1))
    warm = 0.7 * GROUND_TINT / (GROUND_TINT @ LUMA) * (mean @ LUMA) + 0.3 * mean
    red, green, blue = np.clip(0.75 * warm, 0, 1).tolist()
    return red, green, blue
