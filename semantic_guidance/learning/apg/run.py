"""A training run by the analytic policy gradient (Freeman et al. 2021, Brax's APG), through the renderer."""

from __future__ import annotations

import copy
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.core.ending import Stop
from semantic_guidance.core.errors import InputError, NotFiniteError
from semantic_guidance.learning.algorithms.ddpg import take_over
from semantic_guidance.learning.algorithms.wgan import placed
from semantic_guidance.learning.apg.dense import DENSE
from semantic_guidance.learning.apg.easels import Easels
from semantic_guidance.learning.apg.muon import Muon
from semantic_guidance.learning.apg.pupil import Head
from semantic_guidance.learning.apg.vector import VECTOR
from semantic_guidance.learning.bank import PictureBank
from semantic_guidance.learning.config import TrainConfig
from semantic_guidance.learning.run import checkpoint, resume, single
from semantic_guidance.learning.run.log import Log
from semantic_guidance.learning.run.mirror import Mirror
from semantic_guidance.learning.run.start import read_networks

WARM_UP = 100
"""Updates in which the learning rate rises."""

LOWEST = 0.01
"""Last learning rate over the greatest one."""

CLIP = 1.0
"""Greatest norm of a gradient."""

LOG_INTERVAL = 50
"""Updates between the lines of the log, and between looks at the loss."""

ACTOR = "actor.safetensors"

HEADS = {"vector": VECTOR, "dense": DENSE}
"""What may be trained, by the name of what it answers with."""


class AnalyticRun:
    """A run: the network, the running mean of its weights, and the paintings that it learns on.

    Attributes:
        measured: the pictures that it is measured on, if it is.
        step: updates made.
        saved: those that the last checkpoint has.
        told: those after which it was measured last.
        seconds: that they took.

    Args:
        config: of the run.
        pictures: to learn from.
        held_out: to measure on.
        folder: for the checkpoint ``last.pt``, the logs ``log.jsonl`` and ``log`` and the agent's file.
        device: of everything.

    Raises:
        InputError: what to start from cannot be used.
    """

    def __init__(
        self,
        config: TrainConfig,
        pictures: PictureBank,
        held_out: PictureBank,
        folder: Path,
        device: torch.device,
    ) -> None:
        self.config, self.folder, self.device = config, folder, device
        learn, apg = config.learn, config.apg
        self.head = HEADS[apg.head]
        self.head.check(config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(learn.seed)
            self.network = placed(new_network(config, self.head), device)
        self.mean = copy.deepcopy(self.network).requires_grad_(False)
        self.optimizer = Muon(self.network, apg.apg_lr, self.head.outer, self.head.widest * learn.width)
        self.pupil = self.head.pupil(config, self.network, False)
        self.easels = Easels(pictures, learn.batch_size, config.env.max_eps_len, device, learn.seed)
        self.measured = held_out.first(apg.measured) if apg.measured else None
        if self.measured is not None:
            self.measured.fill()
        self.step, self.saved, self.told, self.seconds = 0, 0, 0, 0.0
        self.log, self.stop = Log(None), Stop()
        if config.run.resume:
            self._resume()
        self.pupil.begun(self.easels, torch.arange(learn.batch_size, device=device))

    def run(self, mirror: Mirror | None = None, stop: Stop | None = None) -> None:
        """Train to the end of the schedule, or until it is to stop, and save.

        Args:
            mirror: of the log.
            stop: says whether it is to stop.

        Raises:
            InputError: training diverged; the last checkpoint is as it was.
            OSError: a file cannot be written.
        """
        apg = self.config.apg
        self.stop = stop = stop or self.stop
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint.sweep(self.folder)
        began, losses = time.monotonic() - self.seconds, []
        total = None if apg.minutes else apg.updates
        with (
            Log(self.folder / "log", self.step, mirror) as self.log,
            tqdm(total=total, initial=self.step, unit="update", mininterval=1, file=sys.stderr) as bar,
        ):
            while True:
                self.seconds = time.monotonic() - began
                done = self.seconds / (60 * apg.minutes) if apg.minutes else self.step / apg.updates
                if done >= 1 or stop.number:
                    break
                losses.append(self._update(done))
                if self.step % LOG_INTERVAL == 0:
                    self._log(torch.stack(losses), bar)
                    losses = []
                if checkpoint.is_due(self.step, apg.interval):
                    self.save(measured=self.step % apg.interval == 0)
                bar.update()
            if self.step > (self.saved if stop.number else self.told):
                self.save()

    def _update(self, done: float) -> Tensor:
        """One step of each painting and what was learned from it; returns the loss.

        Args:
            done: part of the schedule, from 0 to 1.
        """
        cosine = 0.5 + 0.5 * math.cos(math.pi * done)
        rate = self.config.apg.apg_lr * min(1.0, (self.step + 1) / WARM_UP) * (LOWEST + (1 - LOWEST) * cosine)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        try:
            loss, canvas = self.pupil.look(self.easels)
        except NotFiniteError:
            raise InputError(f"a stroke became infinite or not a number {self._last_words()}") from None
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimizer.step()
        slots = self.easels.advance(canvas, self.pupil.horizon)
        if len(slots):
            self.pupil.begun(self.easels, slots)
        single.average(self.mean, self.network, single.mean_decay(self.step, self.config.apg.ema))
        self.step += 1
        return loss.detach()

    def _log(self, losses: Tensor, bar: tqdm[Any]) -> None:
        loss = float(losses.mean())
        if not math.isfinite(loss):
            raise InputError(f"the loss became {loss} {self._last_words()}")
        samples = self.step * self.config.learn.batch_size
        self._row("train", {"loss": round(loss, 5), "samples": samples})
        bar.set_postfix(loss=loss, refresh=False)

    def _row(self, group: str, numbers: dict[str, float]) -> None:
        row = {"step": self.step, "seconds": round(self.seconds, 1), **numbers}
        single.append_row(self.folder, row)
        self.log.scalars(group, numbers, self.step)

    def _last_words(self) -> str:
        return single.stopped(self.folder, self.step + 1, "--apg-lr")

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean errors of paintings of held-out pictures by the averaged weights: all, object, background.

        What none of the pictures has, such as an object, is left out; all is, once the run is to stop.
        """
        if self.measured is None:
            return {}
        learn, env, bank = self.config.learn, self.config.env, self.measured
        pupil = self.head.pupil(self.config, self.mean.eval(), True)
        rows = []
        for numbers in torch.arange(len(bank)).split(learn.batch_size):
            easels = Easels(bank, len(numbers), env.max_eps_len, self.device, learn.seed, fixed=numbers)
            pupil.begun(easels, torch.arange(len(numbers), device=self.device))
            for _ in range(0, env.max_eps_len, pupil.horizon):
                if self.stop.number:
                    return {}
                easels.advance(pupil.look(easels)[1], pupil.horizon)
            rows.append(errors(easels))
        table = torch.cat(rows).nanmean(0).tolist()
        means = zip(ERRORS, table, strict=True)
        return {name: round(value, 5) for name, value in means if math.isfinite(value)}

    def save(self, measured: bool = True) -> None:
        """Write the checkpoint, the averaged weights as an agent that paints, and how well it paints.

        Args:
            measured: whether the last is wanted; it takes a while.

        Raises:
            InputError: a weight is not finite; the last checkpoint is as it was.
            OSError: a file cannot be written.
        """
        single.check_finite(self.mean, self._last_words())
        if measured and (found := self.validate()):
            self._row("validate", found)
        self.told = self.step if measured and not self.stop.number else self.told
        state = {
            "config": self.config.to_json(),
            "network": self.network.state_dict(),
            "ema": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "easels": self.easels.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "told": self.told,
        }
        single.replace_last(self.folder, state)
        self.head.write(self.config, self.mean, self.folder / ACTOR)
        self.saved = self.step

    def _resume(self) -> None:
        """Go on from the checkpoint in the folder.

        Raises:
            InputError: there is none, or it is of another run.
        """
        state, saved, path = resume.read_saved(self.folder, self.config.run.resume)
        resume.check_unchanged(self.config, saved, path)
        try:
            self._take(state, path)
        except InputError as error:
            raise resume.broken(error, self.folder, path) from None
        single.forget_rows(self.folder, self.step)

    def _take(self, state: dict[str, Any], path: Path) -> None:
        """Take over what was saved.

        Raises:
            InputError: it is corrupt, or of another run.
        """
        single.check_has(state, path, "network", "ema", "optimizer", "easels", "step", "seconds")
        single.fill(self.network, state["network"], path, "those of this run")
        single.fill(self.mean, state["ema"], path, "those of this run")
        try:
            self.optimizer.load_state_dict(state["optimizer"])
            self.easels.load_state_dict(state["easels"])
            self.step, self.seconds = single.counted(state)
            self.saved = self.step
            self.told = min(self.step, int(state.get("told", self.step)))  # earlier versions do not say
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{path} does not fit this run: {str(error).partition(chr(10))[0]}") from None


ERRORS = ("all", "object", "background")


def errors(easels: Easels) -> Tensor:
    """``[B, 3]`` mean squared errors: all, object, background; NaN where there is no object."""
    squared = (easels.canvas.clamp(0, 1) - easels.target).square().mean(1)
    inside = (easels.mask[:, 0] > 0.5).float()
    parts = (torch.ones_like(inside), inside, 1 - inside)
    return torch.stack([(squared * part).sum((1, 2)) / part.sum((1, 2)) for part in parts], 1)


def new_network(config: TrainConfig, head: Head) -> nn.Module:
    """The network before its first update.

    Raises:
        InputError: what to start from cannot be used.
    """
    network, start = head.network(config), config.run.load_path
    if start is None or config.run.resume:
        return network
    path = Path(start)
    try:
        if isinstance(network, Actor):  # also from checkpoints, and the papers'
            state = read_networks(path).states["actor"]
        else:
            state = head.read(path / ACTOR if path.is_dir() else path).state_dict()
    except ValueError as error:
        raise InputError(f"--load-path: {error}") from None
    try:
        take_over(network, state, "actor")
    except ValueError as error:
        raise InputError(f"--load-path: {path}: {error}") from None
    return network
