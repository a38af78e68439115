"""Packages of other people: the example is built and used; broken ones say what is wrong with them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.plugins import AGENTS, COMMANDS, DATASETS, EXPORTERS, GUIDES
from semantic_guidance.export.strokes_json import read_strokes
from tests.conftest import EXAMPLES, ROOT

PLUGIN = EXAMPLES / "plugin"

COMMAND_LINES = """
import contextlib, io, json, sys
from semantic_guidance.apps.cli.main import main
for argv in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
print(json.dumps(sorted({"torch", "numba", "llvmlite", "cv2"} & set(sys.modules))))
"""


def command_lines(folder: Path, *lines: list[str]) -> list[list[Any]]:
    """Status, output and complaints of some command lines in a process that finds the packages in a folder.

    At last, which of the big modules it has loaded.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    command, said = [sys.executable, "-c", COMMAND_LINES], json.dumps(lines)
    done = subprocess.run(command, input=said, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example is installed."""
    sources, folder = tmp_path_factory.mktemp("sources") / "plugin", tmp_path_factory.mktemp("installed")
    shutil.copytree(PLUGIN, sources)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=sources, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    wheel.unlink()
    return folder


def test_it_is_listed_without_waiting_for_torch(plugin):
    whole, paint, big = command_lines(plugin, ["--help"], ["paint", "--help"])
    assert big == []
    assert (whole[0], whole[2], paint[0], paint[2]) == (0, "", 0, "")
    assert "count the strokes of a painting, object by object" in " ".join(whole[1].split())
    assert "format csv:" in paint[1]
    assert {"mosaic,", "csv,", "--csv-digits", "--csv-pixels"} <= set(paint[1].split())


def test_it_paints_writes_counts_and_trains(plugin, photo, photo_mask, tmp_path):
    paint = ["paint", str(photo), "--agent", "mosaic", "--mask", str(photo_mask), "--preset", "draft"]
    paint += ["--strokes", "40", "--size", "60", "--formats", "csv,json", "--out"]
    plain, pixels = tmp_path / "plain", tmp_path / "pixels"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    listed = [str(EXAMPLES / f"{name}.jpg") for name in ("coffee", "rocket")]
    (pictures / "pictures.txt").write_text("\n".join(listed))
    train = ["train", "--dataset", "list", "--output", str(tmp_path / "model"), "--data"]
    tiny = {"canvas_size": 16, "width": 2, "nenv": 2, "batch_size": 2, "max_eps_len": 1, "rmsize": 2}
    tiny |= {"warmup": 0, "train_timesteps": 2, "train_steps_per_eps": 1, "val_interval": 0}
    few = [word for name, value in tiny.items() for word in (f"--{name}", str(value))]
    done = command_lines(
        plugin,
        [*paint, str(plain), "--csv-digits", "9"],
        [*paint, str(pixels), "--csv_pixels"],
        ["count", str(plain / "photo_painted.json")],
        [*paint, str(pixels), "--csv-digits", "10"],
        [*train, str(pictures), *few],
        [*train, str(tmp_path / "none"), "--exp_suffix", "other"],
    )[:-1]
    assert [status for status, *_ in done] == [0, 0, 0, 2, 0, 2], done
    check_table(plain, pixels, done[2][1])
    assert "error: --csv-digits: got '10', wanted a whole number from 0 to 9" in done[3][2]
    assert done[4][1] == f"{tmp_path / 'model' / 'list' / 'base'}\n"
    assert (tmp_path / "model" / "list" / "base" / "actor.safetensors").is_file()
    assert f"error: --data: {tmp_path / 'none' / 'pictures.txt'} cannot be read" in done[5][2]


def check_table(plain: Path, pixels: Path, counted: str) -> None:
    """The tables hold the strokes of the JSON files beside them, and `counted` is how many there are."""
    painting = read_strokes(plain / "photo_painted.json")
    objects = painting.foreground_strokes
    assert 0 < objects < len(painting.strokes) <= 40
    assert counted == f"background: {len(painting.strokes) - objects}\nobject 1: {objects}\n"
    header, *rows = csv.reader((plain / "photo_painted.csv").read_text().splitlines())
    assert header[:4] == ["level", "instance", "x0", "y0"]
    numbers = np.array([row[2:] for row in rows], float)
    assert np.allclose(numbers, painting.strokes.pack()[0].numpy(), atol=1e-9)
    assert [row[0] for row in rows].count("foreground") == objects
    _, *rows = csv.reader((pixels / "photo_painted.csv").read_text().splitlines())
    scale = np.array([60.0] * 8 + [1.0] * 5)
    assert np.allclose(np.array([row[2:] for row in rows], float), numbers * scale, atol=1e-4)
    assert all(len(number.partition(".")[2]) == 4 for row in rows for number in row[2:])


REASONS = {
    "ghost": "'nowhere:thing': ModuleNotFoundError: No module named 'nowhere'",
    "angry": "'angry:thing': RuntimeError: no licence;",
    "leaving": "'leaving:thing': SystemExit: good bye",
    "hollow": "'hollow:missing': AttributeError: module 'hollow' has no attribute 'missing'",
    "wrong": "'hollow:thing': AttributeError: it has no ",
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package that declares things of each kind, none of which can be loaded."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "angry.py").write_text("raise RuntimeError('no licence\\nfor this machine')")
    (folder / "leaving.py").write_text("import sys\nsys.exit('good bye')")
    (folder / "hollow.py").write_text("thing = 3")
    about = folder / "mess-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mess\nVersion: 1.0\n")
    points = "".join(f"{name} = {reason.split(chr(39))[1]}\n" for name, reason in REASONS.items())
    kinds = ("agents", "guides", "exporters", "datasets")
    groups = "".join(f"[semantic_guidance.{kind}]\n{points}" for kind in kinds)
    (about / "entry_points.txt").write_text(f"{groups}[semantic_guidance.commands]\nangry = angry\n")
    return folder


@pytest.fixture
def mess(broken: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That package is installed."""
    monkeypatch.syspath_prepend(str(broken))
    for registry in (AGENTS, COMMANDS, DATASETS, EXPORTERS, GUIDES):
        registry.__dict__.pop("_found", None)  # entry points are looked for once
    yield
    monkeypatch.undo()
    for registry in (AGENTS, COMMANDS, DATASETS, EXPORTERS, GUIDES):
        registry.__dict__.pop("_found", None)


@pytest.mark.parametrize("kind", ["agent", "guide", "format", "dataset"])
@pytest.mark.parametrize("name", REASONS)
def test_what_is_broken_says_so_where_it_is_asked_for(mess, kind, name, photo, tmp_path, capsys):
    out = tmp_path / "out"
    paint = ["paint", str(photo), "--strokes", "3", "--preset", "draft", "--size", "16", "--out", str(out)]
    argv = {
        "agent": [*paint, "--no-guidance", "--agent", name],
        "guide": [*paint, "--agent", "planner", "--guide", name],
        "format": [*paint, "--no-guidance", "--formats", f"png,{name}"],
        "dataset": ["train", "--dataset", name, "--data", str(tmp_path), "--output", str(out)],
    }
    assert cli.main(argv[kind]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        f"semantic-guidance: error: {kind} {name!r} of mess cannot be loaded from {REASONS[name]}"
    )
    assert said.err.count("\n") == 1
    assert not out.exists()


def test_a_broken_command(mess, capsys):
    assert cli.main(["angry"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("semantic-guidance: error: command 'angry' of mess cannot be loaded from 'angry'")
    assert said.count("\n") == 1


def test_what_is_broken_does_no_harm_to_help(broken):
    whole, paint, version, unknown, big = command_lines(
        broken, ["--help"], ["paint", "--help"], ["--version"], ["pain"]
    )
    assert big == []
    assert [whole[0], paint[0], version[0], unknown[0]] == [0, 0, 0, 2]
    assert "(cannot be loaded)" in whole[1]
    warning = "semantic-guidance: warning: command 'angry' of mess cannot be loaded from 'angry'"
    assert whole[2].startswith(warning)
    assert whole[2].count("\n") == 1
    assert paint[2] == ""
    assert "angry" in paint[1]


def test_what_is_broken_does_no_harm_to_painting(mess, photo, tmp_path, capsys):
    out = tmp_path / "out"
    paint = ["paint", str(photo), "--strokes", "3", "--preset", "draft", "--no-guidance", "--size", "16"]
    paint += ["--agent", "planner", "--out", str(out), "--formats"]
    assert cli.main([*paint, "png,gif", "--duration", "1"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"photo_painted.png", "photo_painted.gif"}
    assert cli.main([*paint, "png", "--fps", "5"]) == 2
    films = "mp4, webm, gif, anim.webp, apng, mov, mkv, frames"
    assert capsys.readouterr().err.endswith(f"wanted one of {films} in it\n")
    assert cli.main([*paint, "jpg", "--transparent"]) == 2
    clear = "png, webp, webm, gif, anim.webp, apng, mov, mkv, frames, svg, exact.svg"
    assert capsys.readouterr().err.endswith(f"wanted one of {clear}\n")


def test_the_example_is_small_and_explained():
    sources = sorted((PLUGIN / "semantic_guidance_mosaic").glob("*.py"))
    assert sum(len(path.read_text().splitlines()) for path in sources) < 180
    readme = (PLUGIN / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in sources if path.name != "__init__.py")
