"""LPIPS (Zhang et al. 2018), as papers report it: AlexNet's features, weighed as people see differences.

It needs the extra ``metrics``: torchmetrics, which brings the weights of the metric, and torchvision, which
fetches those of AlexNet (233 MB) when they are first used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.metrics import squashed

Distance = Callable[[Tensor, Tensor], float]

NETWORK = "alexnet-owt-7be5be79.pth"
"""The file of AlexNet's weights, as torchvision names it."""


def load_lpips() -> Distance:
    """The distance of two pictures ``[3, H, W]`` in [0, 1], each squashed to 128 x 128.

    Raises:
        InputError: a package is not installed, or AlexNet's weights can neither be found nor fetched.
    """
    wanted = "pip install 'semantic-guidance[metrics]'"
    try:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        metric = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
    except ImportError:
        raise InputError(f"--lpips: torchmetrics or torchvision is not installed, wanted: {wanted}") from None
    except (OSError, RuntimeError) as error:
        place = Path(torch.hub.get_dir()) / "checkpoints" / NETWORK
        reason = " ".join(str(error).split())
        raise InputError(
            f"--lpips: AlexNet's weights cannot be fetched ({reason}), wanted a network, or {place}"
        ) from None

    @torch.no_grad()
    def distance(first: Tensor, second: Tensor) -> float:
        pair = [squashed(image).float().clamp(0, 1)[None] for image in (first, second)]
        value = float(metric(*pair))
        metric.reset()
        return value

    return distance
