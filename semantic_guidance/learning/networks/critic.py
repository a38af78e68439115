"""The critic: what a step's outcome will still be worth (Huang et al. 2019, sections 3.3 and 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semantic_guidance.agents.ltp.blocks import STAGES, TReLU, WeightNormBlock, WeightNormConv2d, stage


class Critic(nn.Module):
    """ResNet-18 with weight norm and TReLU, without batch norm.

    Args:
        channels: of the previous canvas and the observation after it.
        width: channels of the first stage, 64 in the paper.
    """

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.conv1 = WeightNormConv2d(channels, width, 3, 2, 1)
        sizes = [width, *(width * factor for factor in STAGES)]
        self.layer1 = stage(WeightNormBlock, sizes[0], sizes[1])
        self.layer2 = stage(WeightNormBlock, sizes[1], sizes[2])
        self.layer3 = stage(WeightNormBlock, sizes[2], sizes[3])
        self.layer4 = stage(WeightNormBlock, sizes[3], sizes[4])
        self.fc = nn.Linear(sizes[4], 1, dtype=torch.float32)
        self.relu_1 = TReLU()

    def forward(self, observation: Tensor) -> Tensor:
        """Values ``[B]`` for ``[B, channels, H, W]``."""
        x = self.relu_1(self.conv1(observation))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        values: Tensor = self.fc(x.mean(dim=(2, 3)))[:, 0]
        return values
