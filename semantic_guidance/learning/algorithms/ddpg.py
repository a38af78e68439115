"""Model-based DDPG (Huang et al. 2019, section 3.3): the actor's gradient goes through renderer and critic.

See docs/algorithms.md for each difference from the reference code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.checkpoint import SIGHTS
from semantic_guidance.agents.ltp.episode import PaintState, Renderer
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.learning import optimizers
from semantic_guidance.learning.algorithms.accumulate import backward
from semantic_guidance.learning.algorithms.wgan import (
    DiscriminatorLearner,
    add_share,
    gradient_norm,
    placed,
    soft_update,
    target_copy,
)
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.networks.critic import Critic
from semantic_guidance.learning.rewards import aligned, total_reward

CANVAS = 3
"""Channels that the critic sees before those of the observation: the previous canvas."""


class CriticLoss(nn.Module):
    """Mean squared difference between the critic's values and their targets."""

    def __init__(self, critic: nn.Module, bf16: bool) -> None:
        super().__init__()
        self.critic, self.bf16 = critic, bf16

    def forward(self, observation: Tensor, target_q_value: Tensor) -> Tensor:
        """Of observations ``[B, 3 + C, H, W]`` and targets ``[B]``."""
        with torch.autocast(observation.device.type, torch.bfloat16, enabled=self.bf16):
            values = self.critic(observation)
        return (values.float() - target_q_value).square().mean()


class ActorLoss(nn.Module):
    """What the actor is to make small: the negative of its actions' mean value."""

    def __init__(self, actor: nn.Module, value: Callable[[Tensor], Tensor], bf16: bool) -> None:
        super().__init__()
        self.actor, self.value, self.bf16 = actor, value, bf16

    def forward(self, observation: Tensor) -> Tensor:
        """Of observations ``[B, C, H, W]``."""
        with torch.autocast(observation.device.type, torch.bfloat16, enabled=self.bf16):
            action = self.actor(observation)
        return -self.value(action.float()).mean()


class Learner:
    """Actor, critic, discriminators, their target networks and their updates.

    Args:
        config: of the run.
        device: where the networks are.
        renderer: paints strokes; the exact one, by the episode's compositing rule, if None.
        wrap_ddp: put round each loss before its first use, for training on several processes.
    """

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        renderer: Renderer | None = None,
        wrap_ddp: Callable[[nn.Module], nn.Module] = lambda loss: loss,
    ) -> None:
        self.config, self.device = config, device
        self.renderer = episode.compositor(config.env) if renderer is None else renderer
        env, learn, weights = config.env, config.learn, config.reward
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(learn.seed)
            self.actor = placed(Actor(env.channels, env.action_size, learn.width), device)
            self.critic = placed(Critic(CANVAS + env.channels, learn.width), device)
            discriminators = {"whole": weights.gan_coef, "foreground": env.aligned and weights.seggt_coef}
            self.discriminators = {
                name: DiscriminatorLearner(device, learn.gan_lr, learn.gradient_penalty, learn.gan_tau)
                for name, weight in discriminators.items()
                if weight
            }
        self.target_actor, self.target_critic = target_copy(self.actor), target_copy(self.critic)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), learn.actor_lr[0], fused=True)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), learn.critic_lr[0], fused=True)
        self._state: PaintState | None = None  # the one that the actor's loss is looking at
        self._rewards: dict[str, Tensor] = {}  # the means of the rewards that it saw last
        self.critic_loss = wrap_ddp(CriticLoss(self.critic, learn.bf16))
        self.actor_loss = wrap_ddp(ActorLoss(self.actor, self._value, learn.bf16))
        for discriminator in self.discriminators.values():
            discriminator.loss = wrap_ddp(discriminator.loss)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.learn.bf16)

    @torch.no_grad()
    def act(self, state: PaintState) -> Tensor:
        """The actor's actions ``[B, A]``, by its batch norm's running statistics."""
        self.actor.eval()
        with self._autocast():
            action: Tensor = self.actor(episode.observation(state, self.config.env))
        self.actor.train()
        return action.float()

    def step(self, state: PaintState, action: Tensor) -> PaintState:
        """The state after an action ``[B, A]``."""
        return episode.transition(state, action, self.config.env, self.renderer)

    def rewards(self, before: PaintState, after: PaintState) -> dict[str, Tensor]:
        """The weighted rewards by name, and their sum as ``total``, each ``[B]``."""
        scores = {name: discriminator.score for name, discriminator in self.discriminators.items()}
        return total_reward(
            before,
            after,
            self.config.reward,
            scores.get("whole"),
            scores.get("foreground"),
            self.config.env.use_gbp,
        )

    def update(self, before: PaintState, after: PaintState, mix: Tensor) -> dict[str, Tensor]:
        """One update of everything.

        Args:
            before: states from the replay memory.
            after: the states that followed them there.
            mix: ``[2, B]`` random numbers in [0, 1], see `wgan.WassersteinLoss`.

        Returns:
            What there is to tell, by name, as tensors without dimensions on the device: nothing here waits
            for it. The losses ``actor_loss``, ``critic_loss`` and ``whole_gan_loss``; ``Q``, the mean of
            reward and value of the actor's steps; each reward's mean there, as ``reward_focus``; the
            discriminators' mean scores and penalty, as ``whole_gan_real``, ``whole_gan_fake`` and
            ``whole_gan_penalty``; and the norms of the gradients, as ``actor_gradient``.
        """
        losses = self._update_discriminators(after, mix)
        losses |= self._update_critic(before, after)
        losses |= self._update_actor(before)
        soft_update(self.target_actor, self.actor, self.config.learn.tau)
        soft_update(self.target_critic, self.critic, self.config.learn.tau)
        return losses

    def _update_discriminators(self, after: PaintState, mix: Tensor) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        parts = self.config.learn.accumulate
        for (name, discriminator), part in zip(self.discriminators.items(), mix, strict=False):
            target, canvas = after.target, after.canvas
            if name == "foreground":
                target, canvas = aligned(target, after), aligned(canvas, after)
            told = discriminator.update(target, canvas, part, parts)
            losses |= {f"{name}_gan_{what}": value for what, value in told.items()}
        return losses

    def _update_critic(self, before: PaintState, after: PaintState) -> dict[str, Tensor]:
        """Fit the critic to ``discount * (r(s', a') + Q'(s', a'))``, where a' is the target actor's action.

        The reference code adds r(s, a) to both sides of the difference, where it cancels. It also adds
        rewards ``[B]`` to values ``[B, 1]``, so that each state is compared with every reward of the batch:
        its mean reward is what the critic learns, as here with `critic_target` "seed".
        """
        self.critic_optimizer.zero_grad(set_to_none=True)
        views = (
            (episode.critic_observation(first, second, self.config.env), self._target_q_value(second))
            for first, second in zip(self._parts_of(before), self._parts_of(after), strict=True)
        )
        loss = backward(self.critic_loss, views, before.batch)
        gradient = gradient_norm(self.critic)
        self.critic_optimizer.step()
        return {"critic_loss": loss, "critic_gradient": gradient}

    @torch.no_grad()
    def _target_q_value(self, after: PaintState) -> Tensor:
        """``[B]`` what the critic is fitted to."""
        env = self.config.env
        with self._autocast():
            next_action = self.target_actor(episode.observation(after, env))
        following = self.step(after, next_action.float())
        with self._autocast():
            values = self.target_critic(episode.critic_observation(after, following, env))
        reward = self.rewards(after, following)["total"]
        if self.config.learn.critic_target == "seed":
            reward = reward.mean()
        next_q_value = values.float() + reward
        alive = (~episode.terminal(after, env)).float()
        return self.config.learn.discount * alive * next_q_value

    def _parts_of(self, state: PaintState) -> list[PaintState]:
        """A batch in the parts whose gradients are summed."""
        values: list[Tensor] = [getattr(state, item.name) for item in dataclasses.fields(state)]
        columns = [value.chunk(self.config.learn.accumulate) for value in values]
        return [PaintState(*part) for part in zip(*columns, strict=True)]

    def _value(self, action: Tensor) -> Tensor:
        """``[B]`` reward and value of actions in the states under consideration."""
        state = self._state
        if state is None:
            raise ValueError("there is no state, wanted an update")
        after = self.step(state, action)
        fixed = {name: values.detach() for name, values in self.critic.named_parameters()}
        view = episode.critic_observation(state, after, self.config.env)
        with self._autocast():
            values = functional_call(self.critic, fixed, (view,))
        rewards = self.rewards(state, after)
        self._rewards = {f"reward_{name}": values.detach().mean() for name, values in rewards.items()}
        return values.float() + rewards["total"]

    def _update_actor(self, before: PaintState) -> dict[str, Tensor]:
        rewards: dict[str, Tensor] = {}
        self.actor_optimizer.zero_grad(set_to_none=True)
        loss = backward(self.actor_loss, self._views(before, rewards), before.batch)
        gradient = gradient_norm(self.actor)
        self.actor_optimizer.step()
        self._state = None
        return {"actor_loss": loss, "Q": -loss, **rewards, "actor_gradient": gradient}

    def _views(self, state: PaintState, rewards: dict[str, Tensor]) -> Iterator[tuple[Tensor]]:
        """Observations of a batch's parts; each is the state under consideration while it is looked at.

        The means of the rewards are added to `rewards`.
        """
        for part in self._parts_of(state):
            self._state = part
            yield (episode.observation(part, self.config.env),)
            add_share(rewards, self._rewards, part.batch / state.batch)

    def finite(self) -> dict[str, Tensor]:
        """Whether each network's weights are finite, those of the actor also in its file's half precision."""
        networks = {"actor": self.actor, "critic": self.critic}
        networks |= {f"{name} discriminator": each.live for name, each in self.discriminators.items()}
        return {name: _finite(network, half=name == "actor") for name, network in networks.items()}

    def set_learning_rates(self, actor: float, critic: float) -> None:
        """Change the learning rates."""
        for optimizer, rate in ((self.actor_optimizer, actor), (self.critic_optimizer, critic)):
            for group in optimizer.param_groups:
                group["lr"] = rate

    def _networks(self) -> dict[str, nn.Module]:
        """All networks by their names in checkpoints, each live one before the one that follows it."""
        networks = {
            "actor": self.actor,
            "slow_actor": self.target_actor,
            "critic": self.critic,
            "slow_critic": self.target_critic,
        }
        for name, discriminator in self.discriminators.items():
            networks |= {f"{name}_live": discriminator.live, f"{name}_slow": discriminator.target_network}
        return networks

    def _parts(self) -> dict[str, Any]:
        return {**self._networks(), **self._optimizers()}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """All optimisers by their names in checkpoints."""
        first: dict[str, torch.optim.Optimizer] = {
            "actor_optimizer": self.actor_optimizer,
            "critic_optimizer": self.critic_optimizer,
        }
        return first | {f"{name}_optimizer": each.optimizer for name, each in self.discriminators.items()}

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimisers."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: it comes from networks of other shapes, or holds weights that are not finite.
        """
        try:
            for name, network in self._networks().items():
                network.load_state_dict(state[name])
                if not bool(_finite(network, half=False)):
                    raise ValueError(f"{name} is not finite")
            for name, optimizer in self._optimizers().items():
                optimizers.fill(optimizer, state[name])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"the checkpoint's networks differ from the run's ({reason})") from None

    def start_from(self, networks: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
        """Take over networks, without their optimisers.

        Args:
            networks: state dicts by their names in checkpoints. Those of others are passed over; a target
                network that is missing becomes a copy of its live one.

        Returns:
            The names of the live networks that are missing, which stay as they are.

        Raises:
            ValueError: one has other shapes than the run's.
        """
        own = self._networks()
        missing = []
        for (live, network), (slow, follower) in zip(*[iter(own.items())] * 2, strict=True):
            if live not in networks:
                missing.append(live)
                continue
            take_over(network, networks[live], live)
            take_over(follower, networks.get(slow, networks[live]), slow)
        return missing


def _finite(network: nn.Module, half: bool) -> Tensor:
    """Whether all of a network's numbers are finite (in half precision, if `half`): one boolean tensor."""
    values = [each for each in network.state_dict().values() if each.is_floating_point()]
    return torch.stack([(each.half() if half else each).isfinite().all() for each in values]).all()


def take_over(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Give a network the numbers of a state dict, of which batch counts may be missing.

    Raises:
        ValueError: names or shapes differ.
    """
    for key, values in network.state_dict().items():
        given = state.get(key)
        if given is None and key.endswith("num_batches_tracked"):
            continue
        shape = None if given is None else list(given.shape)
        if shape != list(values.shape):
            raise ValueError(
                f"the networks differ from the run's: {key} of {name} has shape {shape}, wanted "
                f"{list(values.shape)} ({_learned_with(key, given)})"
            )
    network.load_state_dict(state, strict=False)


def _learned_with(key: str, given: Tensor | None) -> str:
    """Which settings a network may have been trained with, whose tensor of that name does not fit."""
    channels = given.shape[1] if key == "conv1.weight" and given is not None and given.ndim > 1 else 0
    if channels not in SIGHTS:
        return "see --use-bilevel, --use-gbp, --bundle-size, --width"
    flags = [f"--{name.replace('_', '-')}" for name, on in vars(SIGHTS[channels]).items() if on]
    return f"it learned with {' '.join(flags)}" if flags else "it learned without --use-bilevel and --use-gbp"


def with_canvas(state: PaintState, canvas: Tensor, step: Tensor) -> PaintState:
    """`state` with a canvas of bytes ``[B, 3, H, W]`` from the replay memory, after so many steps ``[B]``."""
    device = state.canvas.device
    return replace(state, canvas=canvas.to(device).float() / 255, step=step.to(device))
