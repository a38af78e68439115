"""How close a painting is to its target: squared errors as in the literature, and SSIM.

SSIM is implemented here: scikit-image would bring SciPy and four more packages for one function of twenty
lines (the tests compare with it). `guidance.recognition` has what a network sees in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semantic_guidance.core.check import check_picture
from semantic_guidance.images.arrays import check_unit, resize

SIDE = 128  # pixels; published errors are taken at 128 x 128, whatever the picture's aspect ratio
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


@dataclass(frozen=True)
class Errors:
    """Mean squared errors over pixels and RGB in [0, 1] at 128 x 128.

    Attributes:
        everywhere: of the whole picture.
        foreground: where the mask is above one half; None if it is nowhere.
        background: elsewhere; None if the mask is above one half everywhere.
    """

    everywhere: float
    foreground: float | None
    background: float | None


def painting_errors(painted: Tensor, target: Tensor, mask: Tensor | None = None) -> Errors:
    """The errors of a painting, each picture squashed to 128 x 128 by averaging over areas.

    Args:
        painted: ``[3, h, w]`` in [0, 1].
        target: ``[3, H, W]`` in [0, 1], of any size.
        mask: ``[1, h', w']`` in [0, 1], of any size; nothing is foreground if None.

    Raises:
        ValueError: a picture is not ``[3, H, W]`` or the mask not ``[1, H, W]``, in [0, 1].
    """
    squared = (squashed(painted) - squashed(target)) ** 2
    if mask is not None:
        check_unit(mask, "mask")
    inside = (
        _resized(mask, 1, SIDE)[0] > 0.5 if mask is not None else torch.zeros(SIDE, SIDE, dtype=torch.bool)
    )

    def mean(where: Tensor) -> float | None:
        return float(squared[:, where].mean()) if bool(where.any()) else None

    return Errors(float(squared.mean()), mean(inside), mean(~inside))


def weighted_error(painted: Tensor, target: Tensor, weight: Tensor) -> float | None:
    """Mean squared error at 128 x 128 with weights ``[1, h', w']`` of any size; None where they are all 0.

    Raises:
        ValueError: a picture is not ``[3, H, W]`` or the weights not ``[1, H, W]``.
    """
    squared = ((squashed(painted) - squashed(target)) ** 2).mean(dim=0)
    small = _resized(weight, 1, SIDE)[0].clamp(min=0)
    total = float(small.sum())
    return float((squared * small).sum()) / total if total > 0 else None


def ssim(first: Tensor, second: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) of two pictures, the mean over RGB.

    Gaussian windows of 11 x 11 pixels with sigma 1.5, K1 = 0.01, K2 = 0.03, over the windows that lie
    entirely within the picture.

    Args:
        first: ``[3, H, W]`` in [0, 1], at least 11 x 11.
        second: the same shape.

    Raises:
        ValueError: the shapes differ or are not as above, or a picture is not in [0, 1].
    """
    if first.shape != second.shape or first.ndim != 3 or min(first.shape[1:]) < SSIM_WINDOW:
        raise ValueError(
            f"pictures have shapes {list(first.shape)} and {list(second.shape)}, "
            f"wanted the same [3, H, W] of at least {SSIM_WINDOW} x {SSIM_WINDOW}"
        )
    for picture in (first, second):
        check_unit(picture, "picture")
    at = torch.arange(SSIM_WINDOW, dtype=torch.float64) - SSIM_WINDOW // 2
    bell = torch.exp(-0.5 * (at / SSIM_SIGMA) ** 2)
    bell = bell / bell.sum()

    def blur(values: Tensor) -> Tensor:
        rows = torch.nn.functional.conv2d(values[:, None], bell.view(1, 1, -1, 1))
        return torch.nn.functional.conv2d(rows, bell.view(1, 1, 1, -1))[:, 0]

    x, y = first.detach().cpu().double(), second.detach().cpu().double()
    mean_x, mean_y = blur(x), blur(y)
    variance_x, variance_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
    return float(similarity.mean())


def squashed(image: Tensor) -> Tensor:
    """A picture ``[3, H, W]`` as float64 ``[3, 128, 128]``, averaged over areas.

    Raises:
        ValueError: the picture has another shape, or is not in [0, 1].
    """
    check_unit(image, "picture")
    return _resized(image, 3, SIDE)


def _resized(image: Tensor, channels: int, side: int) -> Tensor:
    """``[channels, H, W]`` as float64 ``[channels, side, side]``."""
    check_picture("picture", image, channels)
    return resize(image, side, side).double()
