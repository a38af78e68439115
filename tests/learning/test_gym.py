"""The painting environment behind Gymnasium's interface."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from semantic_guidance.agents.ltp import episode
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.guidance.guide import Guide
from semantic_guidance.images.metrics import painting_errors, ssim
from semantic_guidance.learning import gym
from semantic_guidance.painter.painter import Painter
from semantic_guidance.renderer import render


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


MODES = ["sync", "vector_entry_point"]


@pytest.mark.parametrize("mode", MODES)
def test_vectors_take_what_one_environment_takes(mode):
    many = gymnasium.make_vec(
        gym.ENV_ID,
        num_envs=2,
        vectorization_mode=mode,
        render_mode="rgb_array",
        max_episode_steps=2,
        observation_dtype=np.uint8,
        size=16,
    )
    seen, _ = many.reset(seed=[5, 7])
    assert seen.dtype == np.uint8
    assert many.single_observation_space.contains(seen[0])
    assert [frame.shape for frame in many.render()] == [(16, 16, 3)] * 2
    many.action_space.seed(1)
    ends = []
    for _ in range(3):
        seen, gains, done, late, _ = many.step(many.action_space.sample())
        assert many.observation_space.contains(seen)
        assert (gains.dtype, done.dtype, late.dtype) == (np.float64, bool, bool)
        ends.append((done.tolist(), late.tolist()))
    assert ends == [([False] * 2, [False] * 2), ([False] * 2, [True] * 2), ([False] * 2, [False] * 2)]
    assert not seen[:, :3].any()  # new canvases
    assert many.spec.max_episode_steps == 2 or many.spec.kwargs["max_episode_steps"] == 2
    many.close()


@pytest.mark.parametrize("seed", [3, [3, 4], [9, 4]])
def test_each_painting_has_a_seed_of_its_own(seed):
    ways = [gymnasium.make_vec(gym.ENV_ID, num_envs=2, vectorization_mode=mode, size=16) for mode in MODES]
    seen, ours = (each.reset(seed=seed)[0] for each in ways)
    assert np.array_equal(seen, ours)
    alone = gymnasium.make(gym.ENV_ID, size=16)
    for n, each in enumerate([3, 4] if seed == 3 else seed):
        assert np.array_equal(alone.reset(seed=each)[0], ours[n])
    action = np.random.default_rng(1).random(ways[0].action_space.shape, np.float32)
    for _ in range(12):  # past the end of the first paintings: each draws the next one by itself
        stepped = [each.step(action) for each in ways]
        for theirs, own in zip(*stepped, strict=True):
            if isinstance(own, dict):
                assert theirs.keys() == own.keys() or not theirs
                continue
            assert np.allclose(theirs, own, atol=1e-5)
    with pytest.raises(ValueError, match="seed has 3 numbers, wanted one for each of 2"):
        ways[1].reset(seed=[1, 2, 3])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_autoreset_as_gymnasium_does_it(mode):
    settings = {"size": 16, "max_eps_len": 2}
    kind = gymnasium.vector.AutoresetMode(mode)
    theirs = gymnasium.make_vec(
        gym.ENV_ID, 2, vectorization_mode="sync", vector_kwargs={"autoreset_mode": kind}, **settings
    )
    ours = gymnasium.make_vec(gym.ENV_ID, 2, autoreset_mode=mode, **settings)
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"] == kind
    for each in (theirs, ours):
        each.reset(seed=1)
    action = np.random.default_rng(2).random((2, 65), np.float32)
    for step in range(5):
        if mode == "Disabled" and step == 2:
            both = np.array([True, True])
            found = [each.reset(seed=4, options={"reset_mask": both})[0] for each in (theirs, ours)]
            assert np.array_equal(*found)
        if mode == "Disabled" and step > 3:
            with pytest.raises(ValueError, match="wanted reset"):
                ours.step(action)
            break
        wanted, got = theirs.step(action), ours.step(action)
        for one, other in zip(wanted[:4], got[:4], strict=True):
            assert np.allclose(one, other, atol=1e-5)
        assert ("final_obs" in wanted[4]) == ("final_obs" in got[4])
        if "final_obs" in got[4]:
            for n in range(2):
                assert np.allclose(wanted[4]["final_obs"][n], got[4]["final_obs"][n], atol=1e-5)
            assert np.allclose(wanted[4]["final_info"]["mse"], got[4]["final_info"]["mse"])


def test_some_paintings_begin_anew():
    many = gym.PaintingVectorEnv(3, size=16, autoreset_mode="Disabled")
    many.reset(seed=1)
    seen = many.step(np.full((3, 65), 0.5))[0]
    again, _ = many.reset(options={"reset_mask": np.array([False, True, False])})
    assert np.array_equal(again[::2], seen[::2])
    assert not again[1, :3].any()
    assert many.state.step.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"reset_mask has shape \[2\], wanted \[3\]"):
        many.reset(options={"reset_mask": np.array([False, True])})


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (np.full(65, np.nan), "action holds NaN"),
        (np.zeros(64), r"action has shape \[64\], wanted \[65\]"),
        ("red", "action is str, wanted an array of numbers"),
        (np.zeros(65, complex), "of numbers in"),
        (None, "action is NoneType"),
    ],
)
def test_actions_that_are_none(action, complaint):
    env = gym.PaintingEnv(size=16)
    env.reset(seed=1)
    with pytest.raises(ValueError, match=complaint):
        env.step(action)
    many = gym.PaintingVectorEnv(1, size=16)
    many.reset(seed=1)
    with pytest.raises(ValueError, match="action"):
        many.step([action])


def test_actions_of_any_type_of_numbers():
    env, seen = gym.PaintingEnv(size=16), []
    kinds = [np.ones(65, kind) for kind in (np.float64, np.int64, np.float16, bool)]
    for action in (
        *kinds,
        [1] * 65,
        torch.ones(65, requires_grad=True),
        np.full(65, 7.0),
        np.full(65, np.inf),
    ):
        env.reset(seed=1)
        seen.append(env.step(action)[0])
    assert all(np.array_equal(each, seen[0]) for each in seen)


BYTES = torch.randint(0, 256, (3, 20, 20), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
BLANK = Guidance.none(20, 20)


@pytest.mark.parametrize("make", [gym.PaintingEnv, lambda pictures: gym.PaintingVectorEnv(2, pictures)])
def test_pictures_from_0_to_255(make):
    with pytest.raises(ValueError, match="image has values from 0 to 255, wanted 0 to 1"):
        make([(BYTES.float(), BLANK)]).reset(seed=1)
    with pytest.raises(ValueError, match="image has values from nan to nan"):
        make([(torch.full((3, 9, 9), torch.nan), BLANK)]).reset(seed=1)
    for name in ("mask", "focus"):
        with pytest.raises(ValueError, match=f"{name}.* has values from 0 to 255, wanted 0 to 1"):
            make([(BYTES / 255, replace(BLANK, **{name: BYTES[:1].float()}))]).reset(seed=1)
    unit, _ = make([(BYTES / 255, BLANK)]).reset(seed=1)
    array, _ = make([(BYTES.permute(1, 2, 0).numpy(), BLANK)]).reset(seed=1)  # bytes as files have them
    assert np.allclose(unit, array, atol=1e-6)


def test_what_takes_pictures_refuses_bytes_as_numbers():
    large, mask, unit = BYTES.float(), torch.full((1, 20, 20), 255.0), BYTES / 255
    strokes = strokes_from_ltp(torch.full((1, 1, 13), 0.5))
    refused = {
        "target has values from 0 to 255": lambda: episode.initial(large[None]),
        "target is of uint8": lambda: episode.initial(BYTES[None]),
        "mask has values from 255 to 255": lambda: episode.initial(unit[None], mask[None]),
        "boxes holds NaN": lambda: episode.initial(unit[None], boxes=torch.full((1, 4), torch.nan)),
        "image has values from 0 to 255": lambda: Guide()(large),
        "image is of uint8": lambda: Guide()(BYTES),
        "mask has values from 255": lambda: Guide().from_mask(unit, mask),
        "image has values from": lambda: Painter(strokes=1).paint(large),
        "mask has values": lambda: Painter(strokes=1).paint(unit, Guidance.from_mask(mask)),
        "canvas has values up to 255": lambda: render(strokes, large[None]),
        "mask has values up to 255": lambda: render(strokes, unit[None], mask[None]),
        "picture has values from 0": lambda: painting_errors(unit, large),
        "picture has values from 0 to": lambda: ssim(unit, large),
    }
    for complaint, call in refused.items():
        with pytest.raises(ValueError, match=f"{complaint}.*wanted"):
            call()
    over = (unit * 1.0009).contiguous()  # what resampling may overshoot
    assert episode.initial(over[None]).batch == 1
    assert painting_errors(over, unit).everywhere < 1e-6
    with pytest.raises(ValueError, match="render_mode is 'human', wanted None or rgb_array"):
        gym.PaintingEnv(render_mode="human")
