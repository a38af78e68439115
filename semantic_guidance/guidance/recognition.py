"""What the bundled ImageNet classifier sees in a painting and in its photograph.

The perceptual distance is implemented here: LPIPS, DISTS and the like download networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from semantic_guidance.core.check import check_picture
from semantic_guidance.core.guidance import Box, box_of
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.guidance.classifier import imagenet_classifier
from semantic_guidance.guidance.efficientnet import normalise
from semantic_guidance.images.arrays import resize

VIEW_SIDE = 224  # pixels; what the classifier was trained on
WINDOW_MARGIN = 0.1  # of an object's window on each side, as a share of the object's longer side
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def object_view(mask: Tensor) -> Box | None:
    """The square window around an object, (x, y, width, height) in shares of the picture's sides.

    The box of the mask above one half, with `WINDOW_MARGIN` on each side, made square, moved into the picture
    where it reaches beyond, and cut where it is larger.

    Args:
        mask: ``[1, H, W]`` in [0, 1].

    Returns:
        The window; None if the mask is nowhere above one half.
    """
    height, width = mask.shape[-2:]
    if (box := box_of(mask[0])) is None:
        return None
    left, top, across, down = box
    right, bottom = left + across, top + down
    side = (1 + 2 * WINDOW_MARGIN) * max(bottom - top, right - left)
    wide, high = min(side, width), min(side, height)
    x = min(max(0.0, (left + right - wide) / 2), width - wide)
    y = min(max(0.0, (top + bottom - high) / 2), height - high)
    return x / width, y / height, wide / width, high / height


def classifier_features(images: Tensor) -> list[Tensor]:
    """Feature maps of `normalise`d pictures ``[B, 3, H, W]`` at five scales, from the bundled classifier."""
    return imagenet_classifier().features(images)


def perceptual_distance(
    painted: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    features: Callable[[Tensor], Sequence[Tensor]] = classifier_features,
) -> float:
    """How different a painting looks from its target to a network that knows objects, 0 (not at all) to 2.

    One minus the cosine of the angle between both pictures' features, the mean over positions, then over the
    five scales of the ImageNet classifier that ships (EfficientNet-Lite0), at 224 x 224. This is LPIPS (Zhang
    et al. 2018, arXiv 1801.03924) without its learned weights and on another network: its numbers compare
    with each other, not with those of LPIPS. Beware: the painter's focus map is from the same classifier.

    Args:
        painted: ``[3, h, w]`` in [0, 1].
        target: ``[3, H, W]`` in [0, 1], of any size.
        mask: ``[1, h', w']`` in [0, 1]; if given, only the object's window is compared, and the mean over
            positions is weighted by the mask, so that the background hardly counts.
        features: feature maps ``[B, C, h, w]`` of normalised pictures.

    Raises:
        ValueError: a picture is not ``[3, H, W]``, or the mask not ``[1, H, W]`` or nowhere above one half.
    """
    check_picture("painted", painted)
    check_picture("target", target)
    window, weight = WHOLE, torch.ones(1, VIEW_SIDE, VIEW_SIDE, dtype=torch.float32)
    if mask is not None:
        check_picture("mask", mask, 1)
        if (found := object_view(mask)) is None:
            raise ValueError("mask is empty, wanted at least one pixel above 0.5")
        window, weight = found, _view(mask, found)
    with torch_threads(), torch.no_grad():
        levels = features(normalise(torch.stack([_view(painted, window), _view(target, window)])))
        angles = []
        for level in levels:
            there = F.interpolate(weight[None], level.shape[-2:], mode="area")[0, 0]
            angle = 1 - F.cosine_similarity(level[0], level[1], dim=0)
            angles.append((angle * there).sum() / there.sum())
    return max(0.0, float(torch.stack(angles).mean()))


@dataclass(frozen=True)
class Recognition:
    """What the classifier sees in a photograph, and whether it sees the same in a painting of it.

    Attributes:
        label: ImageNet class (0 to 999) of the photograph.
        probability: of this class in the photograph.
        painted_label: class of the painting.
        painted_probability: of the photograph's class in the painting.
        top1: whether both classes are the same.
        top5: whether the photograph's class is among the painting's five likeliest.
    """

    label: int
    probability: float
    painted_label: int
    painted_probability: float
    top1: bool
    top5: bool


def recognition(
    painted: Tensor,
    target: Tensor,
    window: Box = WHOLE,
    classifier: Callable[[Tensor], Tensor] | None = None,
) -> Recognition:
    """Whether the bundled ImageNet classifier gives a painting the same class as its photograph.

    Args:
        painted: ``[3, h, w]`` in [0, 1].
        target: ``[3, H, W]`` in [0, 1], of any size.
        window: the part to classify, (x, y, width, height) in shares of the pictures' sides.
        classifier: logits ``[B, classes]`` of normalised pictures; the bundled one if None.

    Raises:
        ValueError: a picture is not ``[3, H, W]``.
    """
    check_picture("painted", painted)
    check_picture("target", target)
    views = normalise(torch.stack([_view(painted, window), _view(target, window)]))
    with torch_threads(), torch.no_grad():
        seen, wanted = (classifier or imagenet_classifier())(views).double().softmax(1)
    label, likeliest = int(wanted.argmax()), seen.topk(min(5, len(seen))).indices.tolist()
    return Recognition(
        label=label,
        probability=float(wanted[label]),
        painted_label=likeliest[0],
        painted_probability=float(seen[label]),
        top1=likeliest[0] == label,
        top5=label in likeliest,
    )


def _view(image: Tensor, window: Box) -> Tensor:
    """The part of ``[C, H, W]`` within a window, as large as the classifier takes it: ``[C, 224, 224]``."""
    height, width = image.shape[-2:]
    left, top = min(width - 1, round(window[0] * width)), min(height - 1, round(window[1] * height))
    right = max(left + 1, round((window[0] + window[2]) * width))
    bottom = max(top + 1, round((window[1] + window[3]) * height))
    return resize(image[:, top:bottom, left:right], VIEW_SIDE, VIEW_SIDE)
