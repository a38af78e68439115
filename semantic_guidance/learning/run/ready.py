"""What can be known to be wrong before a run's pictures, which take long, are made."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from semantic_guidance.agents.ltp.episode import Renderer, compositor
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.algorithms.ddpg import Learner
from semantic_guidance.learning.apg.run import HEADS, new_network
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.run import resume
from semantic_guidance.learning.run.mirror import wandb_module
from semantic_guidance.learning.run.start import Networks, read_networks
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.backends.neural import NeuralBackend, load_ltp_renderer

CPU = torch.device("cpu")


def see_that_it_can_begin(config: TrainConfig, folder: Path, processes: int, first: bool = True) -> None:
    """See that nothing stands in a run's way but its pictures.

    Args:
        config: of the run.
        folder: of the run.
        processes: that share the work.
        first: whether this is the one that tells of what is worth a word.

    Raises:
        InputError: something does.
    """
    if config.run.resume:
        _, saved, path = resume.read_saved(folder, config.run.resume)
        resume.check_unchanged(config, saved, path)
        if first and (told := resume.changes(config, saved)):
            print(f"--resume: {folder} goes on with other settings: {told}", file=sys.stderr)
    elif resume.goes_on_from(folder, False):
        raise InputError(f"{folder}: holds a run already, wanted --resume or another --exp-suffix")
    _see_that_it_learns(config)
    if first:
        for hint in _hints(config):
            print(hint, file=sys.stderr)
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


def _see_that_it_learns(config: TrainConfig) -> None:
    """See that a run does more than fill its memory, unless it begins with an actor that has learned.

    Raises:
        InputError: it ends before its first update.
    """
    learn, length = config.learn, config.env.max_eps_len
    steps = math.ceil(learn.train_timesteps / length) * length
    if learn.method == "ddpg" and steps <= learn.warmup:
        words = (
            f"--train-timesteps {learn.train_timesteps} ends before anything is learned: the first "
            f"{learn.warmup} steps only fill the memory (--warmup)"
        )
        if config.run.load_path is None:
            raise InputError(f"{words}, wanted more steps or a smaller --warmup")
        print(words, file=sys.stderr)


def _hints(config: TrainConfig) -> Iterator[str]:
    """What may be meant, and is probably not."""
    learn, run, length = config.learn, config.run, config.env.max_eps_len
    if learn.method != "ddpg":
        return
    total = math.ceil(learn.train_timesteps / length)
    if learn.rmsize < learn.nenv:
        yield (
            f"--rmsize {learn.rmsize} is less than --nenv {learn.nenv}: so many of the paintings are "
            "forgotten before anything is learned from them"
        )
    if learn.rmsize * length < learn.batch_size:
        yield (
            f"--batch-size {learn.batch_size} is more than the {learn.rmsize * length} steps that the memory "
            "holds (--rmsize, --max-eps-len): each is learned from several times at once"
        )
    if run.val_interval > total:
        yield f"--val-interval {run.val_interval} is more than the {total} episodes of the run: no validation"


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
