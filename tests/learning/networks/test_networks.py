"""Networks, against the same ones put together here from torch's own parts, under LTP's names."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semantic_guidance.agents.ltp.blocks import TReLU, WeightNormConv2d
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.window.network import WindowActor, fused
from semantic_guidance.agents.window.view import CHANNELS
from semantic_guidance.learning.networks.critic import Critic
from semantic_guidance.learning.networks.discriminator import Discriminator

BLOCKS = [f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)]


def actor_by_hand(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """The reference code's actor in evaluation mode, from its checkpoint's tensors."""

    def norm(name: str, y: Tensor) -> Tensor:
        mean, var = p[f"{name}.running_mean"], p[f"{name}.running_var"]
        return F.batch_norm(y, mean, var, p[f"{name}.weight"], p[f"{name}.bias"])

    x = norm("bn1", F.conv2d(x, p["conv1.weight"], stride=2, padding=1)).relu()
    for block in BLOCKS:
        stride = 2 if block.endswith(".0") else 1
        out = norm(f"{block}.bn1", F.conv2d(x, p[f"{block}.conv1.weight"], stride=stride, padding=1)).relu()
        out = norm(f"{block}.bn2", F.conv2d(out, p[f"{block}.conv2.weight"], padding=1))
        if stride == 2:
            x = norm(f"{block}.shortcut.1", F.conv2d(x, p[f"{block}.shortcut.0.weight"], stride=2))
        x = (out + x).relu()
    x = F.avg_pool2d(x, x.shape[-1])[:, :, 0, 0]
    return F.linear(x, p["fc.weight"], p["fc.bias"]).sigmoid()


def critic_by_hand(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """The reference code's critic, from its checkpoint's tensors, with torch's own weight normalisation."""

    def conv(name: str, y: Tensor, stride: int, padding: int) -> Tensor:
        weight = torch._weight_norm(p[f"{name}.weight_v"], p[f"{name}.weight_g"], 0)
        return F.conv2d(y, weight, p[f"{name}.bias"], stride, padding)

    def trelu(name: str, y: Tensor) -> Tensor:
        return F.relu(y - p[f"{name}.alpha"]) + p[f"{name}.alpha"]

    x = trelu("relu_1", conv("conv1", x, 2, 1))
    for block in BLOCKS:
        stride = 2 if block.endswith(".0") else 1
        out = conv(f"{block}.conv2", trelu(f"{block}.relu_1", conv(f"{block}.conv1", x, stride, 1)), 1, 1)
        x = trelu(f"{block}.relu_2", out + (conv(f"{block}.shortcut.0", x, 2, 0) if stride == 2 else x))
    x = F.avg_pool2d(x, x.shape[-1])[:, :, 0, 0]
    return F.linear(x, p["fc.weight"], p["fc.bias"])[:, 0]


def shaken(module: nn.Module) -> dict[str, Tensor]:
    """The module's state dict, with thresholds, norms and statistics that are not those of the start."""
    generator = torch.Generator().manual_seed(0)
    state = module.state_dict()
    for values in state.values():
        if values.is_floating_point():
            values *= 0.7 + 0.6 * torch.rand(values.shape, generator=generator)
            values += 0.02 * torch.rand(values.shape, generator=generator)
    return state


def test_actor_is_the_seeds():
    actor = Actor(13, 78)
    state = shaken(actor)
    x = torch.rand(2, 13, 64, 64)
    with torch.no_grad():
        assert torch.allclose(actor.eval()(x), actor_by_hand(state, x), atol=1e-5)
    assert state["fc.weight"].shape == (78, 512)
    # 13 tensors of a block, 6 more of the first one of a stage, conv, norm and last layer
    assert len(state) == 8 * 12 + 4 * 6 + 6 + 2


def test_critic_is_the_seeds():
    critic = Critic(16)
    state = shaken(critic)
    x = torch.rand(2, 16, 64, 64)
    with torch.no_grad():
        assert torch.allclose(critic(x), critic_by_hand(state, x), rtol=1e-4, atol=1e-4)
    assert not any("bn" in name or "running" in name for name in state)


@pytest.mark.parametrize("size", [48, 128, 256])
def test_canvas_size_is_data(size):
    x = torch.rand(1, 9, size, size)
    with torch.no_grad():
        assert Actor(9, 65, width=8).eval()(x).shape == (1, 65)
        assert Critic(9, width=8)(x).shape == (1,)
        assert Discriminator()(x[:, :3], x[:, 3:6]).shape == (1,)


def test_weight_norm_is_torchs():
    ours = WeightNormConv2d(3, 5, 3, 2, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = nn.utils.weight_norm(nn.Conv2d(3, 5, 3, 2, 1))
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 3, 9, 9)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    for conv in (ours, theirs):
        conv(x).square().sum().backward()
    assert torch.allclose(ours.weight_g.grad, theirs.weight_g.grad, rtol=1e-4, atol=1e-5)
    assert torch.allclose(ours.weight_v.grad, theirs.weight_v.grad, rtol=1e-4, atol=1e-5)


def test_trelu():
    layer = TReLU()
    layer.alpha.data.fill_(0.5)
    assert layer(torch.tensor([-1.0, 0.4, 0.6])).tolist() == pytest.approx([0.5, 0.5, 0.6])


def test_a_fused_window_actor_answers_as_the_actor_does() -> None:
    torch.manual_seed(0)
    actor = WindowActor(CHANNELS, (8, 8, 16, 16)).train()
    for _ in range(3):  # so that the norms have something to do
        actor(torch.randn(4, CHANNELS, 64, 64))
    seen = torch.randn(2, CHANNELS, 64, 64)
    with torch.no_grad():
        assert torch.allclose(fused(actor)(seen), actor.eval()(seen), atol=1e-5)
