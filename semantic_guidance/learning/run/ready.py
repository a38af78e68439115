"""What can be known to be wrong before a run's pictures, which take long, are made."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from semantic_guidance.agents.ltp.episode import Renderer, compositor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.algorithms.ddpg import Learner
from semantic_guidance.learning.apg.run import HEADS, new_network
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.run import checkpoint, single
from semantic_guidance.learning.run.mirror import wandb_module
from semantic_guidance.learning.run.start import Networks, read_networks
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.backends.neural import NeuralBackend, load_ltp_renderer

CPU = torch.device("cpu")


def see_that_it_can_begin(config: TrainConfig, folder: Path, processes: int) -> None:
    """See that nothing stands in a run's way but its pictures.

    Args:
        config: of the run.
        folder: of the run.
        processes: that share the work.

    Raises:
        InputError: something does.
    """
    held = checkpoint.checkpoints(folder) or (folder / single.LAST).exists()
    if held and not config.run.resume:
        raise InputError(f"{folder}: holds a run already, wanted --resume or another --exp-suffix")
    if config.run.resume and not held:
        raise InputError(f"--resume: {folder} holds no checkpoint, wanted a run that was stopped")
    if config.run.wandb is not None:
        wandb_module()
    if config.learn.method == "apg":
        if processes > 1:
            raise InputError(f"--method apg runs in one process, got {processes}, wanted it without torchrun")
        head = HEADS[config.apg.head]
        head.check(config)
        if config.run.load_path is not None:
            new_network(config, head)
        return
    renderer = training_renderer(config, CPU)
    if config.run.load_path is not None and not config.run.resume:
        start_from(Learner(config, CPU, renderer), Path(config.run.load_path))


def painting_network(config: TrainConfig) -> nn.Module:
    """A network of the kind that learns to paint, before its first update."""
    env, learn = config.env, config.learn
    if learn.method == "apg":
        return HEADS[config.apg.head].network(config)
    return Actor(env.channels, env.action_size, learn.width)


def training_renderer(config: TrainConfig, device: torch.device) -> Renderer:
    """What paints in training, by the settings `compositing`, `renderer` and `renderer_weights`.

    Raises:
        InputError: the neural renderer's file is missing, corrupt or of another kind.
    """
    backend: str | Backend = "auto"
    if config.learn.renderer_weights is not None:
        try:
            backend = NeuralBackend(load_ltp_renderer(config.learn.renderer_weights).to(device))
        except ValueError as error:
            raise InputError(f"--renderer-weights: {error}") from None
    return compositor(config.env, backend)


def start_from(learner: Learner, path: Path) -> tuple[Networks, list[str]]:
    """Take over another run's networks, or published ones.

    Returns:
        What was found, and the names of the networks that begin afresh.

    Raises:
        InputError: there are none, or they are of another kind.
    """
    try:
        found = read_networks(path)
        return found, learner.start_from(found.states)
    except InputError as error:
        raise InputError(f"--load-path: {error}") from None
    except ValueError as error:
        raise InputError(f"--load-path: {path}: {error}") from None
