"""The worker processes of the server: started, asked, stopped, replaced and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.apps.serve.workers import PRELOADED, work

Result = TypeVar("Result")

Tell = Callable[[str, dict[str, Any]], None]
"""Called in the event loop with the name and the data of what a worker tells."""

DIED = "The program that did this was ended from outside, or had too little memory. Please try again."
STUCK = "This took too long and was ended."
STARTING = 120.0
"""Seconds in which a worker must be warm: the first one on a machine makes machine code."""

TRIES = 3
"""Workers of a lane that may die before they are warm until a task that waits for one is given up."""


class DiedError(Refused):
    """A worker has died over a task."""

    def __init__(self, message: str = DIED) -> None:
        super().__init__(message, 503)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def context() -> BaseContext:
    """How processes are started: forked from one that has loaded everything, where that can be."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(list(PRELOADED))
    return chosen


def _shut(pipe: Any) -> None:
    """End what goes through a pipe, both ways, so that whoever reads from it or writes to it now is told so.

    It is closed by who reads: the system may give its number to another file at once.
    """
    with contextlib.suppress(OSError):
        if os.name == "nt":
            pipe.close()
        else:
            with socket.socket(fileno=os.dup(pipe.fileno())) as both:
                both.shutdown(socket.SHUT_RDWR)


@dataclass(eq=False)
class Asked:
    """A task that a worker does.

    Attributes:
        number: of the task.
        tell: called with what the worker tells.
        answer: what becomes of it.
    """

    number: int
    tell: Tell | None
    answer: asyncio.Future[dict[str, Any]]


class Worker:
    """A worker, seen from the server. Made by `Worker.start`.

    Attributes:
        process: of the system.
        warm: done once it can begin at once; fails if it dies before.
        idle_since: time of the loop at which it was last free.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, lane: str, lost: Callable[[], None] = lambda: None
    ) -> None:
        self.lane = lane
        self._tell_lost = lost
        self.process: Any = None
        self.warm: asyncio.Future[None] = loop.create_future()
        self.idle_since = loop.time()
        self.dead = False
        self._loop = loop
        self._pipe: Any = None
        self._asked: Asked | None = None
        self._number = 0
        self._sending, self._closing = threading.Lock(), threading.Lock()

    def begin(self, how: BaseContext, nice: int) -> None:
        """Start the process; to be called outside of the loop, for it may take seconds."""
        self._pipe, theirs = how.Pipe()
        process = how.Process(  # type: ignore[attr-defined]
            target=work, args=(theirs, self.lane, nice), name=f"semantic-guidance-{self.lane}", daemon=True
        )
        process.start()
        theirs.close()
        self.process = process
        if self.dead:  # by now nobody wants it
            self.end()
            process.kill()
        threading.Thread(target=self._listen, name=f"worker-{self.process.pid}", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return None if self.process is None else self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it can do something, now or once it is started."""
        return not self.dead and (self.process is None or self.process.is_alive())

    async def do(self, task: dict[str, Any], tell: Tell | None = None) -> dict[str, Any]:
        """What becomes of a task.

        Raises:
            DiedError: the worker died over it.
            Refused: the task could not be done.
        """
        await self.warm
        self._number += 1
        asked = self._asked = Asked(self._number, tell, self._loop.create_future())
        message = {**task, "number": asked.number}
        try:
            await self._loop.run_in_executor(None, self._send, message)
            return await asked.answer
        finally:
            if self._asked is asked:
                self._asked = None
            self.idle_since = self._loop.time()

    def note(self, message: dict[str, Any]) -> None:
        """Send a short message to whoever does a task now."""
        with contextlib.suppress(DiedError):
            self._send(message)

    def stop(self) -> None:
        """Ask that the present task ends with what is there."""
        if self._asked is not None:
            self.note({"stop": self._asked.number})

    def kill(self, message: str = DIED) -> None:
        """End the process at once."""
        self.dead = True
        if self._asked is not None and not self._asked.answer.done():
            self._asked.answer.set_exception(DiedError(message))
        if self.process is not None:
            self.process.kill()

    def end(self) -> None:
        """Let the process end: nobody listens any more."""
        self.dead = True
        if self._pipe is not None:
            with self._closing:
                _shut(self._pipe)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self._sending:
                self._pipe.send_bytes(json.dumps(message).encode())
        except OSError:
            raise DiedError from None

    def _listen(self) -> None:
        """What a thread does: hear what the worker says."""
        while True:
            try:
                message = json.loads(self._pipe.recv_bytes())
            except (EOFError, OSError, TypeError, ValueError):
                break
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._heard, message)
        with self._sending, self._closing:  # nobody else uses its number any more
            self._pipe.close()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._lost)

    def _heard(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            if not self.warm.done():
                self.warm.set_result(None)
            return
        asked = self._asked
        if asked is None or message.get("number") != asked.number or asked.answer.done():
            return
        if "tell" in message:
            if asked.tell is not None:
                asked.tell(message["tell"], message["data"])
        elif "done" in message:
            asked.answer.set_result(message["done"])
        else:
            asked.answer.set_exception(Refused(message["error"], message["status"]))

    def _lost(self) -> None:
        self.dead = True
        if not self.warm.done():
            self.warm.set_exception(DiedError())
            self.warm.exception()  # which may interest nobody
        if self._asked is not None and not self._asked.answer.done():
            self._asked.answer.set_exception(DiedError())
        self._tell_lost()


class Lane:
    """Workers of one kind.

    Args:
        name: what they are warm for.
        how: processes are started.
        most: how many there may be.
        nice: by how much others go before them.
        least: how many are there even if there is nothing to do.
        waiting: how many tasks may wait for one.
        idle: seconds after which one that is not needed ends.
    """

    def __init__(
        self, name: str, how: BaseContext, most: int, nice: int, least: int, waiting: int, idle: float
    ) -> None:
        self.name, self.most = name, most
        self.workers: list[Worker] = []
        self._how, self._nice, self._least, self._idle = how, nice, least, idle
        self._room, self._waiting = waiting, 0
        self._taken_now: set[Worker] = set()
        self._free = asyncio.Condition()
        self.closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Start those that are to be there."""
        await self._replenish()
        await asyncio.gather(*(worker.warm for worker in self.workers))

    async def close(self) -> None:
        """End all of them."""
        self.closed = True
        for worker in self._taken_now:
            worker.kill("The server ends.")
        await asyncio.gather(*self._tasks, return_exceptions=True)  # none is being started any more
        for worker in self.workers:
            worker.end()
            worker.kill("The server ends.")
        ended = [worker.process for worker in self.workers if worker.process is not None]
        await asyncio.to_thread(lambda: [process.join(5) for process in ended])
        self.workers.clear()

    async def do(
        self, task: dict[str, Any], tell: Tell | None = None, seconds: float | None = None
    ) -> dict[str, Any]:
        """What one of them makes of a task.

        Raises:
            Refused: it could not be done, too many wait, or (`DiedError`) the worker died over it.
        """
        if self._waiting >= self._room:
            raise Refused("Too many people ask for this at the moment. Please try again in a while.", 503)
        self._waiting += 1
        try:
            worker = await self.take()
        finally:
            self._waiting -= 1
        # Who no longer waits for it does not end it: it may be what others want next.
        return await asyncio.shield(self._later(self._work(worker, task, tell, seconds)))

    async def _work(
        self, worker: Worker, task: dict[str, Any], tell: Tell | None, seconds: float | None
    ) -> dict[str, Any]:
        try:
            return await asyncio.wait_for(worker.do(task, tell), seconds)
        except TimeoutError:
            worker.kill(STUCK)
            raise DiedError(STUCK) from None
        finally:
            await self.give(worker)

    async def take(self) -> Worker:
        """A warm worker, which is nobody else's until it is given back.

        Raises:
            DiedError: those that were started died.
        """
        for _ in range(TRIES):
            worker = await self._taken()
            try:
                await asyncio.wait_for(asyncio.shield(worker.warm), STARTING)
            except (DiedError, TimeoutError):
                worker.kill()
                await self.give(worker)
            except asyncio.CancelledError:
                await self.give(worker)
                raise
            else:
                if worker.alive:
                    return worker
                await self.give(worker)
        raise DiedError

    async def give(self, worker: Worker) -> None:
        """Give a worker back; if it is dead, another one takes its place."""
        async with self._free:
            self._taken_now.discard(worker)
            worker.idle_since = asyncio.get_running_loop().time()
            self._free.notify()
        if not worker.alive:
            self._drop(worker)
            if not self.closed:
                self._later(self._replenish())

    def tidy(self) -> None:
        """End those that have had nothing to do for long, and see that there are as many as there should."""
        if self.closed:  # which ends them itself
            return
        now = asyncio.get_running_loop().time()
        for worker in list(self.workers):
            free = worker not in self._taken_now
            if free and worker.dead:
                self._drop(worker)
                continue
            long = now - worker.idle_since > self._idle
            if free and long and worker.warm.done() and len(self.workers) > self._least:
                self._drop(worker)
        if len(self.workers) < self._least:
            self._later(self._replenish())

    async def _taken(self) -> Worker:
        async with self._free:
            while True:
                for worker in [each for each in self.workers if each.dead and each not in self._taken_now]:
                    self._drop(worker)
                free = [each for each in self.workers if each not in self._taken_now]
                warm = [each for each in free if each.warm.done()]
                if warm or free:
                    worker = (warm or free)[0]
                    break
                if len(self.workers) < self.most:
                    worker = self._started()
                    break
                await self._free.wait()
            self._taken_now.add(worker)
            return worker

    def _started(self) -> Worker:
        worker = Worker(asyncio.get_running_loop(), self.name, self.tidy)
        self.workers.append(worker)
        self._later(self._begin(worker))
        return worker

    async def _begin(self, worker: Worker) -> None:
        try:
            await asyncio.to_thread(worker.begin, self._how, self._nice)
        except (OSError, EOFError) as error:  # no more processes, or no memory for one
            worker.dead = True
            if not worker.warm.done():
                worker.warm.set_exception(DiedError(f"No program could be started for this ({error})."))
                worker.warm.exception()

    async def _replenish(self) -> None:
        while len(self.workers) < self._least and not self.closed:
            self._started()

    def _drop(self, worker: Worker) -> None:
        if worker in self.workers:
            self.workers.remove(worker)
        worker.end()
        worker.kill()
        if worker.process is not None:
            self._later(asyncio.to_thread(worker.process.join, 5))

    def _later(self, what: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.ensure_future(what)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # which is told to whoever waits, if anybody does
