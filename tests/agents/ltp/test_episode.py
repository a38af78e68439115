"""Painting as pure functions, against formulas written out here."""

from __future__ import annotations

import itertools

import pytest
import torch

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.renderer import render

SEMANTIC = EnvConfig(max_eps_len=4, bundle_size=5, use_bilevel=True, use_gbp=True)
BASELINE = EnvConfig(max_eps_len=4, bundle_size=5)


def random_state(batch: int = 2, size: int = 24, seed: int = 0) -> episode.PaintState:
    """Black canvases before noise, with a mask on the right half."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(batch, 3, size, size, generator=generator)
    mask = torch.zeros(batch, 1, size, size)
    mask[..., size // 2 :] = 1
    focus = mask * torch.rand(batch, 1, size, size, generator=generator)
    boxes = torch.tensor([[0.5, 0.0, 0.5, 1.0]]).expand(batch, 4)
    return episode.initial(target, mask, focus, boxes)


def test_channels_are_those_of_the_paper():
    assert BASELINE.channels == 9
    assert SEMANTIC.channels == 13
    assert BASELINE.action_size == 65
    assert SEMANTIC.action_size == 78
    assert EnvConfig(use_bilevel=True).channels == 12
    assert EnvConfig(use_gbp=True).channels == 10
    starts = {name: part.start for name, part in episode.channel_table(SEMANTIC).items()}
    wanted = {"canvas": 0, "target": 3, "step": 6, "coordinates": 7, "focus": 9, "mask": 10, "grid": 11}
    assert starts == wanted


def test_observation_holds_what_the_table_says():
    state = random_state()
    state = episode.transition(state, torch.rand(2, 78), SEMANTIC)
    seen = episode.observation(state, SEMANTIC)
    table = episode.channel_table(SEMANTIC)
    for name in ("canvas", "target", "focus", "mask"):
        assert torch.equal(seen[:, table[name]], getattr(state, name))
    assert (seen[:, table["step"]] == 0.25).all()
    assert torch.allclose(seen[0, 7, :, 5], torch.arange(24) / 23)  # rows first
    assert torch.allclose(seen[0, 8, 5], torch.arange(24) / 23)


def test_critic_sees_the_previous_canvas_first():
    before = episode.transition(random_state(), torch.rand(2, 78), SEMANTIC)
    after = episode.transition(before, torch.rand(2, 78), SEMANTIC)
    seen = episode.critic_observation(before, after, SEMANTIC)
    assert seen.shape == (2, 16, 24, 24)
    assert torch.equal(seen[:, :3], before.canvas)
    assert torch.equal(seen[:, 3:6], after.canvas)


def test_bilevel_step_paints_each_level_under_its_mask():
    state = random_state()
    action = torch.rand(2, 78, generator=torch.Generator().manual_seed(3))
    after = episode.transition(state, action, SEMANTIC)
    vectors = action.view(2, 6, 13)
    canvas = render(strokes_from_ltp(vectors[:, :3]), state.canvas)
    left = canvas * (1 - state.mask) + state.canvas * state.mask
    painted = render(strokes_from_ltp(vectors[:, 3:]), left)
    wanted = painted * state.mask + left * (1 - state.mask)
    assert torch.allclose(after.canvas, wanted, atol=1e-6)
    assert after.step.tolist() == [1, 1]


def test_transition_has_gradients_of_action_and_canvas():
    config = EnvConfig(bundle_size=1, softness=5.0)
    generator = torch.Generator().manual_seed(5)
    target = torch.rand(1, 3, 9, 9, generator=generator, dtype=torch.float64)
    state = episode.initial(target)
    action = 0.3 + 0.4 * torch.rand(1, 13, generator=generator, dtype=torch.float64)

    def error(numbers: torch.Tensor) -> torch.Tensor:
        return episode.mean_squared_error(episode.transition(state, numbers, config)).sum()

    # Opacity takes 100 values along a stroke, whose steps have no gradient: equal opacities have no steps.
    action[:, 9] = action[:, 8]
    numbers = action.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(error(numbers), numbers)
    for n in (0, 1, 6, 7, 10):
        nudge = torch.zeros_like(action)
        nudge[0, n] = 1e-6
        difference = (error(action + nudge) - error(action - nudge)) / 2e-6
        assert torch.isclose(gradient[0, n], difference, rtol=2e-2, atol=1e-5)


def test_pixel_reward_telescopes():
    states = [random_state()]
    for n in range(4):
        action = torch.rand(2, 78, generator=torch.Generator().manual_seed(n))
        states.append(episode.transition(states[-1], action, SEMANTIC))
    total = sum(episode.reward(*pair) for pair in itertools.pairwise(states))
    wanted = episode.mean_squared_error(states[0]) - episode.mean_squared_error(states[-1])
    assert torch.allclose(total, wanted, atol=1e-6)
    assert [bool(episode.terminal(state, SEMANTIC).all()) for state in states] == [False] * 4 + [True]


def test_zoom_shows_the_box_with_all_its_columns():
    width = 128
    ramp = (torch.arange(width) + 0.5).expand(1, 1, width, width).contiguous()
    grid = episode.alignment_grid(torch.tensor([[0.25, 0.125, 0.5, 0.75]]), width, width)
    seen = episode.zoom(ramp, grid)[0, 0]
    wanted = 32 + 64 * (torch.arange(width) + 0.5) / width
    assert torch.allclose(seen[64], wanted, atol=1e-3)
    assert len(seen[64].unique()) == width  # bytes would keep 64


def test_guidance_tensors_follow_the_picture():
    mask = torch.zeros(1, 40, 60)
    mask[:, 10:20, 30:60] = 1
    guidance = Guidance(mask, mask, (Instance.from_mask(mask),))
    small, focus, box = episode.guidance_tensors(guidance, 16, 16)
    assert small.shape == focus.shape == (1, 16, 16)
    assert torch.allclose(box, torch.tensor([0.5, 0.25, 0.5, 0.25]))
    nothing, _, everything = episode.guidance_tensors(Guidance.none(), 16, 16)
    assert not nothing.any()
    assert everything.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: episode.initial(torch.rand(2, 1, 8, 8)), r"target has shape \[2, 1, 8, 8\]"),
        (lambda: episode.initial(torch.rand(2, 3, 8, 8), torch.rand(2, 1, 4, 4)), "mask has shape"),
        (lambda: episode.initial(torch.rand(2, 3, 8, 8), boxes=torch.rand(2, 2)), "boxes has shape"),
        (lambda: episode.decode(torch.rand(2, 64), BASELINE), r"action has shape \[2, 64\]"),
        (lambda: EnvConfig(bundle_size=0), "bundle_size is 0"),
    ],
)
def test_bad_input(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
