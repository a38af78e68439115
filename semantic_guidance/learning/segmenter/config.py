"""What the training of a segmenter is told. Nothing here needs torch, so that help comes at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semantic_guidance.core.config import MAX_SEED, MAX_THREADS, check_ranges
from semantic_guidance.core.options import OptionError, option

STRIDE = 32
"""The sides of the pictures are multiples of this, see `guidance.network.STRIDE`."""

SPLITS = ("train", "all")


@dataclass(frozen=True, kw_only=True)
class SegmenterTrainingConfig:
    """How a segmenter learns.

    Raises:
        ValueError: a number is out of its range.
    """

    pack: Path | None = option(
        None, "cut-out pack from which pictures are composed", metavar="DIR", parse=Path
    )
    split: str = option(
        "train", "pictures of the pack to learn from: all, or all but a tenth (train)", choices=SPLITS
    )
    real: Path | None = option(
        None,
        "folder of photographs: NAME.jpg, NAME_mask.png unless it is a scene without an object, and"
        " photographs.csv, which names the kind of each: animal, thing or scene",
        metavar="DIR",
        parse=Path,
    )
    real_share: float = option(0.1, "share of the samples that are photographs", min=0, max=1)
    group_share: float = option(
        0.25, "share of the composites with several of a kind that touch", min=0, max=1
    )
    out: Path = option(
        Path("model/segmenter"),
        "folder for segmenter.safetensors, last.pt and log.jsonl; a run that was stopped there goes on",
        metavar="DIR",
        parse=Path,
    )
    init: Path | None = option(
        None,
        "what to start from: the averaged weights of a checkpoint (last.pt), or a segmenter (.safetensors)"
        " (default: an encoder that knows ImageNet)",
        metavar="FILE",
        parse=Path,
    )
    blend: Path | None = option(
        None,
        "earlier weights of the same line, a checkpoint or a segmenter, to average the finished ones with",
        metavar="FILE",
        parse=Path,
    )
    share: float = option(0.3, "of the earlier weights in that average", min=0, max=1)
    samples: int = option(50_000, "pictures to learn from", min=2, max=10**10)
    size: int = option(
        192,
        f"mean side of the pictures in pixels, a multiple of {STRIDE}; sides are up to {STRIDE} more or less",
        min=2 * STRIDE,
        max=4096,
    )
    batch_size: int = option(16, "pictures of an update", aliases=("--batch",), min=2, max=10_000)
    learning_rate: float = option(1e-3, "greatest learning rate of the decoder", aliases=("--lr",), above=0)
    click_lr: float = option(1e-3, "greatest learning rate of the decoder of clicks", min=0)
    encoder_lr: float = option(2e-4, "greatest learning rate of the encoder", min=0)
    final_lr: float = option(0.02, "last learning rate over the greatest one", min=0, max=1)
    frozen_blocks: int = option(
        3, "this many blocks of the encoder, and its stem, do not learn; with 0, all does", min=0, max=16
    )
    ema: float = option(0.998, "decay of the averaged weights, which are what is kept", min=0, max=1)
    held_out: int = option(
        96, "composites of pictures never learned from, to measure the IoU on; 0: none", min=0, max=10**6
    )
    save_interval: int = option(200, "updates between checkpoints", min=1)
    seed: int = option(0, "the same number gives the same training", min=0, max=MAX_SEED)
    threads: int = option(1, "threads on the CPU", min=1, max=MAX_THREADS)
    workers: int = option(1, "processes that make pictures; 0: none but this one", min=0, max=1024)

    def __post_init__(self) -> None:
        for name in ("pack", "real", "out", "init", "blend"):
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, Path(value))
        check_ranges(self)
        if self.size % STRIDE:
            raise OptionError("size", f"got {self.size}, wanted a multiple of {STRIDE}")
        if self.samples < self.batch_size:
            raise OptionError(
                "samples", f"got {self.samples}, wanted at least the {self.batch_size} of --batch-size"
            )

    @property
    def steps(self) -> int:
        """Updates."""
        return self.samples // self.batch_size
