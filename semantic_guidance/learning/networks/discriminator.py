"""The discriminator: how much a canvas looks like its target (Huang et al. 2019, section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from semantic_guidance.agents.ltp.blocks import TReLU, WeightNormConv2d

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

    def _layers(self) -> Iterator[tuple[WeightNormConv2d, TReLU]]:
        """All but the last convolution, which has no activation."""
        convs = (self.conv0, self.conv1, self.conv2, self.conv3)
        return zip(convs, (self.relu0, self.relu1, self.relu2, self.relu3), strict=True)

    def forward(self, target: Tensor, canvas: Tensor) -> Tensor:
        """Scores ``[B]``, higher for likelier pairs; both ``[B, 3, H, W]``."""
        x = torch.cat([target, canvas], dim=1)
        for conv, relu in self._layers():
            x = relu(conv(x))
        scores: Tensor = self.conv4(x).mean(dim=(1, 2, 3))
        return scores

    def slope(self, target: Tensor, canvas: Tensor, direction: Tensor) -> Tensor:
        """How fast the scores rise ``[B]`` where the pairs move along ``direction`` ``[B, 6, H, W]``.

        Between the activations' thresholds the score is linear, so the slope is what the convolutions without
        bias make of the direction, at the pixels that the pairs leave active. Differentiable in parameters.
        """
        x = torch.cat([target, canvas], dim=1)
        for conv, relu in self._layers():
            with torch.no_grad():
                x = conv(x)
                active, x = x > relu.alpha, relu(x)
            direction = conv.linear(direction) * active
        slopes: Tensor = self.conv4.linear(direction).mean(dim=(1, 2, 3))
        return slopes
