"""What is lowered on running canvases: the paper's three rewards, as errors."""

from __future__ import annotations

from torch import Tensor

from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState
from semantic_guidance.learning.rewards import RewardConfig

FLOOR = 1e-4
"""Added to errors before their root is taken, whose slope would be infinite at 0."""

FOCUS_WEIGHT = 0.5
"""Of the root of the focus-weighted error, against 1 for that of all and of the object."""


def root_errors(state: PaintState, env: EnvConfig, reward: RewardConfig) -> Tensor:
    """Sum of the errors' roots, mean over the batch.

    An object's error is a mean over its own pixels: that of the aligned object, whatever its size (Singh &
    Zheng 2021, section 3.2). Roots keep empty canvases, where errors are large, from outvoting details.

    Args:
        state: the paintings.
        env: their episode, which says whether the object and its focus count.
        reward: by how much: ``seggt_coef`` for objects, ``gbp_coef`` for focus maps.
    """
    squared = (state.canvas - state.target).square().mean(1, keepdim=True)
    total = (squared.mean((1, 2, 3)) + FLOOR).sqrt()
    if env.aligned and reward.seggt_coef:
        total = total + reward.seggt_coef * _root_of_mean(squared, state.mask)
    if env.use_gbp and reward.gbp_coef:
        focus = state.focus * state.mask if env.use_bilevel else state.focus
        total = total + FOCUS_WEIGHT * reward.gbp_coef * _root_of_mean(squared, focus)
    return total.mean()


def _root_of_mean(squared: Tensor, weight: Tensor) -> Tensor:
    """``[B]`` root of the weighted mean of ``[B, 1, S, S]``; a weight on a few pixels counts little."""
    few = 0.002 * weight[0].numel()
    mean = (squared * weight).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) + few)
    return (mean + FLOOR).sqrt()
