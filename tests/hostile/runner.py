"""Attacks: cases in a child process, watched for time, memory, crashes, and files that are not its own."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.mutate import GUARD

ROOT = Path(__file__).parents[2]
RIGHT = ("accepted", "refused")
STARTING = 120.0
"""Seconds that a child may take to import everything."""

SPARE = 5.0
"""Seconds beyond thrice its limit, which is of processor time, after which a case's process is killed."""

KEPT = 3
"""Inputs that are kept of each cause."""


@dataclass
class Counts:
    """What came of a target's cases.

    Attributes:
        outcomes: how many cases had each outcome.
        megabytes: the most memory that a case took.
        seconds: of processor time, the most that a case took.
        causes: the seeds of what went wrong by outcome, kind of error and place.
        examples: a message of each.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    megabytes: float = 0.0
    seconds: float = 0.0
    causes: dict[str, list[int]] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, seed: int, answer: dict[str, Any]) -> str | None:
        """Count a case; returns its cause if its outcome is wrong."""
        self.outcomes[answer["outcome"]] += 1
        self.megabytes = max(self.megabytes, answer["megabytes"])
        self.seconds = max(self.seconds, answer["seconds"])
        if answer["outcome"] in RIGHT:
            return None
        cause = f"{answer['outcome']}: {answer['where']}"
        self.causes.setdefault(cause, []).append(seed)
        self.examples.setdefault(cause, answer["message"])
        return cause

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "files": self.outcomes.total(),
            "accepted": self.outcomes["accepted"],
            "refused": self.outcomes["refused"],
            "wrong": {name: count for name, count in sorted(self.outcomes.items()) if name not in RIGHT},
            "most_megabytes": self.megabytes,
            "longest_seconds": self.seconds,
            "causes": {cause: {"files": len(seeds), "seeds": seeds[:KEPT], "message": self.examples[cause]}
                       for cause, seeds in sorted(self.causes.items())},
        }  # fmt: skip


class Attack:
    """A child and the folders in which it works: ``case`` is its own, ``guard`` nobody's.

    Args:
        work: an empty folder.
        keep: where inputs that went wrong are kept.
        faults: whether the targets are those of `faults`.
    """

    def __init__(self, work: Path, keep: Path, faults: bool = False) -> None:
        self.work, self.keep = work.resolve(), keep.resolve()
        guard = self.work / "guard"
        guard.mkdir(parents=True)
        shutil.copy(ROOT / "examples" / "chelsea.jpg", guard / GUARD)
        (self.work / "home").mkdir()
        self._others = self._snapshot()
        self._child: subprocess.Popen[str] | None = None
        self._words = ["--faults"] if faults else []

    def run(self, target: str, seed: int, seconds: float) -> dict[str, Any]:
        """One case's outcome: the child's answer, or ``crash``, ``hang`` or ``stray file``."""
        child = self._started()
        assert child.stdin is not None
        started = time.perf_counter()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(f"{target}\t{seed}\n")
            child.stdin.flush()
        line = self._line(child, 3 * seconds + SPARE)
        took = time.perf_counter() - started
        answer: dict[str, Any] = {"where": "", "seconds": round(took, 3), "megabytes": 0.0}
        if line is None:
            self.stop()
            answer |= {"outcome": "hang", "message": f"no answer after {took:.0f} s", "where": self._trace()}
        elif not line:
            code = child.wait()
            name = signal.Signals(-code).name if code < 0 else f"status {code}"
            self.stop()
            answer |= {"outcome": "crash", "message": name, "where": f"{name} {self._trace()}"}
        else:
            answer = json.loads(line)
            if answer["seconds"] > seconds:
                answer |= {"outcome": "hang", "message": f"{answer['seconds']} s, wanted {seconds}"}
        if (now := self._snapshot()) != self._others:
            changed = sorted({path for path, *_ in now ^ self._others})
            answer |= {"outcome": "stray file", "message": f"changed: {changed}"[:500]}
            self._restore()
        return answer

    def keep_case(self, target: str, seed: int, answer: dict[str, Any]) -> None:
        """Copy the case's files, with what came of it."""
        place = self.keep / f"{target.replace(' ', '-')}-{seed}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.work / "case", place / "case", symlinks=True)
        about = {**answer, "again": f"python -m tests.hostile.child FOLDER '{target}' {seed}"}
        (place / "outcome.json").write_text(json.dumps(about, indent=2) + "\n")

    def stop(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _started(self) -> subprocess.Popen[str]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        home = str(self.work / "home")
        own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOME": home, "TMPDIR": home}
        with (self.work / "home" / "stderr").open("w") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.child", str(self.work), *self._words],
                cwd=ROOT,
                env={**os.environ, **own},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if self._line(self._child, STARTING) != "ready\n":
            raise RuntimeError(f"the child does not start: {(self.work / 'home' / 'stderr').read_text()}")
        return self._child

    def _line(self, child: subprocess.Popen[str], seconds: float) -> str | None:
        """What the child says: a line, nothing if it has died, None if nothing came in time."""
        assert child.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(child.stdout, selectors.EVENT_READ)
            if not waiting.select(seconds):
                return None
        return child.stdout.readline()

    def _trace(self) -> str:
        """Where the child was when it crashed: the last line of the package in its trace."""
        text = (self.work / "home" / "stderr").read_text(errors="replace")
        lines = [line for line in text.splitlines() if "semantic_guidance/" in line]
        return lines[0].split("semantic_guidance/")[-1] if lines else ""

    def _snapshot(self) -> set[tuple[str, int, int, str]]:
        """All files that are not the case's: name, size, time of change, and kind."""
        found = set()
        for path in (self.work, *self.work.glob("*"), *(self.work / "guard").rglob("*")):
            if path.name not in ("case", "home"):
                about = path.lstat()
                changed = 0 if path == self.work else about.st_mtime_ns
                found.add((str(path), about.st_size if path.is_file() else 0, changed, oct(about.st_mode)))
        return found

    def _restore(self) -> None:
        """Put the guard back as it was."""
        for path in self.work.glob("*"):
            if path.name not in ("case", "home"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.work / "guard").mkdir()
        shutil.copy(ROOT / "examples" / "chelsea.jpg", self.work / "guard" / GUARD)
        self._others = self._snapshot()


@contextlib.contextmanager
def attacking(work: Path, keep: Path, faults: bool = False) -> Iterator[Attack]:
    """An attack whose child ends with the block."""
    attack = Attack(work, keep, faults)
    try:
        yield attack
    finally:
        attack.stop()


def bombard(attack: Attack, target: str, first: int, cases: int, until: float, limit: float) -> Counts:
    """Try cases of a target.

    Args:
        attack: tries them.
        target: its name.
        first: seed of the first case; the next ones follow.
        cases: how many at most.
        until: time, as of `time.monotonic`, after which there are no more.
        limit: seconds of processor time that a case may take.
    """
    counts = Counts()
    for seed in range(first, first + cases):
        if time.monotonic() > until:
            break
        answer = attack.run(target, seed, limit)
        cause = counts.add(seed, answer)
        if cause is not None and len(counts.causes[cause]) <= KEPT:
            attack.keep_case(target, seed, answer)
    return counts
