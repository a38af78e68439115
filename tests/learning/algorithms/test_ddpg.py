"""Model-based DDPG: its losses, its target networks, and a problem with a known optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from semantic_guidance.agents.ltp import episode
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.learning.algorithms.ddpg import Learner, with_canvas
from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.run.processes import settle_threads
from tests.learning.toys import discs, small_config, small_trainer

settle_threads(1)
CPU = torch.device("cpu")


def two_states(learner: Learner) -> tuple[episode.PaintState, episode.PaintState]:
    """States before and after a step, one of them at the end of its episode."""
    start = discs(4, 16, 0).start(torch.tensor([0, 2, 5]), CPU)
    generator = torch.Generator().manual_seed(3)
    before = replace(start, canvas=torch.rand(start.canvas.shape, generator=generator))
    after = learner.step(before, torch.rand(3, learner.config.env.action_size, generator=generator))
    return before, replace(after, step=torch.tensor([1, 2, 1]))


def test_critic_learns_the_discounted_next_value():
    learner = Learner(small_config(discount=0.5), CPU)
    before, after = two_states(learner)
    env = learner.config.env
    with torch.no_grad():
        action = learner.target_actor(episode.observation(after, env))
        following = learner.step(after, action)
        value = learner.target_critic(episode.critic_observation(after, following, env))
        reward = learner.rewards(after, following)["total"]
        target = 0.5 * torch.tensor([1.0, 0.0, 1.0]) * (reward + value)
        values = learner.critic(episode.critic_observation(before, after, env))
    learner.target_actor.load_state_dict(learner.actor.state_dict())
    loss = learner._update_critic(before, after)["critic_loss"]
    assert float(loss) == pytest.approx(float((values - target).square().mean()), rel=1e-4)


def test_the_seeds_critic_learns_the_batchs_mean_reward():
    """The reference code's update written out: rewards [B] are added to values [B, 1]."""
    learner = Learner(small_config(discount=0.5, critic_target="seed"), CPU)
    before, after = two_states(learner)
    env = learner.config.env
    with torch.no_grad():
        action = learner.target_actor(episode.observation(after, env))
        following = learner.step(after, action)
        ahead = learner.target_critic(episode.critic_observation(after, following, env)).view(3, 1)
        reward, step_reward = (
            learner.rewards(*pair)["total"] for pair in ((after, following), (before, after))
        )
        assert float(reward.std()) > 1e-3
        terminal = torch.tensor([0.0, 1.0, 0.0])
        target_q = 0.5 * (1 - terminal).view(-1, 1) * (ahead + reward) + step_reward
    cur_q = learner.critic(episode.critic_observation(before, after, env)).view(3, 1) + step_reward
    assert cur_q.shape == target_q.shape == (3, 3)
    wanted = torch.autograd.grad((cur_q - target_q).square().mean(), list(learner.critic.parameters()))
    learner.target_actor.load_state_dict(learner.actor.state_dict())
    learner.set_learning_rates(0.0, 0.0)
    told = learner._update_critic(before, after)
    for parameter, gradient in zip(learner.critic.parameters(), wanted, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-5)
    length = sum(float(gradient.square().sum()) for gradient in wanted) ** 0.5
    assert float(told["critic_gradient"]) == pytest.approx(length, rel=1e-3)


class Waits(TorchDispatchMode):
    """Counts what would make the program wait for a device: numbers that it asks for."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        self.count += any(
            word in name for word in ("_local_scalar_dense", "nonzero", "is_nonzero", "aten.equal")
        )
        return func(*args, **(kwargs or {}))


def test_an_update_asks_for_no_number():
    def plain(strokes, canvas, mask, softness):
        tint = strokes.color.mean(dim=1)[:, :, None, None] * (1 if mask is None else mask)
        return 0.5 * canvas + 0.5 * tint

    learner = Learner(small_config(), CPU, plain)
    before, after = two_states(learner)
    with Waits() as waits:
        told = learner.update(before, after, torch.rand(2, 3))
    assert waits.count == 0
    assert all(values.shape == () and not values.requires_grad for values in told.values())
    gan = {
        f"{name}_gan_{what}"
        for name in learner.discriminators
        for what in ("loss", "real", "fake", "penalty")
    }
    assert gan | {"Q", "reward_focus", "actor_gradient", "critic_gradient"} <= set(told)
    for name in learner.discriminators:
        parts = [float(told[f"{name}_gan_{what}"]) for what in ("fake", "real", "penalty")]
        assert float(told[f"{name}_gan_loss"]) == pytest.approx(parts[0] - parts[1] + parts[2], rel=1e-4)
    with Waits() as waits:
        float(told["Q"])
    assert waits.count == 1


def test_weights_that_are_not_finite_are_found():
    learner = Learner(small_config(), CPU)
    assert all(map(bool, learner.finite().values()))
    learner.actor.fc.bias.data[0] = 1e6  # beyond half precision
    learner.critic.fc.bias.data[0] = 1e6
    learner.discriminators["foreground"].live.conv4.bias.data[0] = torch.nan
    bad = {name for name, finite in learner.finite().items() if not finite}
    assert bad == {"actor", "foreground discriminator"}


def test_actor_climbs_reward_plus_value():
    learner = Learner(small_config(), CPU)
    before, _ = two_states(learner)
    env = learner.config.env
    critic = {name: values.clone() for name, values in learner.critic.state_dict().items()}

    def value() -> torch.Tensor:
        after = learner.step(before, learner.actor(episode.observation(before, env)))
        ahead = learner.critic(episode.critic_observation(before, after, env))
        return (ahead + learner.rewards(before, after)["total"]).mean()

    wanted = torch.autograd.grad(-value(), list(learner.actor.parameters()))
    learner.set_learning_rates(0.0, 0.0)
    told = learner._update_actor(before)
    for parameter, gradient in zip(learner.actor.parameters(), wanted, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-4)
    length = sum(float(gradient.square().sum()) for gradient in wanted) ** 0.5
    assert float(told["actor_gradient"]) == pytest.approx(length, rel=1e-3)
    assert float(told["Q"]) == pytest.approx(-float(told["actor_loss"]))
    parts = [float(told[f"reward_{name}"]) for name in ("adversarial", "foreground", "focus")]
    assert float(told["reward_total"]) == pytest.approx(sum(parts), rel=1e-4)
    assert all(torch.equal(critic[name], values) for name, values in learner.critic.state_dict().items())
    assert all(parameter.grad is None for parameter in learner.critic.parameters())


def test_target_actor_has_its_own_statistics():
    learner = Learner(small_config(), CPU)
    live = {buffer.data_ptr() for buffer in learner.actor.buffers()}
    assert live.isdisjoint(buffer.data_ptr() for buffer in learner.target_actor.buffers())
    before, after = two_states(learner)
    learner.update(before, after, torch.rand(2, 3))
    assert not torch.equal(learner.actor.bn1.running_mean, learner.target_actor.bn1.running_mean)


def test_targets_follow_by_a_share_and_rates_are_those_that_are_set():
    learner = Learner(small_config(tau=0.25), CPU)
    before, after = two_states(learner)
    for rate, moves in ((0.0, False), (1e-3, True)):
        learner.set_learning_rates(rate, rate)
        for live, target in ((learner.actor, learner.target_actor), (learner.critic, learner.target_critic)):
            for parameter in target.parameters():
                parameter.data.add_(0.5)
            old = [[each.detach().clone() for each in network.parameters()] for network in (live, target)]
            learner.update(before, after, torch.rand(2, 3))
            for was, now, kept in zip(old[1], live.parameters(), target.parameters(), strict=True):
                assert torch.allclose(kept, torch.lerp(was, now, 0.25), atol=1e-6)
            assert moves != all(map(torch.equal, old[0], live.parameters()))


def test_unused_discriminators_do_not_exist():
    assert set(Learner(small_config(), CPU).discriminators) == {"whole", "foreground"}
    assert set(Learner(small_config(use_bilevel=False), CPU).discriminators) == {"whole"}
    assert set(Learner(small_config(gan_coef=0, seggt_coef=0), CPU).discriminators) == set()


def disc_on_black(size: int = 32) -> tuple[torch.Tensor, Guidance]:
    """One disc on black: a single stroke can match it."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    inside = np.clip(6 - np.hypot(rows - 20, columns - 13) + 0.5, 0, 1)
    colour = np.array([0.9, 0.5, 0.2])[:, None, None]
    return torch.from_numpy(inside * colour).float(), Guidance.none()


@pytest.mark.usefixtures("long")
def test_solves_a_disc(tmp_path):
    settings = {
        "canvas_size": 32,
        "width": 8,
        "nenv": 4,
        "batch_size": 8,
        "max_eps_len": 3,
        "bundle_size": 1,
        "warmup": 3,
        "rmsize": 40,
        "train_timesteps": 210,  # of twelve runs, eleven end below the bound; after 150, half
        "train_steps_per_eps": 5,
        "val_interval": 0,
        "save_interval": 1000,
        "gan_coef": 0.0,
        "pixel_coef": 100.0,
        "softness": 2.0,
        # With the paper's 0.001 the critic would still learn from an untrained actor's steps at the end.
        "tau": 0.02,
        "use_bilevel": False,
        "use_gbp": False,
        "actor_lr": (5e-3, 3e-3, 1e-3),
        "lr_episodes": (20, 35),
        "seed": 1,
    }
    trainer = small_trainer(tmp_path, **settings)
    trainer.pictures = trainer.held_out = PictureBank(lambda n: disc_on_black(), torch.arange(1), 32)
    empty = float(disc_on_black()[0].square().mean())
    trainer.run()
    results, _ = trainer.validate()
    assert results["mean_dist"] < 0.05 * empty


def test_canvas_comes_from_bytes():
    start = discs(2, 16, 0).start(torch.tensor([0]), CPU)
    state = with_canvas(start, torch.full((1, 3, 16, 16), 51, dtype=torch.uint8), torch.tensor([1]))
    assert torch.allclose(state.canvas, torch.tensor(0.2))
    assert state.step.tolist() == [1]
