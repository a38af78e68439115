"""The dense actor on running canvases: every painting gets one step's strokes at each look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semantic_guidance.agents.dense.files import load_dense_actor, save_dense_actor
from semantic_guidance.agents.dense.network import DenseActor
from semantic_guidance.agents.dense.strokes import (
    CELLS,
    GAIN,
    SCALES,
    Chosen,
    Level,
    choose,
    decode,
    level_of,
    whole,
)
from semantic_guidance.agents.dense.view import SIDE, closer, object_square, observe, state_of
from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.apg.loss import root_errors
from semantic_guidance.learning.apg.places import wrong_squares
from semantic_guidance.learning.apg.pupil import Head, check_horizon
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.rewards import RewardConfig
from semantic_guidance.renderer import render

TEMPERATURE = 0.5
"""Of the choice of cells in training, in units of the predicted gains' logarithms."""

UNFOCUSED = 0.15
"""Share of the paintings without a focus map: masks that people bring have none."""

GAIN_WEIGHT = 0.002
"""Of the predictions' error against that of the painting: enough to rank cells, and no more."""

GAIN_FLOOR, GAIN_SHIFT = 1e-6, 7.0
"""A predicted gain is the logarithm of the fall of the squared error round its cell, at least the first of
these, plus the second: near 0 for the falls that most cells have.
"""


CLOSER = (2, 0.7)
"""From this step on, so many of the paintings are seen in a square somewhere, not in that of the object."""

SIDES = (0.14, 0.7)
"""Least and greatest side of such a square, in pictures."""


@dataclass(eq=False)
class DensePupil:
    """See `Pupil`.

    In each step it sees the whole picture and, closer, a square of it: that of the object, or later on any
    other where the background or the object is still wrong.

    Attributes:
        network: that learns; in evaluation mode it chooses the cells of greatest gain alone.
        env: the episode; ``bundle_size`` strokes are painted in a step, half of them for each of both views.
        reward: what counts, see `root_errors`.
        horizon: steps of a look.
        bf16: whether the network runs in bfloat16.
        levels: of all paintings, with what depends on their pictures alone: of whole pictures, of squares of
            the background, and of those of the object. The baseline has the first two.
    """

    network: DenseActor
    env: EnvConfig
    reward: RewardConfig
    horizon: int = 1
    bf16: bool = True
    levels: list[Level] = field(default_factory=list)

    def begun(self, easels: Easels, slots: Tensor) -> None:
        """See `Pupil`."""
        target, mask = easels.target[slots], easels.mask[slots]
        shows = (1 - mask, 1 - mask, mask) if self.network.guided else (None, None)
        place, near = whole(target), object_square(easels.box[slots])
        kinds = zip(shows, (place, place, near), (SCALES[0], SCALES[1], SCALES[1]), strict=False)
        fresh = [level_of(target, *kind) for kind in kinds]
        if not self.levels or len(self.levels[0].square) != len(easels):
            self.levels = [_blank(level, len(easels)) for level in fresh]
        for mine, level in zip(self.levels, fresh, strict=True):
            mine.square[slots], mine.means[slots] = level.square, level.means
            if mine.show is not None and level.show is not None:
                mine.show[slots] = level.show

    def look(self, easels: Easels) -> tuple[Tensor, Tensor]:
        """See `Pupil`. The loss is that of `root_errors` after the last step, and of the predicted gains."""
        focus = easels.focus * (easels.kind >= UNFOCUSED).view(-1, 1, 1, 1)
        now = state_of(easels.canvas, easels.target, easels.mask, focus, self.levels[-1].square, easels.step)
        predictions = now.canvas.new_zeros(())
        for _ in range(self.horizon):
            near, aside = self._square(now, easels.generator)
            levels = (self.levels[0], near)
            chosen = self._chosen(now, near, aside, easels.generator)
            canvas = now.canvas
            for each, level in zip(chosen, levels, strict=True):
                canvas = render(decode(each, level), canvas, level.show)
            after = replace(now, canvas=canvas, step=now.step + 1)
            predictions = predictions + _prediction_loss(now, after, chosen, levels)
            now = after
        loss = root_errors(now, self.env, self.reward) + GAIN_WEIGHT * predictions
        return loss, now.canvas.detach()

    def _square(self, now: PaintState, generator: torch.Generator) -> tuple[Level, Tensor]:
        """The level of the closer view, and ``[B, 1, 1, 1]`` whether it is the background's."""
        usual, beside = self.levels[-1], self.levels[1]
        batch, device = len(now.canvas), now.canvas.device
        dice = torch.rand(2, batch, 1, 1, 1, generator=generator, device=device, dtype=torch.float32)
        elsewhere = (dice[0] < CLOSER[1]) & (now.step >= CLOSER[0]).view(-1, 1, 1, 1)
        nothing = now.mask.amax((1, 2, 3), keepdim=True) < 0.5
        aside = elsewhere & ((dice[1] < 0.5) | nothing) & self.network.guided
        show = None
        error = (now.canvas.detach() - now.target).square().sum(1)
        if usual.show is not None and beside.show is not None:
            show = torch.where(aside, beside.show, usual.show)
            error = error * show[:, 0]
        corner, side = wrong_squares(error, SIDES, generator).split((2, 1), dim=1)
        found = torch.cat([corner, side, side], dim=1)
        square = torch.where(elsewhere[:, :, 0, 0], found, usual.square)
        means = torch.where(aside, beside.means, usual.means)
        return Level(show, square, means, usual.scales), aside

    def _chosen(
        self, now: PaintState, near: Level, aside: Tensor, generator: torch.Generator
    ) -> list[Chosen]:
        """The cells that paint, of both views: coarse ones in first steps, fine ones in later steps."""
        guided, steps = self.network.guided, self.network.steps
        mask = now.mask if near.show is None else near.show
        focus = torch.where(aside, 0.0, now.focus)
        there = state_of(now.canvas, now.target, mask, focus, near.square, now.step)
        views = observe(now, guided, steps), closer(observe(there, guided, steps), near.square)
        seen = [view.contiguous(memory_format=torch.channels_last) for view in views]
        with torch.autocast(now.canvas.device.type, torch.bfloat16, enabled=self.bf16):
            answers = self.network(*seen)
        temperature = TEMPERATURE if self.network.training else 0.0
        count, chosen = (self.env.bundle_size + 1) // 2, []
        for grids in answers:
            coarse, fine = (
                choose(raw, cells, count, temperature, generator)
                for raw, cells in zip(grids, CELLS, strict=True)
            )
            chosen.append(_either(coarse, fine, now.step > 0))
        return chosen


def _prediction_loss(
    now: PaintState, after: PaintState, chosen: Sequence[Chosen], levels: Sequence[Level]
) -> Tensor:
    """How far the predicted gains are from how much the error fell round the chosen cells."""
    squared = [(state.canvas - state.target).square().mean(1, keepdim=True) for state in (now, after)]
    fall = (squared[0] - squared[1]).detach()
    total, later = fall.new_zeros(()), now.step > 0
    for n, (each, level) in enumerate(zip(chosen, levels, strict=True)):
        plane = fall if level.show is None else fall * level.show
        if n:
            area = level.square[:, 2:].prod(dim=1).view(-1, 1, 1, 1)
            plane = area * closer(plane, level.square)
        coarse, fine = (_round_cells(plane, cells, each.cell) for cells in CELLS)
        found = torch.where(later[:, None], fine, coarse)
        wanted = (found.clamp(min=0) + GAIN_FLOOR).log() + GAIN_SHIFT
        total = total + F.smooth_l1_loss(each.raw[..., GAIN], wanted)
    return total


def _round_cells(plane: Tensor, cells: int, cell: Tensor) -> Tensor:
    """Means ``[B, N]`` of a plane ``[B, 1, H, W]`` over some cells of a grid and those next to them."""
    pooled = F.adaptive_avg_pool2d(plane, cells)
    pooled = F.avg_pool2d(pooled, 3, 1, 1, count_include_pad=False).flatten(1)
    return pooled.gather(1, cell.clamp(max=cells**2 - 1))


def _either(coarse: Chosen, fine: Chosen, later: Tensor) -> Chosen:
    """For each painting one of two choices, by ``[B]`` booleans."""
    row = later[:, None]
    return Chosen(
        torch.where(row[..., None], fine.raw, coarse.raw),
        torch.where(row[..., None], fine.home, coarse.home),
        torch.where(row, fine.cell, coarse.cell),
        torch.where(row[..., None], fine.home.new_tensor(fine.reach), coarse.reach),
    )


def _blank(level: Level, count: int) -> Level:
    """Room for a level of `count` paintings."""

    def room(values: Tensor) -> Tensor:
        return values.new_zeros(count, *values.shape[1:])

    show = None if level.show is None else room(level.show)
    return replace(level, show=show, square=room(level.square), means=room(level.means))


def _check(config: TrainConfig) -> None:
    """See that the episode has the channels, the canvas and the strokes that the network is made for.

    Raises:
        InputError: it has not.
    """
    env = config.env
    check_horizon(config)
    if env.use_bilevel != env.use_gbp or env.aligned != env.use_bilevel:
        raise InputError("--head dense: wanted both --use-bilevel and --use-gbp, with alignment, or neither")
    if config.data.side != SIDE:
        raise InputError(
            f"--head dense: the canvas has {config.data.side} pixels, wanted --canvas-size {SIDE}"
        )
    most = env.levels * CELLS[0] ** 2
    if env.bundle_size > most:
        raise InputError(f"--head dense: --bundle-size is {env.bundle_size}, wanted at most {most}")
    if env.compositing != "over" or env.softness != 1.0:
        raise InputError("--head dense: wanted --compositing over and --softness 1")


def _network(config: TrainConfig) -> DenseActor:
    env, width = config.env, config.learn.width
    return DenseActor(env.use_bilevel, env.max_eps_len, (width, 2 * width, 4 * width, 8 * width))


def _pupil(config: TrainConfig, network: nn.Module, whole: bool) -> DensePupil:
    return DensePupil(_dense(network), config.env, config.reward, config.apg.horizon, config.learn.bf16)


def _write(config: TrainConfig, network: nn.Module, path: Path) -> None:
    learn, apg = config.learn, config.apg
    facts = {
        "batch_size": learn.batch_size,
        "learning_rate": apg.apg_lr,
        "bundle_size": config.env.bundle_size,
    }
    save_dense_actor(_dense(network), facts, path)


def _dense(network: nn.Module) -> DenseActor:
    if not isinstance(network, DenseActor):
        raise TypeError(f"network is a {type(network).__name__}, wanted a DenseActor")
    return network


DENSE = Head(_check, _network, _pupil, load_dense_actor, _write, ("stems", "coarse", "fine"), 8)
"""Strokes for each cell of two grids; `LearnConfig.width` are the channels at a quarter of the side."""
