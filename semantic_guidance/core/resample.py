"""Resizing of tensors: masks, focus maps, and what networks see."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resample(values: Tensor, height: int, width: int) -> Tensor:
    """`values` ``[C, H, W]`` as ``[C, height, width]``: bilinear, antialiased where it shrinks.

    The same tensor if it has that size already. Any device, any floating-point type, differentiable.
    """
    if values.shape[-2:] == (height, width):
        return values
    return F.interpolate(values[None], (height, width), mode="bilinear", antialias=True)[0]
