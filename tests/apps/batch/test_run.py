"""Batches: what is painted, what goes on where it stopped, and what is told."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.batch.inputs import sources
from semantic_guidance.apps.batch.manifest import JOURNAL, Journal, Manifest, Record
from semantic_guidance.apps.batch.options import BatchOptions
from semantic_guidance.apps.batch.run import run_batch, work_settings
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.job import Job
from semantic_guidance.core.engines.base import Outcome
from semantic_guidance.core.errors import InputError

QUICK = {"strokes": 3, "preset": "draft", "size": 32, "baseline": True, "formats": ("png", "json")}
FLAGS = ["--strokes", "3", "--preset", "draft", "--size", "32", "--baseline", "--formats", "png,json"]


class Here:
    """An engine that does everything in this process, one item after the other."""

    workers = 1

    def __init__(self, most: int = 1000) -> None:
        self.most, self.done = most, 0

    def run(self, work, items):
        do = work.begin()
        for item in items:
            if self.done == self.most:
                raise KeyboardInterrupt
            self.done += 1
            yield Outcome(item, do(item))

    def close(self) -> None:
        pass


def picture(path: Path, seed: int) -> Path:
    """A small picture of a disc."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:24, :32]
    pixels = np.stack([x * 7, y * 9, np.full_like(x, 40 * seed % 256)], -1).astype(np.uint8)
    pixels[(x - 12 - seed) ** 2 + (y - 12) ** 2 < 40] = 250 - seed
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of two pictures, and a broken one; the current folder is the one around it."""
    picture(tmp_path / "photos/a.jpg", 0)
    picture(tmp_path / "photos/sub/b.webp", 1)
    (broken := picture(tmp_path / "photos/broken.jpg", 7)).write_bytes(broken.read_bytes()[:-200])
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def contents(folder: Path, *suffixes: str) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in suffixes)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def paint(photos: Path, engine: Here, job: Job | None = None, **options):
    given = BatchOptions(**{"out": "out", **options})
    return run_batch(job or Job("-", **QUICK), sources([str(photos)], "out"), given, engine)


NAMES = ["a_painted", "same_jpg_painted", "same_png_painted", "sub/b_painted", "sub/deep/a_painted"]


def test_a_batch_is_what_each_picture_is_alone(photos, capsys):
    """With two processes, from the command line, bit for bit."""
    for seed, name in enumerate(["same.jpg", "same.png", "sub/deep/a.jpg"], 2):
        picture(photos / name, seed)
    assert main(["paint", "photos", "--out", "out", *FLAGS, "--workers", "2", "--json"]) == 1
    captured = capsys.readouterr()
    assert "failed: " in captured.err
    assert "broken.jpg: the picture is broken" in captured.err
    summary = json.loads(captured.out)
    assert (summary["pictures"], summary["painted"], summary["failed"]) == (6, 5, 1)
    assert list(summary["errors"]) == [str(photos / "broken.jpg")]
    painted = contents(Path("out"), ".png", ".json")
    assert sorted(painted) == sorted(f"{name}.{end}" for name in NAMES for end in ("png", "json"))
    assert not os.path.exists("out/.manifest")
    for number, path in enumerate(p for p in sorted(photos.rglob("*.*")) if p.name != "broken.jpg"):
        assert main(["paint", str(path), "--out", f"alone/{number}", *FLAGS]) == 0
        alone = contents(Path(f"alone/{number}"), ".png", ".json")
        found = next(each for each in records(Path("out")) if each["input"] == str(path))
        assert [painted[found["outputs"][end]] for end in ("png", "json")] == [
            alone[f"{path.stem}_painted.{end}"] for end in ("png", "json")
        ]


def test_the_manifest_tells_all(photos):
    assert paint(photos, Here()).failed == 1
    known = {os.path.relpath(each["input"], photos): each for each in records(Path("out"))}
    assert len(known) == 3
    assert "the picture is broken" in known["broken.jpg"]["error"]
    assert known["broken.jpg"]["outputs"] == {}
    found = known["sub/b.webp"]
    assert found["outputs"] == {"png": "sub/b_painted.png", "json": "sub/b_painted.json"}
    assert found["name"] == "sub/b_painted"
    import hashlib

    assert found["hash"] == hashlib.sha256((photos / "sub/b.webp").read_bytes()).hexdigest()
    assert 1 <= found["strokes"] <= 3
    assert 0 < found["mse"] < 1
    assert 0 < found["seconds"] < 60
    assert len({each["settings"] for each in known.values()}) == 1


def test_going_on(photos):
    with pytest.raises(
        KeyboardInterrupt, match=r"^interrupted: 1 of 3 pictures are done, 1 failed; the same"
    ):
        paint(photos, Here(most=2))
    first = contents(Path("out"), ".png", ".json")
    times = {name: os.stat(f"out/{name}").st_mtime_ns for name in first}
    (engine := Here()).most = 1000
    result = paint(photos, engine)
    assert (result.before, result.painted, result.failed) == (1, 1, 1)
    assert engine.done == 2
    assert {name: os.stat(f"out/{name}").st_mtime_ns for name in first} == times
    result = paint(photos, engine := Here())
    assert (result.before, engine.done) == (2, 1)  # the broken one is tried again
    # As a whole it is what it would have been without.
    everything = contents(Path("out"), ".png", ".json")
    shutil.rmtree("out")
    paint(photos, Here())
    assert contents(Path("out"), ".png", ".json") == everything


def test_what_is_done_again(photos):
    """A changed picture, other options, a missing file; not a picture that was only touched."""
    (photos / "broken.jpg").unlink()
    paint(photos, Here())

    def again(job: Job | None = None, **options) -> int:
        paint(photos, engine := Here(), job, **options)
        return engine.done

    assert again() == 0
    os.utime(photos / "a.jpg", ns=(1, 1))
    assert again() == 0
    picture(photos / "a.jpg", 9)
    assert again() == 1
    Path("out/sub/b_painted.json").unlink()
    assert again() == 1
    assert again(overwrite=True) == 2
    other = Job("-", **{**QUICK, "seed": 1})
    assert again(other) == 2
    assert again(other) == 0
    assert again() == 2  # since the others have taken their files
    assert again(other, pattern="{stem}_{name}_{seed}") == 2
    assert again() == 0
    picture(photos / "new.png", 3)
    assert again() == 1


def test_files_that_options_name_are_part_of_the_settings(photos):
    (photos / "broken.jpg").unlink()
    palette = picture(Path("palette.png"), 1)
    job = Job("-", **{**QUICK, "palette_from": palette})
    paint(photos, engine := Here(), job)
    picture(palette, 5)
    paint(photos, again := Here(), job)
    assert engine.done == again.done == 2


def test_a_folder_called_as_a_style_is_not_it(photos):
    """As in ``--style watercolor --out watercolor``."""
    Path("watercolor").mkdir()
    palette = picture(Path("palette.png"), 1)
    told = work_settings(Job("-", style="watercolor", palette_from=Path("palette.png")), "x", "watercolor")
    assert told["job"]["style"] == "watercolor"
    assert told["job"]["palette_from"] == os.path.abspath(palette)  # a file, wherever a worker is


def test_what_a_killed_driver_left_is_taken_up(photos):
    """Its workers had finished pictures, it had not noted them, and was writing a line."""
    for name in ("c.png", "d.png", "e.png"):
        picture(photos / name, 3)
    with pytest.raises(KeyboardInterrupt):
        paint(photos, Here(most=5))
    lines = Path("out/manifest.jsonl").read_bytes().splitlines(keepends=True)
    kept = [Record.from_json(line) for line in lines]
    for record in kept[2:4]:
        assert record is not None
        Journal(Path("out") / JOURNAL).write(record)
    Path("out/manifest.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:40])
    (Path("out") / JOURNAL / f"{kept[4].key}.json").write_text("torn")
    engine = Here()
    result = paint(photos, engine)
    assert [bool(record.error) for record in kept] == [False, True, False, False, False]
    assert (result.before, engine.done) == (3, 3)
    found = Path("out/manifest.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["key"] for line in found[:4]] == [record.key for record in kept[:4]]
    assert not os.path.exists(f"out/{JOURNAL}")


def test_a_record_in_the_journal_is_not_painted_again(photos):
    """A worker had finished a picture and was killed before it could say so."""
    from semantic_guidance.apps.batch.painting import painting

    settings = {"job": {"strokes": 3, "preset": "draft"}, "out": "out", "settings": "x"}
    do = painting(settings)
    Journal(Path("out") / JOURNAL).write(Record(key="k", input="a.jpg", name="old"))
    began = time.perf_counter()
    assert do({"key": "k", "input": str(photos / "a.jpg"), "folder": ".", "stem": None})["name"] == "old"
    assert time.perf_counter() - began < 0.5
    assert not list(Path("out").glob("*.png"))


def test_two_at_once_are_refused(photos):
    class Twice(Here):
        def run(self, work, items):
            with pytest.raises(
                InputError, match=r"another process .* is writing there, wanted another --out"
            ):
                paint(photos, Here())
            yield from super().run(work, items)

    assert paint(photos, Twice()).painted == 2


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--style", "nonsense"], "--style"),
        (["--mask", "a.png"], "--mask: it is about one picture, and there are several"),
        (["--box", "1,2,3,4"], "--box: it is about one picture"),
        (["--point", "1,2"], "--point: it is about one picture"),
        (["--guidance", "a.json"], "--guidance: it is about one picture"),
        (["--variations", "3"], "--variations: it is about one picture"),
        (["--text", "nonsensical"], "--text is 'nonsensical', which is not understood"),
        (["--palette", "none.ase"], "none.ase"),
        (["--output", "{stem}_{nothing}"], "--output: {nothing} is unknown"),
        (["--output", "{seed}.{ext}"], "would both be named"),
        (["--output", "{name}.jpg", "--formats", "png"], "--formats: png is without jpg"),
        (["--out", "result.png"], "--out: result.png names one file"),
        (["--workers", "0"], "--workers: got '0'"),
        (["--transparent", "--formats", "json"], "--transparent: --formats has none with transparency"),
    ],
)
def test_options_that_are_refused_before_anything_is_done(photos, capsys, monkeypatch, flags, complaint):
    monkeypatch.setattr("semantic_guidance.core.engines.local.LocalEngine", lambda *a, **k: Here())
    before = sorted(Path.cwd().rglob("*"))
    out = [] if "--out" in flags else ["--out", "out"]
    assert main(["paint", "photos", *out, "--preset", "draft", "--strokes", "3", *flags]) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(Path.cwd().rglob("*")) == before


def test_a_full_disk_ends_it(photos, monkeypatch):
    import errno

    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/x.png")

    monkeypatch.setattr("semantic_guidance.apps.batch.painting.run", full)
    with pytest.raises(InputError, match="No space left on device"):
        paint(photos, Here())
    assert not os.path.exists("out/manifest.jsonl")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_manifest_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "manifest.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as full:
        Manifest(tmp_path).add(Record(key="k", input="/a.jpg"))
    assert full.value.filename == str(tmp_path / "manifest.jsonl")


def test_half_a_line_that_a_full_disk_took_is_removed(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.add(Record(key="k", input="/a.jpg"))
    resource = pytest.importorskip("resource")
    size = (tmp_path / "manifest.jsonl").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            manifest.add(Record(key="l", input="/b.jpg"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    manifest.add(Record(key="m", input="/c.jpg"))
    manifest.close()
    assert [record["key"] for record in records(tmp_path)] == ["k", "m"]


def test_patterns_name_the_files(photos):
    (photos / "broken.jpg").unlink()
    paint(
        photos,
        Here(),
        Job("-", **{**QUICK, "formats": Job.formats}),
        pattern="all/{index:02}-{stem}-{seed}.jpg",
    )
    names = ["a", "b"]
    assert sorted(contents(Path("out"), ".jpg")) == [
        f"all/{n:02}-{name}-0.jpg" for n, name in enumerate(names, 1)
    ]


def test_what_is_painted_is_no_photograph_of_the_next_run(photos, capsys):
    """Paintings that go beside the photographs."""
    (photos / "broken.jpg").unlink()
    os.chdir(photos)
    flags = [*FLAGS[:-1], "png"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("semantic_guidance.core.engines.local.LocalEngine", lambda *a, **k: Here())
        assert main(["paint", ".", *flags]) == 0
        assert main(["paint", ".", *flags]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("2 of 2 pictures painted, ")
    assert told[2].startswith("0 of 2 pictures painted, 2 were done before, ")


def test_damaged_manifests_are_read_as_far_as_they_go(tmp_path):
    good = Record(key="k", input="/a.jpg", outputs={"png": "a.png"}, name="a", finished=1.0)
    others = [b"\xff\xfe", b"{}", b"[1]", b'{"key": 1, "input": "x"}', b'{"key": "j", "outputs": 3}', b"null"]
    others += [b'{"key": "j", "input": "x", "finished": "x"}', b"[" * 100_000]
    ends = (b'error": 1', b'outputs": {"png": 1}', b'outputs": [["png", "x"]]')
    others += [b'{"key": "j", "input": "x", "%s}' % end for end in ends]
    (tmp_path / "manifest.1-of-2.jsonl").write_bytes(b"\n".join([*others, good.to_json().encode(), b"{"]))
    (tmp_path / "a.png").touch()
    (manifest := Manifest(tmp_path)).read()
    assert manifest.done("k") == good
    assert manifest.taken() == {"a.png": "/a.jpg"}
    assert manifest.files() == {str(tmp_path / "a.png")}
    manifest.add(Record(key="l", input="/b.jpg"))
    manifest.close()
    assert len((tmp_path / "manifest.jsonl").read_text().splitlines()) == 1
