"""The actor: what it sees becomes strokes (Huang et al. 2019, figure 4; Singh & Zheng 2021, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semantic_guidance.agents.ltp.blocks import STAGES, NormBlock, stage


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
        self.conv1 = nn.Conv2d(channels, width, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        sizes = [width, *(width * factor for factor in STAGES)]
        self.layer1 = stage(NormBlock, sizes[0], sizes[1])
        self.layer2 = stage(NormBlock, sizes[1], sizes[2])
        self.layer3 = stage(NormBlock, sizes[2], sizes[3])
        self.layer4 = stage(NormBlock, sizes[3], sizes[4])
        self.fc = nn.Linear(sizes[4], outputs)

    def forward(self, observation: Tensor) -> Tensor:
        """Actions ``[B, outputs]`` in [0, 1] for observations ``[B, channels, H, W]``."""
        x = F.relu(self.bn1(self.conv1(observation)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return torch.sigmoid(self.fc(x.mean(dim=(2, 3))))
