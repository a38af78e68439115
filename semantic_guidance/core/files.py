"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.locks import close_own, lock, open_own, still_at

PATIENCE = 10.0
"""Seconds in which someone must begin to read from a pipe."""

FORGOTTEN = 24 * 3600.0
"""Seconds after which a draft is nobody's, if that cannot be told otherwise."""

PROBE = bytes(1 << 20)
"""What a disk must have room for if it is not full: no program fails to write for less."""

FOLDER = ".folder"
"""What follows a draft's name in that of a folder which is somebody's as long as the draft is."""

_DRAFT = re.compile(r"\.[0-9a-f]{8}([0-9a-f]{4})\.part(\.\w.*)?")
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/([^/]+)(?:/task/[^/]+)?)/fd/(\d{1,9})")
_LINKS = 40  # that are followed, as systems do
_LOCKS = sys.platform != "win32"  # where a locked file cannot be written to by its name
_HERE = f"{zlib.crc32(platform.node().encode()) & 0xFFFF:04x}"

_drafts: set[Path] = set()  # of this process
_swept: set[Path] = set()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new empty file beside `path` that replaces it if the block succeeds, and is removed otherwise.

    Until then `path` is untouched. A symbolic link keeps pointing to its file, which is replaced. What is no
    file, such as a pipe or a terminal, is never replaced: what was written is copied to it. Drafts that
    killed processes left in the folder are removed.

    Raises:
        InputError: `path` is something that cannot be written to, or a pipe that nobody reads from.
        OSError: no file can be created there, `path` is a directory, or the disk is full: it names `path`.
    """
    path = Path(path)
    stream = _is_stream(path)
    final = path if stream else Path(os.path.realpath(path))
    if final.is_dir():
        raise IsADirectoryError(f"{final}: this is a directory, wanted a file name")
    beside = _temporary() / path.name if stream else final
    with drafted(beside, final) as draft:
        yield draft
        if stream:
            _copy(draft, path)
        else:
            os.replace(draft, final)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an error of the system that names no file, such as that a disk is full, the name of this one.

    Raises:
        OSError: the block has raised one.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None


@contextlib.contextmanager
def telling_of_disk(draft: Path, final: Path) -> Iterator[None]:
    """Tell that the disk is why a file could not be written, if it is, whatever a library has raised.

    Args:
        draft: what the block writes, of no use to anybody if it fails.
        final: the file to name.

    Raises:
        OSError: there is no room, or the disk is broken.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        _tell_of_disk(error, draft, final)
        raise


def check_writable(folder: Path) -> None:
    """See that files can be created in a folder.

    Raises:
        OSError: they cannot.
    """
    draft = folder / _name("")
    draft.touch(exist_ok=False)
    draft.unlink()


def check_target(path: Path) -> None:
    """See that `replacing` can write to a path, as far as that can be told before.

    Raises:
        InputError: it is a block device, or a socket.
    """
    _is_stream(path)


def sweep(folder: Path, alone: bool = False) -> None:
    """Remove the drafts that killed processes left in a folder.

    Args:
        folder: to look into.
        alone: whether no process of another machine writes there: else its drafts stay for a day.
    """
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, match) for entry in entries if (match := _DRAFT.fullmatch(entry.name))]
    except OSError:
        return
    for name, match in found:
        if name.endswith(FOLDER) and not os.path.lexists(folder / name.removesuffix(FOLDER)):
            shutil.rmtree(folder / name, ignore_errors=True)
        _sweep(folder / name, alone or match[1] == _HERE)


def discard() -> None:
    """Remove the drafts of this process, which is about to end without unwinding."""
    for draft in list(_drafts):
        with contextlib.suppress(OSError):
            shutil.rmtree(draft.with_name(f"{draft.name}{FOLDER}"), ignore_errors=True)
            draft.unlink()


def _name(suffix: str) -> str:
    return f".{secrets.token_hex(4)}{_HERE}.part{suffix}"


@contextlib.contextmanager
def drafted(beside: Path, final: Path) -> Iterator[Path]:
    """A locked draft in the folder of `beside`, removed at the end; errors name `final`."""
    if beside.parent not in _swept:
        _swept.add(beside.parent)
        sweep(beside.parent)
    try:
        draft, descriptor = _created(beside)
    except OSError as error:
        raise OSError(f"{final}: cannot be written ({error.strerror}), wanted a writable folder") from None
    try:
        with telling_of_disk(draft, final):
            yield draft
    finally:
        if draft in _drafts:  # else a forked process ends, and it is the other one's
            draft.unlink(missing_ok=True)  # where it has not become the file
            _drafts.discard(draft)
        if descriptor is not None:
            close_own(descriptor)


def _created(beside: Path) -> tuple[Path, int | None]:
    """A new draft, and the open file through which it is locked, where there are locks."""
    # Not `tempfile`, whose files nobody else may read: these get the usual permissions.
    while True:
        draft = beside.with_name(_name(beside.suffix))
        _drafts.add(draft)
        try:
            descriptor = open_own(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        except OSError:
            _drafts.discard(draft)
            raise
        if not _LOCKS:
            close_own(descriptor)
            return draft, None
        if lock(descriptor) is not False and still_at(descriptor, draft):
            return draft, descriptor
        close_own(descriptor)  # somebody has swept it before it was locked
        draft.unlink(missing_ok=True)
        _drafts.discard(draft)


def _sweep(draft: Path, known: bool) -> None:
    """Remove a draft whose process is dead: nobody holds its lock.

    Args:
        draft: of whatever process.
        known: whether locks tell: not if it is another machine's.
    """
    flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    with contextlib.suppress(OSError):
        about = draft.lstat()
        if not stat.S_ISREG(about.st_mode):
            return
        old = time.time() - about.st_mtime > FORGOTTEN
        if not _LOCKS or not (known or old):
            if old:
                draft.unlink()
            return
        descriptor = open_own(draft, flags)
        try:
            held = lock(descriptor)
            if held or (held is None and old):
                draft.unlink()
        finally:
            close_own(descriptor)


def _tell_of_disk(error: Exception, draft: Path, final: Path) -> None:
    """Raise what the system says of the disk, with the file's name, if that is why a draft failed.

    Not all libraries say it: whether there is no room is then tried.
    """
    if isinstance(error, OSError) and error.errno is not None and type(error).__module__ == "builtins":
        if error.filename in (None, str(draft)) and error.errno != errno.EPIPE:
            raise OSError(error.errno, os.strerror(error.errno), str(final)) from None
        return
    try:
        with draft.open("ab", buffering=0) as file:
            left = len(PROBE)
            while left > 0:
                left -= file.write(PROBE[:left])
    except OSError as full:
        raise OSError(full.errno, os.strerror(full.errno or 0), str(final)) from None


def _is_stream(path: Path) -> bool:
    """Whether a path leads to what is written to, not replaced.

    Raises:
        InputError: it is a block device, or a socket.
    """
    if _open_file(path):
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        kind = "socket" if stat.S_ISSOCK(mode) else "disk or another block device"
        raise InputError(f"{path}: this is a {kind}, wanted a file name")
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _open_file(path: Path) -> re.Match[str] | None:
    """The number of an open file that a path leads to, by whatever links, as `_DESCRIPTOR` matches it.

    What the number stands for may have a name of its own, and must not be replaced under it.
    """
    for _ in range(_LINKS):
        path = Path(os.path.realpath(path.parent)) / path.name
        if (found := _DESCRIPTOR.fullmatch(str(path))) is not None:
            return found
        try:
            path = path.parent / os.readlink(path)
        except (OSError, ValueError):  # no link
            return None
    return None


def _temporary() -> Path:
    import tempfile  # here: it takes a while, and is hardly ever needed

    return Path(tempfile.gettempdir())


def _copy(draft: Path, path: Path) -> None:
    """Write a finished draft to a pipe, a terminal or the like."""
    with draft.open("rb") as source, naming(path), os.fdopen(_opened(path), "wb") as target:
        shutil.copyfileobj(source, target)


def _opened(path: Path) -> int:
    """A pipe, a terminal or the like, open for writing."""
    found = _open_file(path)
    if found is not None and found[1] in (None, "self", "thread-self", str(os.getpid())):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed, as by `>&-`
                stream.flush()
        return os.dup(int(found[2]))  # opened anew, a file would be written from its start
    end = time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise InputError(f"{path}: nobody reads from this pipe, wanted a reader or a file") from None
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    import hashlib

    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drafts.clear)  # they are the other process's
