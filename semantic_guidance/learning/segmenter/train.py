"""Training of the segmenter on composites and photographs."""

from __future__ import annotations

import copy
import math
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from semantic_guidance.core.ending import Stop, end_with_parent, saving_first
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.forks import threads_here
from semantic_guidance.core.locks import only_one
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.settings import write_run_settings
from semantic_guidance.guidance.classifier import kind_evidence, load_imagenet_state
from semantic_guidance.guidance.click_network import CLICK_WIDTHS
from semantic_guidance.guidance.efficientnet import fold_state_dict
from semantic_guidance.guidance.network import SegmentationNetwork
from semantic_guidance.guidance.segmenter import Segmenter
from semantic_guidance.learning import optimizers
from semantic_guidance.learning.algorithms.wgan import placed
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose
from semantic_guidance.learning.memory import START, check_room, fitting
from semantic_guidance.learning.run import checkpoint, single
from semantic_guidance.learning.run.words import STOPPING, gone_on_with, not_finite
from semantic_guidance.learning.segmenter.clicks import ROUNDS, corrected, first_clicks
from semantic_guidance.learning.segmenter.config import SegmenterTrainingConfig
from semantic_guidance.learning.segmenter.loss import click_loss, segmentation_loss
from semantic_guidance.learning.segmenter.samples import Batch, Batches, Sources

SEGMENTER = "segmenter.safetensors"
PIXEL = 1140
"""Bytes for each pixel of an update's pictures; measured."""
WARM_UP = 200
"""Updates in which the learning rates rise."""
_CLICKS = 77
"""Tells the random numbers of a batch's clicks from those of its pictures."""
AHEAD = 8
"""Batches that each of the processes makes ahead."""
MAY_CHANGE = frozenset(
    {"pack", "real", "out", "init", "blend", "share", "samples", "learning_rate", "encoder_lr", "click_lr"}
    | {"final_lr", "ema", "held_out", "save_interval", "threads", "workers"}
)
"""Settings that a run that goes on may have otherwise."""


def train_segmenter(config: SegmenterTrainingConfig) -> Path:
    """Train a segmenter, as ``semantic-guidance train-segmenter`` does; a run that was stopped goes on.

    With the same settings, machine and number of threads, a run that was stopped and goes on ends with the
    same weights as one that was not.

    Returns:
        The segmenter's file, for `Segmenter.load`.

    Raises:
        InputError: the pack, the photographs or a file of weights is not usable, or training diverged.
        OSError: a file cannot be written.
    """
    earlier = _earlier(config.blend)  # now, so that a mistake shows before the work
    torch.set_num_threads(threads_here(config.threads))
    cv2.setNumThreads(config.threads)
    check_room(START, {"updates": PIXEL * config.batch_size * config.size**2}, "--batch-size, --size")
    with fitting("--batch-size, --size"), only_one(config.out, "another --out"):
        trainer = SegmenterTrainer(config, Sources.load(config))
        checkpoint.sweep(config.out)
        if single.newest(config.out).exists():
            trainer.resume()
        write_run_settings({"": config}, config.out)
        with saving_first(STOPPING) as stop:
            trainer.run(stop)
            stop.words = gone_on_with(trainer.step, "train-segmenter --out", config.out)
        return _write(config.out, earlier, config.share)


def write_segmenter(out: Path, blend: Path | None = None, share: float = 0.3) -> Path:
    """Write the averaged weights of a run, finished or not, as a segmenter.

    Args:
        out: folder of the run.
        blend: earlier weights of the same line, a checkpoint or a segmenter, to average with.
        share: of the earlier weights, from 0 to 1.

    Returns:
        The segmenter's file, ``segmenter.safetensors`` in the run's folder.

    Raises:
        InputError: the run has no checkpoint, or a file of weights is not usable.
        OSError: the file cannot be written.
    """
    return _write(out, _earlier(blend), share)


def _write(out: Path, earlier: SegmentationNetwork | None, share: float) -> Path:
    network = SegmentationNetwork()
    read_weights(single.newest(out), network)
    if earlier is not None:
        before = earlier.state_dict()
        for name, values in network.state_dict().items():
            if values.is_floating_point() and name in before:
                values.lerp_(before[name], share)
    Segmenter(network).save(out / SEGMENTER)
    return out / SEGMENTER


def _earlier(blend: Path | None) -> SegmentationNetwork | None:
    """The network to average with.

    Raises:
        OptionError: it cannot be read.
    """
    if blend is None:
        return None
    try:
        state = _state(blend)
        network = SegmentationNetwork(click_widths=CLICK_WIDTHS if _has_clicks(state) else None)
        single.fill(network, state, blend, "those of a segmenter")
    except ValueError as error:
        raise OptionError("blend", str(error)) from None
    return network


def _state(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, or those of a segmenter.

    Raises:
        ValueError: the file is missing, corrupt, or something else.
    """
    return (
        Segmenter.load(path).network.state_dict() if path.suffix == ".safetensors" else single.read_mean(path)
    )


def _has_clicks(state: dict[str, Tensor]) -> bool:
    return any(name.startswith("clicks.") for name in state)


def read_weights(path: Path, network: SegmentationNetwork) -> None:
    """Give a network the averaged weights of a checkpoint, or those of a segmenter.

    If they know nothing of clicks, the network's decoder of clicks stays as it is.

    Raises:
        ValueError: the file is missing, corrupt, or something else.
    """
    state = _state(path)
    if not _has_clicks(state):
        own = network.state_dict().items()
        state = {name: values for name, values in own if name.startswith("clicks.")} | state
    single.fill(network, state, path, "those of a segmenter")


def new_network(config: SegmenterTrainingConfig) -> SegmentationNetwork:
    """The network before its first update, its first blocks frozen.

    Raises:
        OptionError: what to start from is not usable.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = SegmentationNetwork()
    if config.init is None:
        state = fold_state_dict(load_imagenet_state())
        network.encoder.load_state_dict(
            {name: values for name, values in state.items() if not name.startswith(("head", "classifier"))}
        )
    elif not single.newest(config.out).exists():  # else that takes the place of all weights
        try:
            read_weights(config.init, network)
        except ValueError as error:
            raise OptionError("init", str(error)) from None
    if config.frozen_blocks:
        for module in (network.encoder.stem, *network.encoder.blocks[: config.frozen_blocks]):
            module.requires_grad_(False)
    return placed(network, torch.device("cpu"))


class SegmenterTrainer:
    """A run: the network, the running mean of its weights, and the pictures that it learns from.

    Args:
        config: of the run.
        sources: of the pictures.

    Raises:
        OptionError: what to start from is not usable.
    """

    def __init__(self, config: SegmenterTrainingConfig, sources: Sources) -> None:
        self.config, self.sources = config, sources
        self.network = new_network(config)
        self.mean = copy.deepcopy(self.network).requires_grad_(False)
        trained = [(name, each) for name, each in self.network.named_parameters() if each.requires_grad]
        self.trained = [each for _, each in trained]
        encoder = [each for name, each in trained if name.startswith("encoder.")]
        clicks = [each for name, each in trained if name.startswith("clicks.")]
        decoder = [each for name, each in trained if not name.startswith(("encoder.", "clicks."))]
        self.peaks = (config.encoder_lr, config.learning_rate, config.click_lr)
        self.optimizer = torch.optim.AdamW(
            [{"params": encoder}, {"params": decoder}, {"params": clicks}],
            weight_decay=1e-4,
            betas=(0.9, 0.99),
        )
        self.step, self.seconds = 0, 0.0
        self.running: float | None = None

    def resume(self) -> None:
        """Go on from the checkpoint in the run's folder.

        Raises:
            InputError: it is corrupt, or was made with other settings.
        """
        path = single.newest(self.config.out)
        names = ("config", "network", "ema", "optimizer", "running", "step", "seconds")
        with single.telling_of_earlier(path):
            state = single.read_last(path, *names)
            single.check_same(self.config, state, MAY_CHANGE, path)
            single.fill(self.network, state["network"], path, "those of this run")
            single.fill(self.mean, state["ema"], path, "those of this run")
            try:
                optimizers.fill(self.optimizer, state["optimizer"])
                self.step, self.seconds = single.counted(state)
                self.running = float(state["running"])
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as problem:
                raise InputError(f"{path} does not fit this run: {problem}") from None
        single.forget_rows(self.config.out, self.step)

    def run(self, stop: Stop | None = None) -> None:
        """Train to the end, or until it is to stop, and save.

        Args:
            stop: says whether it is to stop.

        Raises:
            InputError: training diverged, and the last checkpoint is as it was; or a process ended early.
            OSError: a file cannot be written.
        """
        try:
            self._run(stop or Stop())
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            reason = str(error).splitlines()[0]
            raise InputError(f"--workers: {reason}, wanted fewer, 0, or more (shared) memory") from None

    def _run(self, stop: Stop) -> None:
        config, began = self.config, time.monotonic() - self.seconds
        batches = DataLoader(
            Batches(config, self.sources, self.step),
            batch_size=None,
            num_workers=config.workers,
            prefetch_factor=AHEAD if config.workers else None,
            worker_init_fn=_begin_worker,
        )
        bar = tqdm(
            batches, initial=self.step, total=config.steps, unit="update", mininterval=1, file=sys.stderr
        )
        for batch in bar:
            self.update(batch)
            bar.set_postfix(loss=f"{self.running:.4f}", refresh=False)
            last = self.step == config.steps
            if last or stop.number or checkpoint.is_due(self.step, config.save_interval):
                self.seconds = time.monotonic() - began
                self.save(told=last or self.step % config.save_interval == 0)
            if stop.number:
                break

    def update(self, batch: Batch) -> float:
        """Learn from a batch; returns the loss.

        Raises:
            InputError: the loss is not finite; nothing was changed but the counts of batch norms.
        """
        config = self.config
        scale = schedule(self.step, self.step / config.steps, config.final_lr)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * scale
        loss = self._loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            wrong = not_finite({"images": batch.images, "mask": batch.masks})
            raise InputError(f"the loss became {value} {self._last_words(self.step + 1, wrong)}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        single.average(self.mean, self.network, single.mean_decay(self.step, config.ema))
        self.running = value if self.running is None else self.running * 0.98 + value * 0.02
        self.step += 1
        return value

    def _loss(self, batch: Batch) -> Tensor:
        """What the salient masks cost, and those of simulated clicks, on the same features."""
        network, decoder = self.network.train(), self.network.clicks
        images = batch.images.contiguous(memory_format=torch.channels_last)
        evidence = kind_evidence()(images)
        features = network.features(images)
        found = network.decode(features, evidence, (images.shape[-2], images.shape[-1]))
        loss = segmentation_loss(found.mask, found.objectness, batch.masks)
        if decoder is None or len(batch.owners) < 2:  # too few for a batch norm
            return loss
        rng = np.random.default_rng([self.config.seed, self.step, _CLICKS])
        view = decoder.view(features, evidence, found.maps).of(batch.owners)
        salient = found.mask.detach().sigmoid()[batch.owners]
        rounds = int(rng.choice(len(ROUNDS), p=ROUNDS))
        clicks = first_clicks(rng, batch.targets, salient, 1 + rounds)
        still = view.detached()
        clicks = corrected(rng, clicks, batch.targets, lambda each: decoder(still, each), rounds)
        logits, quality = decoder(view, clicks)
        return loss + click_loss(logits, quality, batch.targets)

    def _last_words(self, step: int, wrong: str | None = None) -> str:
        return single.stopped(self.config.out, step, "--learning-rate or --encoder-lr", wrong)

    def save(self, told: bool = True) -> None:
        """Write a line of the log, every second time and at the end with the IoU, and the checkpoint.

        Args:
            told: whether the line is wanted.

        Raises:
            InputError: a weight is not finite; the last checkpoint is as it was.
            OSError: a file cannot be written.
        """
        config = self.config
        single.check_finite(self.mean, self._last_words(self.step))
        if told:
            self._tell()
        state = {
            "network": self.network.state_dict(),
            "ema": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "running": self.running,
            "step": self.step,
            "seconds": self.seconds,
        }
        single.write_last(config.out, config, state)

    def _tell(self) -> None:
        """Write a line of the log."""
        config = self.config
        row: dict[str, float | None] = {"step": self.step, "loss": self.running, "seconds": self.seconds}
        measured = self.step % (2 * config.save_interval) == 0 or self.step == config.steps
        if measured and self.sources.held_out is not None:
            row["held_out_iou"] = held_out_iou(self.mean, self.sources.held_out, config.size, config.held_out)
        single.append_row(config.out, row)


def _begin_worker(number: int) -> None:
    """For a process that makes batches: it ends with this one, even if that is killed, and not before."""
    end_with_parent(saves=True)


def schedule(step: int, done: float, final: float) -> float:
    """A learning rate over its peak: it rises for `WARM_UP` updates and falls as half a cosine.

    Args:
        step: updates so far.
        done: part of the schedule, from 0 to 1.
        final: what it falls to.
    """
    cosine = (1 + math.cos(math.pi * done)) / 2
    return min(1.0, (step + 1) / WARM_UP) * (final + (1 - final) * cosine)


@torch.no_grad()
def held_out_iou(network: SegmentationNetwork, pack: CutoutPack, size: int, count: int) -> float | None:
    """Mean IoU of the network alone, at one scale, on composites.

    Args:
        network: in evaluation mode afterwards.
        pack: of pictures that it never learned from.
        size: side of the composites in pixels.
        count: of the composites; those without an object do not count.

    Returns:
        The mean, in [0, 1]; None where no composite has an object.
    """
    network.eval()
    scores = []
    for index in range(count):
        made = compose(np.random.default_rng([10_000_019, index]), pack, size, size)
        if not made.masks:
            continue
        images = torch.from_numpy(made.image).permute(2, 0, 1)[None]
        found = network(images, kind_evidence()(images))[0][0, 0].numpy() > 0
        truth = made.mask > 0.5
        scores.append((found & truth).sum() / max((found | truth).sum(), 1))
    return float(np.mean(scores)) if scores else None
