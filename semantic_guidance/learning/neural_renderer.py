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
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.locks import only_one
from semantic_guidance.core.ltp_format import strokes_from_ltp
from semantic_guidance.learning.run.log import Log
from semantic_guidance.learning.run.processes import choose_device, settle_threads
from semantic_guidance.renderer import render
from semantic_guidance.renderer.backends.neural import SHAPE_NUMBERS, NeuralRenderer


@dataclass(frozen=True)
class RendererConfig:
    """How the neural renderer learns. The defaults are the reference code's."""

    output: str = field(default="model/renderer", metadata={"help": "folder for renderer.pkl and the log"})
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
    """Train a neural renderer; returns its file, which `renderer.backends.neural.load_ltp_renderer` reads.

    Raises:
        InputError: the device does not exist, or the loss became infinite or not a number (NaN).
    """
    device = choose_device(config.device)
    settle_threads(config.threads)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = NeuralRenderer(config.size).to(device)
    optimizer = torch.optim.Adam(network.parameters(), config.learning_rates[0])
    path = Path(config.output) / "renderer.pkl"
    with only_one(path.parent, "another --output"), Log(path.parent / "log") as log:
        for step in tqdm(range(1, config.steps + 1), unit="update", file=sys.stderr):
            stage = sum(step > part * config.steps for part in config.bounds)
            optimizer.param_groups[0]["lr"] = config.learning_rates[stage]
            shape = (config.batch_size, SHAPE_NUMBERS)
            vectors = torch.rand(shape, generator=generator, dtype=torch.float32).to(device)
            loss = F.mse_loss(network(vectors), exact_alpha(vectors, config.size))
            value = float(loss.detach())
            if not math.isfinite(value):
                raise InputError(f"the loss became {value} in update {step}, wanted --learning-rates lower")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            log.scalars("train", {"loss": value}, step)
            if step % config.save_interval == 0 or step == config.steps:
                with replacing(path) as draft:
                    torch.save({name: values.cpu() for name, values in network.state_dict().items()}, draft)
    return path
