"""WGAN-GP, against cases with a known answer."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from semantic_guidance.agents.ltp.blocks import GuardedConv2d
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.learning.algorithms.wgan import (
    DiscriminatorLearner,
    WassersteinLoss,
    placed,
    soft_update,
    target_copy,
)
from semantic_guidance.learning.networks.discriminator import Discriminator


class Linear(nn.Module):
    """Scores a pair by the sum of its pixels times a slope each."""

    def __init__(self, target: float, canvas: float) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.tensor([target, canvas]))

    def forward(self, target, canvas):
        return self.slopes[0] * target.sum((1, 2, 3)) + self.slopes[1] * canvas.sum((1, 2, 3))

    def slope(self, target, canvas, direction):
        return self(*direction.split(3, dim=1))


def test_loss_of_a_linear_score():
    target, canvas = torch.rand(5, 3, 8, 8), torch.rand(5, 3, 8, 8)
    loss = WassersteinLoss(Linear(0.3, 0.4), 10.0)(target, canvas, torch.rand(5))
    # The gradient in each of the 2 x 192 numbers is 0.3 or 0.4: its norm is 0.5 x sqrt(192).
    penalty = 10 * (0.5 * 192**0.5 - 1) ** 2
    wanted = 0.4 * (canvas.sum((1, 2, 3)).mean() - target.sum((1, 2, 3)).mean()) + penalty
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-4)


def test_penalty_has_a_gradient():
    score = Linear(0.3, 0.4)
    same = torch.rand(2, 3, 8, 8)
    WassersteinLoss(score, 10.0)(same, same, torch.rand(2)).backward()
    norm = 0.5 * 192**0.5
    wanted = 20 * (norm - 1) * 192**0.5 * torch.tensor([0.6, 0.8])
    assert torch.allclose(score.slopes.grad, wanted, rtol=1e-3)


def test_penalty_is_that_of_the_second_derivative():
    """The usual way: differentiate the gradient once more."""
    torch.manual_seed(0)
    network = Discriminator()
    for name, values in network.named_parameters():
        if name.endswith("alpha"):
            values.data.fill_(0.03)
    target, canvas, mix = torch.rand(3, 3, 32, 32), torch.rand(3, 3, 32, 32), torch.rand(3)
    pair = target.clone().requires_grad_()
    between = torch.lerp(canvas, target, mix.view(-1, 1, 1, 1)).requires_grad_()
    gradients = torch.autograd.grad(network(pair, between).sum(), (pair, between), create_graph=True)
    norms = torch.cat(gradients, dim=1).flatten(1).norm(dim=1)
    fall = network(target, canvas).mean() - network(target, target).mean()
    wanted = fall + 10 * (norms - 1).square().mean()
    loss = WassersteinLoss(network, 10.0)(target, canvas, mix)
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-6)
    parameters = list(network.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted, parameters), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-6 + 1e-4 * float(theirs.abs().max()))


def test_flat_score_has_a_finite_penalty():
    loss = WassersteinLoss(Linear(0.0, 0.0), 10.0)(*torch.rand(2, 3, 3, 8, 8), torch.rand(3))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(10)


def test_discriminator_learns_to_tell_targets_from_other_pictures():
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    discriminator = DiscriminatorLearner(torch.device("cpu"), 1e-3, 10.0, 0.1)
    for _ in range(15):
        target = torch.rand(8, 3, 16, 16, generator=generator)
        discriminator.update(target, 0.2 * target, torch.rand(8, generator=generator))
    target = torch.rand(32, 3, 16, 16, generator=generator)
    good, bad = discriminator.score(target, target), discriminator.score(target, 0.2 * target)
    assert (good > bad).float().mean() > 0.9


def test_target_networks_follow_and_share_nothing():
    live = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    target = target_copy(live)
    start = target[0].weight.clone()
    with torch.no_grad():
        live[0].weight += 1
    live(torch.rand(8, 3, 4, 4))
    assert torch.equal(target[0].weight, start)
    assert not torch.equal(live[1].running_mean, target[1].running_mean)
    soft_update(target, live, 0.25)
    assert torch.allclose(target[0].weight, start + 0.25)
    assert not target[0].weight.requires_grad


NARROW = """
import sys, torch
from semantic_guidance.agents.ltp.blocks import NormBlock, WeightNormBlock
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.window.network import ResidualBlock
from semantic_guidance.learning.algorithms.wgan import placed, target_copy
from semantic_guidance.learning.networks.critic import Critic
torch.set_num_threads(1)
width = int(sys.argv[1])
seen = torch.rand(2, 9, 128, 128)
for network in (Actor(9, 65, width), Critic(9, width), ResidualBlock(9, 2 * width, 2)):
    network = placed(network, torch.device("cpu"))
    for each in (network, target_copy(network).requires_grad_()):
        for order in (torch.contiguous_format, torch.channels_last):
            each(seen.contiguous(memory_format=order)).square().mean().backward()
# Blocks by themselves, at the sizes at which plain convolutions died most often.
for block in (NormBlock, WeightNormBlock, ResidualBlock):
    for channels in (width, 12):
        part = block(channels, channels, 2).to(memory_format=torch.channels_last)
        for _ in range(4):
            part(torch.rand(16, channels, 64, 64).to(memory_format=torch.channels_last)).sum().backward()
print("whole")
"""


def test_narrow_networks_learn_on_large_canvases() -> None:
    """In a process of its own: where oneDNN writes past the end of memory, the process dies."""
    done = subprocess.run(
        [sys.executable, "-c", NARROW, "8"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "whole\n")


@pytest.mark.parametrize("channels", [1, 8, 15, 16])
def test_narrow_shortcuts_compute_what_plain_convolutions_do(channels: int) -> None:
    torch.manual_seed(0)
    guarded = GuardedConv2d(channels, 5, 1, 2)
    seen = torch.rand(2, channels, 7, 6)
    picked = seen.double()[:, :, ::2, ::2].permute(0, 2, 3, 1)  # by hand: a matrix product for each pixel
    wanted = picked @ guarded.weight.double()[:, :, 0, 0].T + guarded.bias.double()
    for order in (torch.contiguous_format, torch.channels_last):
        found = guarded(seen.contiguous(memory_format=order)).permute(0, 2, 3, 1)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)


def test_the_order_in_memory_changes_no_number() -> None:
    torch.manual_seed(0)
    plain = Actor(9, 26, 4).eval()
    ordered = placed(copy.deepcopy(plain), torch.device("cpu"))
    seen = torch.rand(3, 9, 16, 16)
    torch.testing.assert_close(ordered(seen), plain(seen))
