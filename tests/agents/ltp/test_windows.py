"""The papers' actor on parts of a picture: what it sees there, and what becomes of its strokes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semantic_guidance.agents.ltp.agent import LtpAgent
from semantic_guidance.agents.ltp.episode import EnvConfig, channel_table
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.agents.ltp.network import Actor, fused
from semantic_guidance.agents.ltp.windows import VectorPolicy
from semantic_guidance.agents.problem import Part, Problem
from semantic_guidance.agents.window.rollout import Rollout
from semantic_guidance.agents.window.view import Window
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.renderer import render

SEMANTIC = EnvConfig(max_eps_len=10, use_bilevel=True, use_gbp=True)


def actor(env: EnvConfig = SEMANTIC) -> Actor:
    """One whose norms have seen something."""
    torch.manual_seed(0)
    made = Actor(env.channels, env.action_size, 4)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return made.eval()


def square(height: int = 40, width: int = 60) -> Tensor:
    """The mask ``[1, H, W]`` of an object with the box (30, 10, 20, 20)."""
    mask = torch.zeros(1, height, width)
    mask[:, 10:30, 30:50] = 1
    return mask


def test_folded_norms_change_nothing() -> None:
    plain = actor()
    folded = fused(plain)
    seen = torch.rand(2, 13, 64, 64)
    assert torch.allclose(folded(seen), plain(seen), atol=1e-6)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_what_the_actor_sees_of_a_part() -> None:
    """The window (20, 0, 40) of the picture on 20 pixels; the object's box in it is (.25, .25, .5, .5)."""
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return torch.full((len(x), SEMANTIC.action_size), 0.5)

    mask = square()[0]
    policy = VectorPolicy(Spy(), SEMANTIC, 20, 1, mask, 0.5 * mask, total=20)  # type: ignore[arg-type]
    target = torch.rand(3, 40, 60)
    rollout = Rollout(target, Part(0, mask, mask, 20), torch.zeros(3, 40, 60), "auto")
    rollout.strokes = torch.zeros(10, 13)  # half of what it gets
    strokes, _ = policy.strokes(rollout, [Window(20, 0, 40)])
    assert strokes.points.shape == (1, 3, 3, 2)
    channels = {name: seen[0][0, part] for name, part in channel_table(SEMANTIC).items()}
    assert channels["step"].unique().tolist() == [0.5]
    means = torch.nn.functional.avg_pool2d(target[:, :, 20:], 2)
    assert torch.allclose(channels["target"], means, atol=1e-6)
    assert channels["mask"][0, 5:15, 5:15].min() > 0.99
    assert channels["mask"][0].sum() == pytest.approx(100)
    assert torch.allclose(channels["focus"], 0.5 * channels["mask"])
    # The grid's corners lie half a pixel of twenty within the box.
    edge = 0.25 + 0.5 / 40
    assert channels["grid"][:, 0, 0].tolist() == pytest.approx([edge, edge])
    assert channels["grid"][:, -1, -1].tolist() == pytest.approx([1 - edge, 1 - edge])


def test_a_draft_lowers_the_error_within_its_budgets(tmp_path: Path) -> None:
    save_actor(actor(), SEMANTIC, 32, tmp_path / "a.safetensors", any_ground=True, windows=True)
    agent = LtpAgent.load(tmp_path / "a.safetensors")
    assert agent.guided
    mask = square()
    picture = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(1))
    picture = torch.nn.functional.interpolate(picture[None], (40, 60), mode="bilinear")[0] * (1 - 0.8 * mask)
    known = Guidance(mask, mask, (Instance.from_mask(mask),))
    problem = Problem.of(picture, agent.view(known), 48, 30, 0.4)
    draft = agent.draft(problem, np.random.default_rng(0))
    assert draft.outside
    counts = {segment.mask: segment.count for segment in draft.segments}
    assert 0 < sum(counts.values()) <= 30
    canvas = problem.canvas[None]
    masks = {None: 1 - problem.masks[:1, None], 0: problem.masks[:1, None]}
    strokes = draft.strokes
    for segment in draft.segments:
        part, strokes = strokes[: segment.count], strokes[segment.count :]
        canvas = render(Strokes.unpack(part[None]), canvas, masks[segment.mask])
    before, after = ((each - problem.target).square().mean() for each in (problem.canvas, canvas))
    assert after < before


def test_who_is_not_told_of_objects_sees_none(tmp_path: Path) -> None:
    env = EnvConfig(max_eps_len=10)
    save_actor(actor(env), env, 32, tmp_path / "a.safetensors", any_ground=True, windows=True)
    agent = LtpAgent.load(tmp_path / "a.safetensors")
    assert not agent.guided
    mask = square()
    seen = agent.view(Guidance(mask, mask, (Instance.from_mask(mask),)))
    assert seen.instances == ()
    assert not bool(seen.mask.any())
