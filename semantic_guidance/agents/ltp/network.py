"""The actor: what it sees becomes strokes (Huang et al. 2019, figure 4; Singh & Zheng 2021, section 3)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from semantic_guidance.agents.ltp.blocks import STAGES, NormBlock, stage
from semantic_guidance.core.threads import torch_threads


class Actor(nn.Module):
    """ResNet-18 with batch norm from an observation to a bundle of strokes.

    The features are averaged over the whole canvas, which may have any size.

    Args:
        channels: of the observation.
        outputs: numbers of the action, 13 per stroke.
        width: channels of the first stage, 64 in the paper.
    """

    def __init__(self, channels: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 2, 1, bias=False, dtype=torch.float32)
        self.bn1 = nn.BatchNorm2d(width, dtype=torch.float32)
        sizes = [width, *(width * factor for factor in STAGES)]
        self.layer1 = stage(NormBlock, sizes[0], sizes[1])
        self.layer2 = stage(NormBlock, sizes[1], sizes[2])
        self.layer3 = stage(NormBlock, sizes[2], sizes[3])
        self.layer4 = stage(NormBlock, sizes[3], sizes[4])
        self.fc = nn.Linear(sizes[4], outputs, dtype=torch.float32)

    def forward(self, observation: Tensor) -> Tensor:
        """Actions ``[B, outputs]`` in [0, 1] for observations ``[B, channels, H, W]``."""
        x = F.relu(self.bn1(self.conv1(observation)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return torch.sigmoid(self.fc(x.mean(dim=(2, 3))))


@torch_threads()
def fused(actor: Actor) -> Actor:
    """The same actor for painting: in evaluation mode, fixed, its norms part of the convolutions."""
    actor = copy.deepcopy(actor).eval().requires_grad_(False)
    for module in actor.modules():
        names = [("conv1", "bn1"), ("conv2", "bn2")]
        if isinstance(module, nn.Sequential) and module and isinstance(module[0], nn.Conv2d):
            names = [("0", "1")]  # a shortcut
        for conv, norm in names:
            if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
                setattr(module, norm, nn.Identity())
    actor.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return actor
