"""Training of the neural renderer: it learns to imitate the exact one (Huang et al. 2019, section 3.2.2)."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from semantic_guidance.core.config import MAX_SEED, MAX_THREADS, check_ranges
from semantic_guidance.core.ending import Stop, saving_first
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.locks import only_one
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.core.settings import write_run_settings
from semantic_guidance.learning import optimizers
from semantic_guidance.learning.run import checkpoint, single
from semantic_guidance.learning.run.log import Log
from semantic_guidance.learning.run.processes import choose_device, settle_threads
from semantic_guidance.learning.run.words import STOPPING, gone_on_with
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.neural import SHAPE_NUMBERS, NeuralRenderer

RENDERER = "renderer.pkl"
MAY_CHANGE = frozenset(
    {"output", "steps", "batch_size", "learning_rates", "bounds", "save_interval", "threads", "device"}
)
"""Settings that a run that goes on may have otherwise."""


@dataclass(frozen=True)
class RendererConfig:
    """How the neural renderer learns. The defaults are the reference code's."""

    output: str = field(
        default="model/renderer",
        metadata={
            "help": "folder for renderer.pkl, last.pt and the log; a run that was stopped there goes on"
        },
    )
    steps: int = field(default=500_000, metadata={"help": "updates", "min": 1})
    batch_size: int = field(default=64, metadata={"help": "strokes of an update", "min": 1})
    learning_rates: tuple[float, ...] = field(
        default=(1e-4, 1e-5, 1e-6), metadata={"help": "learning rates, one after the other", "min": 0}
    )
    bounds: tuple[float, ...] = field(
        default=(0.4, 0.8),
        metadata={"help": "parts of the training at which the learning rate steps", "min": 0, "max": 1},
    )
    high_res: bool = field(default=False, metadata={"help": "draw on 256 x 256 pixels"})
    save_interval: int = field(default=1000, metadata={"help": "updates between saves", "min": 1})
    threads: int = field(default=1, metadata={"help": "threads on the CPU", "min": 1, "max": MAX_THREADS})
    device: str = field(default="auto", metadata={"help": "cpu, cuda, cuda:1, ..., or auto"})
    seed: int = field(
        default=1234,
        metadata={"help": "the same number gives the same training", "min": 0, "max": MAX_SEED},
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if len(self.learning_rates) != len(self.bounds) + 1:
            raise ValueError(
                f"learning_rates has {len(self.learning_rates)} numbers, wanted {len(self.bounds) + 1}"
            )

    @property
    def size(self) -> int:
        """Side of the canvas in pixels."""
        return 256 if self.high_res else 128


def exact_alpha(vectors: Tensor, size: int) -> Tensor:
    """Alpha ``[N, size, size]`` of LTP vectors without colour ``[N, 10]``, by the exact renderer."""
    white = torch.cat([vectors, torch.ones_like(vectors[:, :3])], dim=1)[:, None]
    canvas = vectors.new_zeros(len(vectors), 3, size, size)
    return render(strokes_from_ltp(white), canvas)[:, 0]


def train_renderer(config: RendererConfig) -> Path:
    """Train a neural renderer; a run that was stopped goes on.

    Returns:
        Its file, which `renderer.backends.neural.load_ltp_renderer` reads.

    Raises:
        InputError: the device does not exist, the checkpoint is corrupt or of another run, or the loss became
            infinite or not a number (NaN).
        OSError: a file cannot be written.
    """
    device, folder = choose_device(config.device), Path(config.output)
    settle_threads(config.threads)
    with only_one(folder, "another --output"):
        run = RendererRun(config, device)
        checkpoint.sweep(folder)
        write_run_settings({"": config}, folder)
        with saving_first(STOPPING) as stop:
            run.run(stop)
            stop.words = gone_on_with(run.step, "train-renderer --output", folder)
    return folder / RENDERER


class RendererRun:
    """A run: the network, its optimiser and what strokes are drawn by.

    Args:
        config: of the run.
        device: of the network.

    Raises:
        InputError: the checkpoint in its folder is corrupt or of another run.
    """

    def __init__(self, config: RendererConfig, device: torch.device) -> None:
        self.config, self.device, self.folder = config, device, Path(config.output)
        self.generator = torch.Generator().manual_seed(config.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network = NeuralRenderer(config.size).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), config.learning_rates[0])
        self.step, self.saved = 0, 0
        path = single.newest(self.folder)
        if path.exists():
            with single.telling_of_earlier(path):
                self._resume(path)

    def run(self, stop: Stop) -> None:
        """Train to the end, or until it is to stop, and save.

        Raises:
            InputError: the loss became infinite or not a number (NaN).
            OSError: a file cannot be written.
        """
        config = self.config
        with (
            Log(self.folder / "log", self.step) as log,
            tqdm(total=config.steps, initial=self.step, unit="update", file=sys.stderr) as bar,
        ):
            while self.step < config.steps and not stop.number:
                log.scalars("train", {"loss": self._update()}, self.step)
                if checkpoint.is_due(self.step, config.save_interval):
                    self.save()
                bar.update()
        if self.step > self.saved:
            self.save()

    def _update(self) -> float:
        """One update; returns the loss."""
        config = self.config
        stage = sum(self.step + 1 > part * config.steps for part in config.bounds)
        self.optimizer.param_groups[0]["lr"] = config.learning_rates[stage]
        shape = (config.batch_size, SHAPE_NUMBERS)
        vectors = torch.rand(shape, generator=self.generator, dtype=torch.float32).to(self.device)
        loss = F.mse_loss(self.network(vectors), exact_alpha(vectors, config.size))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(f"the loss became {value} {self._last_words()}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return value

    def _last_words(self) -> str:
        return single.stopped(self.folder, self.step + 1, "--learning-rates")

    def save(self) -> None:
        """Write the checkpoint, and the network for painting.

        Raises:
            InputError: a weight is not finite; the last checkpoint is as it was.
            OSError: a file cannot be written.
        """
        single.check_finite(self.network, self._last_words())
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": 0,
        }
        single.write_last(self.folder, self.config, state)
        with replacing(self.folder / RENDERER) as draft:
            torch.save({name: values.cpu() for name, values in self.network.state_dict().items()}, draft)
        self.saved = self.step

    def _resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it is corrupt, or of another run.
        """
        state = single.read_last(path, "config", "network", "optimizer", "generator", "step", "seconds")
        single.check_same(self.config, state, MAY_CHANGE, path, "--output")
        single.fill(self.network, state["network"], path, "those of this run")
        try:
            optimizers.fill(self.optimizer, state["optimizer"])
            self.generator.set_state(state["generator"])
            self.step = self.saved = single.counted(state)[0]
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{path} does not fit this run: {reason}") from None
