"""Which pictures words, patterns and lists mean."""

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.apps.batch.inputs import many, parse_list, sources
from semantic_guidance.core.errors import InputError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of photographs, and other things that lie about; the current folder is the one around it."""
    names = ["b.jpg", "a.PNG", "2024/x.webp", "2024/deep/y.tif", "2023/x.webp", "[1].jpg"]
    others = ["notes.txt", "2024/film.mp4", ".hidden/z.jpg", "2024/._x.webp", "out/b_painted.png"]
    for name in names + others:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def relative(words, **more) -> list[str]:
    return [str(source.relative) for source in sources(words, **more)]


def test_folders_are_searched_but_for_what_is_painted(tree) -> None:
    everything = ["2023/x.webp", "2024/deep/y.tif", "2024/x.webp", "[1].jpg", "a.PNG", "b.jpg"]
    assert relative(["photos"], out="photos/out") == everything
    assert relative(["photos"]) == [*everything, "out/b_painted.png"]
    for made in ("photos/out/b_painted.png", "photos/out"):  # and if it is a folder of frames
        for word in ("photos", "photos/**"):
            assert relative([word], out="photos", made=lambda made=made: [str(tree / made)]) == everything
    assert [source.path for source in sources(["photos/2023"])] == [str(tree / "photos/2023/x.webp")]


def test_films_that_are_passed_over_are_told_of(tree, caplog) -> None:
    relative(["photos"])
    assert caplog.messages == [
        "photos: films in it, such as 2024/film.mp4, are passed over (1), wanted each by its own name"
    ]
    caplog.clear()
    (tree / "photos/2023/A.MOV").touch()
    (tree / "photos/out/b_painted.mp4").touch()
    relative(["photos"], out="photos/out")
    assert caplog.messages == [
        "photos: films in it, such as 2023/A.MOV, are passed over (2), wanted each by its own name"
    ]
    caplog.clear()
    relative(["photos/2023/x.webp"])
    relative(["photos/2024/deep"])
    relative(["photos/**/*.webp"])
    assert not caplog.messages
    relative(["photos/**"], out="photos/out")
    assert caplog.messages == [
        "photos/**: films that match, such as 2023/A.MOV, are passed over (2), wanted each by its own name"
    ]
    caplog.clear()
    with pytest.raises(InputError, match="no picture matches this"):
        relative(["photos/2023/A*"])
    assert len(caplog.messages) == 1


def test_what_lies_in_folders_keeps_its_place(tree) -> None:
    assert relative(["photos/2024", "photos/2023"]) == ["2023/x.webp", "2024/deep/y.tif", "2024/x.webp"]
    assert relative(["photos/b.jpg", "photos/2023/x.webp"]) == ["2023/x.webp", "b.jpg"]
    assert relative(["photos/b.jpg", "photos/a.PNG", "photos/b.jpg", "./photos/b.jpg"]) == ["a.PNG", "b.jpg"]
    assert relative(["photos/2024/x.webp"]) == ["x.webp"]


def test_patterns_mean_pictures_unless_they_name_a_suffix(tree) -> None:
    assert relative(["photos/*"]) == ["[1].jpg", "a.PNG", "b.jpg"]
    assert relative(["photos/**/x.*"]) == ["2023/x.webp", "2024/x.webp"]
    assert relative(["photos/**"], out="photos/out") == relative(["photos"], out="photos/out")
    assert relative(["photos/20*/*.mp4"]) == ["2024/film.mp4"]
    assert relative(["photos/[1].jpg"]) == ["[1].jpg"]  # that is the name of a file
    with pytest.raises(InputError, match=r"^photos/\*\.gif: no picture matches this"):
        sources(["photos/*.gif"])
    with pytest.raises(
        FileNotFoundError, match=r"^a.jpg: no such file, wanted a picture; nor is there b.jpg$"
    ):
        sources(["a.jpg", "photos", "b.jpg"])


def test_lists_name_files_as_they_are(tree, monkeypatch) -> None:
    (tree / "list.txt").write_bytes(
        b"\xef\xbb\xbfphotos/b.jpg\r\n\r\nphotos/[1].jpg\nnone.jpg\nphotos/2023\n"
    )
    listed = ["none.jpg", "photos/2023/x.webp", "photos/[1].jpg", "photos/b.jpg"]
    assert relative(["@list.txt"]) == listed
    piped = SimpleNamespace(buffer=io.BytesIO(b"photos/b.jpg\0photos/a\nb.jpg\0"), isatty=lambda: False)
    monkeypatch.setattr("sys.stdin", piped)
    assert relative(["@-"]) == ["a\nb.jpg", "b.jpg"]
    for word, complaint in (("@no.txt", "no such file, wanted a list"), ("@photos", "Is a directory")):
        with pytest.raises((InputError, OSError), match=complaint):
            sources([word])
    (tree / "empty").touch()
    with pytest.raises(InputError, match="the list is empty, wanted a picture a line"):
        sources(["@empty"])


def test_what_is_many(tree) -> None:
    (tree / "@there").touch()
    for words in (["a", "b"], ["photos"], ["*.jpg"], ["@list"], ["s3://bucket/a.jpg"], ["@-"]):
        assert many(words), words
    for word in ("photos/b.jpg", "none.jpg", "-", "photos/[1].jpg", "@there", "@", "https://a.b/c.jpg"):
        assert not many([word]), word


def test_what_holds_no_picture(tree) -> None:
    Path("empty").mkdir()
    with pytest.raises(
        InputError, match=r"^empty: this is a directory without pictures, it is empty; wanted"
    ):
        sources(["photos", "empty"])
    with pytest.raises(InputError, match="standard input is a single picture, wanted it alone"):
        sources(["photos", "-"])


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: name.strip() and b"\0" not in name)


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1))
def test_lists_as_find_writes_them(names) -> None:
    """Whatever a file is called: what ``find -print0`` writes is read as it is."""
    data = b"".join(name + b"\0" for name in names)
    if not data.startswith(b"\xef\xbb\xbf"):
        assert [os.fsencode(entry) for entry in parse_list(data)] == names
    plain = [name for name in names if b"\n" not in name and not name.endswith(b"\r")]
    data = b"\n".join(plain)
    if not data.startswith(b"\xef\xbb\xbf"):
        assert [os.fsencode(entry) for entry in parse_list(data)] == plain
