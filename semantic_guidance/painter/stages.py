"""The stages of painting a picture: told as they come, and timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

StageProgress = Callable[[str, float], None]
"""Called with a stage (``compile``, ``guidance``, ``plan``, ``polish``) and its share done."""


@dataclass
class Stage:
    """One stage of the work: reports its start and its end, and measures its time."""

    clock: Clock
    name: str
    shown: bool
    begin: float = 0.0

    def __enter__(self) -> None:
        self.begin = time.perf_counter()
        if self.shown:
            self.clock.tell(self.name, 0.0)

    def __exit__(self, *error: object) -> None:
        self.clock.seconds[self.name] = time.perf_counter() - self.begin
        if self.shown and error[0] is None:
            self.clock.tell(self.name, 1.0)


class Clock:
    """Times stages and reports them."""

    def __init__(self, tell: StageProgress) -> None:
        self.tell = tell
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, shown: bool = True) -> Stage:
        """The stage of that name, as a context; told of only if `shown`."""
        return Stage(self, name, shown)
