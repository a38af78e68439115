"""What the segmenter's answers cost."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

EDGE = 15  # side in pixels of the square whose mean tells how near an edge is
EDGE_WEIGHT = 4.0
OVERLAP_WEIGHT = 0.7
PRESENCE_WEIGHT = 0.1
QUALITY_WEIGHT = 0.1


def _mean_around(mask: Tensor) -> Tensor:
    """The mean round each pixel, of what the frame holds of a square; in two steps, which is quicker."""
    down = F.avg_pool2d(mask, (EDGE, 1), 1, (EDGE // 2, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, EDGE), 1, (0, EDGE // 2), count_include_pad=False)


def mask_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross entropy, weighted towards edges, + soft IoU, over the masks that are not empty.

    Args:
        logits: ``[B, 1, H, W]`` of the mask.
        mask: ``[B, 1, H, W]`` in [0, 1], the truth.

    Returns:
        A number.
    """
    edge = (_mean_around(mask) - mask).abs()
    weight = 1 + EDGE_WEIGHT * edge
    cross = F.binary_cross_entropy_with_logits(logits, mask, weight=weight)
    p = logits.sigmoid()
    inter = (p * mask).sum((1, 2, 3))
    union = (p + mask - p * mask).sum((1, 2, 3))
    present = (mask.sum((1, 2, 3)) > 0).float()
    # An empty frame has no overlap to reward; cross entropy alone teaches it.
    iou = (present * (1 - (inter + 1) / (union + 1))).sum() / present.sum().clamp(min=1)
    return cross + OVERLAP_WEIGHT * iou


def segmentation_loss(logits: Tensor, objectness: Tensor, mask: Tensor) -> Tensor:
    """What masks cost, see `mask_loss`, + cross entropy of the presence of an object.

    Args:
        logits: ``[B, 1, H, W]`` of the mask.
        objectness: logits ``[B]`` of there being an object.
        mask: ``[B, 1, H, W]`` in [0, 1], the truth.

    Returns:
        A number.
    """
    present = (mask.sum((1, 2, 3)) > 0).float()
    presence = F.binary_cross_entropy_with_logits(objectness, present)
    return mask_loss(logits, mask) + PRESENCE_WEIGHT * presence


def click_loss(logits: Tensor, quality: Tensor, target: Tensor) -> Tensor:
    """What masks of clicks cost, see `mask_loss`, + cross entropy of their predicted IoU with the true one.

    Args:
        logits: ``[T, 1, H, W]`` of the mask.
        quality: logits ``[T]`` of its IoU.
        target: ``[T, 1, H, W]`` in [0, 1], the truth.

    Returns:
        A number.
    """
    with torch.no_grad():
        found, meant = logits > 0, target > 0.5
        either = (found | meant).sum((1, 2, 3))
        true = (found & meant).sum((1, 2, 3)) / either.clamp(min=1)
    told = F.binary_cross_entropy_with_logits(quality, true)
    return mask_loss(logits, target) + QUALITY_WEIGHT * told
