"""Files that visitors send: written to disk as they come, whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from semantic_guidance.apps.serve.guard import too_large
from semantic_guidance.core.shown import printable

AT_ONCE = 16
"""Uploads at a time."""

OFTEN = 1 << 20
"""Bytes of a file after which it is seen again whether there is room."""

LONGEST_NAME = 80
"""Letters of a picture's name."""

FORMS = ("multipart/form-data",)


class Uploads:
    """A folder for files that are being received.

    Args:
        folder: a new one.
        check: raises `Refused` if there is no room for so many bytes.
    """

    def __init__(self, folder: Path, check: Callable[[int], None]) -> None:
        folder.mkdir()
        self.folder = folder
        self._check = check
        self._coming: dict[Path, int] = {}  # bytes of each that is not taken yet
        self._free = AT_ONCE

    @contextlib.asynccontextmanager
    async def received(self, request: Request, most: int) -> AsyncIterator[Path]:
        """The body of a request as a file, which is gone after the block unless it was taken.

        Args:
            request: whose body it is.
            most: bytes that it may have.

        Raises:
            HTTPException: it is empty, too slow, too large or a form, or too many come at a time.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in FORMS:
            raise HTTPException(415, "This is a form; wanted the file's bytes alone as the body.")
        if not self._free:
            raise HTTPException(503, "Too many files come at a time; wanted a little patience.")
        self._free -= 1
        try:
            with self._place() as path:
                try:
                    await self._write(request, path, most)
                    yield path
                finally:
                    self._coming.pop(path, None)
        finally:
            self._free += 1

    async def _write(self, request: Request, path: Path, most: int) -> None:
        """Write a body to a file; that it comes in time is the guard's business.

        Raises:
            HTTPException: it is empty, or has more than so many bytes.
            Refused: there is no room for it, and for all others that come now.
        """
        length, size = request.headers.get("content-length", ""), 0
        if length.isdecimal() and int(length) > most:
            raise HTTPException(413, too_large(most))
        checked = 0
        with path.open("xb") as file:
            async for part in request.stream():
                size += len(part)
                self._coming[path] = size
                if size > most:
                    raise HTTPException(413, too_large(most))
                if size - checked >= OFTEN:
                    self._check(sum(self._coming.values()))
                    checked = size
                file.write(part)
        if not size:
            raise HTTPException(400, "The file is empty; wanted one with something in it.")

    @contextlib.contextmanager
    def copied(self, source: Path) -> Iterator[Path]:
        """A copy of a file, which is gone after the block unless it was taken."""
        with self._place() as path:
            shutil.copyfile(source, path)
            yield path

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        path = self.folder / secrets.token_urlsafe(18)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def given_name(header: str | None, usual: str) -> str:
    """The name of a file as the header ``X-Name`` gives it, percent-encoded, without folders.

    >>> given_name("C%3A%5Choliday%5Cmy%20cat.jpg", "picture")
    'my cat.jpg'
    """
    name = printable(unquote(header or "")).replace("\\", "/").rpartition("/")[2].strip()
    return name[:LONGEST_NAME] if name.strip(".") else usual
