"""Optimisers from checkpoints: what was saved goes on as if nothing were, what does not fit is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from semantic_guidance.learning.apg.muon import Muon
from semantic_guidance.learning.optimizers import fill

Make = Callable[[nn.Module], torch.optim.Optimizer]


def adam(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), 0.1, fused=True)


def muon(network: nn.Module) -> torch.optim.Optimizer:
    return Muon(network, 0.1)


def stepped(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for each in network.parameters():
        each.grad = torch.randn(each.shape, generator=generator)
    optimizer.step()


@pytest.mark.parametrize("make", [adam, muon])
def test_it_goes_on_as_if_it_had_not_stopped(make: Make) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(24, 30), nn.Linear(30, 2))
    optimizer = make(network)
    stepped(network, optimizer, 1)
    other = copy.deepcopy(network)
    fresh, saved = make(other), copy.deepcopy(optimizer.state_dict())
    if make is muon:
        fresh.load_state_dict(saved)
    else:
        saved["param_groups"] = "settings of a file count for nothing"
        fill(fresh, saved)
    for each in ((network, optimizer), (other, fresh)):
        stepped(*each, 2)
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    "harm",
    [
        lambda state: state.pop("state"),
        lambda state: state.update(state=[]),
        lambda state: state["state"].update({7: state["state"][0]}),
        lambda state: state["state"].update({-1: state["state"][0]}),
        lambda state: state["state"].update({"0": state["state"][0]}),
        lambda state: state["state"].update({0: []}),
        lambda state: state["state"][0].pop("step"),
        lambda state: state["state"][0].pop("exp_avg_sq"),
        lambda state: state["state"][0].update(more=torch.zeros(3, 4)),
        lambda state: state["state"][0].update(exp_avg=torch.zeros(1)),  # fused Adam read beyond its end
        lambda state: state["state"][0].update(exp_avg=torch.zeros(3, 4).long()),
        lambda state: state["state"][0].update(exp_avg=None),
        lambda state: state["state"][0].update(step=torch.zeros(3)),
        lambda state: state["state"][0].update(step=3),
    ],
)
def test_what_does_not_fit(harm: Callable[[dict[str, Any]], Any]) -> None:
    network = nn.Linear(4, 3)
    optimizer = adam(network)
    stepped(network, optimizer, 1)
    saved = copy.deepcopy(optimizer.state_dict())
    harm(saved)
    with pytest.raises(ValueError, match=r"^its optimiser"):
        fill(adam(network), saved)


@pytest.mark.parametrize("saved", [None, [], 3, {}])
def test_what_is_no_optimiser(saved: Any) -> None:
    with pytest.raises(ValueError, match=r"^its optimiser has no state"):
        fill(adam(nn.Linear(4, 3)), saved)
