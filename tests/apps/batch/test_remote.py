"""Batches whose pictures come from addresses and whose files go there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from semantic_guidance.apps.batch import places, remote
from semantic_guidance.apps.batch.inputs import sources
from semantic_guidance.apps.batch.manifest import JOURNAL, Record
from semantic_guidance.apps.batch.options import BatchOptions
from semantic_guidance.apps.batch.remote import RemoteJournal, RemoteManifest
from semantic_guidance.apps.batch.run import run_batch
from semantic_guidance.apps.job import Job
from semantic_guidance.core.options import OptionError
from tests.apps.batch.inline import Inline

OUT = "memory://room/out"


@pytest.fixture
def photos(tmp_path: Path):
    """Three pictures at addresses, and a broken one; the same files in a folder."""
    MemoryFileSystem.store.clear()
    for number, name in enumerate(("a.png", "b/a.png", "c.jpg")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((24, 32, 3), 60 * number, dtype=np.uint8)
        pixels[4:20, 4 + 3 * number : 16 + 3 * number] = (200, 90, 40 * number)
        Image.fromarray(pixels).save(path)
    (tmp_path / "photos" / "d.png").write_text("none")
    for path in (tmp_path / "photos").rglob("*.*"):
        places.put(path, f"memory://room/photos/{path.relative_to(tmp_path / 'photos').as_posix()}")
    yield tmp_path / "photos"
    MemoryFileSystem.store.clear()


def run(photos: str, out: str = OUT, **options):
    look = {"baseline": True, "strokes": 4, "size": 64, "preset": "draft", "film_size": 64}
    job = Job("-", **look, formats=("png", "frames"), duration=0.5, fps=10)
    return run_batch(job, sources([photos], out), BatchOptions(out=out, **options), Inline())


def there() -> dict[str, bytes]:
    """What lies at the address for the files."""
    return {url.removeprefix(f"{OUT}/"): places._opened(url)[0].cat(url) for url in places.listed(OUT)}


def test_pictures_come_from_addresses_and_paintings_go_there(photos, tmp_path):
    here = tmp_path / "out"
    run(str(photos), str(here))
    result = run("memory://room/photos")
    assert (result.pictures, result.painted, result.failed) == (4, 3, 1)
    assert result.manifest == f"{OUT}/manifest.jsonl"
    found = there()
    records = [json.loads(line) for line in found.pop("manifest.jsonl").splitlines()]
    assert found == {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*.png")}
    assert len(found) == 3 * (1 + 5)  # and a folder of frames
    local = {
        record["name"]: record
        for record in map(json.loads, (here / "manifest.jsonl").read_text().splitlines())
    }
    for record in records:
        assert record["input"].startswith("memory://room/photos/")
        for name in ("outputs", "hash", "settings", "strokes", "mse"):
            assert record[name] == local[record["name"]][name]
    assert run("memory://room/photos").before == 3
    places.remove_all([f"{OUT}/a_painted.png"])
    assert run("memory://room/photos").painted == 1  # what is gone is painted again
    with pytest.raises(OptionError, match="wanted a folder without pictures"):
        run("memory://room/photos", "memory://room/photos", shard=(1, 2))


def test_paintings_are_no_pictures_of_the_next_run(photos):
    """They lie among the pictures, or in a folder of theirs."""
    for out in ("memory://room/photos/painted", "memory://room/photos"):
        assert run("memory://room/photos", out).painted == 3
        made = RemoteManifest(out)
        made.read()
        for word in ("memory://room/photos", "memory://room/photos/**"):
            found = sources([word], out, made.files)
            assert [str(source.relative) for source in found] == ["a.png", "b/a.png", "c.jpg", "d.png"]
        places.remove_all([url for url in places.listed(out) if "painted" in url])


def test_pictures_of_a_list_are_not_asked_for(photos, tmp_path, monkeypatch):
    """A request for each of a million would take hours; who paints one sees whether it is there."""
    asked: list[str] = []
    listed = places.listed
    monkeypatch.setattr(places, "listed", lambda url: asked.append(url) or listed(url))
    words = ["a.png", "none.JPG", "b", "*.jpg"]
    (tmp_path / "list").write_text("".join(f"memory://room/photos/{word}\n" for word in words))
    found = sources([f"@{tmp_path / 'list'}"])
    assert [str(source.relative) for source in found] == ["a.png", "b/a.png", "c.jpg", "none.JPG"]
    assert asked == [f"memory://room/photos/{word}" for word in words[2:]]


def record(number: int) -> Record:
    return Record(key=f"k{number}", input=f"{number}.png", outputs={"png": f"{number}.png"}, finished=number)


def test_a_manifest_is_several_objects_and_the_journal_has_the_rest(photos, monkeypatch):
    monkeypatch.setattr(remote, "SEGMENT", 3)
    journal, manifest = RemoteJournal(f"{OUT}/{JOURNAL}"), RemoteManifest(OUT)
    for number in range(8):
        journal.write(record(number))
        manifest.add(record(number))
    assert sorted(there()) == [
        f"{JOURNAL}/k6.json",
        f"{JOURNAL}/k7.json",
        "manifest.2.jsonl",
        "manifest.jsonl",
    ]
    # Its writer is killed: another one takes up what it had not written.
    other = RemoteManifest(OUT)
    other.read()
    assert [each.key for each in other.take_up()] == ["k6", "k7"]
    assert sorted(there()) == [f"manifest.{n}.jsonl" for n in (2, 3)] + ["manifest.jsonl"]
    other.add(record(8))
    other.close()
    lines = [
        there()[name].decode().splitlines()
        for name in ("manifest.jsonl", "manifest.2.jsonl", "manifest.3.jsonl")
    ]
    keys = [[json.loads(line)["key"] for line in each] for each in lines]
    assert keys == [["k0", "k1", "k2"], ["k3", "k4", "k5"], ["k6", "k7", "k8"]]
    # It was written, and not removed from the journal.
    journal.write(record(8))
    third = RemoteManifest(OUT)
    third.read()
    assert third.take_up() == []
    assert not places.listed(f"{OUT}/{JOURNAL}")
    third.add(record(9))
    third.close()
    assert there()["manifest.4.jsonl"].decode().count("\n") == 1


def test_parts_have_manifests_of_their_own(photos):
    for number in (1, 2):
        part = RemoteManifest(OUT, f"{number}-of-2")
        part.read()
        part.add(record(number))
        part.close()
        assert part.name == f"{OUT}/manifest.{number}-of-2.jsonl"
    whole = RemoteManifest(OUT)
    whole.read()
    whole.add(record(3))
    whole.close()
    assert sorted(there()) == ["manifest.1-of-2.jsonl", "manifest.2-of-2.jsonl", "manifest.jsonl"]
