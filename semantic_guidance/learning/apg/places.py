"""Where to look closer: squares of running canvases."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

CANDIDATES = 6
"""Squares of which the one with the greatest error is seen."""


@torch.no_grad()
def wrong_squares(error: Tensor, sides: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Squares of a random size, each the one with the greatest error of some at random places.

    Args:
        error: ``[B, H, H]`` at least 0.
        sides: least and greatest, in pictures.
        generator: of sizes and places, on the same device.

    Returns:
        ``[B, 3]`` (x, y, side), in pictures, on whole pixels.
    """
    count, side, device = len(error), error.shape[-1], error.device
    dice = torch.rand(count, 1 + 2 * CANDIDATES, generator=generator, device=device, dtype=torch.float32)
    lowest, highest = (math.log(value * side) for value in sides)
    pixels = (lowest + (highest - lowest) * dice[:, :1]).exp().round()
    x, y = (dice[:, 1:] * (side - pixels + 1)).floor().split(CANDIDATES, dim=1)
    sums = F.pad(error.double().cumsum(1).cumsum(2), (1, 0, 1, 0)).flatten(1)

    def at(row: Tensor, column: Tensor) -> Tensor:
        return sums.gather(1, (row * (side + 1) + column).long())

    right, low = x + pixels, y + pixels
    best = (at(low, right) - at(y, right) - at(low, x) + at(y, x)).argmax(1, keepdim=True)
    return torch.cat([x.gather(1, best), y.gather(1, best), pixels], 1) / side
