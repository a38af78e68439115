"""The papers' renderer: a network that has learned to draw strokes (Huang et al. 2019, section 3.2.2).

The exact renderer beside it needs no training and is faster; this one is for comparison, and for agents that
learned with it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semantic_guidance.core.ltp_format import strokes_to_ltp
from semantic_guidance.core.state_dicts import MARKS
from semantic_guidance.core.strokes import COLOR, Strokes
from semantic_guidance.core.weights import filled, find_network
from semantic_guidance.renderer.backends.base import AutogradBackend, untouched

SIZES = (128, 256)
"""Sides in pixels of the canvases for which the reference code has a network."""

SHAPE_NUMBERS = 10
"""Numbers of an LTP vector before its colour."""

_WIDTHS = {128: ((32, 32), (16, 16), (8, 4)), 256: ((64, 64), (32, 32), (16, 16), (8, 4))}


class NeuralRenderer(nn.Module):
    """Fully connected layers, then convolutions and pixel shuffles; names as in LTP's checkpoints.

    Args:
        size: side of the canvas in pixels, 128 or 256.

    Raises:
        ValueError: the size is neither.
    """

    def __init__(self, size: int = 128) -> None:
        super().__init__()
        if size not in SIZES:
            raise ValueError(f"size is {size}, wanted 128 or 256")
        self.size = size
        self.fc1 = nn.Linear(SHAPE_NUMBERS, 512, dtype=torch.float32)
        self.fc2 = nn.Linear(512, 1024, dtype=torch.float32)
        self.fc3 = nn.Linear(1024, 2048, dtype=torch.float32)
        self.fc4 = nn.Linear(2048, 4096, dtype=torch.float32)
        channels, number = 16, 1
        for middle, outputs in _WIDTHS[size]:
            setattr(self, f"conv{number}", nn.Conv2d(channels, middle, 3, 1, 1, dtype=torch.float32))
            setattr(self, f"conv{number + 1}", nn.Conv2d(middle, outputs, 3, 1, 1, dtype=torch.float32))
            channels, number = outputs // 4, number + 2

    def forward(self, vectors: Tensor) -> Tensor:
        """Alpha ``[N, size, size]`` in [0, 1] of LTP vectors without colour ``[N, 10]``.

        Raises:
            ValueError: the shape is wrong.
        """
        if vectors.ndim != 2 or vectors.shape[1] != SHAPE_NUMBERS:
            raise ValueError(f"vectors has shape {list(vectors.shape)}, wanted [strokes, {SHAPE_NUMBERS}]")
        x = vectors
        for layer in (self.fc1, self.fc2, self.fc3, self.fc4):
            x = F.relu(layer(x))
        x = x.view(-1, 16, 16, 16)
        for number in range(1, 2 * len(_WIDTHS[self.size]), 2):
            x = F.relu(self.get_submodule(f"conv{number}")(x))
            x = F.pixel_shuffle(self.get_submodule(f"conv{number + 1}")(x), 2)
        return torch.sigmoid(x[:, 0])


class NeuralBackend(AutogradBackend):
    """The network as a renderer, for square canvases.

    A stroke that an LTP vector cannot describe is clipped to the nearest one that it can; the softness has
    no effect, since the network has learned its own edge. At sizes other than the network's, the
    strokes' alpha is resized.

    Args:
        network: on the device and with the dtype of what it renders.
    """

    def __init__(self, network: NeuralRenderer) -> None:
        self.network = network

    def supports(self, device: torch.device, dtype: torch.dtype) -> bool:
        """See `Backend`."""
        weight = self.network.fc1.weight
        return weight.device == device and weight.dtype == dtype

    def render(self, strokes: Tensor, canvas: Tensor, mask: Tensor | None, softness: float) -> Tensor:
        """See `Backend`.

        Raises:
            ValueError: the canvas is not square.
        """
        batch, _, height, width = canvas.shape
        if height != width:
            raise ValueError(f"canvas is {width} x {height}, wanted a square for the neural renderer")
        if strokes.numel() == 0:
            return untouched(canvas, strokes, mask)
        side = self.network.size
        vectors = strokes_to_ltp(Strokes.unpack(strokes))[..., :SHAPE_NUMBERS]
        alpha = self.network(vectors.flatten(0, 1)).view(batch, strokes.shape[1], side, side)
        if height != side:
            alpha = F.interpolate(alpha, (height, width), mode="bilinear", antialias=True)
        # Not alpha[:, n]: its gradient would be a tensor of all strokes for each stroke.
        colors = strokes[..., COLOR, None, None].unbind(1)
        for stroke, color in zip(alpha.split(1, dim=1), colors, strict=True):
            a = stroke if mask is None else stroke * mask
            canvas = canvas * (1 - a) + color * a
        return canvas


def load_ltp_renderer(path: str | Path) -> NeuralRenderer:
    """A neural renderer from a checkpoint of the papers' code, ready for use (in evaluation mode).

    Args:
        path: of a pickled state dict, for 128 or 256 pixels, with or without prefixes such as
            ``module.``, perhaps in a dict with others. It is
            read without running code from it.

    Returns:
        A module: LTP vectors ``[N, 10]`` to alpha ``[N, 128, 128]`` (or 256) in [0, 1].

    Raises:
        ValueError: the file is missing, corrupt, or not such a checkpoint.
    """
    what = "a renderer's checkpoint of the papers' code"
    state = find_network(path, what, MARKS["the renderer"]).state
    size = 256 if "conv8.weight" in state else 128
    return filled(NeuralRenderer(size), state, path, what)
