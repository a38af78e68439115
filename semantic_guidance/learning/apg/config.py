"""What training by the analytic gradient is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from semantic_guidance.core.config import check_ranges

HEADS = ("vector", "dense")


@dataclass(frozen=True)
class AnalyticConfig:
    """How an agent learns with ``--method apg``."""

    head: str = field(
        default="vector",
        metadata={
            "help": "vector: the papers' actor; dense: a network that answers with a stroke for each cell of "
            "a grid, made for --max-eps-len 7 --bundle-size 80 or so",
            "choices": HEADS,
        },
    )
    updates: int = field(default=20_000, metadata={"help": "updates of the whole training", "min": 1})
    minutes: float | None = field(
        default=None,
        metadata={
            "help": "end the schedule after this time instead; such a run cannot be repeated exactly",
            "above": 0,
        },
    )
    apg_lr: float = field(
        default=1e-3,
        metadata={
            "help": "the greatest learning rate: it rises for 100 updates, then falls as half a cosine",
            "min": 0,
        },
    )
    horizon: int = field(
        default=1, metadata={"help": "steps that a gradient reaches back", "min": 1, "max": 1000}
    )
    view_size: int = field(
        default=64,
        metadata={"help": "side in pixels of what the papers' actor sees of the canvas", "min": 16},
    )
    windows: float = field(
        default=0.65,
        metadata={
            "help": "share of the paintings of which the actor, after some steps, sees parts alone; it can "
            "then paint a picture part by part",
            "min": 0,
            "max": 1,
        },
    )
    interval: int = field(
        default=500,
        metadata={
            "help": "updates between checkpoints; with each, errors of held-out paintings are logged",
            "min": 1,
        },
    )
    measured: int = field(
        default=64, metadata={"help": "held-out pictures that it is measured on; 0: none", "min": 0}
    )
    ema: float = field(
        default=0.998,
        metadata={"help": "decay of the averaged weights, which are kept", "min": 0, "max": 1},
    )

    def __post_init__(self) -> None:
        check_ranges(self)
