"""The studio bears many visitors at once, one worker of whom is killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks.running import run

pytest.importorskip("uvicorn")


@pytest.mark.skipif(sys.platform != "linux", reason="its processes are looked up as Linux tells of them")
@pytest.mark.usefixtures("long")
def test_serve_under_load(tmp_path: Path):
    out = tmp_path / "serve.json"
    done = run("serve.py", "--cases", "load", "click", "--repeats", 2, "--out", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["results"]
    load = found["load"]
    assert sum(load["states"].values()) == load["paintings"] == 60  # none is lost,
    assert load["states"]["done"] >= 59  # all but the one whose worker was killed are there,
    assert load["mixed_up"] == 0  # and nobody has another one's
    assert load["p95_s"] < 0.2
    assert load["mib_most"] < 4000
    assert load["mib_after"] < load["mib_before"] + 600
    assert found["click"]["repeats"] == 2
