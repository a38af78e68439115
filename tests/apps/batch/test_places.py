"""Files at addresses: what is there, and that it is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from semantic_guidance.apps.batch import places
from semantic_guidance.core.errors import InputError


@pytest.fixture
def memory():
    """What lies in fsspec's memory, which all tests share."""
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()


@pytest.fixture(params=["memory", "file"])
def root(request: pytest.FixtureRequest, tmp_path: Path, memory: MemoryFileSystem) -> str:
    """The address of an empty folder."""
    return "memory://room" if request.param == "memory" else f"file://{tmp_path}/room"


def test_a_text_comes_back(root):
    url = places.joined(root, "a/b.txt")
    assert not places.exists(url)
    places.write_text(url, "strokes: ünï\n")
    assert places.exists(url)
    assert places.read_text(url) == "strokes: ünï\n"
    places.write_text(url, "other")
    assert places.read_text(url) == "other"
    places.remove_all([url])
    places.remove_all([url])
    assert not places.exists(url)


def test_a_file_goes_there_and_comes_back(root, tmp_path):
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(bytes(range(256)) * 1000)
    url = places.joined(f"{root}/", "deep/er/cat 1.jpg")
    places.put(photo, url)
    with places.fetched(url) as local:
        assert local.name == "cat 1.jpg"
        assert local.read_bytes() == photo.read_bytes()
    assert places.exists(url)
    assert photo.is_file()


def test_files_are_listed_as_addresses_like_the_one_given(root):
    for name in ("b.jpg", "a/c.jpg", "a/d.png", "ab/e.jpg"):
        places.write_text(f"{root}/{name}", "x")
    assert places.listed(root) == [f"{root}/{n}" for n in ("a/c.jpg", "a/d.png", "ab/e.jpg", "b.jpg")]
    assert places.listed(f"{root}/a") == [f"{root}/a/c.jpg", f"{root}/a/d.png"]
    assert places.listed(f"{root}/**/*.jpg") == [f"{root}/{n}" for n in ("a/c.jpg", "ab/e.jpg", "b.jpg")]
    assert places.listed(f"{root}/a/c.jpg") == [f"{root}/a/c.jpg"]
    assert places.listed(f"{root}/none") == []
    assert places.listed(f"{root}/*.gif") == []


def test_what_others_have_written_since_is_seen(root):
    url = f"{root}/new.txt"
    assert places.listed(root) == []
    system = MemoryFileSystem() if root.startswith("memory") else LocalFileSystem(auto_mkdir=True)
    system.pipe_file(url.partition("://")[2], b"x")
    assert places.exists(url)
    assert places.listed(root) == [url]


def cut_off(url: str) -> None:
    """Write half of what was to be written."""
    with places._placed(url) as (system, draft):
        system.pipe_file(draft, b"half")
        raise RuntimeError("the line is cut")


def test_a_file_of_this_machine_that_fails_leaves_the_old_one(tmp_path):
    url = f"file://{tmp_path}/there.txt"
    places.write_text(url, "old")
    with pytest.raises(InputError, match=r"there\.txt: cannot be written"):
        cut_off(url)
    assert places.read_text(url) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["there.txt"]


class Plain(MemoryFileSystem):
    """A place that shows what is written while it is being written, as a server of files does."""

    protocol = ("plain",)


def test_elsewhere_a_draft_takes_the_name_when_it_is_done(memory, monkeypatch):
    monkeypatch.setattr(places, "_opened", lambda url: (Plain(), "/" + url.partition("://")[2]))
    places.write_text("plain://room/a.txt", "all")
    assert list(MemoryFileSystem.store) == ["/room/a.txt"]
    with pytest.raises(InputError):
        cut_off("plain://room/a.txt")
    assert {name: file.getvalue() for name, file in MemoryFileSystem.store.items()} == {"/room/a.txt": b"all"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory://room/none.jpg", "no such file or place"),
        ("nonsense://room/a.jpg", "Protocol not known"),
        ("gs://room/a.jpg", "wanted the package gcsfs"),
    ],
)
def test_an_error_names_the_address(memory, url, why):
    with pytest.raises(InputError, match=why) as raised:
        places.read_text(url)
    assert str(raised.value).startswith(f"{url}: ")


def test_an_error_keeps_a_password_to_itself():
    with pytest.raises(InputError) as raised:
        places.read_text("nonsense://me:secret@room/a.jpg")
    assert "secret" not in str(raised.value)
    assert str(raised.value).startswith("nonsense://room/a.jpg: ")


def test_what_is_no_text(memory):
    memory.pipe_file("/room/a.txt", b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="no text"):
        places.read_text("memory://room/a.txt")


def test_words_that_are_addresses():
    assert all(map(places.is_url, ("s3://b/k", "gs://b", "memory://a", "https://x/y.jpg", "file:///a")))
    assert not any(map(places.is_url, ("a.jpg", "/a/b", "c:\\a.jpg", "c://a.jpg", "a:b", "@list.txt", "-")))
