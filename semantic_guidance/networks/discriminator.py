"""The discriminator: how much a canvas looks like its target (Huang et al. 2019, section 3.4)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from semantic_guidance.networks.blocks import TReLU, WeightNormConv2d

CHANNELS = (6, 16, 32, 64, 128)


class Discriminator(nn.Module):
    """Scores pairs of target and canvas, on the mean of overlapping patches; weight norm and TReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0, self.conv1, self.conv2, self.conv3 = (
            WeightNormConv2d(channels, outputs, 5, 2, 2) for channels, outputs in pairwise(CHANNELS)
        )
        self.conv4 = WeightNormConv2d(CHANNELS[-1], 1, 5, 2, 2)
        self.relu0, self.relu1, self.relu2, self.relu3 = (TReLU() for _ in range(4))

    def forward(self, target: Tensor, canvas: Tensor) -> Tensor:
        """Scores ``[B]``, higher for likelier pairs; both ``[B, 3, H, W]``."""
        x = torch.cat([target, canvas], dim=1)
        x = self.relu0(self.conv0(x))
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        x = self.relu3(self.conv3(x))
        scores: Tensor = self.conv4(x).mean(dim=(1, 2, 3))
        return scores
