"""The flags for palette, brushes and paper, as they are given and as they are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.jobs import Job

pytestmark = pytest.mark.usefixtures("looks_once")

QUICK = ["--agent", "planner", "--strokes", "12", "--preset", "draft", "--size", "48"]


def test_plotter(photo, tmp_path, capsys):
    (tmp_path / "inks.txt").write_text("#ff0000 #0000ff #808080 #ffffff")
    flags = ["--formats", "plotter,json", "--palette", str(tmp_path / "inks.txt"), "--brushes", "3,8 mm"]
    assert (
        main(["paint", str(photo), *QUICK, *flags, "--paper", "A3", "--out", str(tmp_path / "a"), "--json"])
        == 0
    )
    outputs = json.loads(capsys.readouterr().out)["outputs"]
    assert sorted(outputs) == ["json", "plotter.json", "plotter.svg"]
    with open(outputs["plotter.json"]) as file:
        document = json.load(file)
    assert document["paper"] == [420, 297]
    assert set(document["brushes"]) <= {3, 8}
    assert set(document["palette"]) <= {"#ff0000", "#0000ff", "#808080", "#ffffff"}
    argv = ["render", outputs["json"], "--formats", "plotter", "--out", str(tmp_path / "b")]
    assert main(argv) == 0
    for name in ("plotter.json", "plotter.svg"):
        again = tmp_path / "b" / f"photo_painted.{name}"
        assert again.read_bytes() == (tmp_path / "a" / again.name).read_bytes()
    assert main([*argv, "--paper", "100x80"]) == 0
    assert 'width="100mm" height="80mm"' in (tmp_path / "b" / "photo_painted.plotter.svg").read_text()


def test_paper_margins_and_brushes_that_run_dry(photo, tmp_path, capsys):
    """The same from flags, from a job's JSON and from a file of strokes."""
    argv = ["--formats", "plotter,json", "--palette", "3", "--brushes", "0.2in,1cm", "--no-guidance"]
    dry = ["--border", "--longest-stroke", "5cm", "--reload", "100mm", "--dip", "300mm,2cm"]
    sheet = ["--paper", "8.5x11in", "--margin", "1in"]
    assert main(["paint", str(photo), *QUICK, *argv, *dry, *sheet, "--out", str(tmp_path / "a")]) == 0
    document = json.loads((tmp_path / "a" / "photo_painted.plotter.json").read_text())
    assert sorted(document["paper"]) == [215.9, 279.4]
    left, top, width, height = document["picture"]
    assert min(left, top) == 25.4
    assert document["reload"] == {"after": 100, "dip": [300, 20]}
    assert set(document["brushes"]) <= {5.08, 10}
    for each in document["passes"]:
        ends = np.array([[line["points"][0], line["points"][2]] for line in each["strokes"]])
        assert (ends >= np.array([left, top]) - 0.001).all()
        assert (ends <= np.array([left + width, top + height]) + 0.001).all()
    stored = tmp_path / "a" / "photo_painted.json"
    assert json.loads(stored.read_text())["margin"] == 25.4
    again = ["render", str(stored), "--formats", "plotter", *dry]
    assert main([*again, "--out", str(tmp_path / "b")]) == 0
    for name in ("photo_painted.plotter.json", "photo_painted.plotter.svg"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()
    job = {"image": str(photo), "margin": "1in", "paper": "letter", "reload": "10cm", "dip": "30cm,20mm"}
    read = Job.from_json(json.dumps(job))
    assert (read.margin, read.paper, read.reload, read.dip) == (25.4, (215.9, 279.4), 100, (300, 20))
    assert Job.from_json(read.to_json()) == read
    capsys.readouterr()
    for flags, wanted in (
        (["--margin", "120"], "--margin is 120 mm, wanted 0 to 102.95 on paper of 215.9 x 279.4 mm"),
        (["--paper", "50x40", "--formats", "png"], "--margin is 25.4 mm, wanted 0 to 15 on paper of 50 x 40"),
        (["--formats", "png", "--border"], "--border: --formats has no plotter's file"),
        (["--formats", "plotter", "--dip", "1,2"], "--dip: nothing says when to dip, wanted --reload"),
    ):
        assert main(["render", str(stored), *flags, "--out", str(tmp_path / "c")]) == 2
        assert wanted in capsys.readouterr().err


def test_a_blank_sheet_is_a_painting_of_no_strokes(tmp_path, capsys):
    Image.new("RGB", (40, 30), "white").save(tmp_path / "white.png")
    argv = [str(tmp_path / "white.png"), *QUICK, "--palette", "#000", "--formats", "png,svg,plotter,json"]
    assert main(["paint", *argv, "--out", str(tmp_path)]) == 0
    assert "12 of 12 strokes were not needed" in capsys.readouterr().out
    assert main(["paint", *argv, "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_needed"] == 12
    with Image.open(tmp_path / "white_painted.png") as picture:
        assert picture.convert("L").getextrema() == (255, 255)
    assert json.loads((tmp_path / "white_painted.plotter.json").read_text())["passes"] == []


def test_too_many_strokes_for_a_plotter_are_refused_before_any_work(photo, tmp_path, capsys, monkeypatch):
    out, strokes = ["--out", str(tmp_path / "b")], str(tmp_path / "photo_painted.json")
    assert main(["paint", str(photo), *QUICK, "--formats", "json", "--out", str(tmp_path)]) == 0
    monkeypatch.setattr("semantic_guidance.export.plotter.MAX_STROKES", 11)
    capsys.readouterr()
    for argv, where in ((["paint", str(photo), *QUICK], "--strokes"), (["render", strokes], strokes)):
        assert main([*argv, "--formats", "png,plotter.json", *out]) == 2
        wanted = f"{where}: there are 12 strokes, wanted at most 11 for a plotter"
        assert capsys.readouterr().err == f"semantic-guidance: error: {wanted}\n"
    assert not (tmp_path / "b").exists()


def test_plotters_get_few_opaque_colors(photo, tmp_path):
    argv = [
        "paint",
        str(photo),
        *QUICK,
        "--strokes",
        "40",
        "--formats",
        "plotter.json",
        "--out",
        str(tmp_path),
    ]
    assert main(argv) == 0
    document = json.loads((tmp_path / "photo_painted.plotter.json").read_text())
    assert len(document["palette"]) <= 12
    assert {stroke["opacity"] for each in document["passes"] for stroke in each["strokes"]} == {1.0}


def test_a_palette_is_kept_by_the_strokes(photo, tmp_path):
    argv = [
        "paint",
        str(photo),
        *QUICK,
        "--formats",
        "json",
        "--palette",
        "#fff,#204060",
        "--out",
        str(tmp_path),
    ]
    assert main(argv) == 0
    document = json.loads((tmp_path / "photo_painted.json").read_text())
    colors = {tuple(np.round(np.array(stroke["color"]) * 255)) for stroke in document["strokes"]}
    assert colors <= {(255, 255, 255), (32, 64, 96)}
    ground = tuple(np.round(np.array(document["background"]) * 255))
    assert ground in {(255, 255, 255), (32, 64, 96)}


@pytest.mark.parametrize(
    ("flag", "value", "wanted"),
    [
        ("--palette", "0", "wanted 1 to 64"),
        ("--palette", "-3", "wanted 1 to 64"),
        ("--palette", "65", "wanted 1 to 64"),
        ("--palette", "#12", "wanted one such as #c0ffee"),
        ("--palette", "#fff,blue", "'blue' is not a colour"),
        ("--palette", "none.txt", "a number of colours from 1 to 64"),
        ("--brushes", "2,-5", "lengths in mm above 0"),
        ("--brushes", "nan", "lengths in mm above 0"),
        ("--brushes", "wide", "lengths in mm above 0"),
        ("--brushes", "500", "up to the paper's 210"),
        ("--brushes", ",".join(map(str, range(1, 30))), "at most 16"),
        ("--widths", "5", "two lengths in mm"),
        ("--widths", "1,2,3", "two lengths in mm"),
        ("--widths", "1,inf", "lengths in mm"),
        ("--widths", "1,300", "up to the paper's 210"),
        ("--paper", "b7", "a6, a5, a4, a3, a2, a1, a0, letter, legal, tabloid, or WxH"),
        ("--paper", "10x10", "which is 10 x 10 mm, wanted"),
        ("--paper", "1x2x3", "or WxH from 20 to 5000 mm, such as"),
        ("--paper", "nanx300", "or WxH from 20 to 5000 mm, such as"),
        ("--paper", "5x300in", "which is 127 x 7620 mm, wanted"),
        ("--margin", "101", "is 101 mm, wanted 0 to 100 on paper of 210 x 297 mm"),
        ("--margin", "-1", "a length of at least 0"),
        ("--margin", "wide", "a length in mm, or with a unit"),
        ("--reload", "200", "--formats has no plotter's file, wanted plotter in it"),
        ("--dip", "3", "wanted X,Y in mm"),
        ("--dip", "9m,3", "wanted lengths in mm, or with a unit"),
        ("--longest-stroke", "5km", "a length in mm, or with a unit"),
    ],
)
def test_bad_flags(photo, capsys, tmp_path, flag, value, wanted):
    assert main(["paint", str(photo), *QUICK, f"{flag}={value}", "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"semantic-guidance: error: {flag}")
    assert wanted in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_palettes_are_read_not_overwritten(photo, tmp_path, capsys):
    (tmp_path / "photo_painted.json").write_text("#fff #000")
    argv = [
        "paint",
        str(photo),
        *QUICK,
        "--palette",
        str(tmp_path / "photo_painted.json"),
        "--formats",
        "json",
    ]
    assert main([*argv, "--out", str(tmp_path)]) == 2
    assert "painting would overwrite its own input" in capsys.readouterr().err
    (tmp_path / "none.txt").write_text("no colours")
    assert main(["paint", str(photo), *QUICK, "--palette", str(tmp_path / "none.txt")]) == 2
    assert "none.txt: there are 0 colours" in capsys.readouterr().err


def test_pigments(photo, tmp_path, capsys):
    (tmp_path / "mine.toml").write_text('tubes = ["Titanium White", "Ultramarine Blue", "Burnt Sienna"]')
    mine = str(tmp_path / "mine.toml")
    argv = ["paint", str(photo), *QUICK, "--formats", "recipes", "--no-guidance"]
    for n, flags in enumerate((["--pigments"], ["--pigments", mine], ["--palette", mine])):
        assert main([*argv, *flags, "--out", str(tmp_path / str(n))]) == 0
    first, second, third = (
        json.loads((tmp_path / str(n) / "photo_painted.recipes.json").read_text()) for n in range(3)
    )
    assert len(first["strokes"]) == 12
    assert {tube["name"] for tube in second["tubes"]} <= {
        "Titanium White",
        "Ultramarine Blue",
        "Burnt Sienna",
    }
    assert second == third
    capsys.readouterr()
    for flags, complaint in (
        (["--pigments", "no.toml"], "no.toml: no such file, wanted a TOML file of tubes"),
        (["--pigments", "--palette", mine], "--palette: --pigments names tubes already, wanted only one of"),
    ):
        assert main([*argv, *flags, "--out", str(tmp_path)]) == 2
        assert complaint in capsys.readouterr().err


def test_bare_canvas_is_told_of_where_paint_is_opaque(photo, tmp_path, capsys):
    argv = ["paint", str(photo), *QUICK, "--formats", "png", "--no-guidance", "--strokes", "2"]
    assert main([*argv, "--opaque", "--widths", "1,2", "--out", str(tmp_path)]) == 0
    warning = capsys.readouterr().err.splitlines()[-1]
    assert warning.startswith("semantic-guidance: warning: ")
    assert float(warning.split()[2]) > 500
    assert "per mille of the canvas stay bare" in warning
    assert main([*argv, "--out", str(tmp_path)]) == 0
    assert "bare" not in capsys.readouterr().err
