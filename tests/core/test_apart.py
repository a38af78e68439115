"""Processes that must not run what lies in the current folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semantic_guidance.core.apart import SAFE, apart

SCRIPT = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from semantic_guidance.core.apart import apart

if __name__ == "__main__":
    with apart(), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        print(pool.submit(abs, -3).result())
"""


def test_workers_run_nothing_from_the_current_folder(tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "data"
    folder.mkdir()
    script.write_text(SCRIPT)
    (folder / "multiprocessing.py").write_text("open('ran', 'w')\nraise SystemExit(3)\n")
    package = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    assert done.stdout.strip() == b"3"
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("before", [None, "", "1"])
def test_the_environment_is_as_it_was(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if before is None:
        monkeypatch.delenv(SAFE, raising=False)
    else:
        monkeypatch.setenv(SAFE, before)
    with apart():
        assert os.environ[SAFE] == "1"
    assert os.environ.get(SAFE) == before
