"""Names of many paintings: none twice, whatever the pictures are called, and whatever their order."""

import os
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_guidance.apps.batch.inputs import Source
from semantic_guidance.apps.batch.naming import FIELDS, Naming, Pattern
from semantic_guidance.apps.job import Job
from semantic_guidance.core.options import OptionError

FORMATS = ("png", "height.png", "json")

STEMS = [
    "a",
    "A",
    "a_painted",
    "a.height",
    "a_guidance",
    "a_jpg",
    "caf\u00e9",
    "cafe\u0301",
    "\u00df",
    "ss",
    "a.b",
]
PATHS = st.builds(
    lambda folder, stem, end: f"{folder}{stem}{end}",
    st.sampled_from(["", "x/", "X/", "x/y/"]),
    st.sampled_from(STEMS),
    st.sampled_from([".jpg", ".png", ".JPG", ".jpeg", ""]),
)


def source(path: str) -> Source:
    return Source(f"/photos/{path}", PurePosixPath(path))


def naming(pattern: str | None = None, **job) -> Naming:
    return Naming(Job("-", **job), "0123456789abcdef", "auto", None if pattern is None else Pattern(pattern))


def paths(naming: Naming, words: list[str], **more) -> list[str]:
    return [name.path for name in naming.names([source(word) for word in words], **more)]


def folded(name: str) -> str:
    """What macOS and Windows make of a name."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(PATHS, unique=True, max_size=12),
    seed=st.randoms(use_true_random=False),
    sheet=st.booleans(),
)
def test_no_file_is_written_twice_whatever_the_order(words, seed, sheet) -> None:
    how = naming(formats=FORMATS, show_guidance=sheet)
    sources = [source(word) for word in words]
    names = how.names(sources)
    files = [
        folded(file) for name, each in zip(names, sources, strict=True) for file in how.files(name, each)
    ]
    assert len(files) == len(words) * (len(FORMATS) + sheet)
    assert len({*files}) == len(files)
    assert all(
        os.path.dirname(name.path) == os.path.dirname(word) for name, word in zip(names, words, strict=True)
    )
    mixed = seed.sample(sources, len(sources))
    assert dict(zip(mixed, how.names(mixed), strict=True)) == dict(zip(sources, names, strict=True))


def test_usual_names_are_those_of_single_paintings_but_for_twins() -> None:
    words = ["same.jpg", "same.png", "x/same.jpg", "Other.jpg", "other.webp", "cat.jpg"]
    assert paths(naming(), words) == [
        "same_jpg_painted",
        "same_png_painted",
        "x/same_painted",
        "Other_jpg_painted",
        "other_webp_painted",
        "cat_painted",
    ]


def test_names_that_other_pictures_have_already() -> None:
    there = {"cat_painted.png": "/elsewhere/cat.jpg", "dog_painted.png": "/photos/dog.jpg"}
    assert paths(naming(formats=("png",)), ["cat.jpg", "dog.jpg"], taken=there) == [
        "cat_jpg_painted",
        "dog_painted",
    ]
    with pytest.raises(
        OptionError, match=r"cat.jpg and a painting that is there would both be named cat_painted"
    ):
        paths(naming("{stem}_painted", formats=("png",)), ["cat.jpg"], taken=there)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{stem}_{seed}.{ext}", ["x/cat_7", "dog_7"]),
        ("{name}-{style}-{preset}", ["x/cat.jpg-auto-draft", "dog.png-auto-draft"]),
        ("all/{index:04}_{strokes}.{ext}", ["all/0001_40", "all/0002_40"]),
        ("{parent}/{seed}/{stem}", ["x/7/cat", "7/dog"]),
        ("{{{stem}}}", ["x/{cat}", "{dog}"]),
    ],
)
def test_patterns(pattern, expected) -> None:
    assert paths(naming(pattern, seed=7, preset="draft", strokes=40), ["x/cat.jpg", "dog.png"]) == expected


def test_the_hash_tells_pictures_and_options_apart() -> None:
    (first, second), (again, _) = (paths(naming("{hash}"), ["a.jpg", word]) for word in ("b.jpg", "c.jpg"))
    assert len({first, second}) == 2
    assert len(first) == 8
    assert again == first
    assert paths(Naming(Job("-"), "other", "auto", Pattern("{hash}")), ["a.jpg"]) != [first]


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("{stem}_{size}", r"--output: \{size\} is unknown, wanted one of \{stem\}, \{name\}"),
        ("{stem.__class__}", r"--output: \{stem.__class__\} is unknown"),
        ("{}", r"--output: \{\} is unknown"),
        ("{stem!r}", "is too involved"),
        ("{index:{seed}}", "is too involved"),
        ("{stem:04d}", "Unknown format code 'd'"),
        ("{stem", "expected '}'"),
        ("{index:99999999999}", "is too long"),
        ("{stem:9999999}", "is too long"),
        ("{ext}/{stem}", "has {ext} elsewhere, wanted it last"),
        ("../{stem}", "climbs out of its folder"),
        ("/tmp/{stem}", "is absolute"),
        ("", "is empty"),
    ],
)
def test_patterns_that_are_refused(pattern, complaint) -> None:
    with pytest.raises(OptionError) as refusal:
        Pattern(pattern)
    import re

    assert re.search(complaint if complaint.startswith("--") else re.escape(complaint), refusal.value.as_flag)


def test_a_pattern_that_gives_two_the_same_name_is_refused() -> None:
    with pytest.raises(
        OptionError, match=r"same.jpg and same.png would both be named same_0, wanted a pattern"
    ):
        paths(naming("{stem}_{seed}"), ["same.jpg", "same.png"])
    with pytest.raises(OptionError, match=r"a.jpg and b.jpg would both be named 0"):
        paths(naming("{seed}"), ["a.jpg", "b.jpg"])
    assert paths(naming("{name}"), ["same.jpg", "same.png"]) == ["same.jpg", "same.png"]


@settings(max_examples=60, deadline=None)
@given(text=st.lists(st.sampled_from(["{", "}", "a", "/", ".", "..", "{{", *(f"{{{f}}}" for f in FIELDS)])))
def test_any_pattern_is_followed_or_refused(text) -> None:
    word = "".join(text)
    try:
        (name,) = naming(word).names([source("x/cat.jpg")])
    except OptionError:
        return
    assert not name.path.startswith("/")
    assert ".." not in name.path.split("/")
    plain = word.removesuffix(".{ext}").format_map(
        dict(zip(FIELDS, ["cat", "cat.jpg", "x", 1, 0, "auto", 300, "standard"], strict=False))
        | {"hash": naming("{hash}").names([source("x/cat.jpg")])[0].stem}
    )
    assert name.path == str(PurePosixPath(plain if "/" in word else f"x/{plain}"))
