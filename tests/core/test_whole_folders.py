"""Folders that are whole or not there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from semantic_guidance.core import whole_folders
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import sweep
from semantic_guidance.core.whole_folders import replacing_folder

OWN = re.compile(r"\d\.txt")


def write(path: Path, words: list[str]) -> None:
    with replacing_folder(path, OWN) as draft:
        for number, word in enumerate(words):
            (draft / f"{number}.txt").write_text(word)


def read(path: Path) -> list[str]:
    return [file.read_text() for file in sorted(path.iterdir())]


@pytest.mark.parametrize("exchanging", [True, False])
def test_an_earlier_one_is_replaced(tmp_path, monkeypatch, exchanging):
    if not exchanging:
        monkeypatch.setattr(whole_folders, "exchange", lambda one, other: False)
    write(tmp_path / "a", ["one", "two", "three"])
    assert read(tmp_path / "a") == ["one", "two", "three"]
    write(tmp_path / "a", ["four"])
    assert read(tmp_path / "a") == ["four"]
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2")
def test_linux_exchanges_them(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").touch()
    assert whole_folders.exchange(tmp_path / "a", tmp_path / "b")
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_a_link_leads_to_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "real")
    write(tmp_path / "a", ["one"])
    assert (tmp_path / "a").is_symlink()
    assert read(tmp_path / "real") == ["one"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_one_that_failed(tmp_path, error):
    def fail() -> None:
        with replacing_folder(tmp_path / "a", OWN) as draft:
            (draft / "0.txt").touch()
            raise error

    for before in ([], ["one"]):
        if before:
            write(tmp_path / "a", before)
        with pytest.raises(error):
            fail()
        assert os.listdir(tmp_path) == (["a"] if before else [])


def test_what_is_not_its_own_stays(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.doc").touch()
    with pytest.raises(InputError, match=r"thesis\.doc is in this folder, .* wanted another name"):
        write(tmp_path / "a", ["one"])
    assert os.listdir(tmp_path / "a") == ["thesis.doc"]
    (tmp_path / "b").touch()
    with pytest.raises(NotADirectoryError, match="b: this is a file, wanted the name of a folder"):
        write(tmp_path / "b", ["one"])
    with pytest.raises(OSError, match=r"none/a: cannot be written .*, wanted a writable folder"):
        write(tmp_path / "none" / "a", ["one"])


KILLED = """
import os, re, signal, sys
from pathlib import Path
from semantic_guidance.core.whole_folders import replacing_folder
with replacing_folder(Path(sys.argv[1]), re.compile("x")) as draft:
    (draft / "0.txt").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no kill")
def test_what_a_killed_process_left_is_swept(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2
    with replacing_folder(tmp_path / "b", OWN):
        sweep(tmp_path)  # which finds one that is being written, too
        sweep(tmp_path)
        assert len(os.listdir(tmp_path)) == 2
    assert os.listdir(tmp_path) == ["b"]
