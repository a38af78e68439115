"""The actor of a window: a dense stroke head, one stroke for each cell of a grid."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from semantic_guidance.agents.ltp.blocks import GuardedConv2d
from semantic_guidance.core.strokes import NUMBERS
from semantic_guidance.core.threads import torch_threads


class ResidualBlock(nn.Module):
    """Residual block with batch norm; the first convolution may halve the resolution.

    Args:
        channels: of the input.
        outputs: channels of the output, as many as of the input if the stride is 1.
        stride: of the first convolution, 1 or 2.
    """

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, outputs, 3, stride, 1, bias=False, dtype=torch.float32)
        self.norm1 = nn.BatchNorm2d(outputs, dtype=torch.float32)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False, dtype=torch.float32)
        self.norm2 = nn.BatchNorm2d(outputs, dtype=torch.float32)
        self.shortcut = (
            GuardedConv2d(channels, outputs, 1, stride, dtype=torch.float32) if stride > 1 else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels, H, W]`` to ``[B, outputs, H / stride, W / stride]``."""
        out = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(out + (x if self.shortcut is None else self.shortcut(x)))


class WindowActor(nn.Module):
    """A convolutional network from what a window shows to one stroke for each of its cells.

    Every stroke is made where it is painted: each cell (row, column) of the last feature map covers its own
    part of the window. Such a head learns from a fifth of the samples that a fully connected one needs.

    Args:
        channels: of the observation.
        widths: channels at a half, a quarter, an eighth ... of the window's resolution; as many as it takes
            to halve the window down to the grid of cells.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = (32, 64, 128, 256)) -> None:
        super().__init__()
        self.channels, self.widths = channels, widths
        self.stem = nn.Conv2d(channels, widths[0], 5, 2, 2, bias=False, dtype=torch.float32)
        self.norm = nn.BatchNorm2d(widths[0], dtype=torch.float32)
        stages: list[nn.Module] = []
        for before, after in pairwise(widths):
            stages += [ResidualBlock(before, after, 2), ResidualBlock(after, after, 1)]
        self.stages = nn.Sequential(*stages)
        # What the whole window holds, for every cell.
        self.context = nn.Linear(widths[-1], widths[-1], dtype=torch.float32)
        self.head = nn.Conv2d(widths[-1], NUMBERS, 1, dtype=torch.float32)
        nn.init.normal_(self.head.weight, std=0.01)
        # A stroke without length has no direction in which to grow, so none starts that way.
        self.head.bias = nn.Parameter(
            torch.zeros(NUMBERS, dtype=torch.float32).index_fill(0, torch.tensor([2], dtype=torch.int64), 0.4)
        )

    def forward(self, observation: Tensor) -> Tensor:
        """``[B, channels, S, S]`` to raw strokes ``[B, cells, 13]``, cells row by row."""
        x = self.stages(F.relu(self.norm(self.stem(observation))))
        x = F.relu(x + self.context(x.mean(dim=(2, 3)))[:, :, None, None])
        raw: Tensor = self.head(x).flatten(2).transpose(1, 2)
        return raw.contiguous(memory_format=torch.contiguous_format)


@torch_threads()
def fused(actor: WindowActor) -> WindowActor:
    """The same actor for painting: in evaluation mode, fixed, its norms part of the convolutions."""
    actor = copy.deepcopy(actor).eval().requires_grad_(False)
    for module in actor.modules():
        pairs = {WindowActor: [("stem", "norm")], ResidualBlock: [("conv1", "norm1"), ("conv2", "norm2")]}
        for conv, norm in pairs.get(type(module), []):
            setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
            setattr(module, norm, nn.Identity())
    for parameter in actor.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return actor
