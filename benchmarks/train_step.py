"""Updates of model-based DDPG at the paper's size: the exact renderer against the neural one in the loop.

    python benchmarks/train_step.py [--batch 4] [--repeats 3]

Networks, discriminators and rewards are the same on both sides; the neural renderer has the paper's shape.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import torch
from common import Neighbours, Parser, measure_parts, timed

from semantic_guidance import envs
from semantic_guidance.renderer import render
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


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4, help="transitions of an update (the paper's: 96)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    settle_threads(args.threads)
    config = make_config(use_bilevel=True, use_gbp=True, batch_size=args.batch)
    neural = NeuralRenderer().requires_grad_(False)
    cpu = torch.device("cpu")
    learners = [Learner(config, cpu, renderer) for renderer in (render, neural.paint)]
    before, after = states(args.batch)
    mix = torch.rand(2, args.batch)
    neighbours = Neighbours()
    exact, network = measure_parts(
        lambda: [timed(lambda: learner.update(before, after, mix)) for learner in learners], args.repeats, 1
    )
    print(f"exact renderer:  {exact}")
    print(f"neural renderer: {network}")
    print(f"ratio {network.median / exact.median:.2f}, batch {args.batch}, other cores {neighbours.cores()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
