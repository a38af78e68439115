"""The training loop: paint, remember, learn, validate, save."""

from __future__ import annotations

import math
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.agents.ltp.episode import PaintState, Renderer
from semantic_guidance.agents.ltp.files import save_actor
from semantic_guidance.core.ending import Stop, saving_first
from semantic_guidance.core.errors import InputError, NotFiniteError
from semantic_guidance.core.locks import only_one
from semantic_guidance.core.settings import write_run_settings
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.algorithms.ddpg import Learner, with_canvas
from semantic_guidance.learning.apg.run import AnalyticRun
from semantic_guidance.learning.bank import PictureBank, open_banks, to_bytes
from semantic_guidance.learning.config import TrainConfig, make_config
from semantic_guidance.learning.replay import Replay
from semantic_guidance.learning.room import check_training_room
from semantic_guidance.learning.run import checkpoint, resume, single
from semantic_guidance.learning.run.log import Log
from semantic_guidance.learning.run.mirror import Mirror
from semantic_guidance.learning.run.processes import Processes, processes, settle_threads
from semantic_guidance.learning.run.ready import (
    painting_network,
    see_that_it_can_begin,
    start_from,
    training_renderer,
)
from semantic_guidance.learning.run.start import ACTOR, NETWORKS
from semantic_guidance.learning.run.validation import validate
from semantic_guidance.learning.run.words import STOPPING, gone_on_with, not_finite

MIXES = 2
"""Discriminators at most, each of which needs random numbers for its gradient penalty."""


class DivergedError(ArithmeticError):
    """A loss is not a finite number: training has stopped, the last checkpoint is as it was."""


def train(**values: Any) -> Path:
    """Train an agent, as ``semantic-guidance train`` does.

    Args:
        values: the fields of `learning.config.TrainConfig`'s parts by name, as in
            ``train(dataset="cub200", data="data", use_bilevel=True, use_gbp=True, exp_suffix="mine")``; with
            ``resume=True`` or the path to a run, those that are not given are the run's.

    Returns:
        The run's folder, with ``actor.safetensors``, ``config.toml`` and ``config.json``, ``checkpoints``,
        ``log.jsonl`` and ``log`` (for TensorBoard).

    Raises:
        InputError: a setting is invalid, the dataset cannot be read, or the run exists and is not resumed.
        DivergedError: a loss became infinite or not a number (NaN).
        KeyboardInterrupt: Ctrl-C was pressed; what was learned is saved. Other signals that end a program end
            it then, too.
    """
    try:
        config = make_config(**resume.completed(values))
    except ValueError as error:
        raise InputError(str(error)) from None
    folder = resume.folder_of(config)
    settle_threads(config.run.threads)
    with (
        processes(config.run.device) as group,
        only_one(folder, "another --exp-suffix") if group.rank == 0 else nullcontext(),
    ):
        see_that_it_can_begin(config, folder, group.count, group.rank == 0)
        _train(config, folder, group)
    return folder


def _train(config: TrainConfig, folder: Path, group: Processes) -> None:
    """Train in a folder that no other run writes to."""

    def found(pictures: int) -> None:
        on_card = group.device.type != "cpu"
        check_training_room(config, pictures, lambda: painting_network(config), on_card)

    banks = open_banks(config.data, config.env, found)
    run: AnalyticRun | Trainer
    if config.learn.method == "apg":
        run = AnalyticRun(config, *banks, folder, group.device)
    else:
        run = Trainer(config, *banks, folder, group)
    if group.rank == 0:
        # What resumes a run cannot begin one like it.
        write_run_settings(replace(config, run=replace(config.run, resume=False)).parts, folder)
    first = group.rank == 0
    try:
        with (
            saving_first(STOPPING if first else "") as stop,
            _mirror(config, folder) if first else nullcontext() as mirror,
        ):
            run.run(mirror, stop)
            stop.words = gone_on_with(run.step, "train --resume", folder, group.count) if first else ""
    finally:
        if group.rank == 0:
            checkpoint.sweep(folder)  # half a checkpoint would fill the disk


def _mirror(config: TrainConfig, folder: Path) -> AbstractContextManager[Mirror | None]:
    """A run's second log, if it is to have one."""
    if config.run.wandb is None:
        return nullcontext()
    return Mirror(config.run.wandb, folder, asdict(config), bool(config.run.resume))


class Trainer:
    """A training run.

    Args:
        config: of the run.
        pictures: to learn from.
        held_out: to validate on.
        folder: for checkpoints and the log.
        group: the processes that share the work.
        renderer: paints strokes; as the settings say if None.

    Raises:
        InputError: the networks to start from, or the renderer's, cannot be read or are of another kind.
    """

    def __init__(
        self,
        config: TrainConfig,
        pictures: PictureBank,
        held_out: PictureBank,
        folder: Path,
        group: Processes,
        renderer: Renderer | None = None,
    ) -> None:
        self.config, self.folder, self.group = config, folder, group
        self.pictures, self.held_out = pictures, held_out
        renderer = training_renderer(config, group.device) if renderer is None else renderer
        self.learner = Learner(config, group.device, renderer, group.wrap_ddp)
        self.replay = Replay(config.learn.rmsize, config.env.max_eps_len, pictures.size)
        self.generator = torch.Generator().manual_seed(config.learn.seed + 1000 * group.rank)
        if group.rank == 0:
            checkpoint.sweep(folder)
        self.episode = 0
        self.seen: PaintState | None = None  # what an episode looked at last
        self.history: list[dict[str, float]] = []  # losses of each episode, for whoever looks on
        if config.run.resume:
            self._resume()
        elif config.run.load_path is not None:
            self._start_from(Path(config.run.load_path))

    @property
    def step(self) -> int:
        """Steps taken, as `train_timesteps` counts them."""
        return self.episode * self.config.env.max_eps_len

    def run(self, mirror: Mirror | None = None, stop: Stop | None = None) -> None:
        """Train to the end, or until it is to stop: then to the end of the episode, which is saved.

        Args:
            mirror: of the log.
            stop: says whether it is to stop.

        Raises:
            DivergedError: a loss became infinite or not a number (NaN).
        """
        run, stop, saved = self.config.run, stop or Stop(), time.monotonic()
        total = math.ceil(self.config.learn.train_timesteps / self.config.env.max_eps_len)
        first = self.group.rank == 0
        hidden = run.debug or not first
        with (
            self._log(mirror) as log,
            tqdm(total=total, initial=self.episode, unit="episode", file=sys.stderr, disable=hidden) as bar,
        ):
            while self.episode < total:
                started = time.perf_counter()
                losses = self._episode()
                self.history.append(losses)
                seconds = time.perf_counter() - started
                log.scalars("train", losses | (self._pace(seconds) if losses else {}), self.step)
                if run.debug and first:
                    self._tell(losses, seconds)
                late = int(time.monotonic() - saved > checkpoint.PAUSE)
                stop.number, late = self.group.largest(stop.number, late)
                if run.val_interval and self.episode % run.val_interval == 0 and not stop.number:
                    self._validate(log, stop)  # which takes longer than an episode
                    stop.number, late = self.group.largest(stop.number, late)
                log.end_row(self.step, episode=self.episode, seconds=round(seconds, 3))
                if late or stop.number or self.episode == total or self._is_due():
                    self.save()
                    saved = time.monotonic()
                bar.update()
                if stop.number:
                    break

    def _is_due(self) -> bool:
        """Whether a checkpoint is: they come early, counted from the first episode that teaches."""
        interval, learn = self.config.run.save_interval, self.config.learn
        taught = self.episode - learn.warmup // self.config.env.max_eps_len
        return self.episode % interval == 0 or (0 < taught < interval and checkpoint.is_due(taught, interval))

    def _log(self, mirror: Mirror | None) -> Log:
        """What the first process writes to; nothing, for the others."""
        return Log(self.folder / "log", self.step, mirror, self.folder) if self.group.rank == 0 else Log(None)

    def _episode(self) -> dict[str, float]:
        """Paint, remember and learn; returns the mean losses."""
        try:
            self._collect()
            self.episode += 1
            return self._learn() if self.step > self.config.learn.warmup else {}
        except NotFiniteError:
            raise DivergedError(self._last_words("a stroke", math.nan)) from None
        finally:
            self.seen = None

    @torch.no_grad()
    def _collect(self) -> None:
        """Paint `nenv` pictures and remember them."""
        env, learn = self.config.env, self.config.learn
        samples = self.pictures.draw(learn.nenv, self.generator)
        state = self.seen = self.pictures.start(samples, self.group.device)
        level = learn.noise_factor * torch.rand(learn.nenv, 1, generator=self.generator, dtype=torch.float32)
        canvases = [to_bytes(state.canvas.cpu())]
        for _ in range(env.max_eps_len):
            action = self.learner.act(state)
            if learn.noise_factor:
                noise = level * torch.randn(action.shape, generator=self.generator, dtype=torch.float32)
                action = (action + noise.to(action.device)).clamp(0, 1)
            state = self.learner.step(state, action)
            canvases.append(to_bytes(state.canvas.cpu()))
        self.replay.add(torch.stack(canvases, dim=1), samples)

    def _learn(self) -> dict[str, float]:
        """The updates after an episode; returns the mean losses."""
        learn = self.config.learn
        actor_lr, critic_lr = learn.learning_rates(self.episode - 1)
        self.learner.set_learning_rates(actor_lr, critic_lr)
        told: list[dict[str, Tensor]] = []
        try:
            told.extend(self._update() for _ in range(learn.train_steps_per_eps))
        except NotFiniteError:
            self._means(told)  # which names the loss that went first, if one did
            raise
        means = self._means(told)
        # A step may have spoilt the weights after its loss was taken; what is not finite, also in the half
        # precision of the actor's file, must not be saved.
        for name, finite in self.learner.finite().items():
            if not bool(finite):
                raise DivergedError(self._last_words(f"a weight of the {name}", math.inf))
        self.group.broadcast_buffers(self.learner.target_actor)
        self.group.broadcast_buffers(self.learner.actor)
        return {**means, "actor_lr": actor_lr, "critic_lr": critic_lr}

    def _update(self) -> dict[str, Tensor]:
        """One update on steps from the memory; see `Learner.update`."""
        count = self.config.learn.batch_size
        drawn = self.replay.sample(count, self.generator)
        mix = torch.rand(MIXES, count, generator=self.generator, dtype=torch.float32)
        start = self.seen = self.pictures.start(drawn.sample, self.group.device)
        before = with_canvas(start, drawn.before, drawn.step)
        after = with_canvas(start, drawn.after, drawn.step + 1)
        return self.learner.update(before, after, mix.to(self.group.device))

    def _means(self, told: list[dict[str, Tensor]]) -> dict[str, float]:
        """The means of what updates told, read from the device at once.

        Raises:
            DivergedError: a number is not finite.
        """
        if not told:
            return {}
        table = torch.stack([torch.stack(list(row.values())) for row in told]).cpu()
        for row in table.tolist():
            for name, value in zip(told[0], row, strict=True):
                if not math.isfinite(value):
                    raise DivergedError(self._last_words(name, value))
        return dict(zip(told[0], table.mean(dim=0).tolist(), strict=True))

    def _pace(self, seconds: float) -> dict[str, float]:
        """Remembered steps that all processes learned from in a second of the episode."""
        samples = self.config.learn.batch_size * self.config.learn.train_steps_per_eps * self.group.count
        return {"samples_per_second": samples / seconds}

    def _last_words(self, name: str, value: float) -> str:
        kept = checkpoint.checkpoints(self.folder)
        last, how = "there is no checkpoint yet", ""
        if kept:
            last, how = f"the last checkpoint is {kept[-1]}", ", which --resume takes"
        wrong = None if self.seen is None else not_finite(vars(self.seen))
        wanted = "lower learning rates" if wrong is None else f"pictures of finite numbers: {wrong} is not"
        return (
            f"{name} became {value} in episode {self.episode}, training has stopped; {last}; "
            f"wanted {wanted}{how}"
        )

    def _tell(self, losses: dict[str, float], seconds: float) -> None:
        told = (name for name in losses if name == "Q" or name.endswith(("_loss", "_lr")))
        shown = " ".join(f"{name} {losses[name]:.4g}" for name in told)
        print(f"episode {self.episode} steps {self.step} {seconds:.2f} s {shown}", file=sys.stderr)

    def validate(self, stop: Stop | None = None) -> tuple[dict[str, float], PaintState] | None:
        """Paint held-out pictures; see `learning.run.validation.validate`."""
        return validate(self.config, self.learner, self.held_out, self.group.device, stop or Stop())

    def _validate(self, log: Log, stop: Stop) -> None:
        if self.group.rank == 0 and (found := self.validate(stop)) is not None:
            results, shown = found
            log.scalars("validate", results, self.step)
            log.pictures(shown, self.step)
            if self.config.run.debug:
                print(f"validation {results}", file=sys.stderr)

    def save(self) -> Path:
        """Write a checkpoint, and the actor for painting; returns the checkpoint's folder."""
        folder = checkpoint.draft(self.folder, self.episode) if self.group.rank == 0 else None
        self.group.barrier()
        path = folder or self.folder / checkpoint.FOLDER / f"{self.episode:08d}.part"
        own = {"replay": self.replay.state_dict(), "generator": self.generator.get_state()}
        checkpoint.write(path / f"process{self.group.rank}.pt", own)
        self.group.barrier()
        if folder is not None:
            networks = {
                "config": self.config.to_json(),
                "episode": self.episode,
                "learner": self.learner.state_dict(),
            }
            checkpoint.write(folder / NETWORKS, networks)
            path = checkpoint.publish(folder, self.config.run.keep)
            target = self.folder / ACTOR
            save_actor(self.learner.actor, self.config.env, self.pictures.size, target)
        self.group.barrier()
        return path

    def _resume(self) -> None:
        """Go on from the newest checkpoint.

        Raises:
            InputError: there is none, or it is of another kind of run.
        """
        state, saved, found = resume.read_saved(self.folder, self.config.run.resume)
        resume.check_unchanged(self.config, saved, found)
        try:
            path = self._fill(state, found)
        except InputError as error:
            raise resume.broken(error, self.folder, found) from None
        if self.replay.largest_sample() >= 2 * len(self.pictures):
            raise InputError(f"{path} remembers other pictures, wanted those of this run")

    def _fill(self, state: dict[str, Any], found: Path) -> Path:
        """Take over a checkpoint; returns the file with this process's part.

        Raises:
            InputError: it is corrupt.
        """
        single.check_has(state, found / NETWORKS, "learner", "episode")
        try:
            self.learner.load_state_dict(state["learner"])
        except ValueError as error:
            raise InputError(f"{self.folder}: {error}") from None
        parts = max(1, len(list(found.glob("process*.pt"))))
        path = found / f"process{self.group.rank % parts}.pt"
        own = single.read_last(path, "replay", "generator")
        try:
            self.replay.load_state_dict(own["replay"])
            self.generator.set_state(own["generator"])
            self.episode = single.counted({"step": state["episode"], "seconds": 0})[0]
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"{path} does not fit this run: {str(error).partition(chr(10))[0]}") from None
        if self.group.rank >= parts:  # of more processes than before: each draws its own
            self.generator.manual_seed(self.config.learn.seed + 1000 * self.group.rank + self.episode)
        return path

    def _start_from(self, path: Path) -> None:
        """Take over another run's networks, or published ones, and tell of those that begin afresh."""
        found, missing = start_from(self.learner, path)
        if missing and self.group.rank == 0:
            names = ", ".join(name.replace("_live", " discriminator") for name in missing)
            print(f"{printable(found.path)} has no {names}: begun afresh", file=sys.stderr)
