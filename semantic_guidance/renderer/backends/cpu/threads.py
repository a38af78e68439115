"""How many threads a repeated computation gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from semantic_guidance.renderer.backends.cpu.pool import POOL

Result = TypeVar("Result")

PATIENCE = 16
"""Calls from one trial to the next; doubled as long as one choice wins clearly."""


@contextmanager
def renderer_threads(count: int = 1) -> Iterator[None]:
    """At most so many threads of the compiled renderer inside; the caller's number afterwards."""
    before = POOL.count
    POOL.count = max(1, min(before, count))
    try:
        yield
    finally:
        POOL.count = before


def set_threads(count: int) -> None:
    """Use `count` threads of the compiled renderer, or as many as there are."""
    POOL.usual = POOL.count = max(1, min(count, POOL.most))


class Threads:
    """Runs calls of about equal cost on one thread or on all, whichever is faster at the moment.

    All is faster on an idle machine. On a busy one every call waits until the last thread has had its turn
    on a core. Results do not depend on the choice.
    """

    def __init__(self) -> None:
        self.most = POOL.count
        self.best = self.most
        self.pause = PATIENCE
        self.calls_left = 1  # the first call may compile: it is not a trial
        self.trials: dict[int, float] = {}

    def __call__(self, function: Callable[[], Result]) -> Result:
        """The result of `function`, run on the number of threads that won the last trial."""
        if self.most == 1:
            return function()
        trial = self.calls_left == 0
        count = min({1, self.most} - self.trials.keys()) if trial else self.best
        start = time.perf_counter()
        with renderer_threads(count):
            result = function()
        if trial:
            self.trials[count] = time.perf_counter() - start
            if len(self.trials) == 2:
                self._decide()
        else:
            self.calls_left -= 1
        return result

    def _decide(self) -> None:
        fast, slow = sorted(self.trials, key=lambda count: self.trials[count])
        clear = fast == self.best and self.trials[slow] > 2 * self.trials[fast]
        self.pause = min(8 * PATIENCE, 2 * self.pause) if clear else PATIENCE
        self.best, self.calls_left, self.trials = fast, self.pause, {}


def about_threads() -> dict[str, Any]:
    """How many threads the kernels may use: what their speed depends on."""
    return {"renderer_threads": POOL.count}
