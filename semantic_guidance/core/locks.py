"""Locks between processes, which end with the process that holds them, however that ends."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from semantic_guidance.core.errors import InputError

NAME = ".semantic-guidance.lock"

NUMBER = 40
"""Bytes that a process's number takes at most, with what is around it."""

_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}

_own: set[int] = set()  # open files that processes which this one forks must not hold


def open_own(path: Path, flags: int) -> int:
    """Open a file that is to be locked; `close_own` closes it.

    A lock belongs to the open file, which a forked process shares: if that outlived this one, the lock would
    stay. So forked processes close these files at once.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags, 0o666)
    _own.add(descriptor)
    return descriptor


def close_own(descriptor: int) -> None:
    """Close a file that this process has opened by `open_own`, and give its lock up.

    Nothing is done in a process that was forked since.
    """
    if is_own(descriptor):
        _own.discard(descriptor)  # first: its number may be another file's as soon as it is closed
        os.close(descriptor)


def is_own(descriptor: int) -> bool:
    """Whether this very process has opened it by `open_own`."""
    return descriptor in _own


def lock(descriptor: int) -> bool | None:
    """Lock an open file, without waiting.

    Returns:
        Whether this is done: not if another process holds it. None where files cannot be locked, as on some
        shared disks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _HELD else None
    return True


def still_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of that name: the one who held its lock before may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


@contextlib.contextmanager
def only_one(folder: Path, wanted: str) -> Iterator[None]:
    """Be the only process in the context for that folder, which is made if it is missing.

    Where files cannot be locked, there may be others. A folder that was made here and is still empty at the
    end is removed.

    Args:
        folder: what is to be written to.
        wanted: what to do if another process is there, for the error.

    Raises:
        InputError: another process is.
        OSError: the folder cannot be made or written to.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    try:
        descriptor = _taken(path, wanted)
        try:
            yield
        finally:
            _leave(path, descriptor)
    finally:
        with contextlib.suppress(OSError):
            for each in made:
                each.rmdir()


def _taken(path: Path, wanted: str) -> int:
    """The lock file, opened and locked."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    while True:
        descriptor = open_own(path, flags)
        held = lock(descriptor)
        if held is False:
            owner = b"" if sys.platform == "win32" else _content(descriptor)
            close_own(descriptor)
            which = f" (number {int(owner)})" if owner.isdigit() else ""
            raise InputError(f"{path.parent}: another process{which} is writing there, wanted {wanted}")
        if sys.platform == "win32" or still_at(descriptor, path):
            break
        close_own(descriptor)
    if _is_ours(descriptor):
        with contextlib.suppress(OSError):  # it is only told to people
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _leave(path: Path, descriptor: int) -> None:
    """Give the lock up; its file goes while it is still held, so that nobody else's is removed."""
    with contextlib.suppress(OSError):
        if sys.platform != "win32" and is_own(descriptor) and _is_ours(descriptor):
            path.unlink()
    close_own(descriptor)


def _is_ours(descriptor: int) -> bool:
    """Whether a lock file holds nothing but a number: else somebody has put something there."""
    content = _content(descriptor)
    return not content or (len(content) < NUMBER and content.isdigit())


def _content(descriptor: int) -> bytes:
    """The beginning of a lock file, without space around it."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, NUMBER).strip()
    except OSError:
        return b"?"


def _in_forked_child() -> None:
    while _own:
        with contextlib.suppress(OSError):
            os.close(_own.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
