"""Paintings that wait, are painted, are followed and stopped."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from semantic_guidance.apps.serve.live import Feed
from semantic_guidance.apps.serve.pool import DiedError, Lane, Worker, cores
from semantic_guidance.apps.serve.records import ENDED, KEPT, Event, Limits, Order, PaintingRecord, Refused
from semantic_guidance.apps.serve.waiting import Waiting

LOG = logging.getLogger("semantic_guidance")

UNKNOWN = "There is no such painting here, or it has been removed."
STOPPED = "It was stopped."
EARLY = "It was stopped before the first stroke."
NOBODY = "It was stopped, as nobody looked on."
SLOW = "It did not stop in time, so that it was ended, and nothing of it could be kept."

WRITING = 20.0
"""Seconds more in which a worker that has stopped must have written what is there."""


@dataclass(eq=False)
class Known:
    """A painting that is known.

    Attributes:
        record: as it is now.
        folder: of its files.
        order: as it was given.
        task: for a worker.
        pictures: IDs of all pictures that it needs.
        feed: for its followers.
        touched: time at which somebody last asked for it.
        worker: that paints it.
        stopping: why it is to end; nothing if it is not.
        answered: whether the worker has heard that it is to end.
        sketched: whether there are strokes.
        removed: whether it is to be forgotten.
        began: time at which it began.
        performing: the work.
        lonely: ends it if nobody follows it for long.
        writing: held while one of its files is written, by the file's name.
    """

    record: PaintingRecord
    folder: Path
    order: Order
    task: dict[str, Any]
    pictures: tuple[str, ...]
    feed: Feed = field(default_factory=Feed)
    touched: float = 0.0
    worker: Worker | None = None
    stopping: str = ""
    answered: bool = False
    sketched: bool = False
    removed: bool = False
    began: float = 0.0
    performing: asyncio.Task[None] | None = None
    lonely: asyncio.TimerHandle | None = None
    writing: dict[str, asyncio.Lock] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.record.state in ENDED


class Paintings:
    """All paintings, by ID, and the queue of those that wait.

    Args:
        limits: of what visitors may ask for.
        lane: of the workers that paint.
        changed: called with the folder of one that has ended, or is removed.
    """

    def __init__(self, limits: Limits, lane: Lane, changed: Any) -> None:
        self.limits = limits
        self.known: dict[str, Known] = {}
        self.waiting = Waiting()
        self.running: set[Known] = set()
        self._lane = lane
        self._changed = changed
        self._closed = False

    def find(self, name: str) -> Known:
        """The painting of that ID.

        Raises:
            Refused: there is none.
        """
        known = self.known.get(name)
        if known is None or known.removed:
            raise Refused(UNKNOWN, 404)
        known.touched = time.monotonic()
        return known

    def kept(self, name: str) -> Known:
        """The painting of that ID, which can be looked at.

        Raises:
            Refused: there is none, or not yet.
        """
        known = self.find(name)
        if known.record.state not in KEPT:
            raise Refused("The painting is not finished yet, or there is none.", 409)
        return known

    def add(self, known: Known) -> None:
        """Let a painting wait for its turn.

        Raises:
            Refused: too many wait.
        """
        if len(self.waiting) >= self.limits.queue:
            raise Refused(
                f"{len(self.waiting)} paintings are waiting already. Please try again in a while.", 429
            )
        known.touched = time.monotonic()
        self.known[known.record.id] = known
        self.waiting.add(known.order.visitor, known.record.id)
        self._tell(known)
        self._watch_over(known)
        self.advance()

    def restore(self, known: Known, fields: Mapping[str, Any]) -> None:
        """Add a painting that is done, with what its record is to say."""
        known.record = replace(known.record, **fields)
        known.touched = time.monotonic()
        self.known[known.record.id] = known
        self._tell(known)
        known.feed.tell("end", known.record.shown())

    def advance(self) -> None:
        """Begin what can begin; tell the others their positions."""
        while (
            not self._closed
            and len(self.running) < self._lane.most
            and (name := self.waiting.take()) is not None
        ):
            known = self.known[name]
            self.running.add(known)
            known.began = time.monotonic()
            self._set(known, state="running", position=None)
            known.performing = asyncio.ensure_future(self._perform(known))
        for position, name in enumerate(self.waiting.order(), 1):
            known = self.known[name]
            if known.record.position != position:
                self._set(known, position=position)

    async def follow(self, known: Known, ping: float | None) -> AsyncGenerator[Event, None]:
        """What happens to a painting."""
        feed = known.feed
        feed.followers += 1
        if known.lonely is not None:
            known.lonely.cancel()
            known.lonely = None
        self._note_watched(known)
        try:
            async for event in feed.follow(ping):
                known.touched = time.monotonic()
                yield event
        finally:
            feed.followers -= 1
            known.touched = time.monotonic()
            if not feed.followers:
                self._note_watched(known)
                self._watch_over(known)

    def stop(self, known: Known, why: str = STOPPED) -> None:
        """End it early, and keep what is there."""
        if known.ended or known.stopping:
            return
        known.stopping = why
        if self.waiting.remove(known.record.id):
            self._end(known, state="cancelled", message=why)
            self.advance()
        elif known.worker is not None and not known.sketched:
            known.worker.kill(EARLY)  # there is nothing to keep
        elif known.worker is not None:
            self._stop_worker(known)

    def remove(self, known: Known) -> None:
        """Forget a painting; its work ends at once."""
        known.removed = True
        self.waiting.remove(known.record.id)
        if not known.ended:
            self._end(known, state="cancelled", message="It was removed.")
        if known.worker is not None:
            known.worker.kill()  # and then it is forgotten
        elif known.performing is None or known.performing.done():
            self._forget(known)
        self.advance()

    async def close(self) -> None:
        """End all work."""
        self._closed = True
        for known in list(self.known.values()):
            if known.lonely is not None:
                known.lonely.cancel()
        works = [known.performing for known in self.running if known.performing is not None]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        for known in self.known.values():
            if not known.ended:
                self._end(known, state="cancelled", message="The server was ended.")

    async def _perform(self, known: Known) -> None:
        try:
            done = await self._done(known)
            stopped = bool(done.get("stopped"))
            message = known.stopping if stopped else " ".join(done.get("notes", ()))
            self._end(
                known, state="stopped" if stopped else "done", message=message, **fields_of(known, done)
            )
        except Refused as error:
            ended = known.stopping and isinstance(error, DiedError)
            state = "cancelled" if ended else "failed"
            self._end(known, state=state, message=str(error))
        except Exception:
            LOG.exception("a painting has failed")
            self._end(known, state="failed", message="Something went wrong here.")
        finally:
            self.running.discard(known)
            if known.removed:
                self._forget(known)
            else:
                self._changed(known.folder)
            self.advance()

    async def _done(self, known: Known) -> dict[str, Any]:
        worker = await self._lane.take()
        try:
            if known.removed or known.stopping:
                raise DiedError(EARLY)
            known.worker = worker
            threads = max(1, cores() // max(1, len(self.running)))
            watched = known.feed.followers > 0
            return await worker.do(
                {**known.task, "threads": threads, "watched": watched},
                lambda name, data: self._told(known, name, data),
            )
        except asyncio.CancelledError:
            worker.kill()
            raise
        finally:
            known.worker = None
            await self._lane.give(worker)

    def _told(self, known: Known, name: str, data: dict[str, Any]) -> None:
        """Hear what a worker tells of a painting."""
        if known.ended:
            return
        if name == "stopping":
            known.answered = True
        elif name == "progress":
            self._set(known, stage=data["stage"], share=data["share"])
        else:
            known.sketched |= bool(data.get("count"))
            known.feed.tell(name, data)

    def _stop_worker(self, known: Known) -> None:
        worker = known.worker
        if worker is None:
            return
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, worker.stop)

        def end(answered: bool) -> None:
            if known.worker is not worker or known.ended:
                return
            if known.answered and not answered:  # it only has to write what is there
                loop.call_later(WRITING, end, True)
            else:
                worker.kill(SLOW)

        loop.call_later(self.limits.patience, end, False)

    def _watch_over(self, known: Known) -> None:
        """Stop an attended painting that nobody follows, or asks for, for a while."""
        if not known.order.attended or known.ended or known.feed.followers or known.lonely is not None:
            return

        def end() -> None:
            known.lonely = None
            if time.monotonic() - known.touched < self.limits.grace:  # somebody has asked for it
                self._watch_over(known)
            elif not known.feed.followers:
                self.stop(known, NOBODY)

        left = known.touched + self.limits.grace - time.monotonic()
        known.lonely = asyncio.get_running_loop().call_later(max(0.01, left), end)

    def _note_watched(self, known: Known) -> None:
        worker = known.worker
        if worker is not None and not known.ended:
            message = {"watched": known.feed.followers > 0}
            asyncio.get_running_loop().run_in_executor(None, worker.note, message)

    def _set(self, known: Known, **changes: Any) -> None:
        if known.began and not known.ended:
            changes["seconds"] = round(time.monotonic() - known.began, 3)
        known.record = replace(known.record, **changes)
        self._tell(known)

    def _end(self, known: Known, **changes: Any) -> None:
        if known.ended:
            return
        self._set(known, **{"position": None, "stage": "", "share": 1.0, **changes})
        known.feed.tell("end", known.record.shown())
        known.touched = time.monotonic()
        if known.lonely is not None:
            known.lonely.cancel()
            known.lonely = None

    def _tell(self, known: Known) -> None:
        known.feed.tell("state", known.record.shown())

    def _forget(self, known: Known) -> None:
        self.known.pop(known.record.id, None)
        self._changed(known.folder, True)


def fields_of(known: Known, done: Mapping[str, Any]) -> dict[str, Any]:
    """What of a worker's answer belongs to the record."""
    names = ("strokes", "errors", "style", "width", "height")
    found = {name: done[name] for name in names if name in done}
    found["job"] = {**known.record.job, **done.get("changes", {})}
    if done.get("shares") is not None:
        found["shares"] = tuple(done["shares"])
    return found


def write_document(folder: Path, document: Mapping[str, Any]) -> None:
    """Put a document of guidance where a worker looks for it."""
    (folder / "guidance.json").write_text(json.dumps(document), encoding="ascii")
