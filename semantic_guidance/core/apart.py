"""Processes of Python that import nothing from the folder where the program was started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

SAFE = "PYTHONSAFEPATH"


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """While the block runs, processes of Python that are started leave the current folder out of their path.

    They would look there first, even for their own library: a file ``multiprocessing.py`` that came with a
    data set would be run by all workers of who stands in its folder.
    """
    before = os.environ.get(SAFE)
    os.environ[SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE]
        else:
            os.environ[SAFE] = before
