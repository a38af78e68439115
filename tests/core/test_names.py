"""Names out of lists: what stays in its folder, what a terminal and a spreadsheet make of them."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import inside, plain_name
from semantic_guidance.core.shown import LONGEST, printable, table_cell


@pytest.mark.parametrize("name", ["a.jpg", "001.Albatross/a b.jpg", "./a.jpg", "..a/b..jpg", "Möwe.jpg"])
def test_ordinary_names_are_in_the_folder(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name, "images.txt") == tmp_path / name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        (".", "is empty"),
        ("./", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("C:/photo.jpg", "is absolute"),
        ("c:photo.jpg", "is absolute"),
        ("../a.jpg", "climbs"),
        ("a/../../b.jpg", "climbs"),
        ("a/..", "climbs"),
        ("..\\a.jpg", "backslash"),
        ("a\0.jpg", "control"),
        ("a\n.jpg", "control"),
        ("a/.. /b.jpg", "climbs"),
        ("a/..././b.jpg", "climbs"),
        (f"{'a' * 252}.jpg", "too long"),
        (f"a/{'ö' * 126}.jpg/b", "too long"),
    ],
)
def test_what_leaves_the_folder_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        inside(tmp_path, name, "images.txt")
    assert str(error.value).startswith("images.txt: ")


@pytest.mark.parametrize(
    "name", ["NUL", "con.jpg", "a/Aux.tar.gz", "lpt1", "com¹.txt", "a.jpg:stream", "a./b.jpg", "b.jpg "]
)
def test_names_that_mean_something_else_on_windows(name: str) -> None:
    assert plain_name(name, "list", windows=False) == name
    with pytest.raises(InputError, match="is none of a file on Windows"):
        plain_name(name, "list", windows=True)


@pytest.mark.parametrize("name", ["console.jpg", "./a.jpg", "com/a.jpg", "a..jpg", "nul2"])
def test_names_that_are_ordinary_on_windows(name: str) -> None:
    assert plain_name(name, "list", windows=True) == name


def test_an_endless_name_is_shortened_in_messages(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        inside(tmp_path, "../" * 10_000, "list")
    assert len(str(error.value)) < 500


def test_a_link_may_not_lead_out_but_the_folder_may_be_one(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "way").symlink_to(elsewhere)
    (home / "here").symlink_to(home)
    (tmp_path / "link").symlink_to(home)
    with pytest.raises(InputError, match="through a link"):
        inside(home, "way/a.jpg", "list")
    assert inside(home, "here/a.jpg", "list") == home / "here" / "a.jpg"
    assert inside(tmp_path / "link", "a.jpg", "list") == tmp_path / "link" / "a.jpg"


def test_a_folder_whose_name_begins_alike_is_another(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "homely").mkdir()
    (tmp_path / "home" / "way").symlink_to(tmp_path / "homely")
    with pytest.raises(InputError, match="through a link"):
        inside(tmp_path / "home", "way/a.jpg", "list")


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b", "c.jpg"]), min_size=1, max_size=8).map("/".join))
def test_every_accepted_name_stays_below(name: str) -> None:
    try:
        path = inside(Path("/nowhere/home"), name, "list")
    except InputError:
        return
    assert path.resolve().is_relative_to("/nowhere/home")


def test_what_nobody_reads_is_left_out() -> None:
    """A member of an archive, 50 MB of zeros, is quoted by what reads it."""
    assert printable("\0" * 50_000_000) == r"\x00" * LONGEST + "..."
    assert printable("a" * LONGEST) == "a" * LONGEST
    assert str(InputError("\0" * 50_000_000)).endswith("...")


def test_what_a_terminal_obeys_is_spelled_out() -> None:
    assert printable("a\x1b[31m\u202egpj.exe\n") == r"a\x1b[31m\u202egpj.exe\n"
    assert printable("Möwe 鳥 می\u200cخواهم.jpg") == "Möwe 鳥 می\u200cخواهم.jpg"


def test_nothing_is_left_that_a_terminal_obeys() -> None:
    """Of all that Unicode has, each by itself: nothing depends on what is beside it."""
    planes = [*range(0x40000), *range(0xE0000, 0xE1000)]  # elsewhere nothing has a meaning
    texts = ("".join(map(chr, planes[n : n + LONGEST])) for n in range(0, len(planes), LONGEST))
    every = {letter for text in texts for letter in printable(text)}
    left = {unicodedata.category(letter) for letter in every - {*"\u200c\u200d"}}
    assert left.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert len(left) == 25
    assert printable("a\x07b" * 2) == "a\\x07b" * 2


@pytest.mark.parametrize(
    "delimiter", [",", ";", "\t"]
)  # where a comma divides numbers, semicolons divide cells
@given(texts=st.lists(st.text() | st.text("=+1;,\t '\"", max_size=9), min_size=1, max_size=3))
@example(texts=["a", "b;=1+1;c"])
@example(texts=["a", 'b; "=1+1"'])
def test_no_cell_is_a_formula(texts: list[str], delimiter: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([table_cell(text) for text in texts])
    [row] = csv.reader(io.StringIO(file.getvalue()), delimiter=delimiter)
    assert delimiter != "," or len(row) == len(texts)
    for read in row:
        assert not read.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


def test_numbers_stay_numbers() -> None:
    assert table_cell(-0.5) == "-0.5"
    assert table_cell("-0.5") == "'-0.5"
