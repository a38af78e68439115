"""What people install is all there."""

from __future__ import annotations

import email
import importlib.metadata
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


def locked(*names: str) -> dict[str, str]:
    """The packages that lock files pin, and the rest of each one's entry."""
    text = "\n".join((ROOT / name).read_text() for name in names).replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(re.fullmatch(r"([a-z0-9-]+)==([0-9.]+\S*.*)", line).groups() for line in lines)


def test_lock_is_complete_and_public():
    names = ("requirements.lock", *(f"requirements/{name}.lock" for name in ("torch", "triton", "browser")))
    pins = locked(*names)
    assert all(re.match(r"[0-9.]+( |$)", pin) for pin in pins.values())  # no build of one registry alone
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split("[>=]", need)[0] for need in needs}
    assert {"torch", "numba", "pytest", "hatchling"} <= wanted
    assert wanted <= {*pins}


def test_all_but_torch_is_locked_by_its_hash():
    apart = ("triton", "browser", "cluster", "long", "tools")
    for name, pin in locked("requirements.lock", *(f"requirements/{each}.lock" for each in apart)).items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}( |$)", pin), name
    assert [*locked("requirements/torch.lock")] == ["torch"]


def test_what_a_cluster_needs_changes_nothing_that_is_there():
    there, added = locked("requirements.lock"), locked("requirements/cluster.lock")
    assert {"ray", "s3fs"} <= {*added}
    assert not {"torch", "numpy", "av", "pillow"} & {*added}
    both = {*there} & {*added}
    assert [added[name].split()[0] for name in both] == [there[name].split()[0] for name in both]


def test_torch_brings_nothing_that_is_not_locked():
    needs = [Requirement(need) for need in importlib.metadata.requires("torch")]
    plain = {need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})}
    cards = {name for name in plain if name.startswith(("nvidia-", "cuda-", "triton"))}  # of builds for cards
    assert plain - cards <= {*locked("requirements.lock")}


def test_the_page_of_licences_has_the_tables_of_now():
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / "docs" / "make_licences.py"))
    assert made["filled"](page) == page
    weights = {
        path.name for path in (ROOT / "semantic_guidance").rglob("weights/*.*") if path.suffix != ".LICENSE"
    }
    named = set(re.findall(r"`(?:agents|guidance)/weights/([^`]+)`", page))
    assert all(any(fnmatch(name, pattern) for pattern in named) for name in weights)


def test_examples_are_small_and_attributed():
    readme = (ROOT / "examples" / "README.md").read_text()
    pictures = sorted((ROOT / "examples").glob("*.jpg"))
    assert len(pictures) >= 3
    for picture in pictures:
        assert picture.stat().st_size <= 250_000
        assert f"`{picture.name}`" in readme
        assert picture.with_name(f"{picture.stem}_mask.png").is_file()


def test_the_studio_ships_with_its_page_and_examples(wheel):
    folder = "semantic_guidance/apps/serve"
    examples = [info for info in wheel.infolist() if info.filename.startswith(f"{folder}/examples/")]
    assert len(examples) >= 3
    credited = (ROOT / "examples" / "README.md").read_text()
    for info in examples:
        assert info.file_size <= 60_000
        assert f"`{Path(info.filename).name.replace('_small', '')}`" in credited
