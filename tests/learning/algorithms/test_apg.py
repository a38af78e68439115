"""The analytic policy gradient, on problems with a known optimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.learning.algorithms.apg import (
    AnalyticTrainer,
    APGConfig,
    Environment,
    painting_environment,
)

GOAL = 3.0


def walk(length: int) -> Environment[torch.Tensor]:
    """A point ``[B, 2]`` (place, steps taken) on a line; each step's cost is its square, the goal is at 3."""

    def reward(before, after):
        toward = (before[:, 0] - GOAL).square() - (after[:, 0] - GOAL).square()
        return toward - (after[:, 0] - before[:, 0]).square()

    return Environment(
        transition=lambda state, action: torch.stack([state[:, 0] + action[:, 0], state[:, 1] + 1], dim=1),
        reward=reward,
        terminal=lambda state: state[:, 1] >= length,
        observation=lambda state: state,
        detach=torch.Tensor.detach,
    )


def optimum(place: float, steps: int) -> list[float]:
    """The best actions by dynamic programming: the value of being d away with n steps left is -c_n d^2.

    A step a changes the cost to a^2 + c (d - a)^2, least at a = d c / (1 + c), where it is d^2 c / (1 + c).
    """
    costs = [1.0]
    for _ in range(steps - 1):
        costs.append(costs[-1] / (1 + costs[-1]))
    actions, distance = [], GOAL - place
    for cost in reversed(costs):
        actions.append(distance * cost / (1 + cost))
        distance -= actions[-1]
    return actions


class Table(nn.Module):
    """One action for each step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.actions = nn.Parameter(torch.zeros(steps))

    def forward(self, state):
        return self.actions[state[:, 1].long()][:, None]


def test_finds_the_optimum_of_a_quadratic_problem():
    policy = Table(3)
    trainer = AnalyticTrainer(policy, walk(3), APGConfig(horizon=3, learning_rate=0.1, clip=0))
    for n in range(250):
        trainer.optimizer.param_groups[0]["lr"] = 0.1 if n < 150 else 0.01
        trainer.update(torch.zeros(1, 2))
    assert policy.actions.tolist() == pytest.approx(optimum(0.0, 3), abs=0.01)
    assert optimum(0.0, 1) == [1.5]  # d c / (1 + c) with c = 1: halfway


class Quadratic(nn.Module):
    """The family that holds the true value: minus a coefficient for each step times the squared distance."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.gains = nn.Parameter(torch.zeros(steps + 1))

    def forward(self, state):
        return self.gains[state[:, 1].long()] * (state[:, 0] - GOAL).square()


def test_critic_stands_in_for_what_the_horizon_hides():
    torch.manual_seed(0)
    config = APGConfig(horizon=1, learning_rate=0.03, critic_lr=0.03, tau=0.2, clip=0)
    policy, critic = Table(2), Quadratic(2)
    trainer = AnalyticTrainer(policy, walk(2), config, critic)
    for n in range(400):
        for optimizer in (trainer.optimizer, trainer.critic_optimizer):
            optimizer.param_groups[0]["lr"] = 0.03 if n < 250 else 0.005
        _, state = trainer.update(torch.zeros(1, 2))
        trainer.update(state)
    assert policy.actions.tolist() == pytest.approx(optimum(0.0, 2), abs=0.03)
    myopic = Table(2)
    alone = AnalyticTrainer(myopic, walk(2), APGConfig(horizon=1, learning_rate=0.05, clip=0))
    for _ in range(150):
        _, state = alone.update(torch.zeros(1, 2))
        alone.update(state)
    assert float(myopic.actions[0].detach()) == pytest.approx(1.5, abs=0.05)  # too far, for one step of two


def test_over_is_over():
    trainer = AnalyticTrainer(Table(5), walk(1), APGConfig(horizon=3, learning_rate=0.1))
    with torch.no_grad():
        trainer.policy.actions += 1
    gain, last = trainer.rollout(torch.zeros(1, 2))
    assert float(gain.detach()) == pytest.approx(9 - 4 - 1)  # the first step's reward alone
    assert float(last[0, 0].detach()) == 3


def test_solves_a_disc():
    rows, columns = np.mgrid[:32, :32] + 0.5
    inside = np.clip(6 - np.hypot(rows - 20, columns - 13) + 0.5, 0, 1)
    target = torch.from_numpy(inside * np.array([0.9, 0.5, 0.2])[:, None, None]).float()[None]
    config = EnvConfig(max_eps_len=1, bundle_size=1)

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.zeros(1, 13))

        def forward(self, observation):
            return torch.sigmoid(self.logits)

    trainer = AnalyticTrainer(Constant(), painting_environment(config), APGConfig(learning_rate=0.05, clip=0))
    for _ in range(300):
        losses, last = trainer.update(episode.initial(target))
    empty = float(target.square().mean())
    assert float(episode.mean_squared_error(last)) < 0.02 * empty
    assert losses["gain"] == pytest.approx(-losses["actor_loss"])


def test_loss_that_is_no_number_changes_nothing():
    policy = Table(1)
    trainer = AnalyticTrainer(policy, walk(1), APGConfig())
    with pytest.raises(ArithmeticError, match="actor_loss became nan"):
        trainer.update(torch.tensor([[torch.nan, 0.0]]))
    assert policy.actions.tolist() == [0]
    with pytest.raises(ValueError, match="horizon is 0"):
        APGConfig(horizon=0)
