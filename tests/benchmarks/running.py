"""Benchmarks run as programs, and most of them within this process, which has torch already."""

from __future__ import annotations

import contextlib
import importlib
import io
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A benchmark in a process of its own."""
    command = [sys.executable, str(FOLDER / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def here(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    """The same in this process, for those whose numbers are not about processes."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        _main(script, [script, *map(str, words)])
    return subprocess.CompletedProcess(words, int(end.value.code or 0), out.getvalue(), err.getvalue())


def load(name: str) -> ModuleType:
    """A module of the benchmarks, which is in no package, with those that it imports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return importlib.import_module(name)


def complaint(capsys: pytest.CaptureFixture[str], script: str, *words: object) -> str:
    """What a benchmark says on standard error that ends with status 2 before it measures."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        _main(script, [script, *map(str, words)])
    assert end.value.code == 2
    return capsys.readouterr().err


def _main(script: str, argv: list[str]) -> None:
    """Run a benchmark's file and leave no trace of it in this process."""
    threads, known = torch.get_num_threads(), set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", argv)
        patch.syspath_prepend(FOLDER)
        try:
            runpy.run_path(str(FOLDER / script), run_name="__main__")
        finally:
            torch.set_num_threads(threads)
            for name in set(sys.modules) - known:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(str(FOLDER)):
                    del sys.modules[name]
