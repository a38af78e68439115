"""What is done to a picture before it is painted: other colours, another background."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.images.arrays import resize_array
from semantic_guidance.images.color import Color, from_lab, to_lab
from semantic_guidance.images.fill import filled

STIRRED = 1e-3  # added to the variances of colours, in CIELAB: a grey picture has none across its axis
LEAST_SEEN = 2 / 255
"""Alpha from which on anything is seen."""

RIM = 1 / 256
"""What is painted beyond what is seen, in the longer side: strokes end there, and masks are resized."""

TOLD, TOLD_SHARE = 0.06, 0.02
"""Difference from which on a colour is told from its ground, and the share of a picture that has to be."""

Array = NDArray[np.float64]


def transfer_colors(picture: Tensor, reference: Tensor) -> Tensor:
    """`picture` ``[3, H, W]`` with colours distributed as in `reference` ``[3, h, w]``, both in [0, 1].

    The linear map of CIELAB that carries mean and covariance of the one to those of the other and moves
    colours as little as possible (Pitié & Kokaram, "The linear Monge-Kantorovitch linear colour mapping
    for example-based colour transfer", 2007).
    """
    colors, wanted = (to_lab(each.flatten(1).T.contiguous().numpy()) for each in (picture, reference))
    (mean, spread), (aim, wide) = _moments(colors), _moments(wanted)
    root = _root(spread)
    inverse = np.linalg.inv(root)
    matrix = inverse @ _root(root @ wide @ root) @ inverse
    mapped = (colors - mean) @ matrix + aim
    return torch.from_numpy(from_lab(mapped.astype(np.float32))).T.reshape(picture.shape).contiguous()


def _moments(colors: NDArray[np.float32]) -> tuple[Array, Array]:
    """Mean ``[3]`` and covariance ``[3, 3]`` of colours ``[N, 3]``."""
    values = colors.astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    return mean, centred.T @ centred / len(values) + STIRRED * np.eye(3)


def _root(matrix: Array) -> Array:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(values.clip(0)) @ vectors.T)


def replace_background(picture: Tensor, mask: Tensor, background: Color | Tensor) -> Tensor:
    """`picture` ``[3, H, W]`` where `mask` ``[1, H, W]`` is 1, a colour or another picture where it is 0."""
    return picture * mask + behind(background, *picture.shape[1:]) * (1 - mask)


def behind(background: Color | Tensor, height: int, width: int) -> Tensor:
    """A colour ``[3, 1, 1]``, or the middle of a picture that fills ``[3, height, width]``."""
    if isinstance(background, Tensor):
        return cover(background, height, width)
    return torch.tensor(background, dtype=torch.float32).view(3, 1, 1)


def cover(picture: Tensor, height: int, width: int) -> Tensor:
    """The middle of `picture` ``[3, h, w]``, scaled so that it just fills ``[3, height, width]``."""
    rows, columns = picture.shape[1:]
    scale = max(height / rows, width / columns)
    cut = (min(rows, max(1, round(height / scale))), min(columns, max(1, round(width / scale))))
    top, left = (rows - cut[0]) // 2, (columns - cut[1]) // 2
    part = picture[:, top : top + cut[0], left : left + cut[1]].permute(1, 2, 0).contiguous().numpy()
    resized = resize_array(part, height, width).reshape(height, width, 3)
    return torch.from_numpy(resized).permute(2, 0, 1).contiguous()


def unlike(picture: Tensor, alpha: Tensor | None = None) -> Color:
    """The corner of the RGB cube that is furthest from the colours of `picture` ``[3, H, W]``.

    One pixel in twenty may be nearer; transparent ones do not count.
    """
    colors = picture.flatten(1).T
    if alpha is not None:
        colors = colors[alpha.flatten() > 0.5]
    colors = colors[:: max(1, len(colors) // 4096)]
    corners = [(red, green, blue) for red in (0.0, 1.0) for green in (0.0, 1.0) for blue in (0.0, 1.0)]
    return max(
        corners, key=lambda corner: float((colors - colors.new_tensor(corner)).norm(dim=1).quantile(0.05))
    )


def without_white(picture: Tensor, alpha: Tensor) -> Tensor:
    """A picture ``[3, H, W]`` that was laid over white, with the colours that it had before.

    Where it is transparent, it has those of what is near.
    """
    return torch.from_numpy(filled((picture - (1 - alpha)).clamp(min=0).numpy(), alpha[0].numpy()))


def laid_over(picture: Tensor, alpha: Tensor, ground: Color | Tensor) -> Tensor:
    """A picture ``[3, H, W]`` that was laid over white, over a colour, or another picture, instead."""
    return picture + (1 - alpha) * (behind(ground, *picture.shape[1:]) - 1)


def support(alpha: Tensor) -> Tensor:
    """``[1, H, W]``, 1 where a picture is seen at all, and close to that; 0 elsewhere."""
    reach = max(2, round(RIM * max(alpha.shape)))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    grown = cv2.dilate((alpha[0] >= LEAST_SEEN).numpy().astype(np.uint8), kernel)
    return torch.from_numpy(grown)[None].float()


def faint(picture: Tensor, alpha: Tensor, ground: Color | Tensor) -> bool:
    """Whether a transparent picture ``[3, H, W]`` that lies over a ground can hardly be told from it."""
    apart = (picture - behind(ground, *picture.shape[1:])).abs().amax(dim=0)[alpha[0] >= LEAST_SEEN]
    return not len(apart) or float((apart > TOLD).float().mean()) < TOLD_SHARE
