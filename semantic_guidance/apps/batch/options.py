"""How many pictures are painted. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_guidance.core.machine import cores
from semantic_guidance.core.memory import free_memory
from semantic_guidance.core.options import option

MANY = "many pictures"

WORKER = 600_000_000
"""Bytes of memory that a worker takes at most, for pictures of up to 24 megapixels."""


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
    out: str = ""
    pattern: str | None = None
    overwrite: bool = False


def usual_workers(pictures: int) -> int:
    """As many workers as cores, but no more than there are pictures, or than memory is free for."""
    free = free_memory()
    return max(1, min(cores(), pictures, cores() if free is None else free // WORKER))
