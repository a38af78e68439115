"""Pictures that visitors have sent: taken over, decoded and looked at by a worker."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_guidance.apps.serve.files import Store, safe_name, shown_name
from semantic_guidance.apps.serve.orders import checked_document
from semantic_guidance.apps.serve.pool import Lane
from semantic_guidance.apps.serve.records import Limits, PictureRecord, Refused

UNKNOWN = "There is no such picture here, or it has been removed."

QUESTIONS = ("rough", "whole", "points", "boxes", "text", "guidance")
"""What may be asked of a picture."""


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


class Pictures:
    """All pictures by ID.

    Args:
        limits: of what visitors may send.
        store: of files.
        lane: of the worker that looks.
        make_room: sees to it that there is room for so many bytes; raises `Refused` if there is none.
    """

    def __init__(self, limits: Limits, store: Store, lane: Lane, make_room: Callable[[int], None]) -> None:
        self.sent: dict[str, Sent] = {}
        self._limits, self._store, self._lane, self._make_room = limits, store, lane, make_room

    def find(self, id: str) -> Sent:
        """The picture of that ID.

        Raises:
            Refused: there is none.
        """
        sent = self.sent.get(id)
        if sent is None:
            raise Refused(UNKNOWN, 404)
        sent.touched = time.monotonic()
        return sent

    async def add(self, upload: Path, name: str, frame: int | None) -> PictureRecord:
        """See `Studio.add_picture`."""
        shown, limits = shown_name(name), self._limits
        try:
            size = upload.stat().st_size
            if size > limits.upload_bytes:
                raise Refused(f"{shown} is larger than {limits.upload_bytes >> 20} MB.", 413)
            self._make_room(size + (1 << 20))
            folder = self._store.folder(word := secrets.token_urlsafe(18))
            path, preview = folder / safe_name(name), folder / ".preview.jpg"
            await asyncio.to_thread(os.replace, upload, path)
        finally:
            upload.unlink(missing_ok=True)
        task = {
            "task": "decode",
            "path": str(path),
            "name": shown,
            "frame": frame,
            "preview": str(preview),
            "pixels": limits.pixels,
        }
        try:
            known = await self._lane.do(task, seconds=limits.look_seconds)
        except BaseException:
            self._store.remove(folder)
            raise
        self._store.count(folder)
        record = PictureRecord(
            word, shown, known["width"], known["height"], known["note"], path, preview, frame
        )
        self.sent[word] = Sent(record, folder, time.monotonic())
        return record

    async def look(self, id: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """See `Studio.look`."""
        sent = self.find(id)
        asked = dict(question)
        if asked.get("box") is not None:
            asked["boxes"] = [*(asked.get("boxes") or ()), asked["box"]]
        if asked.get("guidance") is not None:
            asked["guidance"] = checked_document(asked["guidance"], self._limits.document_bytes)
        task = {
            "task": "look",
            "id": id,
            "path": str(sent.record.path),
            "frame": sent.record.frame,
            "folder": str(sent.folder),
            "question": {name: asked[name] for name in QUESTIONS if asked.get(name) is not None},
        }
        done = await self._lane.do(task, seconds=self._limits.look_seconds)
        return dict(done["guidance"])

    def remove(self, id: str) -> None:
        """Forget a picture, with its files."""
        self._store.remove(self.sent.pop(id).folder)
