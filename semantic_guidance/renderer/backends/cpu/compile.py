"""How the package compiles its kernels with Numba."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

# Read by the OpenMP library when the first parallel kernel runs: waiting threads sleep instead of spinning.
# On a busy machine a spinning thread keeps its core from the very thread it waits for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


FOLDER = Path(__file__).parent  # of all kernels that ship
STAMP = "kernels.sha256"  # beside the cached kernels: the digest of their sources


@functools.cache
def clear_outdated(cache: Path, folder: Path) -> None:
    """Remove from `cache` the compiled kernels of `folder`, unless they match today's sources.

    Numba itself checks the file that a kernel is in, not those of the kernels that it calls. It keeps its
    files beside the sources, or elsewhere with ``NUMBA_CACHE_DIR`` or if that folder is read-only.
    """
    stamp = cache / STAMP
    try:
        today = _digest(folder)
        if stamp.exists() and stamp.read_text() == today:
            return
        for cached in cache.glob("*.nb[ci]"):
            cached.unlink(missing_ok=True)  # another process may be faster
        stamp.write_text(today)
    except OSError:  # there are no source files, or the cached ones are not ours
        return


def _digest(folder: Path) -> str:
    """SHA-256 of all sources with kernels that one in `folder` may call."""
    sources = sorted(source for each in {FOLDER, folder} for source in each.glob("*.py"))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with this package's options, cached on disk where a folder for it can be written.

    Fast-math stays off. It bought nothing measurable, and with it a kernel fresh from the compiler rounded
    differently from the same one read from the cache: the same seed gave two paintings.
    """

    def compile(function: Callable[..., Any]) -> Any:
        settings = {"error_model": "numpy"} | options
        try:
            kernel: Any = numba.njit(cache=True, **settings)(function)
        except RuntimeError:  # no writable place for the cache: compile in memory
            return numba.njit(**settings)(function)
        if kernel is not function:  # as it is with NUMBA_DISABLE_JIT
            clear_outdated(Path(kernel.stats.cache_path), Path(function.__code__.co_filename).parent)
        return kernel

    return compile
