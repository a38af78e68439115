"""One process for a folder, however the one before it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from semantic_guidance.core import locks
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.locks import only_one

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from pathlib import Path
from semantic_guidance.core.locks import only_one
with only_one(Path(sys.argv[1]), "another"):
    print("in", flush=True)
    time.sleep(60)
"""


FORKED = """
import os, signal, sys, time
from pathlib import Path
from semantic_guidance.core.files import replacing
from semantic_guidance.core.locks import only_one
folder = Path(sys.argv[1])
with only_one(folder, "another"), replacing(folder / "a.txt") as draft:
    if os.fork() == 0:  # unwinds as if it were the first one
        files = [os.open(os.devnull, os.O_RDONLY) for _ in range(9)]  # perhaps with the numbers of the locks
        try:
            sys.exit()
        finally:
            list(map(os.fstat, files))
    elif os.fork() == 0:
        os.write(1, f"{os.getpid()}\\n".encode())  # at once, as another one writes there
        time.sleep(60)
        os._exit(0)
    else:
        os.wait()
        os.write(1, f"{sorted(map(len, os.listdir(folder)))}\\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the number cannot be read there")
def test_the_second_is_told_and_a_dead_one_is_no_trouble(tmp_path: Path):
    folder = tmp_path / "new" / "run"
    first = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    wanted = rf"{folder}: another process \(number {first.pid}\) is writing there, wanted another --out"
    with pytest.raises(InputError, match=wanted), only_one(folder, "another --out"):
        pass
    first.kill()
    first.communicate()
    assert os.listdir(folder) == [locks.NAME]  # which it left
    with only_one(folder, "another --out"):
        (folder / "made").touch()
    assert os.listdir(folder) == ["made"]


def test_a_folder_in_which_nothing_was_made_is_not_left(tmp_path: Path):
    with pytest.raises(KeyError), only_one(tmp_path / "a" / "b", "another"):
        raise KeyError
    assert os.listdir(tmp_path) == []
    with only_one(tmp_path, "another"):
        pass
    assert tmp_path.is_dir()


def test_where_files_cannot_be_locked_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "lock", lambda descriptor: None)
    with only_one(tmp_path, "another"), only_one(tmp_path, "another"):
        (tmp_path / "made").touch()
    assert os.listdir(tmp_path) == ["made"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks there")
def test_a_forked_process_holds_nothing(tmp_path: Path):
    """It may live on, as a loader's worker does, when the one that forked it was killed."""
    first = subprocess.Popen(
        [sys.executable, "-c", FORKED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert first.stdout is not None
    said = sorted((first.stdout.readline().strip(), first.stdout.readline().strip()))
    first.wait(30)
    child = int(said[0])
    try:
        assert said[1] == str(sorted([len(locks.NAME), len(".0123456789ab.part.txt")]))
        with only_one(tmp_path, "another"), replacing(tmp_path / "b.txt"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        first.stdout.close()
    assert os.listdir(tmp_path) == ["b.txt"]


@pytest.mark.parametrize("content", ["mine\n", "12 and 13", "1" * 50])
def test_what_somebody_has_put_in_the_locks_place_stays(tmp_path: Path, content: str):
    (tmp_path / locks.NAME).write_text(content)
    (tmp_path / ".lock").write_text("of another program")
    with only_one(tmp_path, "another"), pytest.raises(InputError), only_one(tmp_path, "another"):
        pass
    assert (tmp_path / locks.NAME).read_text() == content
    assert (tmp_path / ".lock").read_text() == "of another program"
