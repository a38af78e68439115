"""How many pictures are painted. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from semantic_guidance.core.config import check_ranges
from semantic_guidance.core.engines.options import ray_option
from semantic_guidance.core.machine import cores
from semantic_guidance.core.memory import free_memory
from semantic_guidance.core.options import OptionError, option

MANY = "many pictures"

MOST_SHARDS = 1_000_000

WORKER = 600_000_000
"""Bytes of memory that a worker takes at most, for pictures of up to 24 megapixels."""


PATIENCE = 30.0
"""Seconds after which a dry run paints no more pictures."""


def parse_shard(word: str) -> tuple[int, int]:
    """``I/N``, from 1.

    >>> parse_shard("3/8")
    (3, 8)
    """
    number, _, count = word.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= MOST_SHARDS):
        raise ValueError(f"got {word!r}, wanted I/N, such as 1/8 to 8/8, N at most {MOST_SHARDS}")
    return int(number), int(count)


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How many pictures are painted.

    Attributes:
        out: folder for the files, or its address.
        pattern: of their names, see `naming.Pattern`; by what they are painted from if None.
        overwrite: whether pictures are painted again that are done.
    """

    workers: int | None = option(
        None,
        "pictures that are painted at the same time, each by a process of its own with its share of the cores"
        " (default: as many as there are cores, and as memory is free for)",
        metavar="N",
        min=1,
        max=1024,
        group=MANY,
    )
    ray: str | None = ray_option(MANY)
    gpu_share: float = option(
        0.25,
        "with --ray and --device cuda: how much of a graphics card each worker gets (default: %(default)s)",
        metavar="SHARE",
        above=0,
        max=1,
        group=MANY,
    )
    shard: tuple[int, int] | None = option(
        None,
        "paint only the I-th of N parts of the pictures, and write manifest.I-of-N.jsonl: for N jobs of a"
        " cluster, each with the same command",
        metavar="I/N",
        parse=parse_shard,
        group=MANY,
    )
    dry_run: bool = option(
        False,
        "paint nothing; tell which pictures would be painted, and for how many hours of a core, by painting a"
        f" few of them here, for about {PATIENCE:.0f} s",
        group=MANY,
    )
    price_per_hour: float | None = option(
        None,
        "with --dry-run: what a core costs an hour, or, with --device cuda, a worker; tells the whole cost",
        metavar="PRICE",
        min=0,
        max=1e6,
        group=MANY,
    )
    out: str = ""
    pattern: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.price_per_hour is not None and not self.dry_run:
            raise OptionError("price_per_hour", "it means nothing without --dry-run")

    @property
    def asked(self) -> bool:
        """Whether an option says that it is about many pictures, be it one."""
        return self.ray is not None or self.shard is not None or self.dry_run

    @property
    def part(self) -> str:
        """The part of the pictures as names of files have it; empty if it is all of them."""
        return "" if self.shard is None else f"{self.shard[0]}-of-{self.shard[1]}"

    def shared(self, things: Sequence[Any]) -> Sequence[Any]:
        """Those of a sequence that are of this part: each is of one."""
        return things if self.shard is None else things[self.shard[0] - 1 :: self.shard[1]]


def usual_workers(pictures: int) -> int:
    """As many workers as cores, but no more than there are pictures, or than memory is free for."""
    free = free_memory()
    return max(1, min(cores(), pictures, cores() if free is None else free // WORKER))
