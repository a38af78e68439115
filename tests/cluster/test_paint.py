"""Pictures painted on Ray, whatever is killed meanwhile: nothing is lost, and nothing done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cluster.conftest import ROOT, Cluster, workers

pytestmark = [pytest.mark.usefixtures("long")]

MANY = 200


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures, no two of them the same."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(MANY):
        y, x = np.mgrid[:48, :64]
        pixels = np.stack([x * 4, y * 5, np.full_like(x, number)], axis=-1).astype(np.uint8)
        pixels[(x - 5 - number % 50) ** 2 + (y - 24) ** 2 < 150] = (250, 20 + number, 40)
        path = folder / f"{number % 7}" / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


def command(photos: Path | str, out: Path | str, *more: str) -> list[str]:
    """A command line that paints pictures with few strokes, in a draft."""
    words = ["paint", str(photos), "--out", str(out), "--strokes", "5", "--preset", "draft", "--size", "64"]
    return [sys.executable, "-m", "semantic_guidance", *words, "--formats", "png,json", *more]


def started(words: list[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, stdout=pipe, stderr=pipe, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def ended(program: subprocess.Popen[str], status: int = 0) -> dict:
    """The summary that a program prints which has ended."""
    out, err = program.communicate(timeout=900)
    assert program.returncode == status, err
    return json.loads(out)


@pytest.fixture(scope="module")
def alone(photos: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The paintings by processes of this machine, without Ray."""
    if not pytestconfig.getoption("--long"):
        pytest.skip("only with --long")
    out = tmp_path_factory.mktemp("alone")
    assert ended(started(command(photos, out, "--baseline", "--workers", "2", "--json")))["painted"] == MANY
    return out


def contents(out: Path) -> dict[str, bytes]:
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if not name.startswith("manifest")}


def records(out: Path) -> list[dict]:
    path = out / "manifest.jsonl"
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]  # a last line may be written just now
    return [json.loads(line) for line in whole.splitlines()]


def until(done: Callable[[], bool], program: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 600
    while not done():
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def kept(record: dict) -> dict:
    """What no two runs have in common is left out."""
    return {name: value for name, value in record.items() if name not in ("seconds", "finished")}


@pytest.mark.parametrize("where", ["local", "cluster"])
def test_workers_and_drivers_are_killed(photos, alone, tmp_path, where, cluster: Cluster):
    address = "local" if where == "local" else cluster.address
    words = command(photos, tmp_path / "out", "--baseline", "--ray", address, "--workers", "2", "--json")
    driver = started(words)
    home = driver.pid if where == "local" else cluster.pid
    until(lambda: len(records(tmp_path / "out")) >= MANY // 5, driver)
    first = workers(home)
    os.kill(min(first), signal.SIGKILL)
    until(lambda: len(records(tmp_path / "out")) >= MANY // 2, driver)
    before = workers(home)
    assert before - first  # another one has taken its place
    driver.kill()
    driver.communicate()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in before):
        assert time.monotonic() < end
        time.sleep(0.01)
    there = len(records(tmp_path / "out"))
    assert MANY // 2 <= there < MANY

    summary = ended(started(words))
    assert summary["failed"] == 0
    assert summary["before"] + summary["painted"] == MANY
    assert summary["before"] >= there
    assert summary["painted"] <= MANY - there
    found = records(tmp_path / "out")
    assert Counter(record["key"] for record in found) == Counter(record["key"] for record in records(alone))
    assert max(Counter(record["key"] for record in found).values()) == 1
    by_key = {record["key"]: kept(record) for record in records(alone)}
    assert {record["key"]: kept(record) for record in found} == by_key
    # Each file was made once, by whom its record says, and by nobody after that.
    for record in found:
        for name in record["outputs"].values():
            made = (tmp_path / "out" / name).stat().st_mtime
            assert record["finished"] - record["seconds"] - 0.1 <= made <= record["finished"] + 0.1
    assert contents(tmp_path / "out") == contents(alone)
    assert len(contents(alone)) == 2 * MANY
    assert ended(started(words))["before"] == MANY


def test_what_knows_objects_paints_the_same(photos, tmp_path, cluster):
    (some := tmp_path / "in").mkdir()
    for path in sorted(photos.rglob("*.png"))[::40]:
        (some / path.name).write_bytes(path.read_bytes())
    for name, more in (("here", ["--workers", "1"]), ("there", ["--ray", cluster.address, "--workers", "2"])):
        summary = ended(started(command(some, tmp_path / name, "--json", *more)))
        assert (summary["failed"], summary["painted"]) == (0, 5)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_broken_pictures_and_words_that_are_none(photos, tmp_path, cluster):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes((photos / "0" / "000.png").read_bytes())
    (tmp_path / "in" / "b.png").write_text("none")
    program = started(command(tmp_path / "in", tmp_path / "out", "--baseline", "--ray", cluster.address))
    out, err = program.communicate(timeout=300)
    assert program.returncode == 1
    assert "1 of 2 pictures painted, 1 failed" in out
    assert "b.png" in err
    refused = started(command(tmp_path / "in", tmp_path / "out2", "--ray", "nowhere"))
    out, err = refused.communicate(timeout=100)
    assert refused.returncode == 2
    assert out == ""
    assert err.startswith("semantic-guidance: error: --ray: got 'nowhere', wanted local, auto, or HOST:PORT")
    assert not (tmp_path / "out2").exists()


def test_ctrl_c_ends_it_and_loses_nothing(photos, tmp_path):
    words = command(photos, tmp_path / "out", "--baseline", "--ray", "local", "--workers", "2")
    driver = started(words)
    until(lambda: len(records(tmp_path / "out")) >= 20, driver)
    began = time.monotonic()
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=60)
    seconds = time.monotonic() - began
    assert driver.returncode == 130
    assert f"of {MANY} pictures are done; the same command goes on from here" in err
    done = {record["name"] for record in records(tmp_path / "out")}
    files = {name.removesuffix(".png") for name in contents(tmp_path / "out") if name.endswith(".png")}
    assert done <= files
    assert len(files - done) <= 2  # those that were begun
    assert not list((tmp_path / "out").rglob("*.part*"))
    assert seconds < 5  # of a busy machine; see docs/LOG.md for a quiet one
