"""The dense actor: a stem for each view, one trunk, and two grids of cells that each offer strokes."""

from __future__ import annotations

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


class DenseActor(nn.Module):
    """A convolutional network from what is seen to strokes for every cell of two grids.

    It sees a picture as a whole, or a square of it closer: the aligned object, or any other. Each view has a
    stem of its own; both go through one trunk, as one batch.

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
        seen, (first, second, third, fourth) = channels(guided), widths
        # Whole pictures have twice the side of squares.
        self.stems = nn.ModuleList(
            [
                nn.Conv2d(seen, first, 6, 4, 1, bias=False, dtype=torch.float32),
                nn.Conv2d(seen, first, 5, 2, 2, bias=False, dtype=torch.float32),
            ]
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(first, dtype=torch.float32) for _ in self.stems)
        self.stage2 = ResidualBlock(first, second, 2)
        self.stage3 = ResidualBlock(second, third, 2)
        self.stage4 = ResidualBlock(third, fourth, 2)
        # What the whole view holds, for every cell.
        self.context = nn.Linear(fourth, fourth, dtype=torch.float32)
        self.up3, self.merge3 = (
            nn.Conv2d(fourth, third, 1, dtype=torch.float32),
            ResidualBlock(third, third, 1),
        )
        self.up2, self.merge2 = (
            nn.Conv2d(third, second, 1, dtype=torch.float32),
            ResidualBlock(second, second, 1),
        )
        self.coarse = _head(third, LENGTHS[0], RADII[0])
        self.fine = _head(second, LENGTHS[1], RADII[1])

    def forward(self, whole: Tensor | None, close: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """Raw strokes for pictures and for squares of pictures; one of them may be missing.

        Args:
            whole: ``[B, C, SIDE, SIDE]``, see `view.observe`.
            close: ``[D, C, ZOOM, ZOOM]``, see `view.closer`.

        Returns:
            For each of those that are there, the coarse grid's ``[B, 64, RAW]`` and the fine grid's
            ``[B, 256, RAW]``, cells row by row.
        """
        pairs = zip((whole, close), self.stems, self.norms, strict=True)
        stems = [F.relu(norm(stem(view))) for view, stem, norm in pairs if view is not None]
        x2 = self.stage2(torch.cat(stems))
        x3 = self.stage3(x2)
        x4 = self.stage4(x3)
        x4 = F.relu(x4 + self.context(x4.mean(dim=(2, 3)))[:, :, None, None])
        x3 = self.merge3(F.relu(x3 + F.interpolate(self.up3(x4), scale_factor=2)))
        x2 = self.merge2(F.relu(x2 + F.interpolate(self.up2(x3), scale_factor=2)))
        grids = [grid.flatten(2).transpose(1, 2).float() for grid in (self.coarse(x3), self.fine(x2))]
        counts = [len(stem) for stem in stems]
        return list(zip(*(grid.split(counts) for grid in grids), strict=True))


def _head(width: int, length: float, radius: float) -> nn.Conv2d:
    """The last layer of a grid."""
    head = nn.Conv2d(width, RAW, 1, dtype=torch.float32)
    nn.init.normal_(head.weight, std=0.01)
    bias = torch.zeros(RAW, dtype=torch.float32)
    bias[2], bias[6:8] = length, radius
    head.bias = nn.Parameter(bias)
    return head
