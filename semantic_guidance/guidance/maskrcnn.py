"""The papers' way to find objects, a two-class Mask R-CNN (He et al. 2017), instead of our segmenter.

Needs torchvision, which is optional: `pip install 'semantic-guidance[maskrcnn]'`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.core.threads import torch_threads
from semantic_guidance.core.weights import filled, read_state
from semantic_guidance.guidance.base import Prompt, refused
from semantic_guidance.guidance.focus import focus_map
from semantic_guidance.guidance.guide import check_image, check_mask, pixels_of
from semantic_guidance.guidance.instances import told_apart


def _torchvision_detection() -> Any:
    try:
        from torchvision.models import detection
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise ValueError(
            "Mask R-CNN needs torchvision, wanted: pip install 'semantic-guidance[maskrcnn]'"
            f" (torchvision cannot be imported: {error})"
        ) from error
    return detection


def build_maskrcnn(classes: int = 2) -> nn.Module:
    """Mask R-CNN with a ResNet-50 feature pyramid and heads for `classes` classes, with random weights.

    Raises:
        ValueError: torchvision cannot be imported.
    """
    detection = _torchvision_detection()
    model: nn.Module = detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=classes
    )
    return model.eval()


def load_maskrcnn(path: str | Path, classes: int = 2) -> nn.Module:
    """The model with the weights of a checkpoint of the reference code (a pickled state dict, read safely).

    Raises:
        ValueError: torchvision cannot be imported, or the file is missing, not a state dict, or does not fit.
    """
    model = build_maskrcnn(classes)
    what = "a Mask R-CNN state dict"
    return filled(model, read_state(path, what), path, what)


class MaskRCNNGuide:
    """A `Guide` that finds objects with Mask R-CNN.

    Args:
        model: from `load_maskrcnn`, or any torchvision detector with masks.
        classifier: whose attention makes the focus map, see `focus_map`; by default ImageNet's.
        threshold: lowest score of an object.
        most: greatest number of objects in a picture.
        focus: whether to compute a focus map (else it is zero).
    """

    def __init__(
        self,
        model: nn.Module,
        classifier: nn.Module | None = None,
        threshold: float = 0.5,
        most: int = 8,
        focus: bool = True,
    ) -> None:
        self._model = model.eval()
        self._classifier = classifier
        self._threshold = threshold
        self._most = most
        self._focus = focus

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """Guidance for a picture ``[3, H, W]`` in [0, 1]; without instances if it has no object.

        A prompt's mask gives the objects; its box selects the one object that overlaps it most.

        Raises:
            ValueError: the image has another shape or holds NaN, or the prompt is invalid.
        """
        check_image(image)
        if prompt is not None and (refused(self, prompt) or len(prompt.boxes) > 1):
            more = refused(self, prompt) or f"{len(prompt.boxes)} boxes"
            raise ValueError(f"{more}: Mask R-CNN takes a mask or one box, wanted another guide")
        if prompt is not None and prompt.mask is not None:
            check_mask(prompt.mask, image)
            return self._finished(image, list(told_apart(prompt.mask, prompt.objects)), prompt.mask)
        box = None if prompt is None else prompt.box
        if box is not None:
            pixels_of(box, *image.shape[1:])
        with torch.no_grad():
            found = self._model([image])[0]
        instances = []
        taken = torch.zeros_like(image[:1])
        for score, plane in zip(found["scores"], found["masks"], strict=True):
            # Best first; what an object has taken is not another's.
            mask = plane.to(image).clamp(0, 1) * (taken <= 0.5)
            if float(score) < self._threshold or not bool((mask > 0.5).any()):
                continue
            taken = torch.maximum(taken, mask)
            instances.append(Instance.from_mask(mask))
            if len(instances) == self._most:
                break
        instances.sort(key=lambda instance: -float(instance.mask.sum()))
        if box is not None:
            instances = sorted(instances, key=lambda instance: -overlap(instance.box, box))[:1]
            if not instances or overlap(instances[0].box, box) == 0:
                raise ValueError(f"box is {box}, wanted one round an object that Mask R-CNN finds")
            taken = instances[0].mask
        return self._finished(image, instances, taken)

    def _finished(self, image: Tensor, instances: list[Instance], taken: Tensor) -> Guidance:
        """The guidance with its focus."""
        focus = torch.zeros_like(taken)
        if self._focus and instances:
            with torch_threads():
                focus = focus_map(image, instances, self._classifier)
        return Guidance(taken, focus, tuple(instances))


def overlap(one: Box, other: Box) -> float:
    """Area that two boxes share, over that of their union."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    return both / (one[2] * one[3] + other[2] * other[3] - both)
