"""``semantic-guidance render``: the same picture from the file, and one line about files that are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from semantic_guidance import render
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.work import work
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.resample import resample
from semantic_guidance.export.strokes_json import MAX_STROKES, read_strokes
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_image
from tests.apps.cli.refusals import refusals

pytestmark = pytest.mark.usefixtures("looks_once")


@pytest.fixture
def complaint(tmp_path, capsys, monkeypatch):
    """Runs a command line that must be refused and write nothing; returns what it complains."""
    return refusals("render", tmp_path, capsys, monkeypatch)


def test_the_painted_picture_comes_back_bit_for_bit(photo, photo_mask, tmp_path, capsys):
    argv = ["paint", str(photo), "--mask", str(photo_mask), "--strokes", "30", "--preset", "draft"]
    assert main([*argv, "--size", "77", "--formats", "png,json", "--out", str(tmp_path / "a")]) == 0
    strokes = tmp_path / "a" / "photo_painted.json"
    assert main(["render", str(strokes), "--out", str(tmp_path / "b"), "--formats", "png,json"]) == 0
    assert main(["render", str(strokes), "--size", "77", "--out", str(tmp_path / "c")]) == 0
    for name in ("b/photo_painted.png", "b/photo_painted.json", "c/photo_painted.png"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "a" / Path(name).name).read_bytes()
    assert capsys.readouterr().err == ""


def test_brushes_and_films_are_those_of_paint(photo, photo_mask, tmp_path):
    argv = ["paint", str(photo), "--mask", str(photo_mask), "--strokes", "20", "--preset", "draft"]
    argv += ["--size", "77", "--seed", "3"]
    looks = ["--brush", "oil", "--formats", "png,gif", "--fps", "10", "--duration", "2"]
    assert main([*argv, "--formats", "json", "--out", str(tmp_path / "a")]) == 0
    assert main([*argv, *looks, "--out", str(tmp_path / "a")]) == 0
    strokes = str(tmp_path / "a" / "photo_painted.json")
    assert main(["render", strokes, *looks, "--seed", "3", "--out", str(tmp_path / "b")]) == 0
    assert main(["render", strokes, *looks, "--seed", "4", "--out", str(tmp_path / "c")]) == 0
    for name in ("photo_painted.png", "photo_painted.gif"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()
        assert (tmp_path / "c" / name).read_bytes() != (tmp_path / "a" / name).read_bytes()
    with Image.open(tmp_path / "b" / "photo_painted.gif") as film:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert sum(durations) == pytest.approx(2000, abs=100)


def test_the_brush_is_that_of_the_file(photo, tmp_path, capsys):
    argv = ["paint", str(photo), "--no-guidance", "--strokes", "20", "--preset", "draft", "--size", "77"]
    look = ["--brush", "oil", "--seed", "3", "--relief", "0.9", "--light", "right"]
    assert main([*argv, *look, "--formats", "png,json,svg", "--out", str(tmp_path / "a")]) == 0
    note = "semantic-guidance: note: svg: flat shapes, without the texture of the oil brush\n"
    assert capsys.readouterr().err == note
    strokes = str(tmp_path / "a" / "photo_painted.json")
    cases = {
        "same": [],
        "again": ["--brush", "oil", "--seed", "3"],
        "flat": ["--brush", "flat"],
        "smooth": ["--bristle", "0"],
        "other": ["--seed", "4"],
        "unlit": ["--light", "none"],
    }
    seen = {}
    for name, flags in cases.items():
        assert main(["render", strokes, *flags, "--out", str(tmp_path / name)]) == 0
        seen[name] = (tmp_path / name / "photo_painted.png").read_bytes()
    assert seen.pop("again") == seen["same"] == (tmp_path / "a" / "photo_painted.png").read_bytes()
    assert len(set(seen.values())) == len(seen)
    assert capsys.readouterr().err == ""


BIG = {"torch", "cv2", "av", "numba", "llvmlite"}

LOADED = """
import json, sys
from semantic_guidance.apps.cli.main import main
assert main(sys.argv[1:]) == 0
print(json.dumps(list(sys.modules)))
"""


@pytest.mark.parametrize(
    ("flags", "needed"),
    [
        (["--formats", "png,jpg,webp"], {"llvmlite"}),
        (["--formats", "png", "--size", "200", "--transparent=object"], {"llvmlite"}),
        (["--formats", "png", "--brush", "oil"], {"llvmlite", "cv2"}),
        (["--formats", "png", "--brush", "mine.png"], {"llvmlite", "cv2"}),
        (["--formats", "png", "--palette", "4", "--background", "#123"], {"llvmlite"}),
        (["--formats", "png", "--background", "mine.png", "--mask", "mask.png"], {"llvmlite", "cv2"}),
        (["--formats", "png,mp4", "--duration", "1"], {"llvmlite", "av"}),
        (["--formats", "webm,gif,anim.webp,apng", "--duration", "1"], {"llvmlite", "av"}),
        (["--formats", ",".join(EXPORTERS.shipped), "--duration", "1"], BIG - {"torch", "numba"}),
        (["--formats", "json,html,plotter"], set()),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(painting, tmp_path, flags, needed):
    """Torch takes longer to load than all the rest together, and is never needed."""
    seed = replace(painting.layers[1], strokes=painting.layers[1].strokes[:2], compositing="seed")
    layers = painting.layers if "--mask" in flags else (*painting.layers, seed)
    replace(painting, layers=layers).save(tmp_path / "a.json")
    Image.new("L", (40, 20), 200).save(tmp_path / "mine.png")
    Image.new("L", (96, 64), 200).save(tmp_path / "mask.png")
    argv = [sys.executable, "-c", LOADED, "render", "a.json", "--out", "out", *flags]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    *written, loaded = done.stdout.splitlines()
    assert BIG & set(json.loads(loaded)) <= needed
    assert sorted(os.listdir(tmp_path / "out")) == sorted(Path(name).name for name in written)


def test_another_size(painting, tmp_path, capsys):
    painting.save(tmp_path / "a.json")
    argv = ["render", str(tmp_path / "a.json"), "--size", "240", "--formats", "png,mp4,json"]
    assert main([*argv, "--out", str(tmp_path / "out"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    names = {name: str(tmp_path / "out" / f"a.{name}") for name in ("png", "mp4", "json")}
    assert summary["outputs"] == names
    assert (summary["width"], summary["height"], summary["strokes"]) == (240, 160, 37)
    assert np.array_equal(to_bytes(load_image(names["png"])), to_bytes(painting.render(240)))
    assert torch.equal(read_strokes(names["json"]).canvas, painting.render(240))


def test_the_input_is_never_overwritten(painting, tmp_path, complaint):
    painting.save(tmp_path / "a.json")
    assert "a.json: painting would overwrite its own input" in complaint("a.json", "--formats", "json")
    (tmp_path / "a.png").mkdir()
    assert "a.png: this is a directory" in complaint("a.json")
    (tmp_path / "file").touch()
    assert "--out: file: " in complaint("a.json", "--formats", "mp4", "--out", "file")


@pytest.mark.parametrize(
    ("flag", "value", "wanted"),
    [
        ("--size", "0", "a whole number from 16 to"),
        ("--size", "9000", "a whole number from 16 to"),
        ("--formats", "tiff", "png,jpg"),
        ("--brush", "crayon", "one of flat, oil"),
        ("--light", "north", "wanted top, right, bottom, left, none, or AZIMUTH,ELEVATION"),
        ("--light", "left", "the flat brush has no relief to be seen, wanted --brush oil, knife"),
        ("--relief", "0.5", "the flat brush has no relief to be seen, wanted --brush oil, knife"),
        ("--dry", "2", "a number from 0 to 1"),
        ("--duration", "3", "wanted one of mp4"),
    ],
)
def test_bad_flags(painting, tmp_path, complaint, flag, value, wanted):
    painting.save(tmp_path / "a.json")
    line = complaint("a.json", flag, value)
    assert f"error: {flag}" in line
    assert wanted in line


def test_files_that_are_none(tmp_path, complaint):
    (tmp_path / "many.json").write_text('{"strokes": [' + ",".join(["{}"] * 10_000_000) + "]}")
    (tmp_path / "deep.json").write_text("[" * 1_000_000)
    (tmp_path / "numbers.json").write_text("[" + "0.5," * 7_000_000 + "1]")
    (tmp_path / "text.json").write_text("words")
    assert "none.json: no such file, wanted a file of strokes" in complaint("none.json")
    assert f"many.json: there are more than {MAX_STROKES} strokes in it" in complaint("many.json")
    assert "deep.json: not JSON" in complaint("deep.json")
    assert f"numbers.json: there are more than {MAX_STROKES} strokes" in complaint("numbers.json")
    assert "text.json: not JSON" in complaint("text.json")


def test_endless_files(complaint):
    assert "/dev/zero: the file is larger than" in complaint("/dev/zero")


def test_no_object_to_cut_out(painting, tmp_path, complaint):
    replace(painting, layers=painting.layers[:1]).save(tmp_path / "a.json")
    said = complaint("a.json", "--transparent=object", "--formats", "jpg,png", "--out", "out")
    assert "a.json: --transparent: there is no object in the painting, wanted" in said


def test_hours_of_work_are_refused(painting, tmp_path, complaint, monkeypatch):
    painting.save(tmp_path / "a.json")
    monkeypatch.setattr("semantic_guidance.apps.work.MAX_WORK", work(painting.drawing) - 1)
    assert "a.json: its strokes touch" in complaint("a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    document |= {"width": 9000, "masks": [], "strokes": []}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert "a.json: the painting is 9000 pixels long, wanted --size 8192 or less" in complaint("a.json")


def test_work_bounds_what_is_touched(painting):
    """Compared with the pixels that the strokes change, painted white and opaque on black."""
    touched = 0
    for layer in painting.layers:
        for n in range(len(layer.strokes)):
            one = layer.strokes[n : n + 1]
            white = replace(one, opacity=torch.ones(1, 1, 2), color=torch.ones(1, 1, 3))
            black = torch.zeros(1, 3, painting.height, painting.width)
            touched += int((render(white, black)[0, 0] > 0).sum())
    assert touched < work(painting.drawing) < 20 * touched


def test_another_palette_background_and_mask(painting, photo, photo_mask, tmp_path):
    painting.save(tmp_path / "a.json")
    Image.open(photo_mask).resize((48, 32)).save(tmp_path / "mask.png")
    (tmp_path / "colors.txt").write_text("#000 #ff0000 #00ff00 #0000ff #ffffff")

    def rendered(*flags: str) -> Path:
        argv = ["render", str(tmp_path / "a.json"), "--formats", "png,json", "--out", str(tmp_path / "out")]
        assert main([*argv, *flags]) == 0
        seen = to_bytes(load_image(tmp_path / "out" / "a.png"))
        assert np.array_equal(to_bytes(read_strokes(tmp_path / "out" / "a.json").canvas), seen)
        return tmp_path / "out" / "a.json"

    five = read_strokes(rendered("--palette", str(tmp_path / "colors.txt")))
    assert set(five.strokes.color.flatten().tolist()) == {0, 1}
    assert torch.equal(five.strokes.points, painting.strokes.points)
    assert len(np.unique(read_strokes(rendered("--palette", "3")).strokes.color[0].numpy(), axis=0)) == 3
    alone = read_strokes(rendered("--background", "#204060", "--palette", "#f00,#fff"))
    assert alone.background == pytest.approx((32 / 255, 64 / 255, 96 / 255))
    assert len(alone.strokes) == alone.foreground_strokes == painting.foreground_strokes
    behind = read_strokes(rendered("--background", str(photo)))
    assert (behind.blank() - resample(load_image(photo), 64, 96)).abs().mean() < 0.02
    part = read_strokes(rendered("--mask", str(tmp_path / "mask.png")))
    assert torch.allclose(part.canvas[:, :8], painting.blank()[:, :8])
    assert torch.allclose(part.canvas[:, 28:36, 44:52], painting.canvas[:, 28:36, 44:52], atol=0.02)


def test_what_cannot_be_changed(painting, tmp_path, complaint):
    painting.save(tmp_path / "a.json")
    seed = replace(painting.layers[0], compositing="seed")
    replace(painting, layers=(seed,)).save(tmp_path / "seed.json")
    Image.new("L", (96, 64), 255).save(tmp_path / "all.png")
    Image.new("L", (64, 64), 255).save(tmp_path / "square.png")
    assert "--palette: got 0 colours, wanted 1 to 64" in complaint("a.json", "--palette", "0")
    assert "--palette: got 'red', wanted a number of colours" in complaint("a.json", "--palette", "red")
    assert "--background: red: no such file, wanted a picture, or a colour" in complaint(
        "a.json", "--background", "red"
    )
    assert "square.png: the mask is 64 x 64, wanted" in complaint("a.json", "--mask", "square.png")
    assert "--mask cannot be put on strokes whose compositing is seed" in complaint(
        "seed.json", "--mask", "all.png"
    )
