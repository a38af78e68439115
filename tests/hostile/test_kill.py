"""Killed at any moment, a command leaves whole files or none, touches nothing else, and can be repeated.

In a short run quick commands are killed once, when they have begun to write;
``pytest tests/hostile/test_kill.py --kills 20`` kills every command that writes files twenty times.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.conftest import ROOT
from tests.hostile.commands import COMMANDS, Command, moment, write_inputs
from tests.hostile.conftest import Plan
from tests.hostile.report import add_kills
from tests.hostile.whole import half_files, is_draft

PATIENCE = 120.0
"""Seconds after which a command counts as hanging."""

ORPHANS = 5.0
"""Seconds that a killed command's other processes have to notice."""

NAMES = ("kills", "while_writing", "half_files", "failed_reruns", "changed_files", "left_processes")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


def started(command: Command, folder: Path, more: str = "") -> subprocess.Popen[bytes]:
    """The command in a session of its own."""
    words = [*command.words.split(), *more.split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder.parent / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "semantic_guidance.apps.cli.main", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def listing(folder: Path, command: Command) -> frozenset[tuple[str, int]]:
    """What there is where the command writes: names and sizes."""
    found = set()
    for output in command.outputs:
        for place, folders, names in os.walk(folder / output):
            found |= {(os.path.join(place, name), 0) for name in folders}
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # it has got its final name meanwhile
                    found.add((os.path.join(place, name), os.lstat(os.path.join(place, name)).st_size))
    return frozenset(found)


def killed(command: Command, folder: Path, changes: int, later: float) -> tuple[bool, int]:
    """Run the command and kill it after so many changes of its outputs, and some seconds.

    Returns:
        Whether it was still running, and its session.
    """
    child = started(command, folder)
    until, before = time.monotonic() + PATIENCE, listing(folder, command)
    while changes and child.poll() is None and time.monotonic() < until:
        if (now := listing(folder, command)) != before:
            before, changes = now, changes - 1
        time.sleep(0.0005)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(later)
    running = child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    return running, child.pid


def session_members(session: int) -> list[int]:
    """The processes of a session that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, own, *_ = path.read_text().rsplit(")", 1)[1].split()
            if int(own) == session and state not in "ZX":
                found.append(int(path.parent.name))
    return found


def orphans(session: int) -> list[int]:
    """The processes that a killed command has left for good; they are ended here."""
    until = time.monotonic() + ORPHANS
    while (left := session_members(session)) and time.monotonic() < until:
        time.sleep(0.05)
    for number in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return left


def contents(folder: Path, command: Command) -> dict[str, str]:
    """Hashes of all files that are not the command's outputs."""
    outputs = [folder / output for output in command.outputs]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(path.is_relative_to(output) for output in outputs)
    }


def half(command: Command, folder: Path) -> list[str]:
    """The files under final names that are not whole."""
    return [each for output in command.outputs for each in half_files(folder / output)]


def repeated(command: Command, folder: Path) -> tuple[bool, str]:
    """Whether the same command succeeds afterwards, or the one that resumes; and what was said."""
    said = ""
    for more in ("", command.resume):
        if more is None:
            continue
        child = started(command, folder, more)
        try:
            status = child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return False, "it hangs"
        said += (folder.parent / "said").read_text(errors="replace")[-500:]
        if status == 0:
            return True, said
    return False, said


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_it_leaves_nothing_half_done(name: str, inputs: Path, tmp_path: Path, plan: Plan) -> None:
    command = COMMANDS[name]
    times = plan.kills or int(command.quick)
    if not times:
        pytest.skip("only with --kills, for it takes long")
    counts = Counter(dict.fromkeys(NAMES, 0))
    wrong: list[str] = []
    seconds = command.usual
    for number in range(times):
        rng = Random(f"{name} {plan.seed + number}")
        folder = tmp_path / "work"
        shutil.copytree(inputs, folder)
        before = contents(folder, command)
        when = moment(rng, seconds) if plan.kills else (1, 0.0)
        counts["kills"] += killed_and_counted(command, folder, when, counts, wrong)
        start = time.monotonic()
        done, said = repeated(command, folder)
        seconds = time.monotonic() - start
        flaws = {"failed_reruns": [] if done else [said], "half_files": half(command, folder)}
        flaws["changed_files"] = sorted(dict(before.items() ^ contents(folder, command).items()))
        for kind, found in flaws.items():
            counts[kind] += len(found)
            wrong += [f"seed {plan.seed + number}: {kind}: {each}" for each in found]
        shutil.rmtree(folder)
    if plan.report is not None:
        add_kills(plan.report, name, dict(counts))
    assert not wrong, "\n".join(wrong)


def killed_and_counted(
    command: Command, folder: Path, when: tuple[int, float], counts: Counter[str], wrong: list[str]
) -> bool:
    """Kill the command once, see `moment`, and look at what it leaves; returns whether it was running."""
    changes, later = when
    running, session = killed(command, folder, changes, later)
    found = {"half_files": half(command, folder), "left_processes": [str(n) for n in orphans(session)]}
    counts["while_writing"] += any(is_draft(path.relative_to(folder)) for path in folder.rglob("*"))
    for kind, each in found.items():
        counts[kind] += len(each)
        wrong += [f"after {changes} changes and {later:.2f} s: {kind}: {one}" for one in each]
    return running
