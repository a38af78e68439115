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
            "help": "with apg, vector: the papers' actor; dense: a network that answers with a stroke for "
            "each cell of a grid",
            "choices": HEADS,
        },
    )
    updates: int = field(default=20_000, metadata={"help": "updates of apg", "min": 1})
    minutes: float | None = field(
        default=None,
        metadata={
            "help": "end apg's schedule after this time instead; such a run cannot be repeated exactly",
            "above": 0,
        },
    )
    apg_lr: float = field(
        default=1e-3,
        metadata={
            "help": "apg's greatest learning rate: it rises for 100 updates, then falls as half a cosine",
            "min": 0,
        },
    )
    horizon: int = field(
        default=1, metadata={"help": "steps that apg's gradient reaches back", "min": 1, "max": 1000}
    )
    view_size: int = field(
        default=64,
        metadata={"help": "side in pixels of what the papers' actor sees of the canvas with apg", "min": 16},
    )
    windows: float = field(
        default=0.65,
        metadata={
            "help": "share of apg's paintings of which the actor, after some steps, sees parts alone; it can "
            "then paint a picture part by part",
            "min": 0,
            "max": 1,
        },
    )
    interval: int = field(
        default=500,
        metadata={
            "help": "updates between apg's checkpoints; with each, errors of held-out paintings are logged",
            "min": 1,
        },
    )
    measured: int = field(
        default=64, metadata={"help": "held-out pictures that apg is measured on; 0: none", "min": 0}
    )
    ema: float = field(
        default=0.998,
        metadata={"help": "decay of apg's averaged weights, which are kept", "min": 0, "max": 1},
    )

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise ValueError(f"head is {self.head!r}, wanted one of {', '.join(HEADS)}")
        check_ranges(self)
