"""Pictures of an object store painted on Ray, with the paintings going there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from semantic_guidance.apps.batch import places
from tests.cluster.conftest import ROOT
from tests.cluster.test_paint import command, ended, photos, started, until

__all__ = ["photos"]  # a fixture

pytestmark = [pytest.mark.usefixtures("long")]


def test_from_s3_to_s3_on_ray(photos, s3, tmp_path):
    some = sorted(photos.rglob("*.png"))[:12]
    for path in some:
        places.put(path, f"{s3}/photos/{path.relative_to(photos).as_posix()}")
    words = command(f"{s3}/photos", f"{s3}/out", "--baseline", "--json")
    driver = started([*words, "--ray", "local", "--workers", "2"])
    until(lambda: len(places.listed(f"{s3}/out/**/*.png")) >= 4, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    records = places.listed(f"{s3}/out/.manifest")
    assert records
    summary = ended(started([*words, "--ray", "local", "--workers", "2"]))
    assert (summary["failed"], summary["before"] + summary["painted"]) == (0, 12)
    assert summary["before"] >= len(records)
    lines = [json.loads(line) for line in places.read_text(f"{s3}/out/manifest.jsonl").splitlines()]
    assert sorted(line["input"] for line in lines) == places.listed(f"{s3}/photos")
    assert not places.listed(f"{s3}/out/.manifest")
    for path in some:
        (tmp_path / path.relative_to(photos)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.relative_to(photos)).write_bytes(path.read_bytes())
    assert ended(started(command(tmp_path, tmp_path / "here", "--baseline", "--json")))["painted"] == 12
    for path in (tmp_path / "here").rglob("*_painted.*"):
        with places.fetched(f"{s3}/out/{path.relative_to(tmp_path / 'here').as_posix()}") as other:
            assert other.read_bytes() == path.read_bytes()


def test_parts_of_jobs_without_ray(photos, s3):
    for path in sorted(photos.rglob("*.png"))[:5]:
        places.put(path, f"{s3}/photos/{path.name}")
    words = command(f"{s3}/photos", f"{s3}/out", "--baseline", "--json", "--workers", "1")
    jobs = [started([*words, "--shard", f"{n}/2"]) for n in (1, 2)]
    assert [ended(job)["painted"] for job in jobs] == [3, 2]
    assert len(places.listed(f"{s3}/out/*.png")) == 5
    assert len(places.listed(f"{s3}/out/manifest.*-of-2.jsonl")) == 2


def test_an_address_without_what_opens_it(tmp_path):
    words = [sys.executable, "-m", "semantic_guidance", "paint", "nonsense://photos", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    refused = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=100)
    assert refused.returncode == 2
    assert refused.stderr.startswith("semantic-guidance: error: nonsense://photos: cannot be read")
