"""What the training of a window agent is told. Nothing here needs torch, so that help comes at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semantic_guidance.core.config import MAX_SEED, MAX_THREADS, check_ranges
from semantic_guidance.core.options import OptionError, option

MAX_SIDE = 4096


@dataclass(frozen=True, kw_only=True)
class WindowTrainingConfig:
    """How a window agent learns.

    Raises:
        ValueError: a number is out of its range.
    """

    pack: Path | None = option(
        None,
        "cut-out pack from whose training split pictures are composed; needed until --bank exists",
        metavar="DIR",
        parse=Path,
    )
    out: Path = option(
        Path("model/agent"),
        "folder for agent.safetensors, last.pt and log.jsonl; a run that was stopped there goes on",
        metavar="DIR",
        parse=Path,
    )
    bank: Path | None = option(
        None,
        "file of the composed pictures, made if there is none (default: OUT/bank.npz)",
        metavar="FILE",
        parse=Path,
    )
    scenes: int = option(4000, "pictures to compose", min=1, max=10**7)
    scene_side: int = option(160, "side of the composed pictures in pixels", min=32, max=MAX_SIDE)
    init: Path | None = option(
        None,
        "what to start from: the averaged weights of a checkpoint (last.pt), or an agent (.safetensors)",
        metavar="FILE",
        parse=Path,
    )
    guided: float = option(0.6, "share of the paintings whose agent is told of the object", min=0, max=1)
    unguided: bool = option(False, "an agent that is never told of objects, and whose file says so")
    steps: int = option(10_000, "updates", min=1, max=10**9)
    minutes: float | None = option(
        None, "end the schedule after this time instead; such a run cannot be repeated exactly", above=0
    )
    batch_size: int = option(64, "windows of an update", aliases=("--batch",), min=2, max=10_000)
    learning_rate: float = option(
        1e-3, "greatest learning rate: it rises for 100 updates, then falls", aliases=("--lr",), above=0
    )
    horizon: int = option(1, "looks that a gradient reaches back", min=1, max=1000)
    widths: tuple[int, ...] = option(
        (32, 64, 128, 256),
        "channels of the network's stages, each of half the resolution of the one before",
        metavar="N,...",
        min=1,
        max=10_000,
    )
    ema: float = option(0.998, "decay of the averaged weights, which are what is kept", min=0, max=1)
    bf16: bool = option(False, "train in bfloat16 where that loses little")
    save_interval: int = option(500, "updates between checkpoints", min=1)
    seed: int = option(0, "the same number gives the same training", min=0, max=MAX_SEED)
    threads: int = option(1, "threads on the CPU", min=1, max=MAX_THREADS)
    device: str = option("cpu", "cpu, cuda, cuda:1, ..., or auto")

    def __post_init__(self) -> None:
        for name in ("pack", "out", "bank", "init"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, Path(value))
        check_ranges(self)
        if not self.widths:
            raise OptionError("widths", "there are none, wanted at least one")

    @property
    def bank_file(self) -> Path:
        """Where the composed pictures are."""
        return self.out / "bank.npz" if self.bank is None else self.bank

    @property
    def told(self) -> float:
        """Share of the paintings whose agent is told of the object."""
        return 0.0 if self.unguided else self.guided
