"""The papers' actor on running canvases: what it sees of a part, where parts lie, what is painted."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from semantic_guidance.agents.ltp.episode import EnvConfig, apply_strokes, decode, observation
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.apg.loss import FLOOR
from semantic_guidance.learning.apg.vector import SIDES, VectorPupil, view
from semantic_guidance.learning.rewards import RewardConfig
from tests.learning.toys import discs

CPU = torch.device("cpu")
SEMANTIC = EnvConfig(max_eps_len=4, bundle_size=4, use_bilevel=True, use_gbp=True)


def easels(side: int = 32, count: int = 3) -> Easels:
    made = Easels(discs(6, side, 0), count, 4, CPU)
    made.canvas = torch.rand(made.canvas.shape, generator=torch.Generator().manual_seed(0))
    return made


def pupil(env: EnvConfig = SEMANTIC, **values: float) -> VectorPupil:
    torch.manual_seed(0)
    network = Actor(env.channels, env.action_size, 4).eval()
    return VectorPupil(network, env, RewardConfig(), 16, bf16=False, **values)


def test_a_part_on_as_many_pixels_is_the_part_itself() -> None:
    """A quarter of 32 x 32 pixels, seen on 16 x 16; half of them whole: means of 2 x 2."""
    state = easels()
    seen = view(state, torch.tensor([[0.25, 0.5, 0.5]]).expand(3, 3), 16)
    assert torch.allclose(seen.canvas, state.canvas[:, :, 16:32, 8:24], atol=1e-5)
    whole = view(state, torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3), 16)
    assert torch.allclose(whole.target, nn.functional.avg_pool2d(state.target, 2), atol=1e-5)


def test_a_part_lies_where_it_is_whatever_the_sizes() -> None:
    """A ramp of 32 pixels seen on 12: each pixel holds the ramp at its centre, but near the edges."""
    state = easels()
    state.target = ((torch.arange(32) + 0.5) / 32).expand(3, 3, 32, 32)
    for place in ([0.0, 0.0, 1.0], [0.25, 0.25, 0.75]):
        seen = view(state, torch.tensor([place]).expand(3, 3), 12).target[0, 0, 4]
        wanted = place[0] + place[2] * (torch.arange(12) + 0.5) / 12
        assert torch.allclose(seen[1:-1], wanted[1:-1], atol=0.02)


def test_the_grid_leads_from_a_part_to_the_object() -> None:
    """The object's box in pictures, reached through a part: x -> part.x + part.side * x."""
    state = easels()
    windows = torch.tensor([[0.25, 0.5, 0.5], [0.0, 0.0, 1.0], [0.5, 0.0, 0.25]])
    inside = (view(state, windows, 16).grid + 1) / 2
    at = windows[:, :2, None, None] + windows[:, 2:, None, None] * inside
    wanted = state.box[:, :2, None, None] + state.box[:, 2:, None, None] * torch.tensor([0.5, 0.5]).view(
        2, 1, 1
    )
    assert torch.allclose(at.mean((2, 3)), wanted[..., 0, 0], atol=1e-5)


def test_parts_lie_in_the_picture_and_the_first_steps_see_all_of_it() -> None:
    state = easels(count=64)
    state.kind, state.step = torch.rand(64), torch.full((64,), 20)
    places = pupil(windows=0.5).places(state)
    parts = places[:, 2] < 1
    assert torch.equal(parts, state.kind < 0.5)
    assert (places[parts, 2] >= SIDES[0] - 1 / 32).all()
    assert (places[:, :2] >= 0).all()
    assert (places[:, :2] + places[:, 2:] <= 1 + 1e-6).all()
    state.step = torch.zeros(64, dtype=torch.long)
    assert (pupil(windows=0.5).places(state)[:, 2] == 1).all()


def test_strokes_of_a_part_are_painted_where_it_lies() -> None:
    """Seen on as many pixels as it has, a part looks after the step as the whole canvas does there."""
    state, learner = easels(), pupil()
    windows = torch.tensor([[0.25, 0.5, 0.5]]).expand(3, 3)
    learner.places = lambda easels: windows  # type: ignore[method-assign]
    loss, canvas = learner.look(state)
    before = view(state, windows, 16)
    after = apply_strokes(before, decode(learner.network(observation(before, SEMANTIC)), SEMANTIC), SEMANTIC)
    assert torch.allclose(canvas[:, :, 16:32, 8:24], after.canvas, atol=0.03)
    assert (canvas[:, :, 16:32, 8:24] - after.canvas).square().mean() < 1e-5
    assert not canvas.requires_grad
    assert loss.requires_grad


def test_the_loss_by_hand() -> None:
    """Error .04 on a quarter that is the object, .01 beside it, focus on half of the object."""
    target = torch.zeros(1, 3, 16, 16)
    canvas = torch.full_like(target, 0.1)
    mask, focus = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    canvas[..., :8, :8], mask[..., :8, :8], focus[..., :4, :8] = 0.2, 1, 1
    state = easels(16, 1)
    seen = replace(
        view(state, torch.tensor([[0.0, 0, 1]]), 16), canvas=canvas, target=target, mask=mask, focus=focus
    )
    few = 0.002 * 256
    whole = (0.25 * 0.04 + 0.75 * 0.01 + FLOOR) ** 0.5
    inside, focused = ((0.04 * n / (n + few) + FLOOR) ** 0.5 for n in (64, 32))
    learner = pupil()
    assert torch.allclose(learner.loss(seen), torch.tensor(whole + inside + 0.5 * focused))
    plain = replace(SEMANTIC, no_alignment=True)
    assert torch.allclose(replace(learner, env=plain).loss(seen), torch.tensor(whole + 0.5 * focused))
    assert torch.allclose(replace(learner, env=EnvConfig()).loss(seen), torch.tensor(whole))


def test_a_longer_horizon_paints_more_and_is_differentiated_through() -> None:
    state = easels()
    one, two = pupil(horizon=1), pupil(horizon=2)
    assert not torch.allclose(one.look(state)[1], two.look(state)[1])
    two.look(state)[0].backward()
    assert all(parameter.grad is not None for parameter in two.network.parameters())
