"""How well an agent paints pictures that it has not learned from."""

from __future__ import annotations

import torch
from torch import Tensor

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import PaintState
from semantic_guidance.core.ending import Stop
from semantic_guidance.learning.algorithms.ddpg import Learner
from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.config import TrainConfig

NO_ERROR = 1e-8
"""Added to an error that is divided by, as in the reference code."""


@torch.no_grad()
def validate(
    config: TrainConfig, learner: Learner, held_out: PictureBank, device: torch.device, stop: Stop
) -> tuple[dict[str, float], PaintState] | None:
    """Paint held-out pictures; returns mean errors and the paintings of the first batch, or None.

    ``mean_reward`` is, as in the reference code, the share of the empty canvas's error that is gone.

    None is for a run that was told to end meanwhile: what it learned is to be saved before.

    Raises:
        ValueError: there are no such pictures.
    """
    env, learn = config.env, config.learn
    count = min(len(held_out), config.run.val_num_eps * learn.nenv)
    errors, inside, gone, shown = [], [], [], None
    for samples in (2 * torch.arange(count)).split(learn.nenv):
        state = held_out.start(samples, device)
        empty = episode.mean_squared_error(state)
        for _ in range(env.max_eps_len):
            if stop.number:
                return None
            state = learner.step(state, learner.act(state))
        shown = state if shown is None else shown
        errors.append(episode.mean_squared_error(state))
        inside.append(_masked_error(state))
        gone.append((empty - errors[-1]) / (empty + NO_ERROR))
    if shown is None:
        raise ValueError("there are no held-out pictures, wanted at least one")
    dist = torch.cat(errors)
    results = {
        "mean_reward": float(torch.cat(gone).mean()),
        "mean_dist": float(dist.mean()),
        "var_dist": float(dist.var(unbiased=False)),
    }
    foreground = torch.cat(inside)
    if bool(foreground.isfinite().any()):
        results["mean_dist_foreground"] = float(foreground[foreground.isfinite()].mean())
    return results, shown


def _masked_error(state: PaintState) -> Tensor:
    """``[B]`` mean squared error inside the mask; NaN where there is no mask."""
    inside = (state.canvas - state.target).square().mean(dim=1, keepdim=True) * state.mask
    area = state.mask.sum(dim=(1, 2, 3))
    return torch.where(area > 1, inside.sum(dim=(1, 2, 3)) / area, torch.nan)
