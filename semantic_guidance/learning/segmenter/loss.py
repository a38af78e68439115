"""What the segmenter's answers cost."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

EDGE = 15  # side in pixels of the square whose mean tells how near an edge is
EDGE_WEIGHT = 4.0
OVERLAP_WEIGHT = 0.7
PRESENCE_WEIGHT = 0.1


def segmentation_loss(logits: Tensor, objectness: Tensor, mask: Tensor) -> Tensor:
    """Cross entropy, weighted towards edges, + soft IoU + cross entropy of the presence of an object.

    Args:
        logits: ``[B, 1, H, W]`` of the mask.
        objectness: logits ``[B]`` of there being an object.
        mask: ``[B, 1, H, W]`` in [0, 1], the truth.

    Returns:
        A number.
    """
    edge = (F.avg_pool2d(mask, EDGE, 1, EDGE // 2, count_include_pad=False) - mask).abs()
    weight = 1 + EDGE_WEIGHT * edge
    cross = F.binary_cross_entropy_with_logits(logits, mask, weight=weight)
    p = logits.sigmoid()
    inter = (p * mask).sum((1, 2, 3))
    union = (p + mask - p * mask).sum((1, 2, 3))
    present = (mask.sum((1, 2, 3)) > 0).float()
    # An empty frame has no overlap to reward; cross entropy alone teaches it.
    iou = (present * (1 - (inter + 1) / (union + 1))).sum() / present.sum().clamp(min=1)
    presence = F.binary_cross_entropy_with_logits(objectness, present)
    return cross + OVERLAP_WEIGHT * iou + PRESENCE_WEIGHT * presence
