"""One process for a folder, however the one before it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semantic_guidance.core import locks
from semantic_guidance.core.errors import InputError
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
    assert os.listdir(folder) == [".lock"]  # which it left
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
