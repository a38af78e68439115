"""A studio without HTTP, for tests."""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from PIL import Image

from semantic_guidance.apps.serve.records import Order
from semantic_guidance.apps.serve.studio import Studio


def opened(path: Path) -> Image.Image:
    """The picture in a file, which is closed."""
    return Image.open(io.BytesIO(path.read_bytes()))


class Here:
    """A studio in a thread of its own, and its answers in this one."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self(studio.start())

    def __call__(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(60)

    def do(self, name: str, *args: Any) -> Any:
        """What a method of the studio that is no coroutine returns."""

        async def called() -> Any:
            return getattr(self.studio, name)(*args)

        return self(called())

    def add(self, path: Path, name: str) -> Any:
        upload = self.studio.folder / f"upload{time.monotonic_ns()}"
        shutil.copyfile(path, upload)
        try:
            return self(self.studio.add_picture(upload, name))
        finally:
            assert not upload.exists()

    def paint(self, picture: str, job: dict[str, Any], **more: Any) -> Any:
        return self.do("paint", Order(picture, job, **more))

    def until(self, id: str, event: str = "end") -> list[Any]:
        """All events up to the first of that name."""

        async def followed() -> list[Any]:
            found = []
            async for each in self.studio.follow(id):
                found.append(each)
                if each.name == event:
                    break
            return found

        return self(followed())

    def painted(self, picture: str, job: dict[str, Any], **more: Any) -> Any:
        record = self.paint(picture, job, **more)
        assert self.until(record.id)[-1].data["state"] == "done", self.do("painting", record.id)
        return self.do("painting", record.id)

    @property
    def painter(self) -> int:
        """The process that paints."""
        return next(iter(self.studio._paintings.running)).worker.pid


async def tasks_left() -> int:
    """How many tasks there are in a loop, beside this one."""
    return len(asyncio.all_tasks()) - 1
