"""Gradients of a batch in parts: those of the whole batch, where samples do not look at each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from semantic_guidance.learning.algorithms.accumulate import backward
from semantic_guidance.learning.algorithms.ddpg import Learner
from semantic_guidance.learning.config import make_config
from semantic_guidance.learning.run.processes import settle_threads
from tests.learning.toys import discs, small_config

settle_threads(1)
CPU = torch.device("cpu")


class Mean(nn.Module):
    """The mean of numbers times a slope."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        return (self.slope * x).mean()


def gradients(network: nn.Module) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in network.parameters()]


def updated(parts: int, **values: object) -> tuple[Learner, dict[str, Tensor]]:
    """A learner after one update of a batch of six in parts, that moved no weights."""
    rates = {"actor_lr": (0.0,) * 3, "critic_lr": (0.0,) * 3, "gan_lr": 0.0, "tau": 0.0, "gan_tau": 0.0}
    learner = Learner(small_config(batch_size=6, accumulate=parts, **rates, **values), CPU)
    for network in (learner.actor, learner.target_actor):  # statistics of its own, not of the batch
        network.train = lambda mode=True, network=network: network  # type: ignore[method-assign]
        for part in network.modules():
            part.training = False
    before = discs(6, 16, 0).start(torch.arange(0, 12, 2), CPU)
    random = torch.Generator().manual_seed(1)
    after = learner.step(before, torch.rand(6, learner.config.env.action_size, generator=random))
    return learner, learner.update(before, after, torch.rand(2, 6, generator=random))


@pytest.mark.parametrize("parts", [2, 3])
def test_an_update_in_parts_has_the_gradients_of_the_whole(parts: int):
    (whole, wanted), (divided, found) = updated(1), updated(parts)
    assert found.keys() == wanted.keys()
    losses = {"whole_gan_loss", "foreground_gan_loss", "critic_loss", "actor_loss"}
    assert losses | {"whole_gan_real", "reward_focus", "actor_gradient"} <= found.keys()
    for name, loss in wanted.items():
        assert float(found[name]) == pytest.approx(float(loss), rel=1e-4, abs=1e-6)
    pairs = [(whole.actor, divided.actor), (whole.critic, divided.critic)]
    pairs += [
        (whole.discriminators[name].live, divided.discriminators[name].live)
        for name in ("whole", "foreground")
    ]
    for first, second in pairs:
        for one, other in zip(gradients(first), gradients(second), strict=True):
            assert torch.allclose(one, other, rtol=1e-3, atol=1e-5 * float(one.abs().max()) + 1e-7)


def test_parts_of_unequal_sizes_count_by_their_samples():
    loss = Mean()
    value = backward(loss, ((part,) for part in torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).split(2)), 5)
    assert (float(value), float(loss.slope.grad)) == pytest.approx((9.0, 3.0))
    with pytest.raises(ValueError, match="parts have 5 samples, wanted 6"):
        backward(loss, [(torch.ones(5),)], 6)


@pytest.fixture
def group() -> Iterator[None]:
    """The processes of a run, of which this is the only one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_processes_exchange_gradients_once(group):
    exchanged: list[float] = []

    def exchange(state, bucket):  # whose annotations torch would read
        exchanged.append(float(bucket.buffer()[0]))
        future: torch.futures.Future[Tensor] = torch.futures.Future()
        future.set_result(2 * bucket.buffer())  # as if others had as much
        return future

    shared = DistributedDataParallel(Mean())
    shared.register_comm_hook(None, exchange)
    backward(shared, ((part,) for part in torch.tensor([1.0, 2.0, 6.0, 7.0]).chunk(2)), 4)
    assert exchanged == [4.0]  # the mean of all four
    assert float(shared.module.slope.grad) == 8.0


def test_parts_have_to_be_equal():
    with pytest.raises(ValueError, match="accumulate is 5, wanted a divisor of the batch_size 96"):
        make_config(accumulate=5)
