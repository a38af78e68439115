"""Updates at the paper's size: DDPG (ours, in bfloat16, the reference code's steps), and analytic ones.

    python benchmarks/train_step.py [--batch 16] [--repeats 5]

Networks, discriminators and rewards have the same shapes everywhere. The reference renders with the neural
renderer, renders and scores the remembered action again, computes the critic's gradients for the actor, and
differentiates the discriminators' gradients once more. Analytic updates (`train --method apg`) train the same
actor on running canvases of 128 x 128, which it sees on 128 or 64 pixels a side. All take turns. Factors are
of the processor's seconds, which other processes disturb less than those of the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, Neighbours, Parser, Timing, headline, significant, table, write_results
from torch import Tensor
from torch.profiler import profile

from semantic_guidance.agents.ltp import episode
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.learning.algorithms.ddpg import Learner
from semantic_guidance.learning.algorithms.wgan import WassersteinLoss
from semantic_guidance.learning.apg.run import AnalyticRun
from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.config import TrainConfig, make_config
from semantic_guidance.learning.run.processes import settle_threads
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.neural import NeuralBackend, NeuralRenderer

SIZE = 128
VIEWS = (128, 64)
CPU = torch.device("cpu")
KINDS = {
    "convolutions, forward": ("aten::mkldnn_convolution", "aten::convolution", "aten::_convolution"),
    "convolutions, backward": ("aten::convolution_backward", "ConvolutionBackward0"),
    "renderer": ("_Render", "_RenderBackward"),
    "batch norm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "copies, casts, joining": ("aten::copy_", "aten::cat", "aten::fill_", "aten::clone", "aten::_to_copy"),
    "optimisers, target networks": ("aten::_fused_adam_", "aten::_foreach_lerp_"),
    "alignment": ("aten::grid_sampler_2d", "aten::grid_sampler_2d_backward"),
}
"""What the profile tells apart; all else is arithmetic by element and its sums."""


def states(batch: int) -> tuple[episode.PaintState, episode.PaintState]:
    """A step between random canvases, with a mask, a focus map and a box."""
    generator = torch.Generator().manual_seed(0)
    target, before, after = torch.rand(3, batch, 3, SIZE, SIZE, generator=generator)
    mask = torch.zeros(batch, 1, SIZE, SIZE)
    mask[..., 32:96, 32:96] = 1
    start = episode.initial(target, mask, mask, torch.tensor([[0.25, 0.25, 0.5, 0.5]]).expand(batch, 4))
    return replace(start, canvas=before), replace(start, canvas=after, step=start.step + 1)


class ReferenceLoss(WassersteinLoss):
    """The discriminator's loss as the reference code has it: three passes, and a second derivative."""

    def forward(self, target: Tensor, canvas: Tensor, mix: Tensor) -> Tensor:
        """The loss, as that of `WassersteinLoss`."""
        pair = target.clone().requires_grad_()
        between = torch.lerp(canvas, target, mix.view(-1, 1, 1, 1)).requires_grad_()
        real, fake = self.discriminator(target, target), self.discriminator(target, canvas)
        mixed = self.discriminator(pair, between)
        gradients = torch.autograd.grad(mixed.sum(), (pair, between), create_graph=True)
        norms = torch.cat(gradients, dim=1).flatten(1).norm(dim=1)
        loss: Tensor = fake.mean() - real.mean() + self.penalty * (norms - 1).square().mean()
        return loss


class Reference(Learner):
    """The updates as the reference code has them."""

    def __init__(self, config: TrainConfig) -> None:
        network = NeuralRenderer().requires_grad_(False)
        super().__init__(config, CPU, partial(render, backend=NeuralBackend(network)))
        networks = [self.actor, self.critic, self.target_actor, self.target_critic]
        for discriminator in self.discriminators.values():
            networks += [discriminator.live, discriminator.target_network]
            discriminator.loss = ReferenceLoss(discriminator.live, config.learn.gradient_penalty)
        for network in networks:
            network.to(memory_format=torch.contiguous_format)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters())
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters())

    def _update_critic(self, before: episode.PaintState, after: episode.PaintState) -> dict[str, Tensor]:
        env, learn = self.config.env, self.config.learn
        action = torch.rand(before.batch, env.action_size)  # the memory's
        with torch.no_grad():
            following = self.step(after, self.target_actor(episode.observation(after, env)))
            ahead = self.target_critic(episode.critic_observation(after, following, env))
            target_q_value = learn.discount * (ahead + self.rewards(after, following)["total"])
        again = self.step(before, action)
        reward = self.rewards(before, again)["total"]
        q_value = self.critic(episode.critic_observation(before, again, env)) + reward
        loss = (q_value - target_q_value - reward).square().mean()
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_optimizer.step()
        return {"critic_loss": loss.detach()}

    def _value(self, action: Tensor) -> Tensor:
        if self._state is None:
            raise ValueError("there is no state, wanted an update")
        after = self.step(self._state, action)
        view = episode.critic_observation(self._state, after, self.config.env)
        return self.critic(view) + self.rewards(self._state, after)["total"]


def analytic(batch: int, view: int) -> AnalyticRun:
    """A run by the analytic gradient on random pictures with an object each."""
    count = 2 * batch
    pictures = PictureBank(lambda number: (torch.empty(0), Guidance.none()), torch.arange(count), SIZE)
    pixels = torch.randint(256, (count, 5, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    pixels[:, 3:] = 0
    pixels[:, 3:, 32:96, 32:96] = 255
    pictures.take(pixels.to(torch.uint8).numpy(), np.full((count, 4), 0.25, np.float32))
    config = make_config(
        method="apg", use_bilevel=True, use_gbp=True, batch_size=batch, view_size=view, bf16=True
    )
    return AnalyticRun(config, pictures, pictures, Path(), CPU)


def measure(functions: Sequence[Callable[[], Any]], repeats: int) -> list[tuple[Timing, Timing]]:
    """Seconds by the clock and of the processor, of functions that take turns, after one turn to warm up."""
    seconds: list[list[tuple[float, float]]] = [[] for _ in functions]
    for _ in range(repeats + 1):
        for function, taken in zip(functions, seconds, strict=True):
            clock, processor = time.perf_counter(), time.process_time()
            function()
            taken.append((time.perf_counter() - clock, time.process_time() - processor))
    return [
        (Timing.of([clock for clock, _ in taken[1:]]), Timing.of([used for _, used in taken[1:]]))
        for taken in seconds
    ]


def shares(learner: Learner, phases: dict[str, Callable[[], Any]]) -> dict[str, dict[str, float]]:
    """Percent of an update's processor time by kind of work (rows) and part of the update (columns)."""
    spent: dict[str, dict[str, float]] = {
        kind: dict.fromkeys(phases, 0.0) for kind in [*KINDS, "everything else"]
    }
    kinds = {name: kind for kind, names in KINDS.items() for name in names}
    for phase, function in phases.items():
        with profile() as profiler:
            function()
        for event in profiler.key_averages():
            spent[kinds.get(event.key, "everything else")][phase] += event.self_cpu_time_total
    total = sum(sum(row.values()) for row in spent.values())
    return {
        kind: {phase: significant(100 * part / total, 3) for phase, part in row.items()}
        for kind, row in spent.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16, help="transitions of an update (the paper's: 96)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    settle_threads(args.threads)
    config = make_config(use_bilevel=True, use_gbp=True, batch_size=args.batch)
    low = replace(config, learn=replace(config.learn, bf16=True))
    learners = {
        "ours": Learner(config, CPU),
        "ours, bfloat16": Learner(low, CPU),
        "reference": Reference(config),
    }
    before, after = states(args.batch)
    mix = torch.rand(2, args.batch)
    neighbours = Neighbours()
    updates: list[Callable[[], Any]] = [
        lambda learner=learner: learner.update(before, after, mix) for learner in learners.values()
    ]
    names = list(learners)
    for view in VIEWS:
        run = analytic(args.batch, view)
        updates.append(lambda run=run: run._update(0.5))
        names.append(f"analytic, bfloat16, sees {view} pixels a side")
    timings = dict(zip(names, measure(updates, args.repeats), strict=True))
    base = timings["reference"][1].median
    ours = learners["ours, bfloat16"]
    phases = {
        "discriminators": lambda: ours._update_discriminators(after, mix),
        "critic": lambda: ours._update_critic(before, after),
        "actor": lambda: ours._update_actor(before),
    }
    parts = shares(ours, phases)
    rows = [
        (name, clock, used, f"{1 / used.median:.3g}", f"{base / used.median:.2f}")
        for name, (clock, used) in timings.items()
    ]
    print(headline(neighbours))
    print(f"batch {args.batch}, {SIZE} x {SIZE}, {args.threads} thread(s)\n")
    print(table(("update", "clock", "processor", "a second", "times the reference's speed"), rows))
    print("\nPercent of the processor's time, ours in bfloat16\n")
    print(
        table(("work", *phases), [(kind, *(f"{x:g}" for x in row.values())) for kind, row in parts.items()])
    )
    results = {
        "batch": args.batch,
        "side_px": SIZE,
        "threads": args.threads,
        "updates": {
            name: {
                "clock": clock.record(),
                "processor": used.record(),
                "factor": significant(base / used.median, 3),
            }
            for name, (clock, used) in timings.items()
        },
        "percent_bfloat16": parts,
    }
    write_results(RESULTS / "train_step.json", "train_step", neighbours, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
