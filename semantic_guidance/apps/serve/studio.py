"""The studio: pictures that visitors send, what is found in them, their paintings, and the files of these.

`Studio` is the server's part without HTTP. It lives in an event loop, never imports torch, and leaves all
that takes long, or reads what others wrote, to worker processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_guidance.apps.serve.files import Store, check_room, safe_name, shown_name
from semantic_guidance.apps.serve.orders import EXTRA, checked_document, checked_job, checked_options
from semantic_guidance.apps.serve.paintings import Known, Paintings, write_document
from semantic_guidance.apps.serve.pool import Lane, context, cores
from semantic_guidance.apps.serve.records import (
    Event,
    Limits,
    Opened,
    Order,
    PaintingRecord,
    PictureRecord,
    Refused,
)

NICE = 5
"""By how much everything else goes before those who paint."""

TIDY = 30.0
"""Seconds between two looks at what is no longer needed, at most."""

WORDS = 64
"""Letters of a visitor's word at most."""

UNKNOWN = "There is no such picture here, or it has been removed."

__all__ = ["Event", "Limits", "Opened", "Order", "PaintingRecord", "PictureRecord", "Refused", "Studio"]


@dataclass(eq=False)
class Sent:
    """A picture that somebody has sent.

    Attributes:
        record: of it.
        folder: of its files.
        touched: time at which somebody last asked for it.
    """

    record: PictureRecord
    folder: Path
    touched: float


class Studio:
    """Pictures, paintings and those who work on them.

    Args:
        limits: of what visitors may ask for.
        workers: how many paint at a time; as many as there are cores if None.
    """

    def __init__(self, limits: Limits = Limits(), workers: int | None = None) -> None:  # noqa: B008
        self.limits = limits
        self.workers = cores() if workers is None else workers
        self._pictures: dict[str, Sent] = {}
        self._store: Store | None = None
        self._lanes: tuple[Lane, ...] = ()
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the workers; returns once the first of each kind is warm."""
        how, limits = context(), self.limits
        self._store = Store(limits.disk_bytes)
        self._painters = Lane("paint", how, self.workers, NICE, 1, limits.queue + self.workers, limits.idle)
        self._looker = Lane("look", how, 1, 0, 1, limits.tasks, limits.idle)
        self._keeper = Lane("keep", how, 1, NICE, 0, limits.tasks, limits.idle)
        self._lanes = (self._looker, self._painters, self._keeper)
        self._paintings = Paintings(limits, self._painters, self._settle)
        try:
            await asyncio.gather(self._looker.start(), self._painters.start())
        except BaseException:
            await self.close()
            raise
        self._tidying = asyncio.ensure_future(self._tidy())

    async def close(self) -> None:
        """End all workers and remove all files."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        for lane in self._lanes:
            lane.closed = True
        if self._lanes:
            await self._paintings.close()
            await asyncio.gather(*(lane.close() for lane in self._lanes))
        if self._store is not None:
            await asyncio.to_thread(self._store.close)
        self._pictures.clear()

    @property
    def folder(self) -> Path:
        """Where uploads may be written to before they are handed over."""
        return self.store.root

    @property
    def store(self) -> Store:
        """The files.

        Raises:
            Refused: it was not started.
        """
        if self._store is None:
            raise Refused("The studio is not open yet.", 503)
        return self._store

    @property
    def running(self) -> int:
        """How many paintings are being painted."""
        return len(self._paintings.running)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._paintings.waiting)

    async def add_picture(self, upload: Path, name: str, frame: int | None = None) -> PictureRecord:
        """Take a file over, which is gone afterwards; it must be a picture.

        Args:
            upload: the file.
            name: that the visitor's file has.
            frame: which of several pictures in it, counted from 1.

        Raises:
            Refused: it is no picture, or too large, or there is no room for it.
        """
        try:
            size = upload.stat().st_size
            if size > self.limits.upload_bytes:
                most = self.limits.upload_bytes >> 20
                raise Refused(f"{shown_name(name)} is larger than {most} MB.", 413)
            self._make_room(size + (1 << 20))
            folder = self.store.folder(word := secrets.token_urlsafe(18))
            path, preview = folder / safe_name(name), folder / ".preview.jpg"
            await asyncio.to_thread(os.replace, upload, path)
        finally:
            upload.unlink(missing_ok=True)
        task = {
            "task": "decode",
            "path": str(path),
            "name": shown_name(name),
            "frame": frame,
            "preview": str(preview),
            "pixels": self.limits.pixels,
        }
        try:
            known = await self._looker.do(task, seconds=self.limits.look_seconds)
        except BaseException:
            self.store.remove(folder)
            raise
        self.store.count(folder)
        record = PictureRecord(
            word, shown_name(name), known["width"], known["height"], known["note"], path, preview, frame
        )
        self._pictures[word] = Sent(record, folder, time.monotonic())
        return record

    def picture(self, id: str) -> PictureRecord:
        """The picture of that ID.

        Raises:
            Refused: there is none.
        """
        return self._sent(id).record

    def _sent(self, id: str) -> Sent:
        sent = self._pictures.get(id)
        if sent is None:
            raise Refused(UNKNOWN, 404)
        sent.touched = time.monotonic()
        return sent

    async def look(self, id: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """What is known of a picture, or of what somebody says of it, as a document of guidance.

        Args:
            id: of the picture.
            question: ``points``, triples of x, y and whether it is wanted, in pixels of the upright picture;
                ``box`` or ``boxes`` of x, y, width and height; a ``text``; ``guidance`` as it is known
                already; ``whole``, whether focus and faces are wanted, too.

        Raises:
            Refused: there is no such picture, or the question is not usable.
        """
        sent = self._sent(id)
        asked = dict(question)
        if asked.get("box") is not None:
            asked["boxes"] = [*(asked.get("boxes") or ()), asked["box"]]
        if asked.get("guidance") is not None:
            asked["guidance"] = checked_document(asked["guidance"], self.limits.document_bytes)
        names = ("whole", "points", "boxes", "text", "guidance")
        asked = {name: asked[name] for name in names if asked.get(name) is not None}
        record = sent.record
        task = {
            "task": "look",
            "id": id,
            "path": str(record.path),
            "frame": record.frame,
            "folder": str(sent.folder),
            "question": asked,
        }
        done = await self._looker.do(task, seconds=self.limits.look_seconds)
        return dict(done["guidance"])

    def paint(self, order: Order) -> PaintingRecord:
        """Let a picture be painted, as soon as it is its turn.

        Raises:
            Refused: something of the order is not usable, or too many wait.
        """
        sent, used = self._sent(order.picture), [order.picture]

        def find(id: str) -> Path:
            used.append(id)
            return self._sent(id).record.path

        told, values = checked_job(order.job, self.limits, find)
        given = order.guidance
        if given is not None:
            given = checked_document(given, self.limits.document_bytes)
        self._make_room(8 << 20)
        word = secrets.token_urlsafe(18)
        record = PaintingRecord(word, order.picture, "queued", job=told, of=order.of)
        task: dict[str, Any] = {
            "task": "paint",
            "job": {**values, "image": str(sent.record.path)},
            "frame": sent.record.frame,
            "variation": order.variation,
            "count": order.count,
        }
        folder = self.store.folder(word)
        try:
            if given is not None:
                write_document(folder, given)
            task["folder"] = str(folder)
            known = Known(record, folder, order, task, tuple(used))
            self._paintings.add(known)
        except BaseException:
            self.store.remove(folder)
            raise
        return known.record

    def painting(self, id: str) -> PaintingRecord:
        """The painting of that ID.

        Raises:
            Refused: there is none.
        """
        return self._paintings.find(id).record

    def follow(self, id: str, ping: float | None = None) -> AsyncIterator[Event]:
        """What happens to a painting: what is there now, then what comes, until its end.

        Args:
            id: of the painting.
            ping: seconds of silence after which an event ``ping`` comes; never if None.

        Raises:
            Refused: there is no such painting.
        """
        return self._paintings.follow(self._paintings.find(id), ping)

    def stop(self, id: str) -> PaintingRecord:
        """End a painting early, and keep what is there.

        Raises:
            Refused: there is no such painting.
        """
        known = self._paintings.find(id)
        self._paintings.stop(known)
        return known.record

    def remove(self, id: str) -> None:
        """Forget a painting, with all its files.

        Raises:
            Refused: there is no such painting.
        """
        self._paintings.remove(self._paintings.find(id))

    async def view(self, id: str) -> Path:
        """The file of what the page's player reads, JSON.

        Raises:
            Refused: there is no such painting, or it is not finished.
        """
        return self._kept_file(id, "view.json")

    async def thumbnail(self, id: str) -> Path:
        """A small JPEG picture of a painting.

        Raises:
            Refused: there is no such painting, or it is not finished.
        """
        return self._kept_file(id, "thumbnail.jpg")

    async def guidance(self, id: str) -> Path:
        """The file of what was known of the picture when it was painted, JSON.

        Raises:
            Refused: there is no such painting, or it is not finished, or nothing was known.
        """
        return self._kept_file(id, "guidance.json")

    async def file(self, id: str, format: str, options: Mapping[str, Any] | None = None) -> tuple[Path, str]:
        """A file of a painting, and a name for it.

        Args:
            id: of the painting.
            format: one of `EXPORTERS`, ``guidance.json`` or ``guidance.png``.
            options: as ``render`` has them; texts will do for numbers.

        Raises:
            Refused: there is no such painting, it is not finished, or the options are not usable.
        """
        known = self._paintings.kept(id)
        sent = self._sent(known.record.picture)
        given = checked_options(format, options or {}, self.limits, lambda id: self._sent(id).record.path)
        name = _file_name(sent.record.name, format)
        if format == "guidance.json":
            return self._kept_file(id, format), name
        text = json.dumps([format, given], sort_keys=True)
        path = known.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.{format}"
        async with known.writing.setdefault(path.name, asyncio.Lock()):
            if not path.is_file():
                await self._write(known, sent, format, given, path)
        return path, name

    async def _write(
        self, known: Known, sent: Sent, format: str, options: Mapping[str, Any], path: Path
    ) -> None:
        """Let a worker write a file of a painting."""
        self._make_room(16 << 20)
        task = {
            "task": "file",
            "folder": str(known.folder),
            "format": format,
            "path": str(path),
            "options": dict(options),
            "photo": str(sent.record.path),
            "frame": sent.record.frame,
        }
        await self._keeper.do(task)
        self.store.count(known.folder)

    def _kept_file(self, id: str, name: str) -> Path:
        known = self._paintings.kept(id)
        with contextlib.suppress(Refused):
            self._sent(known.record.picture)
        path = known.folder / name
        if not path.is_file():
            raise Refused("This painting has no such file.", 404)
        return path

    def _settle(self, folder: Path, gone: bool = False) -> None:
        """Count a folder's files anew, or remove it."""
        if gone:
            self.store.remove(folder)
        else:
            self.store.count(folder)

    def _make_room(self, more: int) -> None:
        """See to it that there is room for so many bytes, and for another record.

        Raises:
            Refused: there is none.
        """
        if not self.store.fits(more) or self._many():
            self._expire()
        check_room(self.store, more)
        if self._many():
            raise Refused("Too many pictures are here at the moment. Please try again in a while.", 503)

    def _many(self) -> bool:
        return max(len(self._pictures), len(self._paintings.known)) >= self.limits.records

    def _expire(self) -> None:
        """Remove what nobody has touched for long."""
        before = time.monotonic() - self.limits.keep_seconds
        needed: set[str] = set()
        for known in list(self._paintings.known.values()):
            if not known.ended or known.feed.followers:
                needed.update(known.pictures)
            elif known.touched < before:
                self._paintings.remove(known)
            else:
                needed.add(known.record.picture)
        for name, sent in list(self._pictures.items()):
            if name not in needed and sent.touched < before:
                del self._pictures[name]
                self.store.remove(sent.folder)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(min(TIDY, self.limits.keep_seconds / 4, self.limits.idle))
            self._expire()
            for lane in self._lanes:
                lane.tidy()


def _file_name(picture: str, format: str) -> str:
    """The name of a file of a painting of the picture of that name."""
    stem = Path(safe_name(picture)).stem
    return f"{stem}_{format}" if format in EXTRA else f"{stem}_painted.{format}"
