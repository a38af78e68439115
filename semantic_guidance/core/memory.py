"""Memory: what is free, what lacks, and what is no longer needed."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SIGNS = (
    "can't allocate memory",  # torch on a processor
    "not enough memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "Insufficient memory",  # OpenCV
    "Failed to allocate",
    "cannot allocate memory",  # what loads libraries
    "Cannot allocate memory",
    "bad_alloc",  # C++
    "failed to map segment from shared object",
    "can't start new thread",  # whose stack is memory
)
"""Words by which libraries say that memory is short."""

CV_NO_MEMORY = -4
"""OpenCV's number of that."""

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux tells about control groups."""

OLD_GROUPS = GROUPS / "memory"
"""Where it does in version 1, whose numbers have other names."""


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of `mallopt`

RESERVED = 200_000_000
"""Addresses that libraries take beside the memory that they use; without them OpenBLAS ends the program."""


def keep_little(most: int = 1 << 20) -> None:
    """Let the C library keep little of what is freed, where it can (glibc): pieces above `most` bytes go.

    By itself it learns to keep pieces of up to 32 MB, between which others then lie. For processes that work
    on large pictures again and again; it costs a few per cent of the time.
    """
    if sys.platform == "linux":
        tell = getattr(ctypes.CDLL(None), "mallopt", None)
        if tell is not None:
            tell(_MMAP_THRESHOLD, most)
            tell(_TRIM_THRESHOLD, 4 * most)


def give_back() -> None:
    """Let the C library return freed memory to the system, where it can (glibc): it keeps most by itself.

    For after work that took much more memory than what follows; takes a few milliseconds.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    """The C library's function, or None."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def out_of_memory(error: BaseException) -> str | None:
    """What a lack of memory says for itself, in one line; None of any other error.

    Python, numpy, Pillow and PyAV raise `MemoryError`; torch, OpenCV and C++ say it in words.
    """
    words = str(error).splitlines()[0].strip() if str(error).strip() else ""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return words or "memory was short"
    if isinstance(error, OSError) and error.errno is not None:
        return words if error.errno == errno.ENOMEM else None
    known = any(sign in str(error) for sign in SIGNS)
    if known or (type(error).__module__ == "cv2" and getattr(error, "code", 0) == CV_NO_MEMORY):
        return words
    # What loads llvmlite's library hides why it could not.
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None if behind is None else out_of_memory(behind)


def free_memory() -> int | None:
    """Bytes that this process may still take: of the machine, its control group, and its own limit.

    None where the system does not tell (it does on Linux).
    """
    bounds = [_available(), *_group_rooms(), *_old_group_rooms(), _own_room()]
    known = [bound for bound in bounds if bound is not None]
    return max(0, min(known)) if known else None


def lacking(needed: int) -> int | None:
    """What is free, if it is less than what this process will need beside what it has; None if it suffices.

    Args:
        needed: bytes that the process will take in all, with what it has taken.
    """
    free = free_memory()
    return free if free is not None and needed - resident() > free else None


def resident() -> int:
    """Bytes of memory that this process has taken; 0 where the system does not tell."""
    pages = _read("/proc/self/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else 0


def _available() -> int | None:
    """Bytes of the machine that are free, or can be made free."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return None if match is None else int(match[1]) << 10


def _group_rooms() -> Iterator[int]:
    """What is left of the limits of the control groups of version 2 that this process is in."""
    match = re.search(r"^0::/(.*)$", _read("/proc/self/cgroup"), re.MULTILINE)
    folder = GROUPS / (match[1] if match else "")
    for group in (folder, *folder.parents):
        limit, used = (_read(group / name).strip() for name in ("memory.max", "memory.current"))
        if limit.isdigit() and used.isdigit():
            cached = re.search(r"^inactive_file (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
            yield int(limit) - int(used) + (int(cached[1]) if cached else 0)
        if group == GROUPS:
            return


def _old_group_rooms() -> Iterator[int]:
    """The same of version 1, where no limit is a number larger than any machine's memory."""
    match = re.search(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:/(.*)$", _read("/proc/self/cgroup"), re.MULTILINE)
    if match is None:
        return
    folder = OLD_GROUPS / match[1]
    for group in (folder, *folder.parents):
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        limit, used = (_read(group / name).strip() for name in names)
        if limit.isdigit() and used.isdigit():
            cached = re.search(r"^total_inactive_file (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
            yield int(limit) - int(used) + (int(cached[1]) if cached else 0)
        if group == OLD_GROUPS:
            return


def _own_room() -> int | None:
    """What is left of the limit of this process's own addresses, if it has one."""
    try:
        import resource
    except ImportError:  # on Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _read("/proc/self/statm").split()
    if limit == resource.RLIM_INFINITY or not pages:
        return None
    return limit - int(pages[0]) * resource.getpagesize() - RESERVED


def _read(path: str | Path) -> str:
    """A file's text, or nothing."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
