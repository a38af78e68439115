"""Rewards: differences between what a score says after a step and before it (section 3 of the paper)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from semantic_guidance.agents.ltp.episode import PaintState, mean_squared_error, zoom
from semantic_guidance.core.config import check_ranges

Score = Callable[[Tensor, Tensor], Tensor]
"""Takes target and canvas, ``[B, 3, H, W]``; gives ``[B]``, higher the better they match."""

PAPER_FOCUS = 1000.0
"""The paper's weight of the focus reward, with a coefficient of 1."""

PAPER_FOREGROUND = 2.0
"""The paper's weight of the aligned foreground reward, with a coefficient of 1."""


@dataclass(frozen=True)
class RewardConfig:
    """Weights of the rewards. All of them change the result."""

    gan_coef: float = field(
        default=1.0, metadata={"help": "weight of the adversarial reward, whole picture", "min": 0}
    )
    seggt_coef: float = field(
        default=1.0,
        metadata={
            "help": f"weight of the aligned foreground reward, times the paper's {PAPER_FOREGROUND:g}",
            "min": 0,
        },
    )
    gbp_coef: float = field(
        default=1.0,
        metadata={"help": f"weight of the focus reward, times the paper's {PAPER_FOCUS:g}", "min": 0},
    )
    pixel_coef: float = field(
        default=0.0, metadata={"help": "weight of the plain squared error's fall", "min": 0}
    )

    def __post_init__(self) -> None:
        check_ranges(self)


def focus_error(state: PaintState) -> Tensor:
    """``[B]`` squared error weighted by the focus map, over the map's sum; 0 where the map is empty.

    The map multiplies the difference, so that its square weights the error, as in the reference code.
    """
    weighted = ((state.canvas - state.target) * state.focus).square().mean(dim=1).sum(dim=(1, 2))
    return weighted / state.focus.sum(dim=(1, 2, 3)).clamp(min=1e-6)


def aligned(images: Tensor, state: PaintState) -> Tensor:
    """The object of `images` ``[B, 3, H, W]`` alone, zoomed to its box (section 3.2, neural alignment)."""
    return zoom(images * state.mask, state.grid)


def pixel_reward(before: PaintState, after: PaintState) -> Tensor:
    """``[B]`` fall of the mean squared error. Summed over an episode: first error less last."""
    return mean_squared_error(before) - mean_squared_error(after)


def focus_reward(before: PaintState, after: PaintState) -> Tensor:
    """``[B]`` fall of the focus-weighted error (section 3.3). It telescopes, too."""
    return focus_error(before) - focus_error(after)


def adversarial_reward(before: PaintState, after: PaintState, score: Score) -> Tensor:
    """``[B]`` rise of the discriminator's score (Huang et al. 2019, section 3.4)."""
    return score(after.target, after.canvas) - score(before.target, before.canvas)


def foreground_reward(before: PaintState, after: PaintState, score: Score) -> Tensor:
    """``[B]`` rise of the score of the aligned object, whatever its place and size (section 3.2)."""
    target = aligned(after.target, after)
    return score(target, aligned(after.canvas, after)) - score(target, aligned(before.canvas, before))


def total_reward(
    before: PaintState,
    after: PaintState,
    config: RewardConfig,
    whole: Score | None = None,
    foreground: Score | None = None,
    use_focus: bool = False,
) -> dict[str, Tensor]:
    """The weighted rewards of a step by name, and their sum as ``total``, each ``[B]``.

    Args:
        before: the state before the step.
        after: the state after it.
        config: the weights; a reward with weight 0 is not computed.
        whole: score of whole pictures; no adversarial reward if None.
        foreground: score of aligned objects; no foreground reward if None.
        use_focus: whether the states have a focus map.
    """
    parts: dict[str, Tensor] = {}
    if whole is not None and config.gan_coef:
        parts["adversarial"] = config.gan_coef * adversarial_reward(before, after, whole)
    if foreground is not None and config.seggt_coef:
        weight = PAPER_FOREGROUND * config.seggt_coef
        parts["foreground"] = weight * foreground_reward(before, after, foreground)
    if use_focus and config.gbp_coef:
        parts["focus"] = PAPER_FOCUS * config.gbp_coef * focus_reward(before, after)
    if config.pixel_coef:
        parts["pixel"] = config.pixel_coef * pixel_reward(before, after)
    total = sum(parts.values(), start=after.canvas.new_zeros(after.batch))
    return {**parts, "total": total}
