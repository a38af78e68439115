"""Work on a Ray cluster, or on one that Ray starts on this machine for as long as it is needed.

Every worker is an actor of Ray's: it begins the work once, so that networks are loaded once, and then does
one item after the other. Ray says where actors run, starts their processes, and ends them with this one. What
goes to an actor and comes back is JSON: pixels stay inside.

Ray may begin a task of an actor that has died again by itself, but then nobody knows how often it was begun.
So actors and tasks are made without that here, whoever dies is replaced by a new actor, on whatever node has
room, and deaths are counted. See docs/decisions/019.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from semantic_guidance.core.engines.base import TRIES, Do, Item, Outcome, Work
from semantic_guidance.core.engines.local import DIED, told
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.machine import cores
from semantic_guidance.core.start import WAITING
from semantic_guidance.core.version import __version__

LOCAL = "local"
"""The address that stands for a cluster of this machine alone, which is started and ended here."""

AUTO = "auto"
"""That which stands for the cluster of which this machine is a node."""

ANSWER = 5.0
"""Seconds in which a cluster must accept a connection."""

REQUEST = "30"
"""Seconds in which it must answer; Ray tries several times."""

ROOM = 30.0
"""Seconds after which a person is told that no node has room for a worker."""

STORE = 80 << 20
"""Bytes of shared memory for objects of a cluster that is started here: Ray's least, and none is used."""

POLL = 0.5
"""Seconds after which a wait for workers looks whether there is something to tell."""


class Worker:
    """What an actor does. Runs in a process of Ray's, where this package is installed, too."""

    def __init__(self) -> None:
        self._do: Do | None = None

    def begin(self, work: str, folder: str) -> str:
        """Load what all items share.

        Args:
            work: factory and settings, as JSON.
            folder: the current one of who runs the work: relative paths are meant from there.

        Returns:
            JSON: null, or why it cannot be begun.
        """
        with contextlib.suppress(OSError):  # a node of another machine may not have it
            os.chdir(folder)
        about = json.loads(work)
        if about["version"] != __version__:
            here = f"version {__version__} on {socket.gethostname()}"
            return json.dumps(f"--ray: semantic-guidance is {here}, wanted {about['version']}, as here")
        try:
            self._do = Work(about["factory"], about["settings"]).begin()
        except Exception as error:
            return json.dumps(told(error))
        return json.dumps(None)

    def do(self, item: str) -> str:
        """One item, as JSON; returns the result and an empty text, or null and why there is none, as JSON."""
        assert self._do is not None
        try:
            return json.dumps([self._do(json.loads(item)), ""])
        except Exception as error:
            return json.dumps([None, told(error)])


@dataclass
class _Task:
    """An item, and how many workers have died over it."""

    item: Item
    died: int = 0


@dataclass
class _Lane:
    """A worker.

    Attributes:
        actor: of Ray's.
        answer: what it is to say next; None if it has nothing to do.
        task: what it does; None while it begins.
        begun: whether it can do something.
    """

    actor: Any
    answer: Any
    task: _Task | None = None
    begun: bool = False


class RayEngine:
    """Does work in Ray's actors, one item after the other in each. See `Engine`.

    Args:
        address: `LOCAL`, or ``HOST:PORT`` of a cluster of which this machine is a node, or `AUTO` for the
            one that it is a node of, or that the environment's ``RAY_ADDRESS`` names.
        workers: actors; by default as many as the cores that the cluster has now are enough for, or, with
            `gpus`, its graphics cards.
        threads: that each may use, told to the work as ``threads`` of its settings; it needs as many cores.
        gpus: how much of a graphics card each needs; 0 for none.

    Raises:
        InputError: Ray is not installed, or the address is none.
    """

    def __init__(
        self, address: str = LOCAL, workers: int | None = None, threads: int = 1, gpus: float = 0.0
    ) -> None:
        self.address, self.threads, self.gpus = address, threads, gpus
        self.workers = workers or 0  # until it is known
        self._lanes: list[_Lane] = []
        self._begin_deaths = 0
        self._own = False
        if address not in (LOCAL, AUTO):
            _parsed(address)
        self._ray = _imported()

    def run(self, work: Work, items: Iterable[Item]) -> Iterator[Outcome]:
        """See `Engine`.

        Raises:
            InputError: there is no such cluster, or it has gone, or the work cannot be begun.
        """
        self._connect()
        settings = {**work.settings, "threads": self.threads}
        about = {"factory": work.factory, "settings": settings, "version": __version__}
        begin, ahead, again = json.dumps(about), map(_Task, items), deque[_Task]()
        try:
            while True:
                self._fill(begin, ahead, again)
                waiting = {lane.answer: lane for lane in self._lanes if lane.answer is not None}
                if not again and not any(lane.task for lane in self._lanes):
                    return
                outcomes = [self._taken(waiting[answer], again) for answer in self._answers([*waiting])]
                self._fill(begin, ahead, again)  # before whoever gets the outcomes is at work
                yield from filter(None, outcomes)
        except self._ray.exceptions.RayError as error:
            raise InputError(f"--ray {self.address}: the cluster has gone ({_first(error)})") from None
        finally:
            self._end()

    def close(self) -> None:
        """End all workers, whatever they are doing, and the cluster, if it was started here."""
        self._end()
        if self._own:
            self._own = False
            self._ray.shutdown()

    def _connect(self) -> None:
        """See that there is a cluster, and who works there.

        Raises:
            InputError: there is none.
        """
        if not self._ray.is_initialized():  # else a program that uses Ray itself has said where
            count = (self.workers or max(1, cores() // self.threads)) * self.threads
            _connect(self._ray, self.address, count)
            self._own = True
        self.workers = self.workers or self._fitting()

    def _fitting(self) -> int:
        """How many workers the cluster has cores for, or graphics cards."""
        there = self._ray.cluster_resources()
        if self.gpus and there.get("GPU", 0):
            return max(1, int(there["GPU"] / self.gpus))
        return max(1, int(there.get("CPU", 1)) // self.threads)

    def _fill(self, begin: str, ahead: Iterator[_Task], again: deque[_Task]) -> None:
        """Give every worker that has nothing to do an item, and begin as many workers as there are items."""
        for lane in self._lanes:
            if lane.begun and lane.answer is None:
                lane.task = again.popleft() if again else next(ahead, None)
                if lane.task is None:
                    return
                lane.answer = lane.actor.do.remote(json.dumps(lane.task.item))
        while len(self._lanes) < self.workers:
            if sum(not lane.begun for lane in self._lanes) >= len(again):
                task = next(ahead, None)
                if task is None:
                    return
                again.append(task)
            actor = self._actor()
            self._lanes.append(_Lane(actor, actor.begin.remote(begin, os.getcwd())))

    def _actor(self) -> Any:
        """A new worker, wherever there is room for it, now or later."""
        environment = {**WAITING, "OMP_NUM_THREADS": str(self.threads)}
        options = {"num_cpus": self.threads, "num_gpus": self.gpus, "scheduling_strategy": "SPREAD"}
        kind = self._ray.remote(**options, max_restarts=0, max_task_retries=0)(Worker)
        return kind.options(runtime_env={"env_vars": environment}).remote()

    def _answers(self, waiting: list[Any]) -> list[Any]:
        """Those of the answers that are there; waits for one."""
        began, silent = time.monotonic(), any(lane.begun for lane in self._lanes)
        while True:
            # All that are there, not one after the other, else whoever is last in the list waits.
            ready, _ = self._ray.wait(waiting, num_returns=1, timeout=POLL)
            if ready:
                return list(self._ray.wait(waiting, num_returns=len(waiting), timeout=0)[0])
            if not silent and time.monotonic() > began + ROOM:
                silent = True
                cards = f" and {self.gpus:g} of a graphics card" if self.gpus else ""
                logging.getLogger(__name__).warning(
                    "no node of the Ray cluster has room for a worker, which needs %d cores%s; waiting",
                    self.threads,
                    cards,
                )

    def _taken(self, lane: _Lane, again: deque[_Task]) -> Outcome | None:
        """What became of what a worker did; None if that was to begin, or is to be done again.

        Raises:
            InputError: it cannot begin.
        """
        answer, task, lane.answer, lane.task = lane.answer, lane.task, None, None
        try:
            value = json.loads(self._ray.get(answer))
        except self._ray.exceptions.RayError as error:
            self._lanes.remove(lane)
            # It may be out of reach only, and still at work.
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(lane.actor)
            return self._died(task, again, error)
        if task is not None:
            result, why = value
            return Outcome(task.item, result, why, task.died)
        if value is not None:
            raise InputError(value)
        lane.begun, self._begin_deaths = True, 0
        return None

    def _died(self, task: _Task | None, again: deque[_Task], error: Any) -> Outcome | None:
        """Take note that a worker has died over an item, or as it began."""
        if task is None:
            self._begin_deaths += 1
            if getattr(error, "actor_init_failed", False) or self._begin_deaths >= TRIES:
                raise InputError(f"--ray {self.address}: workers cannot begin ({_first(error)})")
            return None
        task.died += 1
        if task.died < TRIES:
            again.append(task)
            return None
        return Outcome(task.item, error=f"{DIED}, {task.died} times", died=task.died)

    def _end(self) -> None:
        """End all workers."""
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            with contextlib.suppress(Exception):  # the cluster may have gone
                self._ray.kill(lane.actor)


def _imported() -> Any:
    """The package, set to wait for a cluster for less than minutes.

    Raises:
        InputError: it is not installed.
    """
    # Read as it is imported.
    os.environ.setdefault("RAY_gcs_server_request_timeout_seconds", REQUEST)
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise InputError(
            "--ray: Ray is not installed, wanted the extra 'cluster': pip install"
            " 'semantic-guidance[cluster]'"
        ) from None


def _connect(ray: Any, address: str, count: int) -> None:
    """Become the driver of a cluster, or start one with so many cores.

    Raises:
        InputError: there is none.
    """
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever else runs here comes first
        # Ray's own guess at this machine's address is that of its network card.
        options |= {"num_cpus": count, "include_dashboard": False, "object_store_memory": STORE}
        options |= {"_node_ip_address": "127.0.0.1"}
    else:
        _check_there(address)
    with _own_signals(), tempfile.TemporaryDirectory() as empty:
        # Ray puts the current folder first in the workers' path unless they have one of their own: a file
        # `multiprocessing.py` that lies beside pictures would be run by all workers.
        environment = {"working_dir": empty, "env_vars": {"PYTHONSAFEPATH": "1"}}
        try:
            ray.init(address=address, runtime_env=environment, **options)
        except (Exception, SystemExit) as error:  # Ray's own handler of SIGTERM exits
            if isinstance(error, SystemExit) and error.code != signal.SIGTERM:
                raise
            why = _first(error.__cause__ or error)
            raise InputError(f"--ray {address}: cannot be used ({why}), wanted {_wanted()}") from None
    _hush(ray)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Within the block Ray may handle signals as it likes, afterwards it is as it was."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_there(address: str) -> None:
    """See that something answers at an address; Ray itself tries for several minutes.

    Raises:
        InputError: nothing does.
    """
    name = os.environ.get("RAY_ADDRESS") or address if address == AUTO else address
    if name == AUTO:
        return  # Ray finds it, or says at once that there is none
    try:
        socket.create_connection(_parsed(name), ANSWER).close()
    except OSError as error:
        raise InputError(
            f"--ray {name}: no Ray cluster answers there ({error.strerror or error}), wanted {_wanted()}"
        ) from None


def _parsed(address: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        InputError: it is no such address.
    """
    host, _, port = address.removeprefix("[").replace("]:", ":").rpartition(":")
    if "://" in address or not host or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"--ray: got {address!r}, wanted {_wanted()}")
    return host, int(port)


def _wanted() -> str:
    return (
        f"{LOCAL}, {AUTO}, or HOST:PORT of the head of a cluster, on one of its nodes, where 'ray job submit'"
        " runs commands, too"
    )


def _hush(ray: Any) -> None:
    """Keep off standard output what Ray prints there of every worker that dies: it is in its logs, too."""
    worker: Any = getattr(ray._private, "worker", None)
    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *args, **more: None


def _first(error: BaseException) -> str:
    """The line of an error of Ray's that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if getattr(error, "actor_init_failed", False):
        return lines[-1]
    return lines[0] if lines else type(error).__name__
