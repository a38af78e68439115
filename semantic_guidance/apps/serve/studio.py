"""The studio: pictures that visitors send, what is found in them, their paintings, and the files of these.

`Studio` is the server's part without HTTP. It lives in an event loop, never imports torch, and leaves all
that takes long, or reads what others wrote, to worker processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from typing import Any

from semantic_guidance.apps.serve.files import Store, check_room
from semantic_guidance.apps.serve.keeping import Keeping
from semantic_guidance.apps.serve.orders import checked_document, checked_job
from semantic_guidance.apps.serve.paintings import Known, Paintings, write_document
from semantic_guidance.apps.serve.pictures import Pictures
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
from semantic_guidance.painter.variations import COUNTS

NICE = 5
"""By how much everything else goes before those who paint."""

KEEPERS = 2
"""Files that are written at a time: a short one need not wait for a film."""

TIDY = 30.0
"""Seconds between two looks at what is no longer needed, at most."""

WORD = 64
"""Letters of a visitor's word at most."""

PAINTED = 8 << 20
"""Bytes that a painting's files are taken to have before they are written."""

__all__ = ["Event", "Limits", "Opened", "Order", "PaintingRecord", "PictureRecord", "Refused", "Studio"]


class Studio:
    """Pictures, paintings and those who work on them; to be started before anything else.

    Args:
        limits: of what visitors may ask for.
        workers: how many paint at a time; as many as there are cores if None.
    """

    def __init__(self, limits: Limits = Limits(), workers: int | None = None) -> None:  # noqa: B008
        self.limits = limits
        self.workers = cores() if workers is None else workers
        self._store: Store | None = None
        self._lanes: tuple[Lane, ...] = ()
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the workers; returns once the first of each kind is warm.

        Raises:
            Refused: they could not be started.
        """
        how, limits = context(), self.limits
        self._store = store = Store(limits.disk_bytes)
        looker = Lane("look", how, 1, 0, 1, limits.tasks, limits.idle)
        painters = Lane("paint", how, self.workers, NICE, 1, limits.queue + self.workers, limits.idle)
        keeper = Lane("keep", how, KEEPERS, NICE, 0, limits.tasks, limits.idle)
        self._lanes = (looker, painters, keeper)
        self._paintings = Paintings(limits, painters, self._settle)
        self._pictures = Pictures(limits, store, looker, self._make_room)
        self._keeping = Keeping(limits, store, keeper, self._pictures, self._paintings, self._make_room)
        try:
            await asyncio.gather(looker.start(), painters.start())
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

    @property
    def store(self) -> Store:
        """The files.

        Raises:
            Refused: the studio was not started.
        """
        if self._store is None:
            raise Refused("The studio is not open yet.", 503)
        return self._store

    @property
    def folder(self) -> Path:
        """Where uploads may be written to before they are handed over."""
        return self.store.root

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
        return await self._pictures.add(upload, name, frame)

    def picture(self, id: str) -> PictureRecord:
        """The picture of that ID.

        Raises:
            Refused: there is none.
        """
        return self._pictures.find(id).record

    async def look(self, id: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """What is known of a picture, or of what somebody says of it, as a document of guidance.

        Args:
            id: of the picture.
            question: ``points``, triples of x, y and whether it is wanted, in pixels of the upright picture;
                ``box`` or ``boxes`` of x, y, width and height; a ``text``; ``guidance`` as it is known
                already; ``whole``, whether focus and faces are wanted, too; ``rough``, whether one glance
                at the picture is to do.

        Raises:
            Refused: there is no such picture, or the question is not usable.
        """
        return await self._pictures.look(id, question)

    def paint(self, order: Order) -> PaintingRecord:
        """Let a picture be painted, as soon as it is its turn.

        Raises:
            Refused: something of the order is not usable, or too many wait.
        """
        sent, used = self._pictures.find(order.picture).record, [order.picture]

        def find(id: str) -> Path:
            used.append(id)
            return self.picture(id).path

        told, values = checked_job(order.job, self.limits, find)
        low, high = COUNTS
        if order.variation is not None and not (
            low <= order.count <= high and 0 <= order.variation < order.count
        ):
            raise Refused(f"The variation is none of {low} to {high}.", 422)
        before = None if order.of is None else self._paintings.kept(order.of)
        self._check_region(order, before)
        given = order.guidance
        if given is not None:
            given = checked_document(given, self.limits.document_bytes)
            twice = [name for name in ("box", "text") if name in told]
            if twice:
                raise Refused(f"{twice[0]}: the guidance says what there is, wanted only one of the two", 422)
        self._make_room(PAINTED)
        word = secrets.token_urlsafe(18)
        task: dict[str, Any] = {
            "task": "paint" if before is None else "repaint",
            "job": {**values, "image": str(sent.path)},
            "frame": sent.frame,
            "variation": order.variation,
            "count": order.count,
            "erase": order.erase,
        }
        folder = self.store.folder(word)
        try:
            if before is not None:
                _copy(before, folder, order)
            if given is not None:
                write_document(folder, given)
            task["folder"] = str(folder)
            record = PaintingRecord(word, order.picture, "queued", job=told, of=order.of)
            known = Known(record, folder, order, task, tuple(used))
            self._paintings.add(known)
        except BaseException:
            self.store.remove(folder)
            raise
        self.store.count(folder)
        return known.record

    def _check_region(self, order: Order, before: Known | None) -> None:
        """Check what is asked for of a region.

        Raises:
            Refused: it is not usable.
        """
        if len(order.visitor) > WORD:
            raise Refused(f"The visitor's word is longer than {WORD} letters.", 422)
        if (before is None) != (order.region is None):
            raise Refused("A region is of a painting: wanted both, or none of the two.", 422)
        if order.region is not None and len(order.region) > self.limits.region_bytes:
            raise Refused("The picture of the region is too large.", 413)
        if before is not None and before.record.picture != order.picture:
            raise Refused("The painting is of another picture.", 422)

    def painting(self, id: str) -> PaintingRecord:
        """The painting of that ID.

        Raises:
            Refused: there is none.
        """
        return self._paintings.find(id).record

    def follow(self, id: str, ping: float | None = None) -> AsyncGenerator[Event, None]:
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
        return self._keeping.own(id, "view.json")

    async def thumbnail(self, id: str) -> Path:
        """A small JPEG picture of a painting.

        Raises:
            Refused: there is no such painting, or it is not finished.
        """
        return self._keeping.own(id, "thumbnail.jpg")

    async def guidance(self, id: str) -> Path:
        """The file of what was known of the picture when it was painted, JSON.

        Raises:
            Refused: there is no such painting, or it is not finished, or nothing was known.
        """
        return self._keeping.own(id, "guidance.json")

    async def file(self, id: str, format: str, options: Mapping[str, Any] | None = None) -> tuple[Path, str]:
        """A file of a painting, and a name for it.

        Args:
            id: of the painting.
            format: one of `EXPORTERS`, ``guidance.json`` or ``guidance.png``.
            options: as ``render`` has them; texts will do for numbers.

        Raises:
            Refused: there is no such painting, it is not finished, or the options are not usable.
        """
        return await self._keeping.file(id, format, options or {})

    async def zip(
        self, ids: Iterable[str], formats: Iterable[str], options: Mapping[str, Any] | None = None
    ) -> Path:
        """A zip of files of several paintings.

        Args:
            ids: of the paintings.
            formats: of each of them, see `file`.
            options: of the files.

        Raises:
            Refused: a painting is not there or not finished, or the options are not usable.
        """
        return await self._keeping.zip(ids, formats, options or {})

    def forget(self, zip: Path) -> None:
        """Remove a zip that has been handed over."""
        self._keeping.forget(zip.parent)

    async def project(self, id: str) -> Path:
        """A painting with all that it was made of, to be opened again.

        Raises:
            Refused: there is no such painting, or it is not finished.
        """
        return await self._keeping.project(id)

    async def open_project(self, upload: Path) -> Opened:
        """Take the file of a project over, which is gone afterwards, and open it.

        Raises:
            Refused: it is no project, something in it is wrong, or there is no room for it.
        """
        return await self._keeping.open(upload)

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
        return max(len(self._pictures.sent), len(self._paintings.known)) >= self.limits.records

    def _expire(self) -> None:
        """Remove what nobody has touched for long."""
        before = time.monotonic() - self.limits.keep_seconds
        needed: set[str] = set()
        for known in list(self._paintings.known.values()):
            if not known.ended or known.feed.followers or known.touched >= before:
                needed.update(known.pictures)
            else:
                self._paintings.remove(known)
        for name, sent in list(self._pictures.sent.items()):
            if name not in needed and sent.touched < before:
                self._pictures.remove(name)
        for folder, made in list(self._keeping.made.items()):
            if made < before:
                self._keeping.forget(folder)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(min(TIDY, self.limits.keep_seconds / 4, self.limits.idle))
            self._expire()
            for lane in self._lanes:
                lane.tidy()


def _copy(before: Known, folder: Path, order: Order) -> None:
    """Put a painting of which a region is painted over, and the region, where a worker looks for them."""
    shutil.copyfile(before.folder / "strokes.json", folder / "before.json")
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(before.folder / "guidance.json", folder / "guidance.json")
    (folder / "region.png").write_bytes(order.region or b"")
