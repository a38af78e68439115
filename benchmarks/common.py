"""What the benchmarks share: timing, the machine, tables and result files."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from semantic_guidance.core.machine import Neighbours, machine
from semantic_guidance.core.shown import printable
from semantic_guidance.renderer.backends.cpu.threads import about_threads

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SUFFIXES = (".png", ".jpg", ".jpeg")  # of pictures
BAD_INPUT = 2
_SET_CHILD_SUBREAPER = 36  # of Linux's prctl


class BenchmarkError(ValueError):
    """The benchmark cannot be run."""


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        print(f"{self.prog}: error: {printable(' '.join(message.split()))}", file=sys.stderr)
        sys.exit(BAD_INPUT)


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated calls.

    Attributes:
        median: the middle one.
        low: the first quartile.
        high: the third quartile.
        best: the shortest.
        repeats: number of calls.
    """

    median: float
    low: float
    high: float
    best: float
    repeats: int

    @staticmethod
    def of(seconds: Sequence[float]) -> Timing:
        """The summary of `seconds`, quartiles interpolated linearly."""
        ranked = sorted(seconds)

        def quantile(share: float) -> float:
            at = share * (len(ranked) - 1)
            below = int(at)
            above = min(below + 1, len(ranked) - 1)
            return ranked[below] + (at - below) * (ranked[above] - ranked[below])

        return Timing(quantile(0.5), quantile(0.25), quantile(0.75), ranked[0], len(ranked))

    def record(self) -> dict[str, float]:
        """For a result file: median, interquartile range and shortest in seconds."""
        return {
            "median_s": significant(self.median),
            "iqr_s": significant(self.high - self.low),
            "best_s": significant(self.best),
            "repeats": self.repeats,
        }

    def __str__(self) -> str:
        return f"{milliseconds(self.median)} ({milliseconds(self.low)} to {milliseconds(self.high)})"


def measure(function: Callable[[], Any], repeats: int, warmup: int = 3) -> Timing:
    """Time `function` called `repeats` times, after `warmup` calls that do not count."""
    return measure_parts(lambda: [timed(function)], repeats, warmup)[0]


def measure_parts(function: Callable[[], Sequence[float]], repeats: int, warmup: int = 3) -> list[Timing]:
    """As `measure`, for a function that returns the seconds of each of its parts."""
    for _ in range(warmup):
        function()
    return [Timing.of(part) for part in zip(*(function() for _ in range(repeats)), strict=True)]


def timed(function: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def significant(value: float, digits: int = 4) -> float:
    """`value` with that many digits."""
    return float(f"{value:.{digits}g}")


def milliseconds(seconds: float) -> str:
    """Seconds as text in milliseconds, three digits."""
    return f"{significant(1000 * seconds, 3):g} ms" if seconds < 1 else f"{seconds:.2f} s"


def commit() -> str | None:
    """The checkout's commit, with ``-dirty`` if anything but results was changed since; None outside git."""
    try:
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("-dirty" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextlib.contextmanager
def knowing_orphans(patience: float = 10.0) -> Iterator[None]:
    """Within the block processes whose parents end first become this one's (Linux alone).

    So what they have used is known as its own, and `Neighbours` does not take workers of commands for others.

    Args:
        patience: seconds at most that are waited for them after the block.
    """
    tell = getattr(ctypes.CDLL(None), "prctl", lambda *arguments: None)
    tell(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
        until = time.monotonic() + patience
        with contextlib.suppress(ChildProcessError):  # there is none left
            while time.monotonic() < until:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.01)
    finally:
        tell(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextlib.contextmanager
def checkout(commit: str, folder: Path) -> Iterator[str]:
    """The commit's files in `folder` for as long as the context lasts; gives its full name.

    Raises:
        BenchmarkError: there is no such commit.
    """

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        full = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
        git("worktree", "add", "--detach", "--quiet", str(folder), full)
    except (OSError, subprocess.CalledProcessError):
        raise BenchmarkError(f"{commit} cannot be checked out, wanted a commit") from None
    try:
        yield full
    finally:
        git("worktree", "remove", "--force", str(folder))


def finish(program: str, run: Callable[[], None]) -> int:
    """Run a benchmark; what is wrong with its input is one line, and the status `BAD_INPUT`."""
    try:
        run()
    except (ValueError, OSError) as error:
        print(f"{program}: error: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return BAD_INPUT
    return 0


def write_results(path: Path, name: str, neighbours: Neighbours, results: dict[str, Any]) -> None:
    """Write a result file, JSON, whole or not at all.

    Args:
        path: the file; its folder is made if there is none.
        name: of the benchmark.
        neighbours: made before the first measurement.
        results: what was measured.
    """
    document = {
        "benchmark": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine() | about_threads(),
        "cores_busy_elsewhere": neighbours.cores(),
        **results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(document, indent=1) + "\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown, columns after the first to the right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(printable(cell) for cell in line) + " |" for line in lines)


def headline(neighbours: Neighbours) -> str:
    """The machine in a line."""
    facts = machine() | about_threads()
    return (
        f"{facts['cpu']}, {facts['cores']} cores, of which other processes used {neighbours.cores()}; "
        f"Python {facts['python']}, torch {facts['torch']}, llvmlite {facts['llvmlite']}"
    )
