"""Analytic policy gradient: the sum of rewards over a horizon, differentiated through the environment.

No replay memory and no noise: the environment is differentiable, so the gradient of what a policy gains in H
steps is exact (Freeman et al. 2021, Brax's APG). A critic can stand in for what comes after the horizon
(Xu et al. 2022, SHAC).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState, Renderer
from semantic_guidance.core.config import check_ranges
from semantic_guidance.learning.algorithms.wgan import soft_update, target_copy
from semantic_guidance.renderer import render

State = TypeVar("State")


@dataclass(frozen=True)
class APGConfig:
    """How a policy learns by the analytic gradient."""

    horizon: int = field(default=1, metadata={"help": "steps that a gradient reaches back", "min": 1})
    learning_rate: float = field(default=1e-3, metadata={"help": "the policy's learning rate", "min": 0})
    critic_lr: float = field(default=1e-3, metadata={"help": "the critic's learning rate", "min": 0})
    discount: float = field(default=1.0, metadata={"help": "discount of a step's reward", "min": 0, "max": 1})
    tau: float = field(
        default=0.01, metadata={"help": "rate of the target critic's soft updates", "min": 0, "max": 1}
    )
    clip: float = field(
        default=1.0, metadata={"help": "greatest norm of the policy's gradient; 0: any", "min": 0}
    )

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Environment(Generic[State]):
    """Pure functions on batches of states; `transition` and `reward` are differentiable.

    Attributes:
        transition: state and action (whatever the policy gives) to the next state.
        reward: state before and after a step to ``[B]``. Differences of a score telescope.
        terminal: state to ``[B]`` booleans, whether the episode is over.
        observation: state to what policy and critic see.
        detach: the same state without gradients.
    """

    transition: Callable[[State, Tensor], State]
    reward: Callable[[State, State], Tensor]
    terminal: Callable[[State], Tensor]
    observation: Callable[[State], Tensor]
    detach: Callable[[State], State]


class AnalyticTrainer(Generic[State]):
    """Trains a policy, and a critic if there is one.

    Args:
        policy: observation to action.
        environment: what it acts in.
        config: how it learns.
        critic: observation to values ``[B]``; without one, nothing counts after the horizon.
    """

    def __init__(
        self,
        policy: nn.Module,
        environment: Environment[State],
        config: APGConfig,
        critic: nn.Module | None = None,
    ) -> None:
        self.policy, self.environment, self.config, self.critic = policy, environment, config, critic
        self.optimizer = torch.optim.Adam(policy.parameters(), config.learning_rate)
        if critic is not None:
            self.target_critic = target_copy(critic)
            self.critic_optimizer = torch.optim.Adam(critic.parameters(), config.critic_lr)

    def rollout(self, state: State) -> tuple[Tensor, State]:
        """Discounted gain ``[B]`` of `horizon` steps from `state`, and where they end; differentiable.

        An episode that is over gains nothing more.
        """
        gain, weight = torch.zeros((), dtype=torch.float32), 1.0
        for _ in range(self.config.horizon):
            alive = (~self.environment.terminal(state)).float()
            after = self.environment.transition(state, self.policy(self.environment.observation(state)))
            gain = gain + weight * alive * self.environment.reward(state, after)
            weight *= self.config.discount
            state = after
        return gain, state

    def update(self, state: State) -> tuple[dict[str, float], State]:
        """One update from `state`; returns the losses and the state to go on from.

        Raises:
            ArithmeticError: a loss is not a finite number; nothing was changed.
        """
        observed = self.environment.observation(state).detach()
        gain, last = self.rollout(state)
        value = gain
        if self.critic is not None:
            alive = (~self.environment.terminal(last)).float()
            ahead = self.target_critic(self.environment.observation(last))
            value = gain + self.config.discount**self.config.horizon * alive * ahead
        actor_loss = -value.mean()
        if not bool(torch.isfinite(actor_loss)):
            raise ArithmeticError(f"actor_loss became {float(actor_loss.detach())}, wanted a finite number")
        self.optimizer.zero_grad(set_to_none=True)
        actor_loss.backward()
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.policy.parameters(), self.config.clip)
        self.optimizer.step()
        losses = {"actor_loss": float(actor_loss.detach()), "gain": float(gain.detach().mean())}
        if self.critic is not None:
            losses["critic_loss"] = self._update_critic(observed, value.detach())
        return losses, self.environment.detach(last)

    def _update_critic(self, observed: Tensor, value: Tensor) -> float:
        """Fit the critic to what the rollout was worth from its first state."""
        if self.critic is None:
            return 0.0
        loss: Tensor = (self.critic(observed) - value).square().mean()
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_optimizer.step()
        soft_update(self.target_critic, self.critic, self.config.tau)
        return float(loss.detach())


def painting_environment(config: EnvConfig, renderer: Renderer = render) -> Environment[PaintState]:
    """Painting, rewarded by the fall of the squared error."""
    return Environment(
        transition=lambda state, action: episode.transition(state, action, config, renderer),
        reward=episode.reward,
        terminal=lambda state: episode.terminal(state, config),
        observation=lambda state: episode.observation(state, config),
        detach=lambda state: replace(state, canvas=state.canvas.detach()),
    )
