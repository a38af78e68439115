"""Styles that ship, and a person's own."""

from __future__ import annotations

import pytest
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import STYLES
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.styles import FOLDER, Style

OWN = """
summary = "my own"
ground = "#ff8000"
brush = "flat"
ends = "square"

[hand]
length = 2
pale_first = true
"""

FLAWS = [
    ("ground = 3", "ground is 3, wanted a text in quotes"),
    ("ground = 'blue'\n[hand]", "ground is 'blue', wanted toned, mean, or a colour such as #c0ffee"),
    ("ground = 'mean'", "ground is given without a hand, wanted a table [hand] as well"),
    ("#" * 70_000, "the file is larger than 65536 bytes"),
    ("[hand]\ntones = 1" + "0" * 400, "tones is 1"),
    ("brush = 'nope'", "brush is 'nope', wanted one of flat,"),
    ("ends = 'sharp'\n[hand]", "ends is 'sharp', wanted one of round, square, filbert"),
    ("marks = 'dots'", "marks is 'dots', wanted one of strokes, ink, pencil, colored-pencil, lines"),
    ("hand = 1", "hand is 1, wanted a table"),
    ("[hand]\nwidth = 99", "width is 99.0, wanted 0.1 to 10"),
    ("[dials]\nrelief = 'much'", "relief of the brush is 'much', wanted a number from 0 to 1"),
    ("colour = 1", "colour is not known, wanted one of summary,"),
    ("hand =", "not TOML ("),
    ("a = " + "[" * 9000, "not TOML ("),
    ("\udcff", "not TOML ("),
]


def test_every_style_that_ships_is_known_and_every_file_is_one():
    assert {f"{name}.toml" for name in STYLES.shipped} == {path.name for path in FOLDER.glob("*.toml")}
    for name in STYLES.shipped:
        style = Style.of(name)
        assert style.name == name
        assert style.summary
        assert (style.hand is None) == (name == "likeness")


def test_a_persons_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    style = Style.of(path)
    assert (style.name, style.summary, style.ends) == ("mine", "my own", "square")
    assert style.ground == pytest.approx((1, 128 / 255, 0))
    assert style.hand == Hand(length=2.0, pale_first=True)


@pytest.mark.parametrize(("text", "complaint"), FLAWS)
def test_flaws_are_named(tmp_path, text, complaint):
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError) as caught:
        Style.of(path)
    assert str(caught.value).startswith(f"{path}: {complaint}")
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.toml: no such file, wanted a style"):
        Style.of(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(OSError, match="this is a directory, wanted a style"):
        Style.of(tmp_path / "folder.toml")


def test_unknown_names_get_a_hint():
    with pytest.raises(
        InputError, match=r"style is 'watercolour', wanted one of .*did you mean 'watercolor'"
    ):
        Style.of("watercolour")


def test_plugins_bring_styles():
    STYLES.register("mine", Style("mine", hand=Hand(length=3.0)))
    try:
        assert Style.of("mine").hand == Hand(length=3.0)
    finally:
        STYLES.unregister("mine")


@pytest.mark.parametrize("flaw", [{"ends": "oval"}, {"marks": "inks"}, {"ground": "tonned"}])
def test_styles_made_in_python_are_checked(flaw):
    (name,) = flaw
    with pytest.raises(ValueError, match=f"{name} is '{flaw[name]}', wanted"):
        Style("mine", hand=Hand(), **flaw)


def test_what_a_plugin_brings_must_be_a_style():
    STYLES.register("odd", "nothing but a word")
    try:
        with pytest.raises(InputError, match="odd"):
            Style.of("odd")
    finally:
        STYLES.unregister("odd")


def test_a_brush_picture_lies_beside_its_style(tmp_path, monkeypatch):
    Image.new("L", (20, 8), 255).save(tmp_path / "mark.png")
    (tmp_path / "mine.toml").write_text('brush = "mark.png"\n[hand]\n')
    monkeypatch.chdir("/")
    assert Style.of(tmp_path / "mine.toml").make_brush(0).style == "picture"


@pytest.mark.parametrize("leads_out", ["../mark.png", "ABSOLUTE", "way/mark.png"])
def test_a_brush_picture_does_not_lie_elsewhere(tmp_path, leads_out):
    Image.new("L", (20, 8), 255).save(tmp_path / "mark.png")
    folder = tmp_path / "styles"
    folder.mkdir()
    (folder / "way").symlink_to(tmp_path)
    word = str(tmp_path / "mark.png") if leads_out == "ABSOLUTE" else leads_out
    (folder / "theirs.toml").write_text(f'brush = "{word}"\n[hand]\n')
    with pytest.raises(InputError, match=r"theirs\.toml: the name .*(climbs|is absolute|through a link)"):
        Style.of(folder / "theirs.toml")


def test_a_painting_remembers_the_ends_of_a_persons_own_style(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    again = Style.of_record(Style.of(path).record(), "file")
    assert (again.ends, again.marks, again.hand) == ("square", "strokes", Style.of(path).hand)
