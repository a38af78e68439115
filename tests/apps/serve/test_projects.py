"""Project files: what is written opens again, and nothing in them is trusted."""

from __future__ import annotations

import contextlib
import json
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.apps.serve.projects import DOCUMENTS, extract, read_json, write_project
from semantic_guidance.apps.serve.records import Limits, Refused

OWN = ("cat.jpg", "strokes.json", "cat.painting")
SMALL = Limits(upload_bytes=1 << 16)


def written(folder: Path) -> Path:
    (folder / "cat.jpg").write_bytes(b"\xff\xd8 photograph")
    (folder / "strokes.json").write_text('{"strokes": []}')
    path = folder / "cat.painting"
    files = {"photo": folder / "cat.jpg", "strokes.json": folder / "strokes.json"}
    write_project(path, "My cat.jpg", 2, {"strokes": 30}, files)
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


ABOUT = json.dumps({"format": "semantic-guidance/project", "version": 1, "name": "x"}).encode()
LEAST = {"project.json": ABOUT, "job.json": b"{}", "photo.jpg": b"x"}


def refused(path: Path, tmp_path: Path) -> Refused:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    with pytest.raises(Refused) as caught:
        extract(path, folder, SMALL)
    return caught.value


def test_an_object_of_millions_of_values_is_not_read(tmp_path):
    path = tmp_path / "guidance.json"
    path.write_text('{"instances": [], "x": [' + "[]," * 500_000 + "[]]}")
    with pytest.raises(Refused) as caught:
        read_json(path)
    assert caught.value.status == 413


def test_what_was_written_opens_again(tmp_path):
    folder = tmp_path / "opened"
    folder.mkdir()
    found = extract(written(tmp_path), folder, SMALL)
    assert found == {
        "project.json": "project.json",
        "job.json": "job.json",
        "photo": "photo.jpg",
        "strokes.json": "strokes.json",
    }
    assert (folder / "photo.jpg").read_bytes() == b"\xff\xd8 photograph"
    assert read_json(folder / "job.json") == {"strokes": 30}
    assert read_json(folder / "project.json")["frame"] == 2


@pytest.mark.parametrize(
    "extra",
    [
        "../evil",
        "/etc/evil",
        "photo.png",
        "a/photo.jpg",
        "photo.jpg/",
        "PHOTO.JPG",
        "evil.py",
        "photo.tar.gz",
    ],
)
def test_other_members_are_refused(tmp_path, extra):
    path = zipped(tmp_path / "x", {**LEAST, extra: b"evil"})
    assert refused(path, tmp_path).status == 415
    assert not (tmp_path / "evil").exists()


def test_members_that_are_missing_twice_there_or_of_another_kind_are_refused(tmp_path):
    for name in LEAST:
        members = {key: value for key, value in LEAST.items() if key != name}
        assert refused(zipped(tmp_path / "x", members), tmp_path).status == 415
    zipped(tmp_path / "x", {**LEAST, "jxb.json": b"{}"})
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes().replace(b"jxb", b"job"))
    assert refused(tmp_path / "x", tmp_path).status == 415
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in LEAST.items():
            archive.writestr(name, data)
    assert refused(tmp_path / "x", tmp_path).status == 415
    for about in (b"[]", b"{", b"{}", ABOUT.replace(b"1", b"2"), ABOUT.replace(b"1", b"true"), b"[" * 60_000):
        assert refused(zipped(tmp_path / "x", {**LEAST, "project.json": about}), tmp_path).status == 415


def test_bombs_are_refused_before_they_burst(tmp_path):
    bomb = zipped(tmp_path / "x", {**LEAST, "photo.jpg": bytes(SMALL.upload_bytes + 1)})
    assert bomb.stat().st_size < 2000
    assert refused(bomb, tmp_path).status == 413
    # Its head may lie of what will come out.
    size = (SMALL.upload_bytes + 1).to_bytes(4, "little")
    lying = bomb.read_bytes().replace(size, (100).to_bytes(4, "little"))
    assert lying != bomb.read_bytes()
    bomb.write_bytes(lying)
    assert refused(bomb, tmp_path).status in (413, 415)
    assert sum(path.stat().st_size for path in tmp_path.rglob("photo.jpg")) <= 2 * SMALL.upload_bytes
    documents = {**LEAST, "job.json": bytes(DOCUMENTS["job.json"] + 1)}
    assert refused(zipped(bomb, documents), tmp_path).status == 413


def test_a_member_that_would_lie_before_the_file_is_refused(tmp_path):
    path = written(tmp_path)
    whole = bytearray(path.read_bytes())
    place = slice(len(whole) - 6, len(whole) - 2)  # of the directory, by the file's last 22 bytes
    whole[place] = (int.from_bytes(whole[place], "little") + 5).to_bytes(4, "little")
    path.write_bytes(whole)
    assert refused(path, tmp_path).status == 415


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_damaged_projects_are_refused_or_open(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = written(folder)
        whole = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.sampled_from([len(whole)] * 3 + [data.draw(st.integers(0, len(whole)))]))
        path.write_bytes(bytes(whole[:cut]))
        opened = folder / "opened"
        opened.mkdir()
        with contextlib.suppress(Refused):
            found = extract(path, opened, SMALL)
            assert found.keys() <= {"photo", *DOCUMENTS}
        for file in opened.iterdir():
            assert file.stat().st_size <= max(SMALL.upload_bytes, *DOCUMENTS.values())
        assert {file.name for file in folder.iterdir()} <= {
            "cat.jpg",
            "strokes.json",
            "cat.painting",
            "opened",
        }
