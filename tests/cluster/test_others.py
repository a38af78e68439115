"""Data sets prepared and ways to paint compared on Ray: the same as without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cluster.conftest import ROOT
from tests.conftest import EXAMPLES

pytestmark = [pytest.mark.usefixtures("long")]

NAMES = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """The examples, 160 pixels long, and a file that is no picture."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in NAMES:
        with Image.open(EXAMPLES / f"{name}.jpg") as image:
            image.thumbnail((160, 160))
            image.save(folder / f"{name}.png")
    (folder / "none.png").write_text("none")
    return folder


def run(*words: str, status: int) -> str:
    """What a command prints on standard error."""
    program = subprocess.run(
        [sys.executable, "-m", "semantic_guidance", *words],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert program.returncode == status, program.stderr
    return program.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".png"
    }


def test_data_sets_are_prepared(photographs, tmp_path, cluster):
    there = tmp_path / "there"
    shutil.copytree(photographs, there)
    told = [
        run("preprocess", "--dataset", "folder", "--data", str(folder), *more, status=1)
        for folder, more in (
            (photographs, ("--workers", "1")),
            (there, ("--ray", cluster.address, "--workers", "2")),
        )
    ]
    assert all("4 of 5 pictures done, 1 skipped" in each for each in told)
    assert all("none.png" in each for each in told)
    assert contents(photographs) == contents(there)
    assert len(contents(there)) == 2 * len(NAMES) + 1


def compared(out: Path) -> dict[str, Any]:
    """The results but for what no two runs have in common."""
    document = json.loads((out / "results.json").read_text())
    for picture in document["pictures"]:
        for result in picture["results"].values():
            for name in [name for name in result if name.startswith("seconds")]:
                result.pop(name)
    for name in ("summary", "cores_busy_elsewhere", "workers"):
        document.pop(name, None)
    return document


def test_ways_to_paint_are_compared(photographs, tmp_path, cluster):
    words = ("evaluate", str(photographs), "--methods", "planner+draft,baseline+draft", "--strokes", "10")
    run(*words, "--out", str(tmp_path / "here"), status=1)
    run(*words, "--out", str(tmp_path / "there"), "--ray", cluster.address, "--workers", "2", status=1)
    assert compared(tmp_path / "here") == compared(tmp_path / "there")
    (picture,) = {path.name for path in (tmp_path / "here" / "pictures").iterdir()} - {*NAMES[1:]}
    for name in NAMES:
        for painting in (tmp_path / "here" / "pictures" / name).glob("*.jpg"):
            assert (
                painting.read_bytes() == (tmp_path / "there" / "pictures" / name / painting.name).read_bytes()
            )
    workers = json.loads((tmp_path / "there" / "results.json").read_text())["workers"]
    assert workers["count"] == 2
    assert len(workers["machines"]) == 1
    assert picture == NAMES[0]
    run(*words, "--out", str(tmp_path / "there"), status=1)  # all of it is kept, as it was made here
    assert "workers" not in json.loads((tmp_path / "there" / "results.json").read_text())
