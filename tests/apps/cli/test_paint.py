"""``semantic-guidance paint``: what it writes and says, and what it refuses, before it paints a stroke."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.cli.progress import StageBar
from semantic_guidance.apps.given import clipped_box
from semantic_guidance.core.errors import InputError
from semantic_guidance.export.strokes_json import read_strokes
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_image

pytestmark = pytest.mark.usefixtures("looks_once")

QUICK = ["--strokes", "4", "--preset", "draft", "--size", "48"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Runs a command line that must be refused without painting; returns what it complains."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> str:
        def paint(*arguments: object) -> None:
            raise AssertionError("this should have been found before painting")

        monkeypatch.setattr("semantic_guidance.painter.painter.Painter.paint", paint)
        before = contents(tmp_path)
        folders = sorted(path for path in tmp_path.rglob("*") if path.is_dir())
        assert main(["paint", *(str(word) for word in argv)]) == 2
        assert contents(tmp_path) == before
        assert sorted(path for path in tmp_path.rglob("*") if path.is_dir()) == folders
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("semantic-guidance: error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


def test_paint(photo, photo_mask, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    argv = ["paint", str(photo), "--mask", str(photo_mask), "--out", str(out), *QUICK, "--json"]
    assert main([*argv, "--formats", "png,mp4,json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    summary = json.loads(captured.out.splitlines()[-1])
    names = {name: str(out / f"photo_painted.{name}") for name in ("png", "mp4", "json")}
    assert summary["outputs"] == names
    assert sorted(os.listdir(out)) == sorted(Path(path).name for path in names.values())
    assert summary["input"] == str(photo)
    assert 1 <= summary["strokes"] <= 4
    assert 0 <= summary["foreground_strokes"] <= summary["strokes"]
    assert 0 < summary["mse"] < 0.5
    assert 0 < summary["mse_foreground"] < 1
    assert 0 < summary["mse_background"] < 1
    assert summary["box"] == [21, 11, 19, 19]
    assert list(summary["seconds"]) == ["guidance", "plan", "polish", "export", "total"]
    assert sum(list(summary["seconds"].values())[:-1]) <= summary["seconds"]["total"] + 0.01
    picture = load_image(names["png"])
    assert picture.shape == (3, 32, 48)
    assert np.array_equal(to_bytes(read_strokes(names["json"]).canvas), to_bytes(picture))


def test_defaults_are_written_to_the_current_folder(photo, tmp_path, capsys, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for _ in range(2):  # the second time replaces what the first one wrote
        assert main(["paint", "../photo.jpg", *QUICK, "--no_guidance"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == ["photo_painted.png", "photo_painted.mp4"]
        assert "strokes, squared error" in lines[2]
        assert sorted(os.listdir()) == ["photo_painted.mp4", "photo_painted.png"]


def test_same_seed_same_painting(photo, tmp_path):
    for folder in ("a", "b"):
        argv = ["paint", str(photo), *QUICK, "--seed", "7", "--formats", "json,png"]
        assert main([*argv, "--out", str(tmp_path / folder)]) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_box_is_in_pixels_of_the_file(photo, tmp_path, capsys):
    argv = ["paint", str(photo), *QUICK, "--out", str(tmp_path / "out"), "--formats", "png", "--json"]
    assert main([*argv, "--box", "-5,8,45.5,200"]) == 0
    x, y, width, height = json.loads(capsys.readouterr().out)["box"]
    assert 0 <= x < x + width <= 42
    assert 7 <= y < y + height <= 40
    assert main([*argv, "--baseline"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["box"] is None
    assert summary["mse_foreground"] is None
    assert summary["foreground_strokes"] == 0
    assert summary["mse_background"] == pytest.approx(summary["mse"])


@pytest.mark.parametrize("kind", ["1x1", "wide", "cmyk", "16 bit", "palette", "alpha", "rotated", "gif"])
def test_every_real_picture_can_be_painted(tmp_path, kind, capsys):
    colors = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    image = Image.fromarray(colors)
    exif = Image.Exif()
    exif[0x0112] = 6
    path, size = tmp_path / "x.png", (32, 48)
    match kind:
        case "1x1":
            image.resize((1, 1)).save(path)
            size = (48, 48)
        case "wide":
            image.resize((30_000, 20)).save(path)
            size = (1, 48)
        case "cmyk":
            path = tmp_path / "x.jpg"
            image.convert("CMYK").save(path)
        case "16 bit":
            Image.fromarray(colors[..., 0].astype(np.uint16) * 257).save(path)
        case "palette":
            image.convert("P").save(path, transparency=3)
        case "alpha":
            image.putalpha(100)
            image.save(path)
        case "rotated":
            path = tmp_path / "x.jpg"
            image.save(path, exif=exif)
            size = (48, 32)
        case "gif":
            path = tmp_path / "x.gif"
            image.save(path, save_all=True, append_images=[Image.new("RGB", (30, 20))])
    argv = ["paint", str(path), *QUICK, "--out", str(tmp_path / "out"), "--formats", "png,mp4", "--json"]
    assert main([*argv, "--duration", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert load_image(json.loads(captured.out)["outputs"]["png"]).shape[1:] == size


def test_bad_pictures(refused, tmp_path, photo):
    (tmp_path / "text.jpg").write_text("words")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "cut.jpg").write_bytes(photo.read_bytes()[:900])
    (tmp_path / "folder.jpg").mkdir()
    assert "none.jpg: no such file, wanted a picture" in refused("none.jpg")
    assert "folder.jpg: this is a directory" in refused("folder.jpg")
    assert "text.jpg: not a picture that can be read" in refused("text.jpg")
    assert "empty.jpg: the file is empty" in refused("empty.jpg")
    assert "cut.jpg: the picture is broken" in refused("cut.jpg")


@pytest.mark.parametrize(
    ("flag", "value", "wanted"),
    [
        ("--strokes", "0", "a whole number from 1 to"),
        ("--strokes", "-5", "a whole number from 1 to"),
        ("--strokes", "many", "a whole number from 1 to"),
        ("--strokes", "1e9", "a whole number from 1 to"),
        ("--strokes", "nan", "a whole number from 1 to"),
        ("--strokes", "100001", "a whole number from 1 to"),
        ("--size", "0", "a whole number from"),
        ("--size", "99999", "a whole number from"),
        ("--seed", "-1", "a whole number from 0 to"),
        ("--seed", "0.5", "a whole number from 0 to"),
        ("--preset", "best", "draft"),
        ("--agent", "nobody", "planner"),
        ("--brush", "crayon", "flat, oil, knife, gouache, watercolor, ink, pencil, or the file"),
        ("--formats", "png,tiff", "png,jpg"),
        ("--formats", "avi", "png,jpg"),
        ("--fps", "0", "a number from 1 to 60, such as 25 or 23.976, or a fraction such as 24000/1001"),
        ("--fps", "61", "a number from 1 to 60"),
        ("--fps", "24000/0", "a number from 1 to 60"),
        ("--fps", "1e1", "a number from 1 to 60"),
        ("--film-size", "4097", "a whole number from 16 to 4096"),
        ("--crf", "64", "a whole number from 0 to 63"),
        ("--quality", "101", "a whole number from 0 to 100"),
        ("--duration", "0", "a number from 0.5 to 3600"),
        ("--duration", "nan", "a number from 0.5 to 3600"),
        ("--duration", "inf", "a number from 0.5 to 3600"),
        ("--duration", "long", "a number from 0.5 to 3600"),
        ("--formats", "", "png,jpg"),
        ("--box", "1,2,3", "X,Y,W,H"),
        ("--box", "1,2,3,nan", "X,Y,W,H"),
        ("--box", "inf,2,3,4", "X,Y,W,H"),
        ("--box", "-inf,2,3,4", "X,Y,W,H"),
        ("--box", "1,2,0,4", "X,Y,W,H"),
        ("--box", "1,2,3,-4", "X,Y,W,H"),
        ("--box", "a,b,c,d", "X,Y,W,H"),
        ("--box", "60,0,10,10", "lies outside the picture of 60 x 40 pixels"),
        ("--box", "-20,-20,10,10", "lies outside the picture of 60 x 40 pixels"),
    ],
)
def test_bad_flags(refused, photo, flag, value, wanted):
    for words in ((flag, value), (f"{flag}={value}",)):
        line = refused(photo, *words, "--out", "out")
        assert f"error: {flag}" in line
        assert wanted in line


def test_bad_masks(refused, tmp_path, photo, photo_mask):
    Image.new("L", (60, 40)).save(tmp_path / "empty.png")
    Image.new("L", (40, 60), 255).save(tmp_path / "upright.png")
    assert "none.png: no such file" in refused(photo, "--mask", "none.png")
    assert "empty.png: the mask is empty" in refused(photo, "--mask", "empty.png")
    assert "upright.png: the mask is 40 x 60, wanted" in refused(photo, "--mask", "upright.png")
    assert "--box: the object is given by --mask" in refused(photo, "--mask", photo_mask, "--box", "1,1,9,9")
    assert "--mask: --baseline paints without guidance" in refused(photo, "--mask", photo_mask, "--baseline")


def test_pace_is_for_films(refused, photo):
    assert "--fps: --formats has no video, wanted one of mp4" in refused(
        photo, "--fps", 9, "--formats", "png"
    )
    assert "--duration: --formats has no" in refused(photo, "--duration", 9, "--formats", "png,json")


def test_bad_brushes(refused, tmp_path, photo):
    Image.new("L", (60, 40)).save(tmp_path / "black.png")
    (tmp_path / "text.png").write_text("words")
    assert "black.png: the brush is empty, wanted bright pixels" in refused(photo, "--brush", "black.png")
    assert "text.png: not a picture that can be read" in refused(photo, "--brush", "text.png")
    Image.new("L", (60, 40), 200).save(tmp_path / "photo_painted.png")
    line = refused(photo, "--brush", "photo_painted.png")
    assert "photo_painted.png: painting would overwrite its own input" in line


def test_bad_out(refused, tmp_path, photo, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "out" / "photo_painted.mp4").mkdir(parents=True)
    assert "--out: file: " in refused(photo, "--out", "file")
    assert "--out: file/folder: Not a directory, wanted" in refused(photo, "--out", "file/folder")
    assert "photo_painted.mp4: this is a directory" in refused(photo, "--out", "out")

    def deny(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(Path, "touch", deny)
    assert "--out: out: Permission denied, wanted a folder" in refused(
        photo, "--out", "out", "--formats", "png"
    )


def test_inputs_are_never_overwritten(refused, tmp_path, photo, photo_mask):
    photo_mask.rename(tmp_path / "photo_painted.png")
    line = refused(photo, "--mask", "photo_painted.png")
    assert "photo_painted.png: painting would overwrite its own input" in line
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "photo_painted.jpg").symlink_to(photo)
    line = refused(photo, "--out", "out", "--formats", "jpg")
    assert "out/photo_painted.jpg: painting would overwrite its own input" in line
    many = ",".join(["#112233"] * 40)  # more letters than a file's name may have
    assert "overwrite its own input" in refused(photo, "--palette", many, "--out", photo)


def test_interruption_leaves_nothing(photo, tmp_path, capsys, monkeypatch):
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semantic_guidance.export.screen.Screen.frame", interrupt)
    argv = ["paint", str(photo), *QUICK, "--out", str(tmp_path / "out"), "--formats", "mp4"]
    assert main(argv) == 130
    assert capsys.readouterr().err == "semantic-guidance: interrupted\n"
    assert os.listdir(tmp_path / "out") == []


def test_the_progress_bar_survives_any_order():
    with StageBar() as bar:
        for stage, fraction in (
            ("plan", 0.5),
            ("plan", 0.2),
            ("polish", 7.0),
            ("new", -1.0),
            ("export", 1.0),
        ):
            bar(stage, fraction)


def test_a_whole_process(photo, tmp_path):
    """As people call it, with everything real but the number of strokes."""
    command = [sys.executable, "-m", "semantic_guidance", "paint", str(photo), *QUICK]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--json"], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert all(Path(path).stat().st_size > 0 for path in summary["outputs"].values())


def test_box_of_a_picture_that_was_reduced():
    image = torch.zeros(3, 50, 100)
    assert clipped_box((0, 0, 2000, 1000), image, (2000, 1000)) == (0, 0, 100, 50)
    assert clipped_box((1000, 500, 5000, 200), image, (2000, 1000)) == (50, 25, 50, 10)
    with pytest.raises(InputError, match="box: 2000,0,5,5 lies outside the picture of 2000 x 1000 pixels"):
        clipped_box((2000, 0, 5, 5), image, (2000, 1000))
