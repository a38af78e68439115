"""Muon's steps are nearly orthogonal, and it finds what Adam finds."""

from __future__ import annotations

import copy

import torch
from torch import nn

from semantic_guidance.learning.apg.muon import Muon, orthogonal


def test_singular_values_are_driven_to_about_one() -> None:
    """torch's own decomposition tells the singular values, and that the singular vectors stay."""
    torch.manual_seed(0)
    for rows, columns in ((24, 70), (70, 24), (40, 40)):
        matrix = torch.randn(rows, columns)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        turned = left.T @ orthogonal(matrix).float() @ right.T
        kept = values > 0.1 * values.max()
        assert (turned.diagonal()[kept] - 1).abs().max() < 0.4
        assert (turned - turned.diagonal().diag()).abs().max() < 0.1


def test_which_parameters_it_takes() -> None:
    """Inner convolutions alone; what begins with an outer name, is thin, is a bias or too large is Adam's."""
    network = nn.ModuleDict(
        {
            "stem": nn.Conv2d(30, 30, 3),
            "inner": nn.Conv2d(30, 30, 3),
            "thin": nn.Conv2d(30, 12, 3),
            "large": nn.Conv2d(30, 64, 3),
            "head": nn.Linear(30, 30),
        }
    )
    optimizer = Muon(network, 1e-3, ("stem", "head"), largest=32)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 9]
    assert optimizer.param_groups[0]["params"][0] is network["inner"].weight


def test_it_learns_a_linear_map_and_goes_on_alike() -> None:
    """Least squares with a known solution; a copy that takes over the state makes the same steps."""
    torch.manual_seed(0)
    wanted, x = torch.randn(24, 24), torch.randn(256, 24)

    def run(network: nn.Linear, optimizer: Muon, steps: int) -> float:
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = 0.1 * (1 - step / steps)
            loss = (network(x) - x @ wanted).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    network = nn.Linear(24, 24)
    optimizer = Muon(network, 0.1)
    first = float((network(x) - x @ wanted).square().mean().detach())
    assert run(network, optimizer, 200) < 0.01 * first
    twin = nn.Linear(24, 24)
    twin.load_state_dict(network.state_dict())
    other = Muon(twin, 0.1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    run(network, optimizer, 3)
    run(twin, other, 3)
    assert torch.equal(network.weight, twin.weight)
