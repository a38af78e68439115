"""Films and many pictures are measured: what is told fits together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.running import FOLDER, complaint, load, run


def test_video_complains_of_too_few_frames(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    said = complaint(capsys, "video.py", "--frames", 3, "--out", tmp_path / "video.json")
    assert said == "video.py: error: --frames is 3, wanted at least 4\n"
    assert not (tmp_path / "video.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="processes are adopted on Linux alone")
def test_workers_that_outlive_their_command_are_no_neighbours():
    """As those of a fork server, which nobody waits for; in a process that has no other children."""
    work = "import time; end = time.process_time() + .2\nwhile time.process_time() < end: pass"
    started = f"import subprocess, sys; subprocess.Popen([sys.executable, '-Sc', {work!r}])"
    command = f"""
import os, subprocess, sys
from common import knowing_orphans
with knowing_orphans():
    subprocess.run([sys.executable, "-Sc", {started!r}], check=True)
print(sum(os.times()[2:4]))
"""
    words = [sys.executable, "-c", command]
    done = subprocess.run(words, cwd=FOLDER, capture_output=True, text=True, check=True)
    assert float(done.stdout) >= 0.15


def test_what_a_film_misses_is_told():
    video = load("video")
    row = {
        "clip": "bikes",
        "preset": "standard",
        "film": {"ratio": 1.1, "strict_ratio": 1.3},
        "psnr_below_alone": 0.51,
        "objects_below_alone": [0.9, 1.1],
        "frame": {"median_s": 0.2},
        "cuts": {"missed": [], "false": []},
    }
    assert video.missed(row) == [
        "bikes, standard: strict E_warp 1.30 times the source's, wanted 1.2",
        "bikes, standard: 0.51 dB below painting alone, wanted 0.5",
        "bikes, standard: object 1 1.10 dB below painting alone, wanted 1.0",
    ]
    slow = row | {"clip": "pan", "preset": "draft", "cuts": {"missed": [3], "false": []}}
    assert [each.split(": ")[1] for each in video.missed(slow)][-2:] == [
        "5.0 frames a second, wanted 8",
        "cuts missed [3], false []",
    ]


@pytest.mark.usefixtures("long")
def test_video(tmp_path: Path):
    out, sheets = tmp_path / "video.json", tmp_path / "sheets"
    done = run("video.py", "--quick", "--out", out, "--sheets", sheets)
    assert done.returncode == 0, done.stderr
    moving, cut = json.loads(out.read_text())["results"]
    assert moving["clip"] == "object"
    assert len(moving["objects_below_alone"]) == 1
    assert moving["film"]["ratio"] < moving["alone"]["ratio"]
    assert moving["cuts"] == {"found": [], "missed": [], "false": []}
    assert cut["cuts"] == {"found": [3], "missed": [], "false": []}
    assert cut["life"] <= 3
    assert {path.name for path in sheets.iterdir()} == {
        f"{name}_draft.{end}" for name in ("object", "cut") for end in ("png", "mp4")
    }


def test_the_rate_of_many_workers_is_that_of_each_together():
    """One that takes ten seconds a picture does six a minute; two do twelve."""
    running = load("batch").running
    assert running([10, 20, 30], 1) == 6
    assert running([10, 10.0, 20, 20, 30, 30], 2) == 12
    assert running([10, 12, 20, 22, 30, 32], 2) == 12
    assert running([10, 10], 2) is None


@pytest.mark.skipif(sys.platform != "linux", reason="its processes are looked up as Linux tells of them")
@pytest.mark.usefixtures("long")
def test_batch(tmp_path: Path):
    out = tmp_path / "batch.json"
    done = run("batch.py", "--quick", "--cases", "workers", "memory", "--out", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["results"]
    assert [row["workers"] for row in found["workers"]] == [1, 1, 2]
    assert all(row["a_minute"] > 0 for row in found["workers"])
    (large,) = found["memory"]
    assert len(large["workers_pss_mib"]) == 2
    assert 100 < max(large["workers_pss_mib"]) < 1500
