"""How many threads a repeated computation gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numba

T = TypeVar("T")

PATIENCE = 16
"""Calls from one trial to the next; doubled as long as one choice wins clearly."""


@contextmanager
def renderer_threads(most: int = 1) -> Iterator[None]:
    """At most `most` threads of the compiled renderer within the context; the caller's number afterwards."""
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(before, most)))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def set_threads(count: int) -> None:
    """Use `count` threads of the compiled renderer, or as many as there are."""
    numba.set_num_threads(min(count, numba.get_num_threads()))


class Threads:
    """Runs calls of about equal cost on one thread or on all, whichever is faster at that time.

    All are faster on an idle machine. On a busy one every call waits until the last thread has had its turn
    on a core, and all took up to fifty times as long as one. Results do not depend on the choice.
    """

    def __init__(self) -> None:
        self.most = numba.get_num_threads()
        self.best = self.most
        self.pause = PATIENCE
        self.calls_left = 1  # the first call may compile: it is not a trial
        self.trials: dict[int, float] = {}

    def __call__(self, function: Callable[[], T]) -> T:
        """The result of `function`, run on the number of threads that won the last trial."""
        if self.most == 1:
            return function()
        trial = self.calls_left == 0
        count = min({1, self.most} - self.trials.keys()) if trial else self.best
        numba.set_num_threads(count)
        start = time.perf_counter()
        try:
            result = function()
        finally:
            numba.set_num_threads(self.most)
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
    """How many threads the kernels may use, and by which library: what their speed depends on."""
    try:
        layer = str(numba.threading_layer())
    except ValueError:  # nothing has run in parallel yet
        layer = None
    return {"numba_threads": numba.get_num_threads(), "numba_threading_layer": layer}
