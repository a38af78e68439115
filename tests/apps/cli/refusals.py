"""What a command says that refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from semantic_guidance.apps.cli.main import main


def refusals(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Runs a command, which must refuse its words and write nothing to `folder`; returns what it says."""
    monkeypatch.chdir(folder)

    def run(*argv: object) -> str:
        capsys.readouterr()
        before = sorted(os.listdir(folder))
        assert main([command, *(str(word) for word in argv)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("semantic-guidance: error: ")
        assert captured.err.count("\n") == 1
        assert sorted(os.listdir(folder)) == before
        return captured.err

    return run
