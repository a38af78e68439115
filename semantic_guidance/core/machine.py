"""The machine that this runs on: what timings depend on, and what encoders may use."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any


class Neighbours:
    """Cores that other processes keep busy, on average since this was created: near 0 on a quiet machine."""

    def __init__(self) -> None:
        self.start, self.busy, self.own = time.perf_counter(), _busy_seconds(), _own_seconds()

    def cores(self) -> float | None:
        """The average so far; None where it is unknown."""
        if self.busy is None or (busy := _busy_seconds()) is None:
            return None
        others = (busy - self.busy) - (_own_seconds() - self.own)
        return round(max(0.0, others / (time.perf_counter() - self.start)), 2)


def _busy_seconds() -> float | None:
    """Seconds that all cores together have worked since the machine started."""
    try:
        user, nice, system = map(int, Path("/proc/stat").read_text().split(maxsplit=4)[1:4])
    except (OSError, ValueError):
        return None
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Core seconds used by this process, and by those that it has started and that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def cores() -> int:
    """Cores that this process may use: as many as it is allowed to run on, or to have the time of."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, _granted())))


def _granted() -> float:
    """How many cores' time the process's control group has (version 2); infinity if nothing bounds it."""
    try:
        group = Path("/proc/self/cgroup").read_text().partition("0::/")[2].partition("\n")[0]
    except OSError:
        return math.inf
    home, bounds = Path("/sys/fs/cgroup"), [math.inf]
    for folder in (home / group, *(home / group).parents):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (float(word) for word in (folder / "cpu.max").read_text().split())  # or "max"
            bounds.append(quota / period)
        if folder == home:
            break
    return min(bounds)


def has_avx512() -> bool:
    """Whether the processor has AVX-512, and so AVX2, as NumPy has found out."""
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):  # NumPy 2, NumPy 1
        try:
            features = getattr(importlib.import_module(name), "__cpu_features__", None)
        except ImportError:
            continue
        if features is not None:
            return bool(features.get("AVX512F", False))
    return False


def machine() -> dict[str, Any]:
    """Processor, cores, threads and versions: what timings depend on; nothing identifies a computer."""
    import numpy as np
    import torch

    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "llvmlite": version("llvmlite"),
        "numpy": np.__version__,
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    parts = [found.get("model name", platform.machine())]
    parts += [f"{name} {found[name]}" for name in ("cpu family", "model") if name in found]
    return ", ".join(parts)
