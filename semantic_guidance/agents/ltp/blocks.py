"""Layers that the papers' networks share, with parameters named as in LTP's checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = (1, 2, 4, 8)
"""Channels of a ResNet-18's four stages, in units of its width."""

BLOCKS = 2
"""Blocks of each stage."""


class TReLU(nn.Module):
    """ReLU with a learned threshold: ``max(x - alpha, 0) + alpha`` (Xiang & Li 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """`x` of any shape, activated."""
        return F.relu(x - self.alpha) + self.alpha


LEAST_CHANNELS = 16
"""Input channels below which 1x1 convolutions with a stride pick their pixels first, see `GuardedConv2d`."""


class GuardedConv2d(nn.Conv2d):
    """`nn.Conv2d`, whose narrow 1x1 convolutions with a stride are made without the stride.

    For those, with channels last on a processor with AVX-512, oneDNN (as of torch 2.13) writes past the end
    of memory in its backward pass. A kernel of one pixel sees nothing of the pixels that are left out anyway.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.kernel_size == (1, 1) and max(self.stride) > 1 and self.in_channels < LEAST_CHANNELS:
            down, across = self.stride
            return F.conv2d(input[..., ::down, ::across], weight, bias)
        return super()._conv_forward(input, weight, bias)


class WeightNormConv2d(GuardedConv2d):
    """A convolution with weight normalisation: ``weight = g v / |v|``, the norm taken per output channel.

    Not torch's parametrisation: that one renames the parameters, which LTP's checkpoints call ``weight_g``
    and ``weight_v``.
    """

    def __init__(
        self, channels: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__(channels, outputs, kernel, stride, padding, bias=bias, dtype=torch.float32)
        weight = self.weight.detach()
        del self.weight
        self.weight_g = nn.Parameter(weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        self.weight_v = nn.Parameter(weight.clone())

    def _normalised(self) -> Tensor:
        return self.weight_v * (self.weight_g / self.weight_v.flatten(1).norm(dim=1).view(-1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` ``[B, channels, H, W]``."""
        return self._conv_forward(x, self._normalised(), self.bias)

    def linear(self, x: Tensor) -> Tensor:
        """Convolve `x` ``[B, channels, H, W]`` without the bias."""
        return self._conv_forward(x, self._normalised(), None)


class NormBlock(nn.Module):
    """Residual block with batch norm (He et al. 2016).

    Args:
        channels: of the input.
        outputs: channels of the output.
        stride: of the first convolution.
    """

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, outputs, 3, stride, 1, bias=False, dtype=torch.float32)
        self.bn1 = nn.BatchNorm2d(outputs, dtype=torch.float32)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False, dtype=torch.float32)
        self.bn2 = nn.BatchNorm2d(outputs, dtype=torch.float32)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != outputs:
            self.shortcut = nn.Sequential(
                GuardedConv2d(channels, outputs, 1, stride, bias=False, dtype=torch.float32),
                nn.BatchNorm2d(outputs, dtype=torch.float32),
            )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels, H, W]`` to ``[B, outputs, H / stride, W / stride]``."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class WeightNormBlock(nn.Module):
    """Residual block with weight norm and TReLU, without batch norm (Huang et al. 2019, section 3.5).

    Args:
        channels: of the input.
        outputs: channels of the output.
        stride: of the first convolution.
    """

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = WeightNormConv2d(channels, outputs, 3, stride, 1)
        self.conv2 = WeightNormConv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != outputs:
            self.shortcut = nn.Sequential(WeightNormConv2d(channels, outputs, 1, stride))
        self.relu_1 = TReLU()
        self.relu_2 = TReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels, H, W]`` to ``[B, outputs, H / stride, W / stride]``."""
        return self.relu_2(self.conv2(self.relu_1(self.conv1(x))) + self.shortcut(x))


def stage(block: type[NormBlock] | type[WeightNormBlock], channels: int, outputs: int) -> nn.Sequential:
    """One stage of a ResNet-18: blocks, the first of which halves the resolution."""
    first = block(channels, outputs, 2)
    return nn.Sequential(first, *(block(outputs, outputs, 1) for _ in range(BLOCKS - 1)))
