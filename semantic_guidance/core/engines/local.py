"""Work on the cores of this machine.

The standard library's `ProcessPoolExecutor` does it. One that loses a process ends all of its others, so here
every worker has one of its own: whoever dies takes along nothing but what it was doing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any

from semantic_guidance.core.apart import apart
from semantic_guidance.core.ending import end_with_parent
from semantic_guidance.core.engines.base import TRIES, Do, Item, Outcome, Work
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.forks import forked_without_threads
from semantic_guidance.core.machine import cores
from semantic_guidance.core.memory import out_of_memory

DIED = "its worker was ended from outside, or had too little memory"

EXPENDABLE = 500
"""What Linux adds to a worker's chance to be the one that is killed if memory is short, of 1000."""

_PATIENCE = 0.5
"""Seconds in which workers that are told to end may remove what they have begun to write."""

_do: Do | None = None  # of this worker


@dataclass
class _Task:
    """An item, and how many workers have died over it."""

    item: Item
    died: int = 0


class LocalEngine:
    """Does work in processes of this machine, one item after the other in each. See `Engine`.

    Args:
        workers: processes, at least 1. No more are started than there are items.
        threads: that each may use, told to the work as ``threads`` of its settings; by default its share of
            the cores.
        preload: modules that are imported once, in a process from which all workers are forked, where the
            system can do that: they share that memory, and start at once. Torch must not compute there.
    """

    def __init__(self, workers: int, threads: int | None = None, preload: Sequence[str] = ()) -> None:
        self.workers = workers
        self.threads = threads or max(1, cores() // workers)
        self._preload = list(preload)
        self._lanes: list[_Lane] = []

    def run(self, work: Work, items: Iterable[Item]) -> Iterator[Outcome]:
        """See `Engine`.

        Raises:
            InputError: the work cannot be begun, for the reason that its factory gave.
        """
        work = Work(work.factory, {**work.settings, "threads": self.threads})
        again, ahead, how = deque[_Task](), map(_Task, items), self._context()
        try:
            while True:
                self._fill(work, again, ahead, how)
                busy = {lane.future: lane for lane in self._lanes if lane.future is not None}
                if not busy:
                    return
                done = [busy[future].taken() for future in wait(busy, return_when=FIRST_COMPLETED).done]
                outcomes = [_outcome(task, result) for task, result in done]
                again += [task for (task, _), outcome in zip(done, outcomes, strict=True) if outcome is None]
                self._fill(work, again, ahead, how)  # before whoever gets the outcomes is at work
                yield from filter(None, outcomes)
        finally:
            self.close()

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.tell_to_end()
        for lane in lanes:
            lane.see_end()

    def _fill(self, work: Work, again: deque[_Task], ahead: Iterator[_Task], how: BaseContext) -> None:
        """Give every worker that has nothing to do an item, as long as there are some."""
        while True:
            self._lanes = [lane for lane in self._lanes if not lane.dead]
            lane = next((each for each in self._lanes if each.future is None), None)
            if lane is None and len(self._lanes) >= self.workers:
                return
            task = again.popleft() if again else next(ahead, None)
            if task is None:
                return
            if lane is None:
                lane = _Lane(how)
                self._lanes.append(lane)
            if not lane.give(work, task):
                again.appendleft(task)

    def _context(self) -> BaseContext:
        """How processes are started: forked from one that has loaded everything, where that can be."""
        if "forkserver" not in multiprocessing.get_all_start_methods():
            return multiprocessing.get_context("spawn")
        chosen = multiprocessing.get_context("forkserver")
        chosen.set_forkserver_preload(self._preload)
        return chosen


class _Lane:
    """A worker and what it is doing.

    Args:
        how: its process is started.
    """

    def __init__(self, how: BaseContext) -> None:
        self.future: Future[Any] | None = None
        self.dead = False
        with apart():  # its locks already start a process, which looks after them
            self._pool = ProcessPoolExecutor(1, how, _settle)
        self._task = _Task({})
        self._process: Any = None

    def give(self, work: Work, task: _Task) -> bool:
        """Let it do something; it does nothing now. Returns whether it does: not if it is dead."""
        before = {*multiprocessing.active_children()}
        try:
            with apart():
                self._task, self.future = task, self._pool.submit(_done, work, task.item)
        except BrokenProcessPool:
            self.dead = True
            return False
        if self._process is None:
            self._process = next(iter({*multiprocessing.active_children()} - before), None)
        return True

    def taken(self) -> tuple[_Task, tuple[str, Any] | None]:
        """What it did, and what came out: None if it died over it.

        Raises:
            InputError: it could not begin at all.
        """
        assert self.future is not None
        future, self.future = self.future, None
        try:
            kind, value = future.result()
        except BrokenProcessPool:
            self.dead = True
            self._pool.shutdown(wait=False)
            return self._task, None
        if kind == "refused":
            raise InputError(value)
        return self._task, (kind, value)

    def tell_to_end(self) -> None:
        """Tell its process to end."""
        if self._process is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.terminate()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def see_end(self) -> None:
        """See that it ends."""
        with contextlib.suppress(OSError, ValueError, AssertionError):
            if self._process is not None:
                self._process.join(_PATIENCE)
                self._process.kill()


def _outcome(task: _Task, result: tuple[str, Any] | None) -> Outcome | None:
    """What became of an item; None if it is to be tried again."""
    if result is None:
        task.died += 1
        if task.died < TRIES:
            return None
        return Outcome(task.item, error=f"{DIED}, {task.died} times", died=task.died)
    kind, value = result
    if kind == "done":
        return Outcome(task.item, value, died=task.died)
    return Outcome(task.item, error=value, died=task.died)


def _settle() -> None:
    """What a worker does first."""
    end_with_parent()
    forked_without_threads()
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(EXPENDABLE))


def _done(work: Work, item: Item) -> tuple[str, Any]:
    """What a worker makes of an item: ``done`` and the result, or ``failed``, or ``refused``, and why."""
    global _do
    if _do is None:
        try:
            _do = work.begin()
        except Exception as error:
            return "refused", told(error)
    try:
        return "done", _do(item)
    except Exception as error:
        return "failed", told(error)


def told(error: Exception) -> str:
    """An error in one line, as a person is told of it."""
    flag = getattr(error, "as_flag", None)
    words = str(flag or error).partition("\n")[0]
    short = out_of_memory(error)
    if short is not None:
        return f"out of memory ({short}), wanted fewer workers or smaller pictures"
    if isinstance(error, ValueError | OSError) and words:
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
