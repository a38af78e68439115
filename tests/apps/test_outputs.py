"""What files are called, where they go, and that nobody's are lost; standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic_guidance import Job, run
from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.jobs import run_variations
from semantic_guidance.core.errors import InputError
from semantic_guidance.images.files import load_image

QUICK = ["--strokes", "3", "--preset", "draft", "--size", "64", "--no-guidance", "--style", "likeness"]


def photograph(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8).repeat(6, 0).repeat(6, 1)
    Image.fromarray(pixels).save(path)
    return path


def paint(*words: object) -> int:
    return main(["paint", *map(str, words), *QUICK])


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    photograph(tmp_path / "cat.png")
    return tmp_path


def made(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"cat.png"}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--output", "result", "--formats", "png,svg"), {"result.png", "result.svg"}),
        (("--output", "result.png"), {"result.png"}),
        (("--output", "a.b", "--formats", "json"), {"a.b.json"}),
        (("--out", "result.png"), {"result.png"}),
        (("--out", "deep/er/Result.JPEG"), {"deep/er/Result.JPEG"}),
        (("--out", "r.exact.svg"), {"r.exact.svg"}),
        (("--out", "r.png", "--formats", "svg,png"), {"r.png", "r.svg"}),
        (("--out", "r.png", "--show-guidance"), {"r.png", "r_guidance.png"}),
        (("--out", "v1.2", "--formats", "jpg"), {"v1.2/cat_painted.jpg"}),
        (("--output", "r", "--formats", " PNG, .Jpg"), {"r.png", "r.jpg"}),
    ],
)
def test_files_are_called_as_asked(here, words, names):
    assert paint("cat.png", *words) == 0
    assert made(here) == names
    assert paint("cat.png", *words) == 0  # once more, over its own files


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--out", "r.png", "--formats", "svg"), "--formats: svg is without png"),
        (("--output", "r.svg", "--formats", "png"), "--formats: png is without svg"),
        (("--out", "r.png", "--output", "r"), "only one of the two"),
        (("--out", "r.tiff"), "--out: r.tiff is of no format that can be written, wanted png"),
        (("--out", "r.avi"), "no format that can be written"),
        (("--out", "R.JXL"), "no format that can be written"),  # which no table of the system need know
        (("--out", "r.plotter"), "no format that can be written"),
        (("--out", "-"), "standard output"),
        (("--output", "a/b"), "--output: got 'a/b', wanted a name without folders"),
        (("--output", ""), "is empty"),
        (("--output", ".."), "climbs"),
        (("--output", "a\nb"), "control characters"),
        (("--output", "x" * 300), "at most"),
        (("--output", "{stem}"), "braces"),
    ],
)
def test_what_cannot_be_meant_is_refused(here, capsys, words, complaint):
    assert paint("cat.png", *words) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert made(here) == set()


def test_a_folder_of_such_a_name_stays_a_folder(here):
    (here / "old.png").mkdir()
    assert paint("cat.png", "--out", "old.png", "--formats", "json") == 0
    assert made(here) == {"old.png/cat_painted.json"}


def test_render_and_repaint_name_their_files_too(here):
    assert paint("cat.png", "--output", "s.json") == 0
    assert main(["render", "s.json", "--out", "r.webp"]) == 0
    assert main(["render", "s.json", "--output", "t"]) == 0
    Image.fromarray(np.eye(48, dtype=np.uint8).repeat(4, 0)[:36] * 255).save(here / "m.bmp")
    again = ["--mask", "m.bmp", "--strokes", "1", "--preset", "draft", "--style", "likeness"]
    assert main(["repaint", "s.json", "cat.png", "--out", "p.json", "--no-guidance", *again]) == 0
    assert made(here) == {"s.json", "r.webp", "t.png", "p.json", "m.bmp"}


def test_jobs_have_names(here):
    job = Job.from_json(
        '{"image": "cat.png", "output": "r", "preset": "draft", "strokes": 3, "baseline": true}'
    )
    assert json.loads(job.to_json())["output"] == "r"
    with pytest.raises(InputError, match=r"output: got 'a/b'"):
        Job("cat.png", output="a/b")
    job = Job("cat.png", out="x/r.png", strokes=3, preset="draft", baseline=True, style="likeness")
    assert run(job).outputs == {"png": Path("x/r.png")}
    several = run_variations(job, 2)
    assert [each.outputs["png"].name for each in several.results] == ["r_1.png", "r_2.png"]
    assert several.sheet == Path("x/r_variations.png")


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_another_photographs_painting_is_not_replaced(here, capsys, caplog, format):
    photograph(here / "cat.bmp", 1)
    assert paint("cat.png", "--formats", format) == 0
    before = (here / f"cat_painted.{format}").read_bytes()
    assert paint("cat.bmp", "--formats", f"svg,{format}") == 2
    error = capsys.readouterr().err
    assert f"cat_painted.{format}: was made of cat.png, not of cat.bmp" in error
    assert "--output" in error
    assert "--overwrite" in error
    assert made(here) == {"cat.bmp", f"cat_painted.{format}"}
    assert paint("cat.png", "--formats", format) == 0
    assert not caplog.text  # the same again is no news
    assert (here / f"cat_painted.{format}").read_bytes() == before
    assert paint("cat.bmp", "--formats", format, "--overwrite") == 0
    assert (here / f"cat_painted.{format}").read_bytes() != before


def test_renderings_of_another_painting_are_not_replaced(here, capsys, caplog):
    photograph(here / "b" / "dog.png", 1)
    assert paint("cat.png", "--out", "s.json") == 0
    assert paint("b/dog.png", "--out", "b/s.json") == 0
    assert main(["render", "s.json"]) == 0
    assert main(["render", "s.json"]) == 0
    assert main(["render", "b/s.json"]) == 2
    assert "s.png: was made of cat.png, not of dog.png, wanted another --output" in capsys.readouterr().err
    Image.fromarray(np.eye(48, dtype=np.uint8)[:36] * 255).save(here / "m.bmp")
    again = [
        "--mask",
        "m.bmp",
        "--strokes",
        "1",
        "--preset",
        "draft",
        "--style",
        "likeness",
        "--out",
        "s.png",
    ]
    assert main(["repaint", "b/s.json", "b/dog.png", "--no-guidance", *again]) == 2
    assert main(["repaint", "s.json", "cat.png", "--no-guidance", *again]) == 0
    assert not caplog.text
    old = json.loads((here / "s.json").read_text())  # of an earlier version: it does not say of what it is
    del old["source"]
    (here / "old.json").write_text(json.dumps(old))
    for _ in range(2):
        assert main(["render", "old.json"]) == 0
    assert not caplog.text
    assert main(["render", "b/s.json", "--overwrite"]) == 0


def test_what_may_be_anothers_is_replaced_and_told(here, caplog):
    photograph(here / "b" / "cat.png", 1)
    for format in ("png", "svg"):
        assert paint("cat.png", "--formats", format) == 0
        caplog.clear()
        assert paint("b/cat.png", "--formats", format) == 0
        assert f"cat_painted.{format} may be of another source" in caplog.text


def test_a_picture_that_was_not_painted_is_not_taken_for_a_painting(here, capsys):
    before = photograph(here / "dog.png", 1).read_bytes()
    assert paint("cat.png", "--output", "dog", "--formats", "png") == 2
    assert "dog.png: is there already, and is no painting that is known" in capsys.readouterr().err
    assert (here / "dog.png").read_bytes() == before


@pytest.mark.parametrize("name", ["猫 über.png", "a\nb.png", "b\udcff.png", "x" * 240 + ".png"])
def test_sources_of_all_names_are_known_again(here, caplog, name):
    photograph(here / "of.png", 2).rename(here / name)
    for _ in range(2):
        assert paint(name, "--output", "r", "--formats", "png,json") == 0
    assert not caplog.text
    assert main(["render", "r.json", "--out", "again.png"]) == 0
    assert (here / "again.png").read_bytes() == (here / "r.png").read_bytes()


def piped(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input(here, capsys, monkeypatch):
    data = (here / "cat.png").read_bytes()
    for words, name in (((), "painting.json"), (("--output", "x"), "x.json")):
        piped(monkeypatch, data)
        assert paint("-", *words, "--formats", "json") == 0
        assert (here / name).is_file()
    assert paint("cat.png", "--formats", "json") == 0
    found, wanted = (json.loads((here / name).read_text()) for name in ("x.json", "cat_painted.json"))
    assert wanted.pop("source").startswith("cat.png ")
    assert found.pop("source").startswith("standard input ")
    assert found == wanted
    piped(monkeypatch, (here / "x.json").read_bytes())
    assert main(["render", "-"]) == 0
    assert main(["render", "x.json"]) == 0
    assert load_image(here / "painting.png").equal(load_image(here / "x.png"))


@pytest.mark.parametrize("command", ["paint", "render"])
def test_standard_input_without_anything_in_it(here, capsys, monkeypatch, command):
    piped(monkeypatch, b"")
    assert main([command, "-"]) == 2
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    for stream in (terminal, None):
        monkeypatch.setattr(sys, "stdin", stream)
        assert main([command, "-"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("-: " in line for line in lines)
    assert "standard input is a terminal" in lines[1]
    assert "standard input is closed" in lines[2]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("https://example.org/cat.jpg", "this is an address, wanted a file: download it first"),
        ("file:///home/cat.jpg", "this is an address, wanted its path alone"),
        ("none.jpg", "no such file"),
    ],
)
def test_what_is_no_file(here, capsys, name, complaint):
    for command in ("paint", "render"):
        assert main([command, name]) == 2
        assert complaint in capsys.readouterr().err


def test_numbered_frames_are_a_folder_that_tells_of_its_source(here, capsys, caplog):
    film = ("--formats", "frames,png", "--fps", "29.97", "--duration", "0.5", "--film-size", "20")
    assert paint("cat.png", *film) == 0
    frames = [f"cat_painted_frames/{number:06d}.png" for number in range(1, 16)]
    assert made(here) == {"cat_painted.png", *frames}
    assert "cat_painted_frames" in capsys.readouterr().out
    assert paint("cat.png", *film, "--duration", "1") == 0  # the same source again
    assert not caplog.records
    assert len(list((here / "cat_painted_frames").iterdir())) == 30
    photograph(here / "dog.png", seed=1)
    assert paint("dog.png", "--output", "cat_painted", "--formats", "frames", *film[2:]) == 2
    assert "cat_painted_frames: was made of cat.png, not of dog.png" in capsys.readouterr().err
    assert paint("dog.png", "--output", "cat_painted", "--formats", "frames", *film[2:], "--overwrite") == 0
    (here / "cat_painted_frames" / "notes.txt").touch()
    assert paint("cat.png", *film, "--overwrite") == 2
    assert "notes.txt is in this folder, which would be replaced" in capsys.readouterr().err


def test_a_folder_of_frames_may_be_named_twice(here):
    for seconds in ("0.5", "1"):
        film = ("--fps", "4", "--duration", seconds, "--film-size", "20")
        assert paint("cat.png", "--out", "shot.frames", *film) == 0
        assert len(list((here / "shot.frames").iterdir())) == 4 * float(seconds)
