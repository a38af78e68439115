"""How the package compiles its kernels with Numba."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba

# Read by the OpenMP library when the first parallel kernel runs: threads that wait sleep, they do not spin.
# On a busy machine a spinning thread keeps its core from the very thread that it waits for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "renderer", PACKAGE / "brushes")  # that hold kernels


def clear_outdated(folders: Iterable[Path] = FOLDERS) -> None:
    """Remove the cached kernels that are older than some source file in the folders.

    Numba itself looks at the file that a kernel is in, not at those of the kernels that it calls.
    """
    folders = list(folders)
    newest = max(source.stat().st_mtime for folder in folders for source in folder.glob("*.py"))
    for folder in folders:
        for cached in folder.glob("__pycache__/*.nb[ci]"):
            try:
                if cached.stat().st_mtime < newest:
                    cached.unlink()
            except OSError:  # another process was faster, or the folder is not ours
                continue


clear_outdated()


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with this package's options, cached on disk where a folder for it can be written.

    Fast-math stays off. It bought nothing measurable, and with it a kernel fresh from the compiler rounded
    differently from the same one read from the cache: the same seed gave two paintings.
    """

    def compile(function: Callable[..., Any]) -> Any:
        settings = {"error_model": "numpy"} | options
        try:
            return numba.njit(cache=True, **settings)(function)
        except RuntimeError:  # no writable place for the cache: compile in memory
            return numba.njit(**settings)(function)

    return compile
