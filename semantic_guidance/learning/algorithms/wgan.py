"""The discriminators' training on (target, canvas) pairs: WGAN-GP (Gulrajani et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from semantic_guidance.learning.algorithms.accumulate import backward
from semantic_guidance.learning.networks.discriminator import Discriminator

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def soft_update(target: nn.Module, live: nn.Module, tau: float) -> None:
    """Move the parameters of `target` by a part `tau` towards those of `live`. Buffers stay its own."""
    ours: list[Tensor] = list(target.parameters())
    theirs: list[Tensor] = list(live.parameters())
    torch._foreach_lerp_(ours, theirs, tau)


def placed(network: Network, device: torch.device) -> Network:
    """`network` on a device, channels last: convolutions on a CPU then need not reorder what they read."""
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def gradient_norm(network: nn.Module) -> Tensor:
    """Length of the gradient in all parameters of a network, a tensor without dimensions."""
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    return torch.stack(torch._foreach_norm(gradients)).norm()


def add_share(sums: dict[str, Tensor], values: Mapping[str, Tensor], share: float) -> None:
    """Add `values`, the means over a part of a batch, to the means over all of it."""
    for name, value in values.items():
        sums[name] = sums[name] + share * value if name in sums else share * value


def target_copy(live: nn.Module) -> nn.Module:
    """A copy that shares nothing with `live` and takes no gradients."""
    return deepcopy(live).requires_grad_(False)


class WassersteinLoss(nn.Module):
    """The discriminator's loss; real pairs hold the target twice.

    Args:
        discriminator: to train.
        penalty: weight of the gradient penalty.

    Attributes:
        parts: of the last loss: the mean scores ``real`` and ``fake``, and the weighted ``penalty``.
    """

    def __init__(self, discriminator: Discriminator, penalty: float) -> None:
        super().__init__()
        self.discriminator, self.penalty = discriminator, penalty
        self.parts: dict[str, Tensor] = {}

    def forward(self, target: Tensor, canvas: Tensor, mix: Tensor) -> Tensor:
        """The loss: score of fakes less score of reals, plus the penalty.

        Args:
            target: ``[B, 3, H, W]``.
            canvas: ``[B, 3, H, W]``.
            mix: ``[B]`` in [0, 1], where between fake and real the gradient is looked at. (The target is the
                same in both pairs, so only the canvas is mixed.)
        """
        between = torch.lerp(canvas, target, mix.view(-1, 1, 1, 1)).detach()
        scores = self.discriminator(torch.cat([target, target]), torch.cat([target, canvas]))
        real, fake = (each.mean() for each in scores.split(len(target)))
        penalty = self.penalty * self._excess(target, between)
        self.parts = {"real": real.detach(), "fake": fake.detach(), "penalty": penalty.detach()}
        loss: Tensor = fake - real + penalty
        return loss

    def _excess(self, target: Tensor, canvas: Tensor) -> Tensor:
        """Mean squared difference between 1 and the norm of the score's gradient in the pairs.

        Its gradient in the parameters is not taken by differentiating the gradient g once more, which
        takes convolutions with kernels as large as the maps: it is that of the score's slope along
        v = d excess / d g, held fixed, since slope = <g, v>.
        """
        fixed = {name: values.detach() for name, values in self.discriminator.named_parameters()}
        inputs = (target.detach().requires_grad_(), canvas.detach().requires_grad_())
        scores = functional_call(self.discriminator, fixed, inputs)
        gradients = torch.autograd.grad(scores.sum(), inputs)
        norms = torch.cat(gradients, dim=1).flatten(1).norm(dim=1)
        excess = (norms - 1).square().mean()
        pull = 2 * (norms - 1) / norms.clamp(min=1e-12) / len(norms)
        direction = torch.cat(gradients, dim=1) * pull.view(-1, 1, 1, 1)
        slope = self.discriminator.slope(target.detach(), canvas.detach(), direction).sum()
        return slope - slope.detach() + excess


class DiscriminatorLearner:
    """A discriminator, its target network, which gives the rewards, and its optimiser.

    Args:
        device: where it is.
        learning_rate: of Adam, whose betas are WGAN-GP's.
        penalty: weight of the gradient penalty.
        tau: rate of the target network's soft updates.
    """

    def __init__(self, device: torch.device, learning_rate: float, penalty: float, tau: float) -> None:
        self.live = placed(Discriminator(), device)
        self.target_network = target_copy(self.live)
        self.wasserstein = WassersteinLoss(self.live, penalty)
        self.loss: nn.Module = self.wasserstein  # may be wrapped
        self.optimizer = torch.optim.Adam(
            self.live.parameters(), learning_rate, betas=(0.5, 0.999), fused=True
        )
        self.tau = tau

    def score(self, target: Tensor, canvas: Tensor) -> Tensor:
        """The target network's score ``[B]`` of pairs ``[B, 3, H, W]``; differentiable in the canvas."""
        scores: Tensor = self.target_network(target, canvas)
        return scores

    def update(self, target: Tensor, canvas: Tensor, mix: Tensor, parts: int = 1) -> dict[str, Tensor]:
        """One update on pairs ``[B, 3, H, W]``, in so many parts.

        Returns:
            The ``loss``, its parts (see `WassersteinLoss`), and the ``gradient``'s norm.
        """
        told: dict[str, Tensor] = {}
        self.optimizer.zero_grad(set_to_none=True)
        batches = zip(*(values.chunk(parts) for values in (target, canvas, mix)), strict=True)
        loss = backward(self.loss, self._looked_at(batches, len(target), told), len(target))
        gradient = gradient_norm(self.live)
        self.optimizer.step()
        soft_update(self.target_network, self.live, self.tau)
        return {"loss": loss, **told, "gradient": gradient}

    def _looked_at(
        self, batches: Iterable[tuple[Tensor, ...]], total: int, told: dict[str, Tensor]
    ) -> Iterator[tuple[Tensor, ...]]:
        """The same batches; what the loss tells of each is added to `told`."""
        for batch in batches:
            yield batch
            add_share(told, self.wasserstein.parts, len(batch[0]) / total)
