"""How the package compiles its kernels with Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


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
