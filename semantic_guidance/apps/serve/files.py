"""The server's folder of temporary files: bounded, and emptied of what nobody has touched for long."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
from pathlib import Path

from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.core.locks import close_own, lock, open_own
from semantic_guidance.core.names import WINDOWS_OWN
from semantic_guidance.core.shown import printable

FULL = "There is no room for more files at the moment. Please try again in a while."

PREFIX, LOCK = "semantic-guidance-", ".studio.lock"
"""Of the folder, and of the file in it that is locked as long as its server lives."""

NAME = 80
"""Letters of a file's name at most, without its end."""

ENDINGS = re.compile(r"\.[A-Za-z0-9]{1,5}")


class Store:
    """A folder for files of pictures and paintings, each in a folder of its own.

    Args:
        most: bytes of all files.
    """

    def __init__(self, most: int) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.most = most
        self._bytes: dict[Path, int] = {}
        self._lock = open_own(self.root / LOCK, os.O_RDWR | os.O_CREAT)
        lock(self._lock)

    @property
    def used(self) -> int:
        """Bytes of all files, as they were last counted."""
        return sum(self._bytes.values())

    def folder(self, name: str) -> Path:
        """A new folder of that name, which is unique."""
        path = self.root / name
        path.mkdir()
        self._bytes[path] = 0
        return path

    def count(self, folder: Path) -> None:
        """Count the bytes of a folder anew."""
        if folder in self._bytes:
            self._bytes[folder] = _bytes(folder)

    def fits(self, more: int) -> bool:
        """Whether there is room for so many more bytes."""
        return self.used + more <= self.most and shutil.disk_usage(self.root).free > more + (64 << 20)

    def remove(self, folder: Path) -> None:
        """Remove a folder with all that is in it."""
        self._bytes.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        self._bytes.clear()
        close_own(self._lock)
        shutil.rmtree(self.root, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove the folders that servers have left there that were killed."""
    for folder in place.glob(f"{PREFIX}*"):
        path = folder / LOCK
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            descriptor = open_own(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except (AttributeError, OSError):  # on Windows; or it is another program's
            continue
        free = lock(descriptor)
        close_own(descriptor)
        if free:
            shutil.rmtree(folder, ignore_errors=True)


def _bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name), follow_symlinks=False).st_size
            except OSError:  # a draft that is gone by now
                continue
    return total


def check_room(store: Store, more: int) -> None:
    """Check that there is room for so many more bytes.

    Raises:
        Refused: there is not.
    """
    if not store.fits(more):
        raise Refused(FULL, 503)


def shown_name(name: str) -> str:
    """A visitor's name of a file as it is shown: without folders, and without what terminals obey."""
    last = re.split(r"[/\\]", name)[-1]
    return printable(unicodedata.normalize("NFC", last)).strip()[:200] or "picture"


def safe_name(name: str, usual: str = "picture") -> str:
    """A name for a file on any system, made of a visitor's.

    >>> safe_name("../My cat.JPG")
    'My cat.jpg'
    """
    word = shown_name(name)
    ending = os.path.splitext(word)[1]
    stem = word[: len(word) - len(ending)] if ENDINGS.fullmatch(ending) else word
    ending = ending.lower() if ENDINGS.fullmatch(ending) else ""
    stem = "".join(letter if letter.isalnum() or letter in " -_()+" else "_" for letter in stem)
    stem = stem.encode()[:NAME].decode(errors="ignore").strip(" .-") or usual
    if WINDOWS_OWN.match(stem + ending):
        stem = f"_{stem}"
    return stem + ending
