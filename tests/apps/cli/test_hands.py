"""Styles and dials on the command line."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli.main import main

QUICK = ["--strokes", "12", "--size", "64", "--formats", "png,json", "--no-guidance"]

FLAWS = [
    (["--style", "watercolour"], "--style: got 'watercolour', wanted one of likeness,"),
    (
        ["--style", "likeness", "--flow", "1"],
        "--flow: the style 'likeness' has no hand, wanted",
    ),
    (["--style", "ink", "--agent", "planner"], "--agent is 'planner', but the style 'ink' makes its own"),
    (["--style", "ink", "--flow", "1"], "--flow: the style 'ink' has no such dial, wanted another --style"),
    (["--style", "lines", "--variations", "2"], "--variations of a line drawing are all alike"),
    (["--style", "none.toml"], "none.toml: no such file, wanted a style"),
    (["--looseness", "2"], "--looseness: got '2', wanted a number from 0 to 1"),
    (["--width", "0"], "--width: got '0', wanted a number from 0.1 to 10"),
]


def painted(photo, folder, *words) -> dict:
    """The file of strokes of a painting."""
    assert main(["paint", str(photo), "--out", str(folder), *QUICK, *words]) == 0
    return json.loads((folder / "photo_painted.json").read_text())


@pytest.mark.parametrize(("words", "complaint"), FLAWS)
def test_what_is_wrong_is_said_in_one_line(photo, tmp_path, capsys, words, complaint):
    try:
        status = main(["paint", str(photo), "--out", str(tmp_path / "out"), *QUICK, *words])
    except SystemExit as end:
        status = end.code
    assert status == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert complaint in said
    assert not (tmp_path / "out").exists()


def summary(capsys) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize(
    ("words", "style"),
    [
        ([], "alla-prima"),
        (["--agent", "planner"], "likeness"),
        (["--style", "gouache"], "gouache"),
        (["--formats", "plotter.json"], "likeness"),
        (["--formats", "plotter.json", "--length", "2"], "alla-prima"),
    ],
)
def test_which_style_it_is(photo, tmp_path, capsys, words, style):
    argv = ["paint", str(photo), "--out", str(tmp_path), *QUICK, "--preset", "draft", "--json", *words]
    assert main(argv) == 0
    assert summary(capsys)["style"] == style


def test_a_line_drawing_is_recognised(tmp_path, capsys):
    picture = np.full((480, 640), 255, np.uint8)
    for n in range(9):
        cv2.line(picture, (80 + 56 * n, 120), (96 + 56 * n, 380), 0, 4, cv2.LINE_AA)
    Image.fromarray(picture).save(tmp_path / "drawing.png")
    argv = ["paint", str(tmp_path / "drawing.png"), "--out", str(tmp_path), *QUICK, "--preset", "draft"]
    assert main([*argv, "--json"]) == 0
    assert (found := summary(capsys))["style"] == "lines"
    assert found["strokes"] == 9
    assert main(argv) == 0
    assert "it is a line drawing, painted line by line" in capsys.readouterr().out
    assert main([*argv, "--json", "--formats", "plotter.json"]) == 0
    assert summary(capsys)["style"] == "lines"
    assert main([*argv, "--json", "--style", "impasto"]) == 0
    assert summary(capsys)["style"] == "impasto"


def test_a_file_says_by_which_hand_it_was_made(photo, tmp_path):
    style = tmp_path / "mine.toml"
    style.write_text('brush = "gouache"\nends = "square"\nground = "#102030"\n[hand]\ncurvature = 0.1\n')
    written = painted(photo, tmp_path, "--style", str(style), "--curvature", "0", "--opacity", "0.5")
    assert written["hand"]["style"] == "mine"
    assert written["hand"]["dials"]["curvature"] == 0
    assert written["brush"]["style"] == "gouache"
    assert written["background"] == pytest.approx([16 / 255, 32 / 255, 48 / 255])
    for stroke in written["strokes"]:
        (x0, y0), (x1, y1), (x2, y2) = stroke["points"]
        assert (x1, y1) == pytest.approx(((x0 + x2) / 2, (y0 + y2) / 2), abs=1e-5)
        assert stroke["opacity"] == [0.5, 0.5]
        assert stroke["ends"] == "square"


def test_strokes_that_were_left_out_are_told(tmp_path, capsys):
    Image.new("RGB", (80, 60), (90, 120, 150)).save(tmp_path / "photo.png")
    argv = ["paint", str(tmp_path / "photo.png"), "--out", str(tmp_path), "--strokes", "60", *QUICK[2:]]
    assert main(argv) == 0
    assert " of 60 strokes were not needed" in capsys.readouterr().out
