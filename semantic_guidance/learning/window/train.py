"""Training of a window agent by the analytic policy gradient, on composed pictures."""

from __future__ import annotations

import copy
import math
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semantic_guidance.agents.window.files import load_window_actor, save_window_actor
from semantic_guidance.agents.window.network import WindowActor
from semantic_guidance.agents.window.view import CHANNELS
from semantic_guidance.core.ending import Stop, saving_first
from semantic_guidance.core.errors import InputError, NotFiniteError
from semantic_guidance.core.locks import only_one
from semantic_guidance.core.options import OptionError, to_json
from semantic_guidance.core.settings import write_run_settings
from semantic_guidance.core.weights import Unfilled, filled
from semantic_guidance.learning import optimizers
from semantic_guidance.learning.algorithms.apg import AnalyticTrainer, APGConfig
from semantic_guidance.learning.algorithms.wgan import placed
from semantic_guidance.learning.memory import START, check_room, fitting
from semantic_guidance.learning.room import GUIDE
from semantic_guidance.learning.run import checkpoint, single
from semantic_guidance.learning.run.processes import choose_device, settle_threads
from semantic_guidance.learning.run.words import STOPPING, gone_on_with, not_finite
from semantic_guidance.learning.window.bank import PLANES, open_bank
from semantic_guidance.learning.window.config import WindowTrainingConfig
from semantic_guidance.learning.window.env import WindowState, error, window_environment
from semantic_guidance.learning.window.scenes import Episodes, SceneBank

AGENT = "agent.safetensors"
PARAMETER, WINDOW = 28, 32_000
"""Bytes for each number of the network, and for each window and channel of the first stage."""
WARM_UP = 100
"""Updates in which the learning rate rises."""
LOG_INTERVAL = 100
"""Updates between the lines of the log."""
LOWEST = 0.01
"""Last learning rate over the greatest one."""
MAY_CHANGE = frozenset(
    {"pack", "out", "bank", "init", "guided", "unguided", "steps", "minutes", "learning_rate", "ema"}
    | {"save_interval", "threads", "device", "batch_size", "bf16"}
)
"""Settings that a run that goes on may have otherwise."""
_PLACES = frozenset({"pack", "out", "bank", "init", "save_interval", "threads", "device", "unguided"})


def train_window_agent(config: WindowTrainingConfig) -> Path:
    """Train a window agent, as ``semantic-guidance train-agent`` does; a run that was stopped goes on.

    With the same settings, machine and number of threads, a run that was stopped and goes on ends with the
    same weights as one that was not, unless its schedule follows the clock.

    Returns:
        The agent's file, for ``paint --agent``.

    Raises:
        InputError: the pack, the bank, the checkpoint or the device is not usable, or training diverged.
        OSError: a file cannot be written.
    """
    device = choose_device(config.device)
    settle_threads(config.threads)
    cv2.setNumThreads(config.threads)
    with fitting("--batch-size, --widths, --horizon"):
        actor = new_actor(config)  # first, since it may find a mistake, and pictures take their time
        if device.type == "cpu":
            check_room(START, window_parts(config, actor), "--scenes, --scene-side, --batch-size, --widths")
        with only_one(config.out, "another --out"):
            bank = open_bank(config)
            checkpoint.sweep(config.out)
            trainer = WindowTrainer(config, actor, bank, device)
            if single.newest(config.out).exists():
                trainer.resume()
            write_run_settings({"": config}, config.out)
            with saving_first(STOPPING) as stop:
                trainer.run(stop)
                stop.words = gone_on_with(trainer.step, "train-agent --out", config.out)
            return write_agent(config.out, config.unguided)


def window_parts(config: WindowTrainingConfig, actor: nn.Module) -> dict[str, int]:
    """Bytes that a run takes beside the program, by what they are for; measured."""
    numbers = sum(values.numel() for values in actor.parameters())
    return {
        "pictures": PLANES * config.scenes * config.scene_side**2,
        "networks": GUIDE + PARAMETER * numbers,
        "updates": WINDOW * config.widths[0] * config.batch_size * config.horizon,
    }


def write_agent(out: Path, unguided: bool = False) -> Path:
    """Write the averaged weights of a run, finished or not, as an agent that paints.

    Args:
        out: folder of the run.
        unguided: whether the agent is not told of objects, even if the run's settings say nothing of it.

    Returns:
        The agent's file, ``agent.safetensors`` in the run's folder.

    Raises:
        InputError: the run has no checkpoint, or a corrupt one.
        OSError: the file cannot be written.
    """
    path = single.newest(out)
    state, mean = single.read_last(path, "step", "seconds"), single.read_mean(path)
    try:
        stages = [mean[name] for name in mean if name.endswith("shortcut.weight")]
        widths = (len(mean["stem.weight"]), *map(len, stages))
        with Unfilled():
            actor = WindowActor(CHANNELS, widths)
        step, seconds = single.counted(state)
        actor = filled(actor, mean, path, "a checkpoint of a window agent")
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError):
        raise InputError(f"{path} holds another network, wanted a checkpoint of a window agent") from None
    facts: dict[str, Any] = {"steps": step, "seconds": round(seconds)}
    if "config" in state:
        settings = single.read_config(WindowTrainingConfig, state, path)
        unguided = unguided or settings.unguided
        facts |= {name: value for name, value in to_json(settings).items() if name not in _PLACES}
    save_window_actor(actor, not unguided, facts, out / AGENT)
    return out / AGENT


class Mixed(nn.Module):
    """A network in bfloat16 where that loses little (torch's autocast), its answer in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """The network's answer to `x`."""
        with torch.autocast(x.device.type, torch.bfloat16):
            out: Tensor = self.network(x)
        return out.float()


class WindowTrainer:
    """A run: the actor, the running mean of its weights, and the paintings that it learns on.

    Args:
        config: of the run.
        actor: before its first update, or of the kind that the checkpoint holds.
        bank: the pictures.
        device: that the network is trained on; the paintings stay in the machine's memory.
    """

    def __init__(
        self, config: WindowTrainingConfig, actor: WindowActor, bank: SceneBank, device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self.actor = placed(actor, device)
        self.mean = copy.deepcopy(self.actor).requires_grad_(False)
        policy = Mixed(self.actor) if config.bf16 else self.actor
        learning = APGConfig(config.horizon, config.learning_rate)
        self.trainer = AnalyticTrainer(policy, window_environment(), learning)
        self.episodes = Episodes(
            bank, config.batch_size, config.told, np.random.default_rng([config.seed, 7])
        )
        self.step, self.seconds = 0, 0.0
        self.running: dict[str, float] = {}

    def resume(self) -> None:
        """Go on from the checkpoint in the run's folder.

        Raises:
            InputError: it is corrupt, or was made with other settings or pictures.
        """
        path = single.newest(self.config.out)
        names = ("config", "actor", "ema", "optimizer", "easels", "running", "step", "seconds")
        with single.telling_of_earlier(path):
            state = single.read_last(path, *names)
            single.check_same(self.config, state, MAY_CHANGE, path)
            single.fill(self.actor, state["actor"], path, "those of this run")
            single.fill(self.mean, state["ema"], path, "those of this run")
            try:
                optimizers.fill(self.trainer.optimizer, state["optimizer"])
                self.episodes.load_state_dict(state["easels"])
                self.step, self.seconds = single.counted(state)
                self.running = {name: float(value) for name, value in state["running"].items()}
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as problem:
                raise InputError(f"{path} does not fit this run: {problem}") from None
        single.forget_rows(self.config.out, self.step)

    def run(self, stop: Stop | None = None) -> None:
        """Train to the end of the schedule, or until it is to stop, and save.

        Args:
            stop: says whether it is to stop.

        Raises:
            InputError: training diverged; the last checkpoint is as it was.
            OSError: a file cannot be written.
        """
        config, row, stop = self.config, None, stop or Stop()
        began = time.monotonic() - self.seconds
        total = None if config.minutes else config.steps
        with tqdm(total=total, initial=self.step, unit="update", mininterval=1, file=sys.stderr) as bar:
            while True:
                self.seconds = time.monotonic() - began
                done = self.seconds / (60 * config.minutes) if config.minutes else self.step / config.steps
                if done >= 1 or stop.number:
                    break
                row = self._update(done)
                if self.step % LOG_INTERVAL == 0:
                    single.append_row(config.out, row)
                if checkpoint.is_due(self.step, config.save_interval):
                    self.save()
                bar.set_postfix(self.running, refresh=False)
                bar.update()
        if row is not None and self.step % LOG_INTERVAL and not stop.number:
            single.append_row(config.out, row)
        self.save()

    def _update(self, done: float) -> dict[str, float]:
        """One look at each painting, and what was learned from it painted; returns a line of the log.

        Args:
            done: part of the schedule, from 0 to 1.
        """
        rate = self.config.learning_rate * schedule(self.step, done)
        for group in self.trainer.optimizer.param_groups:
            group["lr"] = rate
        windows, planes = self.episodes.windows()
        try:
            view = WindowState.of(planes, self.device)
            losses, after = self.trainer.update(view)
            if after.strokes is None:
                raise RuntimeError("the environment gave no strokes")
            self.episodes.paint(windows, after.strokes.map(lambda values: values.detach().cpu().float()))
        except (ArithmeticError, NotFiniteError) as problem:
            reason = str(problem).partition(", wanted")[0]
            wrong = not_finite({"planes": torch.from_numpy(planes)})
            raise InputError(f"{reason} {self._last_words(self.step + 1, wrong)}") from None
        single.average(self.mean, self.actor, single.mean_decay(self.step, self.config.ema))
        for name, each in (("before", error(view)), ("after", error(after))):
            value = float(each.detach().square().mean())
            self.running[name] = self.running.get(name, value) * 0.99 + value * 0.01
        self.step += 1
        return {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "rate": rate,
            **self.running,
            **losses,
        }

    def _last_words(self, step: int, wrong: str | None = None) -> str:
        return single.stopped(self.config.out, step, "--learning-rate", wrong)

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            InputError: a weight is not finite; the last checkpoint is as it was.
            OSError: the file cannot be written.
        """
        single.check_finite(self.mean, self._last_words(self.step))
        state = {
            "actor": self.actor.state_dict(),
            "ema": self.mean.state_dict(),
            "optimizer": self.trainer.optimizer.state_dict(),
            "easels": self.episodes.state_dict(),
            "running": self.running,
            "step": self.step,
            "seconds": self.seconds,
        }
        single.write_last(self.config.out, self.config, state)


def schedule(step: int, done: float) -> float:
    """The learning rate over the greatest one: it rises for `WARM_UP` updates and falls as half a cosine.

    Args:
        step: updates so far.
        done: part of the schedule, from 0 to 1.
    """
    cosine = 0.5 + 0.5 * math.cos(math.pi * done)
    return min(1.0, (step + 1) / WARM_UP) * (LOWEST + (1 - LOWEST) * cosine)


def new_actor(config: WindowTrainingConfig) -> WindowActor:
    """The actor before its first update; without `init` where a checkpoint will replace its weights.

    Raises:
        OptionError: what to start from is not usable.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        actor = WindowActor(CHANNELS, config.widths)
    if config.init is None or single.newest(config.out).exists():
        return actor
    wanted = f"those of an agent with --widths {','.join(map(str, config.widths))}"
    try:
        if config.init.suffix == ".safetensors":
            weights = load_window_actor(config.init)[0].state_dict()
        else:
            weights = single.read_mean(config.init)
        single.fill(actor, weights, config.init, wanted)
    except ValueError as problem:
        raise OptionError("init", str(problem)) from None
    return actor
