"""Muon: momentum made orthogonal, matrix by matrix (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from semantic_guidance.learning.optimizers import fill

NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)
"""Coefficients of the quintic iteration that drives singular values to about 1."""

ITERATIONS = 4
MOMENTUM = 0.9
SMALLEST = 20
"""Matrices with a side below this are left to Adam: there is little to make orthogonal."""


def orthogonal(matrix: Tensor) -> Tensor:
    """About ``U V'`` of the singular value decomposition ``U S V'`` of ``[R, C]``, in bfloat16."""
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-12)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        y = x @ x.T
        x = a * x + (b * y + c * y @ y) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for a network's inner convolutions, Adam for all else: what sees, what answers, norms and biases.

    Args:
        network: to train.
        lr: learning rate of both; Muon's steps have half of it as their root mean square.
        outer: parameters whose names begin with one of these are left to Adam.
        largest: convolutions with more outputs are left to Adam: their products would take longer than the
            gradient itself.
    """

    def __init__(
        self, network: nn.Module, lr: float, outer: tuple[str, ...] = (), largest: int = 1 << 30
    ) -> None:
        inner: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in network.named_parameters():
            matrix = parameter.ndim >= 2 and min(len(parameter), parameter[0].numel()) > SMALLEST
            fits = matrix and len(parameter) <= largest and not name.startswith(outer)
            (inner if fits else rest).append(parameter)
        super().__init__([{"params": inner, "muon": True}, {"params": rest, "muon": False}], {"lr": lr})
        self.rest = torch.optim.Adam(rest, lr)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move all parameters by their gradients."""
        group = self.param_groups[0]
        self.rest.param_groups[0]["lr"] = self.param_groups[1]["lr"]
        self.rest.step()
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
            momentum.lerp_(parameter.grad, 1 - MOMENTUM)
            ahead = parameter.grad.lerp(momentum, MOMENTUM).reshape(len(parameter), -1)
            step = orthogonal(ahead).to(parameter.dtype)
            size = 0.5 * max(step.shape) ** 0.5
            parameter.add_(step.reshape(parameter.shape), alpha=-group["lr"] * size)

    def state_dict(self) -> dict[str, Any]:
        """Both parts' states."""
        return {"muon": super().state_dict(), "adam": self.rest.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        fill(self, state_dict["muon"], frozenset({"momentum"}))
        fill(self.rest, state_dict["adam"])
