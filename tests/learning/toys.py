"""Small runs: discs on 16 x 16 pixels, narrow networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.config import TrainConfig, make_config
from semantic_guidance.learning.gym import disc_picture
from semantic_guidance.learning.run.loop import Trainer
from semantic_guidance.learning.run.processes import Processes

SMALL = {
    "canvas_size": 16,
    "width": 4,
    "nenv": 4,
    "batch_size": 4,
    "max_eps_len": 2,
    "bundle_size": 2,
    "warmup": 2,
    "rmsize": 20,
    "train_timesteps": 12,
    "train_steps_per_eps": 2,
    "val_interval": 3,
    "val_num_eps": 1,
    "save_interval": 3,
    "use_bilevel": True,
    "use_gbp": True,
    "device": "cpu",
}


def small_config(**values: Any) -> TrainConfig:
    """A run of six episodes."""
    return make_config(**{**SMALL, **values})


def discs(count: int, size: int, seed: int) -> PictureBank:
    """Discs on plain grounds."""
    return PictureBank(
        lambda n: disc_picture(np.random.default_rng([seed, n]), size), torch.arange(count), size
    )


def small_trainer(folder: Path, **values: Any) -> Trainer:
    """A trainer on discs, in one process."""
    config = small_config(**values)
    size = config.data.side
    return Trainer(config, discs(8, size, 0), discs(4, size, 1), folder, Processes(0, 1, torch.device("cpu")))
