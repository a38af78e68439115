"""The dense actor: a stem for each level, one trunk, and two grids of cells that each offer strokes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semantic_guidance.agents.dense.strokes import RAW
from semantic_guidance.agents.dense.view import channels
from semantic_guidance.agents.window.network import ResidualBlock

LENGTHS = (0.4, 0.25)
"""First answers for half of a stroke's way, by grid: a stroke without length has no direction to grow in."""

RADII = (0.0, -1.0)
"""First answers for radii, by grid."""

TWINS = 0.5
"""How far apart the strokes of one cell begin, as a standard deviation of the answers for their places."""


class DenseActor(nn.Module):
    """A convolutional network from what is seen to strokes for every cell of two grids.

    The semantic actor sees the whole picture for the background and the aligned object for the foreground;
    both go through one trunk, as a batch of twice the size. The baseline sees the whole picture alone, and
    offers two strokes for each cell of the coarse grid instead.

    Args:
        guided: whether it has two levels and is told about the object.
        steps: of a painting in training.
        widths: channels at a quarter, an eighth, a sixteenth and a thirty-second of the picture's side.
    """

    def __init__(
        self, guided: bool, steps: int = 5, widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    ) -> None:
        super().__init__()
        self.guided, self.steps, self.widths = guided, steps, widths
        self.twins = (1, 1) if guided else (2, 1)
        seen, (first, second, third, fourth) = channels(guided), widths
        stems = [nn.Conv2d(seen, first, 6, 4, 1, bias=False)]
        if guided:  # the aligned object is seen at half the size
            stems.append(nn.Conv2d(seen, first, 5, 2, 2, bias=False))
        self.stems = nn.ModuleList(stems)
        self.norms = nn.ModuleList(nn.BatchNorm2d(first) for _ in stems)
        self.stage2 = ResidualBlock(first, second, 2)
        self.stage3 = ResidualBlock(second, third, 2)
        self.stage4 = ResidualBlock(third, fourth, 2)
        # What the whole view holds, for every cell.
        self.context = nn.Linear(fourth, fourth)
        self.up3, self.merge3 = nn.Conv2d(fourth, third, 1), ResidualBlock(third, third, 1)
        self.up2, self.merge2 = nn.Conv2d(third, second, 1), ResidualBlock(second, second, 1)
        self.coarse = _head(third, self.twins[0], LENGTHS[0], RADII[0])
        self.fine = _head(second, self.twins[1], LENGTHS[1], RADII[1])

    @property
    def levels(self) -> int:
        """Sets of strokes in a step: the background's and the object's, or one."""
        return len(self.stems)

    def forward(self, seen: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Raw strokes of each level that is seen.

        Args:
            seen: ``[B, C, 128, 128]`` for the first level and, if wanted, ``[B, C, 64, 64]`` for the second.

        Returns:
            For each level the coarse grid's ``[B, 64 * twins, RAW]`` and the fine grid's ``[B, 256, RAW]``,
            cells row by row.
        """
        stems = [
            F.relu(norm(stem(view))) for view, stem, norm in zip(seen, self.stems, self.norms, strict=False)
        ]
        x2 = self.stage2(torch.cat(stems))
        x3 = self.stage3(x2)
        x4 = self.stage4(x3)
        x4 = F.relu(x4 + self.context(x4.mean(dim=(2, 3)))[:, :, None, None])
        x3 = self.merge3(F.relu(x3 + F.interpolate(self.up3(x4), scale_factor=2)))
        x2 = self.merge2(F.relu(x2 + F.interpolate(self.up2(x3), scale_factor=2)))
        grids = (self.coarse(x3), self.fine(x2))
        chunks = [_strokes_first(grid).chunk(len(seen)) for grid in grids]
        return list(zip(*chunks, strict=True))


def _head(width: int, twins: int, length: float, radius: float) -> nn.Conv2d:
    """The last layer of a grid: `twins` strokes for each cell."""
    head = nn.Conv2d(width, RAW * twins, 1)
    nn.init.normal_(head.weight, std=0.01)
    bias = torch.zeros(twins, RAW)
    bias[:, 2], bias[:, 6:8] = length, radius
    if twins > 1:
        bias[:, :4] += TWINS * torch.randn(twins, 4)
    head.bias = nn.Parameter(bias.flatten())
    return head


def _strokes_first(grid: Tensor) -> Tensor:
    """``[B, RAW * twins, cells, cells]`` as ``[B, cells ** 2 * twins, RAW]`` in single precision."""
    rows = grid.flatten(2).transpose(1, 2).float()
    return rows.reshape(len(grid), -1, RAW)
