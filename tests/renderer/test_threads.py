"""How many threads repeated work gets, counted by a clock of our own."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from semantic_guidance.renderer.backends.cpu import threads
from semantic_guidance.renderer.backends.cpu.pool import POOL
from semantic_guidance.renderer.backends.cpu.threads import Threads, renderer_threads, set_threads


class Machine:
    """Stands for the pool of threads and the clock: a call takes as long as said for the threads in use.

    Args:
        most: threads that there are.
        seconds: of a call on one thread and on all.
    """

    def __init__(self, most: int, **seconds: float) -> None:
        self.most, self.seconds, self.count, self.now = most, seconds, most, 0.0

    def perf_counter(self) -> float:
        return self.now

    def work(self) -> int:
        """One call; returns the number of threads that it ran on."""
        self.now += self.seconds["one" if self.count == 1 else "all"]
        return self.count


def stretches(machine: Machine, calls: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(threads, calls in a row)."""
    monkeypatch.setattr(threads, "POOL", machine)
    monkeypatch.setattr(threads, "time", machine)
    choice = Threads()
    used = [choice(machine.work) for _ in range(calls)]
    assert machine.count == machine.most  # the caller's setting
    return [(count, len(list(group))) for count, group in itertools.groupby(used)]


def test_the_faster_choice_is_kept_and_tried_again_more_and_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first call may compile. One on each, then 16, 32, 64 and 128 calls of the better between trials."""
    busy = stretches(Machine(4, one=1.0, all=50.0), 400, monkeypatch)
    # A trial is one call on 1, which adds to the stretch before it, and one on all.
    assert busy[:8] == [(4, 1), (1, 1), (4, 1), (1, 17), (4, 1), (1, 33), (4, 1), (1, 65)]
    assert busy[9] == (1, 129)
    assert busy[11] == (1, 129)
    idle = stretches(Machine(4, one=3.0, all=1.0), 400, monkeypatch)
    assert idle[:7] == [(4, 1), (1, 1), (4, 33), (1, 1), (4, 65), (1, 1), (4, 129)]


def test_where_it_hardly_matters_both_are_tried_every_16_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    even = stretches(Machine(2, one=1.5, all=1.0), 100, monkeypatch)
    assert even[:7] == [(2, 1), (1, 1), (2, 17), (1, 1), (2, 17), (1, 1), (2, 17)]


def test_a_machine_that_gets_busy_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(2, one=1.5, all=1.0)
    monkeypatch.setattr(threads, "POOL", machine)
    monkeypatch.setattr(threads, "time", machine)
    choice = Threads()
    for _ in range(30):
        choice(machine.work)
    machine.seconds["all"] = 20.0
    used = [choice(machine.work) for _ in range(40)]
    assert used.count(2) < 12
    assert used[-1] == 1


def test_a_call_that_fails_leaves_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(2, one=1.0, all=5.0)
    monkeypatch.setattr(threads, "POOL", machine)
    choice = Threads()
    for _ in range(8):
        with pytest.raises(ZeroDivisionError):
            choice(lambda: 1 // 0)
        assert machine.count == 2


@pytest.mark.usefixtures("two_threads")
def test_settings_are_the_callers() -> None:
    with renderer_threads(1):
        assert POOL.count == 1
    with renderer_threads(64):
        assert POOL.count == 2
    assert POOL.count == 2
    assert [Threads()(lambda: POOL.count) for _ in range(3)] == [2, 2, 2]
    set_threads(64)
    assert POOL.count == 2
    set_threads(1)
    assert POOL.count == 1


@pytest.mark.usefixtures("two_threads")
def test_a_number_is_that_of_its_thread():
    """Two threads whose blocks overlap give nothing away for good."""
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with renderer_threads(1):
            inside.set()
            leave.wait()

    POOL.usual = 2
    with ThreadPoolExecutor(1) as pool:
        with renderer_threads(1):
            work = pool.submit(other)
            inside.wait()
        assert POOL.count == 2
        leave.set()
        work.result()
        assert pool.submit(lambda: POOL.count).result() == 2
    assert POOL.count == 2
