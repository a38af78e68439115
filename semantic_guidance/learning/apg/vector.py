"""The papers' actor on running canvases: it sees all of a painting or a part, and adds a bundle of strokes.

A part is seen as if it were a picture of its own, with mask, focus map and alignment grid; that is the
division of the baseline's code (Huang et al. 2019), anywhere and at any size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState
from semantic_guidance.agents.ltp.files import load_actor, save_actor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.apg.loss import root_errors
from semantic_guidance.learning.apg.places import wrong_squares
from semantic_guidance.learning.apg.pupil import Head, check_horizon
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.rewards import RewardConfig

WHOLE_STEPS = (3, 14)
"""A painting that is continued in parts is seen as a whole for so many steps, by chance."""

SIDES = (0.07, 0.6)
"""Least and greatest side of a part, in pictures."""


@dataclass(eq=False)
class VectorPupil:
    """See `Pupil`.

    Attributes:
        network: an `Actor`.
        env: the episode.
        reward: what counts: ``seggt_coef`` for objects, ``gbp_coef`` for focus maps.
        size: side in pixels of what the actor sees.
        windows: share of the paintings of which parts are seen.
        horizon: steps of a look.
        bf16: whether the network runs in bfloat16.
    """

    network: nn.Module
    env: EnvConfig
    reward: RewardConfig
    size: int = 64
    windows: float = 0.65
    horizon: int = 1
    bf16: bool = True

    def begun(self, easels: Easels, slots: Tensor) -> None:
        """See `Pupil`."""

    def look(self, easels: Easels) -> tuple[Tensor, Tensor]:
        """See `Pupil`. The loss is the sum of the errors' roots after the last step."""
        windows = self.places(easels)
        state = view(easels, windows, self.size)
        canvas = easels.canvas
        for _ in range(self.horizon):
            seen = episode.observation(state, self.env).contiguous(memory_format=torch.channels_last)
            with torch.autocast(seen.device.type, torch.bfloat16, enabled=self.bf16):
                action = self.network(seen)
            bundles = episode.decode(action.float(), self.env)
            state = episode.apply_strokes(state, bundles, self.env)
            with torch.no_grad():
                canvas = self._painted(easels, canvas, windows, bundles)
        return self.loss(state), canvas

    def loss(self, state: PaintState) -> Tensor:
        """See `root_errors`."""
        return root_errors(state, self.env, self.reward)

    @torch.no_grad()
    def places(self, easels: Easels) -> Tensor:
        """``[B, 3]`` (x, y, side) of what is seen of each painting, in pictures."""
        generator, device = easels.generator, easels.device
        # `kind` below `windows` decides that parts are seen, and how soon.
        parts = easels.kind < self.windows
        soon = easels.kind / max(self.windows, 1e-6)
        parts &= easels.step >= WHOLE_STEPS[0] + soon * (WHOLE_STEPS[1] - WHOLE_STEPS[0])
        error = (easels.canvas - easels.target).square().sum(1)
        if self.env.use_bilevel:  # half of the parts show the object, where there is one
            dice = torch.rand(len(easels), generator=generator, device=device, dtype=torch.float32)
            towards = (dice < 0.5) & (easels.mask.amax((1, 2, 3)) > 0.5)
            error = torch.where(towards[:, None, None], error * easels.mask[:, 0], error)
        chosen = wrong_squares(error, SIDES, generator)
        whole = torch.zeros_like(chosen)
        whole[:, 2] = 1
        return torch.where(parts[:, None], chosen, whole)

    def _painted(self, easels: Easels, canvas: Tensor, windows: Tensor, bundles: list[Strokes]) -> Tensor:
        """The whole canvases with the strokes that were made in parts of them."""
        corner, side = windows[:, None, None, :2], windows[:, None, 2:]
        masks = [1 - easels.mask, easels.mask] if self.env.use_bilevel else [None]
        paint = episode.compositor(self.env)
        for strokes, mask in zip(bundles, masks, strict=True):
            points = strokes.points.detach() * side[..., None] + corner
            part = Strokes(
                points, strokes.radius.detach() * side, strokes.opacity.detach(), strokes.color.detach()
            )
            canvas = paint(part, canvas, mask, self.env.softness)
        return canvas


@torch.no_grad()
def view(easels: Easels, windows: Tensor, size: int) -> PaintState:
    """What is seen of the paintings in ``[B, 3]`` (x, y, side), on canvases of `size` pixels a side.

    Parts with more pixels than are seen are looked up in smaller planes, whose pixels are means.
    """
    planes = torch.cat([easels.target, easels.canvas, easels.mask, easels.focus], 1)
    corner, side, pixels = windows[:, :2], windows[:, 2:], easels.canvas.shape[-1]
    grid = episode.alignment_grid(torch.cat([corner, side, side], 1), size, size).permute(0, 2, 3, 1)

    def looked(planes: Tensor) -> Tensor:
        return F.grid_sample(planes, grid, align_corners=False, padding_mode="border")

    seen = looked(planes)
    if size < pixels:
        large = (side * pixels > size)[..., None, None]
        seen = torch.where(large, looked(F.adaptive_avg_pool2d(planes, size)), seen)
    box = torch.cat([(easels.box[:, :2] - corner) / side, easels.box[:, 2:] / side], 1)
    state = episode.begun(seen[:, :3], seen[:, 6:7], seen[:, 7:8], box)
    return replace(state, canvas=seen[:, 3:6], step=easels.step)


def _check(config: TrainConfig) -> None:
    check_horizon(config)


def _network(config: TrainConfig) -> Actor:
    return Actor(config.env.channels, config.env.action_size, config.learn.width)


def _pupil(config: TrainConfig, network: nn.Module, whole: bool) -> VectorPupil:
    apg = config.apg
    windows = 0.0 if whole else apg.windows
    return VectorPupil(
        network, config.env, config.reward, apg.view_size, windows, apg.horizon, config.learn.bf16
    )


def _write(config: TrainConfig, network: nn.Module, path: Path) -> None:
    apg = config.apg
    if not isinstance(network, Actor):
        raise TypeError(f"network is a {type(network).__name__}, wanted an Actor")
    # Parts are painted by our own rule.
    windows = apg.windows > 0 and config.env.compositing == "over"
    save_actor(network, config.env, apg.view_size, path, any_ground=True, windows=windows)


VECTOR = Head(_check, _network, _pupil, lambda path: load_actor(path).actor, _write, ("conv1", "fc"), 4)
"""The papers' actor: one vector of strokes for all that is seen."""
