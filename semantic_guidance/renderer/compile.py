"""How the package compiles its kernels with Numba."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numba

# Read by the OpenMP library when the first parallel kernel runs: threads that wait sleep, they do not spin.
# On a busy machine a spinning thread keeps its core from the very thread that it waits for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with this package's options, cached on disk where a folder for it can be written."""

    def compile(function: Callable[..., Any]) -> Any:
        settings = {
            "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},
            "error_model": "numpy",
        } | options
        try:
            return numba.njit(cache=True, **settings)(function)
        except RuntimeError:  # no writable place for the cache: compile in memory
            return numba.njit(**settings)(function)

    return compile
