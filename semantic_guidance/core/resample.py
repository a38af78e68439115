"""Resizing of tensors: masks, focus maps, and what networks see."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def resample(values: Tensor, height: int, width: int, antialias: bool = True) -> Tensor:
    """`values` ``[C, H, W]`` as ``[C, height, width]``: bilinear, antialiased where it shrinks.

    The same tensor if it has that size already. Any device, any floating-point type, differentiable.

    Args:
        values: to be resized.
        height: wanted.
        width: wanted.
        antialias: whether what shrinks is averaged. If not, each pixel comes from the nearest four, as in
            OpenCV's ``resize`` without flags, but for its rounding to bytes.
    """
    if values.shape[-2:] == (height, width):
        return values
    return F.interpolate(values[None], (height, width), mode="bilinear", antialias=antialias)[0]
