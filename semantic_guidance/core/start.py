"""What has to happen before torch is imported, and while it is. Imports nothing large."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

WAITING = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
"""How waiting threads sleep instead of spinning, in the words of GNU's and of LLVM's OpenMP."""

_SAID = (*WAITING, "GOMP_SPINCOUNT", "KMP_LIBRARY")  # where a person may have said otherwise


def wait_asleep() -> None:
    """Let OpenMP's waiting threads sleep, unless the environment says how they are to wait.

    On a busy machine a spinning thread keeps its core from the very thread that it waits for. OpenMP reads
    the environment when its library is loaded, with torch: afterwards this changes nothing. Programs that
    this one starts inherit it.
    """
    if not any(name in os.environ for name in _SAID):
        os.environ.update(WAITING)


@contextmanager
def quick_imports() -> Iterator[None]:
    """For a program's own use: within, modules are imported without collecting garbage.

    Large packages make half a million objects that stay. The collector would look through them again and
    again, and once more when the program ends, for about a third of the seconds that importing torch takes;
    so it never looks at them. Cycles of garbage that exist when the context is left are never freed.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
