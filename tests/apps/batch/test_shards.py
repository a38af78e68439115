"""Parts of a batch, each of which a job of its own paints, and what a batch would take."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.batch.estimate import estimate
from semantic_guidance.apps.batch.inputs import sources
from semantic_guidance.apps.batch.manifest import Record
from semantic_guidance.apps.batch.options import BatchOptions, parse_shard
from semantic_guidance.apps.batch.run import run_batch
from semantic_guidance.apps.job import Job
from semantic_guidance.core.options import OptionError
from tests.apps.batch.inline import Inline

CHANGING = ("seconds", "finished")
"""Of records, what no two runs have in common."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures, two of which would share a name, 32 x 24."""
    folder = tmp_path / "photos"
    for number, name in enumerate(("a.png", "a.jpg", "b.png", "deep/a.png", "deep/c.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((24, 32, 3), 40 * number, dtype=np.uint8)
        pixels[4:20, 4 + 3 * number : 16 + 3 * number] = (200, 90, 40 * number)
        Image.fromarray(pixels).save(folder / name)
    return folder


def job() -> Job:
    return Job("-", baseline=True, strokes=4, size=64, preset="draft", formats=("png",))


def painted(folder: Path, out: Path, **options) -> list[Record]:
    """The records that a run adds to the manifests."""
    chosen = BatchOptions(out=str(out), **options)
    before = {path: len(path.read_text().splitlines()) for path in out.glob("manifest*.jsonl")}
    run_batch(job(), sources([str(folder)], str(out)), chosen, Inline())
    lines = [
        line
        for path in sorted(out.glob("manifest*.jsonl"))
        for line in path.read_text().splitlines()[before.get(path, 0) :]
    ]
    return [Record(**json.loads(line)) for line in lines]


def unchanging(records: list[Record]) -> dict[str, dict]:
    values = {record.input: asdict(record) for record in records}
    return {name: {k: v for k, v in each.items() if k not in CHANGING} for name, each in values.items()}


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.png")}


def test_parts_are_together_the_whole(photos, tmp_path):
    whole = painted(photos, tmp_path / "whole")
    parts = [painted(photos, tmp_path / "parts", shard=(n, 3)) for n in (3, 1, 2)]
    assert sorted(map(len, parts)) == [1, 2, 2]
    every = [record for part in parts for record in part]
    assert len({record.input for record in every}) == len(every) == 5
    assert json.loads(json.dumps(unchanging(every))) == json.loads(json.dumps(unchanging(whole)))
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "whole")) == 5
    names = {path.name for path in (tmp_path / "parts").iterdir() if path.is_file() and path.suffix != ".png"}
    assert names == {f"manifest.{n}-of-3.jsonl" for n in (1, 2, 3)}
    assert painted(photos, tmp_path / "parts", shard=(2, 3)) == []
    assert painted(photos, tmp_path / "parts") == []  # nor does a run without parts anything again


def test_paintings_of_other_parts_are_never_among_the_pictures(photos):
    with pytest.raises(OptionError, match="wanted a folder without pictures"):
        painted(photos, photos, shard=(1, 2))
    assert not list(photos.glob("manifest*"))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_every_picture_is_in_one_part(count):
    things = list(range(37))
    parts = [BatchOptions(shard=(n, count)).shared(things) for n in range(1, count + 1)]
    assert sorted(thing for part in parts for thing in part) == things
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("word", ["0/3", "4/3", "1", "1/", "/2", "-1/2", "1/2/3", "a/b", "1.0/2", ""])
def test_words_that_name_no_part(word):
    with pytest.raises(ValueError, match="wanted I/N"):
        parse_shard(word)


def test_what_a_batch_would_take(photos, tmp_path):
    (photos / "e.png").write_text("none")
    chosen = BatchOptions(out=str(tmp_path / "out"), dry_run=True, price_per_hour=36.0)
    told: list[tuple[int, int]] = []
    plan = estimate(job(), sources([str(photos)]), chosen, lambda *shares: told.append(shares), Inline())
    assert (plan.pictures, plan.before, plan.looked) == (6, 0, 5)
    assert plan.megapixels == pytest.approx(32 * 24 / 1e6)
    assert len(plan.first) == 3
    assert len(plan.seconds) + len(plan.errors) == 3
    assert plan.hours == pytest.approx(6 * sum(plan.seconds) / len(plan.seconds) / 3600)
    assert plan.cost == pytest.approx(36 * plan.hours)
    assert all(0 < seconds < 60 for seconds in plan.seconds)
    assert told[-1] == (4, 4)
    assert not (tmp_path / "out").exists()
    summary = json.loads(json.dumps(plan.summary()))
    assert summary["core_hours"] == plan.hours
    assert "hours of a core" in "\n".join(plan.lines())


def test_what_is_done_is_not_counted(photos, tmp_path):
    out = tmp_path / "out"
    painted(photos, out)
    plan = estimate(job(), sources([str(photos)]), BatchOptions(out=str(out), dry_run=True), engine=Inline())
    assert (plan.pictures, plan.before, plan.hours, plan.seconds) == (5, 5, 0.0, ())
    part = BatchOptions(out=str(out), dry_run=True, shard=(2, 4), overwrite=True)
    assert estimate(job(), sources([str(photos)]), part, engine=Inline()).pictures == 1
