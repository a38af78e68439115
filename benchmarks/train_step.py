"""Updates of model-based DDPG at the paper's size: ours, ours in bfloat16, and the reference code's steps.

    python benchmarks/train_step.py [--batch 4] [--repeats 3]

Networks, discriminators and rewards have the same shapes everywhere. The reference renders with the neural
renderer, renders and scores the remembered action again, and computes the critic's gradients for the actor.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import torch
from common import Neighbours, Parser, measure_parts, timed
from torch import Tensor

from semantic_guidance import envs
from semantic_guidance.renderer.neural import NeuralRenderer
from semantic_guidance.training.config import make_config
from semantic_guidance.training.ddpg import Learner
from semantic_guidance.training.processes import settle_threads

SIZE = 128


def states(batch: int) -> tuple[envs.PaintState, envs.PaintState]:
    """A step between random canvases, with a mask, a focus map and a box."""
    generator = torch.Generator().manual_seed(0)
    target, before, after = torch.rand(3, batch, 3, SIZE, SIZE, generator=generator)
    mask = torch.zeros(batch, 1, SIZE, SIZE)
    mask[..., 32:96, 32:96] = 1
    start = envs.initial(target, mask, mask, torch.tensor([[0.25, 0.25, 0.5, 0.5]]).expand(batch, 4))
    return replace(start, canvas=before), replace(start, canvas=after, step=start.step + 1)


class Reference(Learner):
    """The updates as the reference code has them."""

    def _update_critic(self, before: envs.PaintState, after: envs.PaintState) -> Tensor:
        env, learn = self.config.env, self.config.learn
        action = torch.rand(before.batch, env.action_size)  # the memory's
        with torch.no_grad():
            following = self.step(after, self.slow_actor(envs.observation(after, env)))
            ahead = self.slow_critic(envs.critic_observation(after, following, env))
            target_q_value = learn.discount * (ahead + self.rewards(after, following)["total"])
        again = self.step(before, action)
        reward = self.rewards(before, again)["total"]
        q_value = self.critic(envs.critic_observation(before, again, env)) + reward
        loss = (q_value - target_q_value - reward).square().mean()
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_optimizer.step()
        return loss.detach()

    def _value(self, action: Tensor) -> Tensor:
        if self._state is None:
            raise ValueError("there is no state, wanted an update")
        after = self.step(self._state, action)
        view = envs.critic_observation(self._state, after, self.config.env)
        return self.critic(view) + self.rewards(self._state, after)["total"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4, help="transitions of an update (the paper's: 96)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    settle_threads(args.threads)
    config = make_config(use_bilevel=True, use_gbp=True, batch_size=args.batch)
    low = replace(config, learn=replace(config.learn, bf16=True))
    neural = NeuralRenderer().requires_grad_(False)
    cpu = torch.device("cpu")
    learners = [Learner(config, cpu), Learner(low, cpu), Reference(config, cpu, neural.paint)]
    before, after = states(args.batch)
    mix = torch.rand(2, args.batch)
    neighbours = Neighbours()

    def update(learner: Learner) -> float:
        return timed(lambda: learner.update(before, after, mix))

    timings = measure_parts(lambda: [update(learner) for learner in learners], args.repeats, 1)
    for name, timing in zip(("ours", "ours, bfloat16", "reference"), timings, strict=True):
        print(f"{name:15} {timing}, {timings[-1].median / timing.median:.2f} times as fast as the reference")
    print(f"batch {args.batch}, cores kept busy by others: {neighbours.cores()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
