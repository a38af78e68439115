"""A painting whose gradient several tests ask for."""

from __future__ import annotations

import torch

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render


def gradient() -> list[torch.Tensor]:
    """A painting and its gradient."""
    vectors = torch.rand(1, 60, 13, generator=torch.Generator().manual_seed(0)).requires_grad_()
    painted = render(Strokes.unpack(vectors), torch.zeros(1, 3, 190, 170))
    return [painted.detach(), *torch.autograd.grad(painted.square().sum(), vectors)]
