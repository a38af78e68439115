"""Rewards, against formulas written out here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from semantic_guidance.agents.ltp import episode
from semantic_guidance.learning import rewards
from semantic_guidance.learning.networks.discriminator import Discriminator
from semantic_guidance.learning.rewards import RewardConfig


def states(
    size: int = 32, seed: int = 0
) -> tuple[episode.PaintState, episode.PaintState, episode.PaintState]:
    """Three canvases before the same target, whose object is in the middle."""
    generator = torch.Generator().manual_seed(seed)
    target, *canvases = torch.rand(4, 2, 3, size, size, generator=generator)
    mask = torch.zeros(2, 1, size, size)
    mask[..., 8:24, 8:24] = 1
    focus = torch.rand(2, 1, size, size, generator=generator) * mask
    start = episode.initial(target, mask, focus, torch.tensor([[0.25, 0.25, 0.5, 0.5]]).expand(2, 4))
    first, second, third = (replace(start, canvas=canvas) for canvas in canvases)
    return first, second, third


@pytest.mark.parametrize("reward", [rewards.pixel_reward, rewards.focus_reward])
def test_error_rewards_telescope(reward):
    first, second, third = states()
    assert torch.allclose(reward(first, second) + reward(second, third), reward(first, third), atol=1e-6)


def test_a_step_onto_the_target_earns_the_whole_error():
    before, after, _ = states()
    after = replace(after, canvas=after.target)
    error = episode.mean_squared_error(before)
    assert torch.allclose(rewards.pixel_reward(before, after), error)

    def score(target: torch.Tensor, canvas: torch.Tensor) -> torch.Tensor:
        return -(target - canvas).square().mean(dim=(1, 2, 3))

    assert torch.allclose(rewards.adversarial_reward(before, after, score), error)
    assert (rewards.foreground_reward(before, after, score) > 0).all()


def test_adversarial_rewards_telescope():
    first, second, third = states()
    score = Discriminator()
    for reward in (rewards.adversarial_reward, rewards.foreground_reward):
        whole = reward(first, third, score)
        assert torch.allclose(reward(first, second, score) + reward(second, third, score), whole, atol=1e-5)


def test_focus_reward_is_the_papers():
    before, after, _ = states()

    def error(state: episode.PaintState) -> np.ndarray:
        canvas, target, focus = (part.numpy() for part in (state.canvas, state.target, state.focus))
        weighted = (((canvas - target) * focus) ** 2).mean(1).sum((1, 2))
        return weighted / focus.sum((1, 2, 3))

    got = rewards.focus_reward(before, after).numpy()
    assert np.allclose(got, error(before) - error(after), atol=1e-6)


def test_focus_reward_without_a_focus_map_is_nothing():
    before, after, _ = (replace(state, focus=torch.zeros_like(state.focus)) for state in states())
    assert not rewards.focus_reward(before, after).any()


def test_foreground_reward_does_not_depend_on_the_objects_place():
    before, after, _ = states()
    score = Discriminator()
    here = rewards.foreground_reward(before, after, score)

    def moved(state: episode.PaintState) -> episode.PaintState:
        parts = {name: getattr(state, name).roll((5, -3), (2, 3)) for name in ("canvas", "target", "mask")}
        boxes = torch.tensor([[8 - 3, 8 + 5, 16, 16]]).expand(2, 4) / 32
        return replace(state, **parts, grid=episode.alignment_grid(boxes, 32, 32))

    assert torch.allclose(rewards.foreground_reward(moved(before), moved(after), score), here, atol=1e-4)


def test_foreground_reward_ignores_the_background():
    before, after, other = states()
    score = Discriminator()
    outside = replace(after, canvas=torch.where(after.mask > 0, after.canvas, other.canvas))
    same = rewards.foreground_reward(before, after, score)
    assert torch.allclose(rewards.foreground_reward(before, outside, score), same, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "part", "factor"),
    [
        ("gan_coef", "adversarial", 1.0),
        ("seggt_coef", "foreground", 2.0),
        ("gbp_coef", "focus", 1000.0),
        ("pixel_coef", "pixel", 1.0),
    ],
)
def test_coefficients_change_the_result(field, part, factor):
    before, after, _ = states()
    scores = (Discriminator(), Discriminator())
    plain = {
        "adversarial": lambda: rewards.adversarial_reward(before, after, scores[0]),
        "foreground": lambda: rewards.foreground_reward(before, after, scores[1]),
        "focus": lambda: rewards.focus_reward(before, after),
        "pixel": lambda: rewards.pixel_reward(before, after),
    }
    zero = dict.fromkeys(("gan_coef", "seggt_coef", "gbp_coef", "pixel_coef"), 0.0)
    config = RewardConfig(**{**zero, field: 3.0})
    got = rewards.total_reward(before, after, config, *scores, use_focus=True)
    assert got.keys() == {part, "total"}
    assert torch.allclose(got["total"], 3 * factor * plain[part](), atol=1e-6)
