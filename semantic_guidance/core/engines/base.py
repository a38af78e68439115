"""What spreads work over processes: items go in, outcomes come out, both as JSON values and in any order.

Items are names and options, such as paths, never pixels: what is large is read and written by the worker.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Item = Mapping[str, Any]
"""What a worker needs to know for one piece of work: JSON values."""

Do = Callable[[Item], dict[str, Any]]
"""Does one piece of work; what it returns are JSON values."""


@dataclass(frozen=True)
class Work:
    """What workers do, such that any process can begin it.

    Attributes:
        factory: ``module:attribute`` of what is called once in every worker, with `settings`; it loads what
            all items share, such as networks, and returns what does one item after the other.
        settings: JSON values.
    """

    factory: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def begin(self) -> Do:
        """What does one item after the other, in this process."""
        module, _, name = self.factory.partition(":")
        do: Do = getattr(importlib.import_module(module), name)(self.settings)
        return do


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Attributes:
        item: as it was given.
        result: what was returned; None if there is none.
        error: one line that says why there is none; empty otherwise.
        died: how many workers have died over it.
    """

    item: Item
    result: dict[str, Any] | None = None
    error: str = ""
    died: int = 0


class Engine(Protocol):
    """Spreads work.

    An error of one item, or workers that die over it more often than `TRIES`, are its outcome and end nothing
    else. Only as many items are taken ahead as keep the workers busy.
    """

    workers: int

    def run(self, work: Work, items: Iterable[Item]) -> Iterator[Outcome]:
        """Do all items; outcomes come in whatever order they are done.

        Closing the iterator ends the workers, within a second; what they have finished stays.
        """
        ...

    def close(self) -> None:
        """End what is left of it."""
        ...


TRIES = 3
"""How often an item is begun whose worker dies, before that is its outcome."""
