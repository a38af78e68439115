"""The seed's way to find objects, a two-class Mask R-CNN (He et al. 2017), instead of our segmenter.

Needs torchvision, which is optional: `pip install 'semantic-guidance[maskrcnn]'`.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semantic_guidance.guidance.focus import focus_map
from semantic_guidance.guidance.guide import check_image
from semantic_guidance.guidance.threads import torch_threads
from semantic_guidance.types import Guidance, Instance


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
    """The model with the weights of a checkpoint of the seed (a pickled state dict, read safely).

    Raises:
        ValueError: torchvision cannot be imported, or the file is missing, no state dict, or does not fit.
    """
    model = build_maskrcnn(classes)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} cannot be read, wanted a Mask R-CNN state dict ({reason})") from error
    return model.eval()


class MaskRCNNGuide:
    """A `Guide` that finds objects with Mask R-CNN.

    Args:
        model: from `load_maskrcnn`, or any torchvision detector with masks.
        classifier: whose attention makes the focus map, see `focus_map`; by default ImageNet's.
        threshold: least score of an object.
        most: most objects of a picture.
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

    def __call__(self, image: Tensor) -> Guidance:
        """Guidance of a picture ``[3, H, W]`` in [0, 1]; without instances where it has no object.

        Raises:
            ValueError: the image has another shape, or values that are no numbers.
        """
        check_image(image)
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
        focus = torch.zeros_like(taken)
        if self._focus and instances:
            with torch_threads():
                focus = focus_map(image, instances, self._classifier)
        return Guidance(taken, focus, tuple(instances))
