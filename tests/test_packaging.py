"""What people install is all there."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from semantic_guidance.core.version import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_wheel_has_every_module_and_nothing_else(wheel):
    sources = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "semantic_guidance").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == sources
    assert not any("__pycache__" in name for name in names)


def test_wheel_says_what_it_is(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Name"] == "semantic-guidance"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert b"semantic-guidance = semantic_guidance.apps.cli.main:program" in wheel.read(name)
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_lock_is_complete_and_public():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = dict(line.partition(";")[0].split("==") for line in lines if not line.startswith("#"))
    assert all(re.fullmatch(r"[0-9.]+", version) for version in pins.values())
    locked = {name.lower().replace("_", "-") for name in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split("[>=]", need)[0] for need in needs}
    assert {"torch", "numba", "pytest", "hatchling"} <= wanted
    assert wanted <= locked


def test_examples_are_small_and_attributed():
    readme = (ROOT / "examples" / "README.md").read_text()
    pictures = sorted((ROOT / "examples").glob("*.jpg"))
    assert len(pictures) >= 3
    for picture in pictures:
        assert picture.stat().st_size <= 250_000
        assert f"`{picture.name}`" in readme
        assert picture.with_name(f"{picture.stem}_mask.png").is_file()
