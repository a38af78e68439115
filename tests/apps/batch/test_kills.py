"""Batches that are ended, in whatever way: nothing finished is lost, nothing is done twice, nobody stays."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COUNT = 24
QUICK = ["--strokes", "3", "--preset", "draft", "--size", "32", "--baseline", "--formats", "png,json"]

pytestmark = [
    pytest.mark.usefixtures("long"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux tells of them"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    y, x = np.mgrid[:24, :32]
    for n in range(COUNT):
        pixels = np.stack([x * 7, y * 9, np.full_like(x, 9 * n)], -1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"p{n:02}.png")
    return folder


def paint(photos: Path, out: Path) -> subprocess.Popen:
    """Begin a batch, in a process group of its own as in a terminal."""
    words = ["paint", str(photos), "--out", str(out), *QUICK, "--workers", "2", "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "semantic_guidance", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def records(out: Path) -> list[dict]:
    with contextlib.suppress(FileNotFoundError):
        return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    return []


def wait_for(count: int, out: Path) -> None:
    end = time.monotonic() + 120
    while len(records(out)) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def group(leader: int) -> list[int]:
    """The processes of a group that are not ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            state, _, of = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[:3]
            if int(of) == leader and state != "Z":
                found.append(int(name))
    return found


def check_all_gone(leader: int) -> None:
    end = time.monotonic() + 10
    while group(leader):
        assert time.monotonic() < end, "a process has outlived the batch"
        time.sleep(0.05)


def finished(photos: Path, out: Path) -> dict:
    """Let the same command end what is left."""
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    process = paint(photos, out)
    told, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    return json.loads(told)


def check_whole(out: Path) -> None:
    """Every picture is there, once, and nothing else."""
    assert sorted(path.name for path in out.glob("*.png")) == [f"p{n:02}_painted.png" for n in range(COUNT)]
    assert len(records(out)) == len({record["key"] for record in records(out)}) == COUNT
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    for path in out.glob("*.png"):
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_stopped_twice_and_gone_on(photos, tmp_path, number, status, word):
    """From the terminal, where all processes of the group get the signal."""
    for done in (5, 12):
        process = paint(photos, tmp_path)
        wait_for(done, tmp_path)
        began = time.monotonic()
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - began < 2
        assert process.returncode == status
        painted = len(records(tmp_path))
        assert f"{word}: {painted} of {COUNT} pictures are done; the same command goes on" in errors
        assert painted >= done
        # Each of the workers may have placed the first of a picture's files, which is painted again then.
        assert painted <= len(list(tmp_path.glob("*.png"))) <= painted + 2
        check_all_gone(process.pid)
        assert not list(tmp_path.glob(".*"))
    result = finished(photos, tmp_path)
    assert result["before"] == painted
    assert result["painted"] == COUNT - painted
    check_whole(tmp_path)


def test_a_driver_killed_again_and_again(photos, tmp_path):
    for done in (3, 9, 16):
        process = paint(photos, tmp_path)
        wait_for(done, tmp_path)
        process.kill()
        process.communicate()
        check_all_gone(process.pid)
    finished(photos, tmp_path)
    check_whole(tmp_path)


def test_workers_killed_again_and_again(photos, tmp_path):
    process = paint(photos, tmp_path)
    for done in (2, 8, 14):
        wait_for(done, tmp_path)
        workers = [each for each in group(process.pid) if _parent(_parent(each)) == process.pid]
        assert workers
        os.kill(workers[-1], signal.SIGKILL)
    told, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert json.loads(told)["painted"] == COUNT
    check_whole(tmp_path)
    check_all_gone(process.pid)


def _parent(process: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
