"""However the process ends that paints a film, the same command goes on, to the same last bit."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.films import moving, write_film
from tests.hostile.whole import is_draft

WORDS = "--strokes 12 --preset draft --baseline --formats mp4,webm,track.json --out"
PATIENCE = 180.0
"""Seconds after which a command counts as hanging."""

pytestmark = pytest.mark.usefixtures("long")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("film") / "a.mp4"
    write_film(path, moving(16), Fraction(3), sound="aac")
    return path


def started(film: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "semantic_guidance", "paint", str(film), *WORDS.split(), str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def painted(film: Path, out: Path) -> dict[str, bytes]:
    """The files of a run that nobody disturbs."""
    child = started(film, out)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, said
    return {path.name: path.read_bytes() for path in out.iterdir()}


@functools.cache
def whole(film: Path) -> dict[str, bytes]:
    """The files of a run that nobody disturbs; no fixture, as those come before `long` skips."""
    return painted(film, film.with_name("whole"))


def wait(child: subprocess.Popen[str], out: Path, parts: int) -> None:
    """Until so many seconds of the film are kept."""
    until = time.monotonic() + PATIENCE
    while len(list(out.glob(".a_painted.parts/part-*.json"))) < parts:
        assert child.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.parametrize("moments", [(0, 1), (1, 3, 4)])
def test_killed_at_any_moment_it_goes_on(film, tmp_path, moments):
    for number, parts in enumerate(moments):
        child = started(film, tmp_path)
        wait(child, tmp_path, parts)
        time.sleep(0.03 * number if parts else 0.5 + number)
        child.kill()
        child.communicate()
        files = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
        assert files == []
        for drawn in tmp_path.glob(".a_painted.parts/part-0000000.mkv"):  # and a disk that forgets
            drawn.write_bytes(drawn.read_bytes()[: 700 if number else None])
    assert painted(film, tmp_path) == whole(film)
    assert not any(is_draft(path) for path in tmp_path.iterdir())


@pytest.mark.parametrize(("number", "status", "word"), [(2, 130, "interrupted"), (15, 143, "terminated")])
def test_a_stop_comes_soon_and_says_how_to_go_on(film, tmp_path, number, status, word):
    child = started(film, tmp_path)
    wait(child, tmp_path, 2)
    time.sleep(0.05)
    begun = time.monotonic()
    child.send_signal(signal.Signals(number))
    _, said = child.communicate(timeout=PATIENCE)
    assert time.monotonic() - begun < 2.0
    assert child.returncode == status
    assert word in said.splitlines()[-1]
    assert "frames are kept, and the same command goes on from there" in said
    assert [path.name for path in tmp_path.iterdir()] == [".a_painted.parts"]
    assert painted(film, tmp_path) == whole(film)
