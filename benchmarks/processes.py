"""What Linux tells of the processes that are measured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def family(server: int) -> Iterator[Path]:
    """What Linux tells of the processes that a process has started, and those have, and of itself."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    own = {server}
    for _ in range(4):
        own |= {process for process, parent in parents.items() if parent in own}
    yield from (Path("/proc", str(process)) for process in own)


def memory(server: int) -> float:
    """MiB of all its processes together, shared pages divided among them."""
    total = 0
    for path in family(server):
        with contextlib.suppress(OSError):
            lines = (path / "smaps_rollup").read_text().splitlines()
            total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024
