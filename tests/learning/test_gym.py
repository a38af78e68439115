"""The painting environment behind Gymnasium's interface."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from semantic_guidance.learning import gym


@pytest.mark.parametrize("settings", [{}, {"use_bilevel": True, "use_gbp": True}])
def test_gymnasium_checks_the_environment(settings):
    name = f"semantic_guidance.learning.gym:{gym.ENV_ID}"
    env = gymnasium.make(name, size=16, render_mode="rgb_array", max_eps_len=3, **settings)
    check_env(env.unwrapped)


def test_vector_environment_is_several_single_ones():
    pictures = [gym.disc_picture(np.random.default_rng(1), 16)]
    many = gymnasium.make_vec(gym.ENV_ID, num_envs=3, pictures=pictures, size=16, max_eps_len=2)
    one = gymnasium.make(gym.ENV_ID, pictures=pictures, size=16, max_eps_len=2)
    many.reset(seed=0)
    one.reset(seed=0)
    action = np.random.default_rng(2).random((3, 65), dtype=np.float32)
    for ended in (False, True):
        seen, gains, done, _, _ = many.step(action)
        alone, gain, over, _, _ = one.step(action[1])
        assert np.allclose(seen[1], alone, atol=1e-6)
        assert gains[1] == pytest.approx(gain)
        assert done.all() == over == ended
    seen, gains, done, _, _ = many.step(action)  # begins new episodes
    assert not gains.any()
    assert not done.any()
    assert not seen[:, :3].any()
