"""Guidance from what a person says about a picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from semantic_guidance.types import Box, Guidance, Instance

WORKING_SIZE = 400  # longer side in pixels at which GrabCut looks at a picture
ROUNDS = 5


def guidance_from_box(image: Tensor, box: Box) -> Guidance:
    """Guidance for the object within a box, cut out of its surroundings by GrabCut.

    Where GrabCut finds nothing, or the box is the whole picture, the box itself is the mask.

    Args:
        image: ``[3, H, W]`` in [0, 1].
        box: (x, y, width, height) in pixels, at least partly within the picture.

    Returns:
        Guidance with one instance, whose box is `box`.

    Raises:
        ValueError: less than a pixel of the box is within the picture.
    """
    height, width = image.shape[-2:]
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(width, round(box[0] + box[2])), min(height, round(box[1] + box[3]))
    if right - left < 1 or bottom - top < 1:
        raise ValueError(f"box is {box}, wanted one within the picture of {width} x {height} pixels")
    rectangle = torch.zeros(1, height, width)
    rectangle[:, top:bottom, left:right] = 1
    mask = _grab_cut(image, (left, top, right, bottom)) * rectangle
    if mask.mean() < 0.05 * rectangle.mean():
        mask = rectangle
    return Guidance(mask, torch.zeros_like(mask), (Instance(mask, box),))


def _grab_cut(image: Tensor, corners: tuple[int, int, int, int]) -> Tensor:
    """Soft mask ``[1, H, W]`` of what stands out within (left, top, right, bottom)."""
    height, width = image.shape[-2:]
    scale = min(1.0, WORKING_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pixels = np.ascontiguousarray((image * 255).round().byte().permute(1, 2, 0).numpy()[..., ::-1])
    pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    left, top, right, bottom = (round(corner * scale) for corner in corners)
    labels = np.full(size[::-1], cv2.GC_BGD, np.uint8)
    labels[top : max(bottom, top + 1), left : max(right, left + 1)] = cv2.GC_PR_FGD
    if (labels == cv2.GC_BGD).sum() < 8 or (labels == cv2.GC_PR_FGD).sum() < 8:
        return torch.ones(1, height, width)
    cv2.setRNGSeed(0)  # GrabCut's k-means draws from it
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, labels, (0, 0, 1, 1), background, foreground, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    soft = cv2.resize(cv2.GaussianBlur(found, (0, 0), 0.7), (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(np.asarray(soft, np.float32))[None].clamp(0, 1)
