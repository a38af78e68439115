"""A network of the shape of the neural renderer of Huang et al. (ICCV 2019), to be compared with.

It maps ten numbers of a stroke to its picture; fully connected layers, then convolutions and pixel shuffles
up to 128 x 128. Its weights are random: time does not depend on them.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

SHAPE_NUMBERS = 10  # of the 13 numbers of an LTP stroke; the rest is its colour


class NeuralRenderer(nn.Module):
    """LTP vectors without colour ``[N, 10]`` to alpha ``[N, 128, 128]``."""

    def __init__(self) -> None:
        super().__init__()
        widths = (SHAPE_NUMBERS, 512, 1024, 2048, 4096)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        layers.append(nn.Unflatten(1, (16, 16, 16)))
        for inner, middle, outer in ((16, 32, 32), (8, 16, 16), (4, 8, 4)):
            layers += [nn.Conv2d(inner, middle, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(middle, outer, 3, padding=1), nn.PixelShuffle(2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, shapes: Tensor) -> Tensor:
        """The strokes' alpha."""
        alpha: Tensor = 1 - torch.sigmoid(self.layers(shapes)[:, 0])
        return alpha


def paint(network: NeuralRenderer, vectors: Tensor, canvas: Tensor) -> Tensor:
    """Paint LTP vectors ``[B, N, 13]`` on `canvas` ``[B, 3, 128, 128]``, all strokes in one batch."""
    batch, count = vectors.shape[:2]
    alphas = network(vectors[..., :SHAPE_NUMBERS].flatten(0, 1)).view(batch, count, 1, *canvas.shape[-2:])
    inks = alphas * vectors[..., SHAPE_NUMBERS:, None, None]
    # Not alphas[:, n]: its gradient would be a tensor of all strokes for each stroke, and most of the time.
    for alpha, ink in zip(alphas.unbind(1), inks.unbind(1), strict=True):
        canvas = canvas * (1 - alpha) + ink
    return canvas
