"""The papers' comparison: errors worked out by hand, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.apps.evaluate.published import Row, about_shrinking, means, read_published
from semantic_guidance.core.errors import InputError

pytestmark = pytest.mark.usefixtures("looks_once")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two grey pictures, the right quarter of one being a lighter object, and paintings in one colour."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    target = np.full((128, 128, 3), 102, np.uint8)
    target[:, 96:] = 153
    Image.fromarray(target).save(pictures / "field__target.png")
    Image.fromarray((target[..., 0] > 120).astype(np.uint8) * 255).save(pictures / "field__mask.png")
    Image.new("RGB", (64, 48), (102, 102, 102)).save(pictures / "field__flat.png")
    Image.new("RGB", (64, 64), (102, 102, 102)).save(pictures / "plain__target.png")
    Image.new("RGB", (64, 64), (153, 153, 153)).save(pictures / "plain__flat.png")
    (pictures / "notes.csv").write_text("not a picture\n")
    return pictures


def test_errors_beside_published_ones(folder: Path, tmp_path: Path, capsys):
    words = ["evaluate", str(folder), "--paper", "--out", str(tmp_path / "out"), "--strokes", "6"]
    words += ["--methods", "planner"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["picture", "painting", "all", "object", "background"]
    # Off by 51 / 255 = .2 in the quarter that is the object, and everywhere in the other picture.
    assert lines[1].split() == ["field", "flat", "0.01000", "0.04000", "0.00000"]
    assert lines[3].split() == ["plain", "flat", "0.04000", "–", "0.04000"]
    assert lines[5].split() == ["mean", "flat", "(2)", "0.02500", "0.04000", "0.02000"]
    assert lines[6].split()[:2] == ["planner+draft", "(2)"]
    assert "shrunk by averaging over areas. Where photographs" in lines[7]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    figures = results["pictures"][0]["results"]
    assert list(figures) == ["planner+draft"]
    assert float(lines[2].split()[1]) == pytest.approx(figures["planner+draft"]["mse"], abs=1e-5)
    assert main([*words, "--only", "plain", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["paintings"]
    assert [row["picture"] for row in rows] == ["plain", "plain", "mean", "mean"]


def test_how_shrinking_moves_errors(tmp_path: Path, capsys):
    """Stripes that averaging makes grey, and that OpenCV's `resize` does not see at all."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[::4] = 200
    assert cv2.resize(stripes, (128, 128)).max() == 0
    Image.fromarray(stripes).save(tmp_path / "stripes__target.png")
    Image.new("L", (8, 8), 255).save(tmp_path / "stripes__mask.png")
    Image.new("RGB", (64, 64), (100, 100, 100)).save(tmp_path / "stripes__grey.png")  # stripes: 50 on average
    words = ["evaluate", str(tmp_path), "--paper", "--out", str(tmp_path / "out"), "--strokes", "4"]
    assert main([*words, "--methods", "planner"]) == 0
    assert "are 4.0 to 4.0 (of published paintings) and " in capsys.readouterr().out


def test_means_are_of_the_pictures_that_have_the_figure():
    rows = [
        Row("a", "x", 1, True, (1.0, None, 3.0), None),
        Row("b", "x", 1, True, (3.0, 4.0, None), 8.0),
        Row("b", "y", 1, False, (5.0, 6.0, 7.0), 3.0),
    ]
    assert means(rows) == [
        Row("mean", "x", 2, True, (2.0, 4.0, 3.0), 8.0),
        Row("mean", "y", 1, False, (5.0, 6.0, 7.0), 3.0),
    ]
    assert "are 0.5 to 0.5 (of published paintings) and 2.0 to 2.0 (of ours) times" in about_shrinking(rows)
    assert about_shrinking(rows[:1]).endswith("by averaging over areas.")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--paper", "--strokes", "500"], "--strokes: got 500, wanted at most 300 with --paper"),
        (
            ["--paper", "--methods", "planner+polish"],
            "--methods: got 'planner+polish', wanted AGENT or AGENT+draft",
        ),
        (["--paper", "--masks", "x"], "--masks: not with --paper"),
        (["--paper", "--only", "field,fields"], "has no picture 'fields', wanted names of its pictures"),
        (["--paper", "--dataset", "folder"], "--dataset: not with --paper"),
        (["--dataset", "mnist"], "--dataset mnist: dataset is 'mnist', wanted"),
        (["--dataset", "cub200"], "CUB_200_2011/images.txt is missing, wanted CUB-200-2011"),
    ],
)
def test_refusals(words: list[str], complaint: str, folder: Path, tmp_path: Path, capsys):
    assert main(["evaluate", str(folder), "--out", str(tmp_path / "out"), *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert complaint in said.err
    assert not (tmp_path / "out").exists()


def test_a_painting_that_cannot_be_read_is_told_of_before_any_is_made(folder: Path, tmp_path: Path, capsys):
    (folder / "plain__flat.png").write_bytes(b"no picture")
    words = ["evaluate", str(folder), "--paper", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "plain__flat.png" in said.err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--only", "field", "--strokes", "4", "--methods", "planner+draft"]) == 0


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("lonely__flat.png", "lonely__flat.png: no target beside it, wanted lonely__target.png"),
        ("field__flat.jpg", "field__flat.png: field__flat.jpg is there, too, wanted one of them"),
    ],
)
def test_folders_of_another_form(name: str, complaint: str, folder: Path):
    Image.new("RGB", (8, 8)).save(folder / name)
    with pytest.raises(InputError, match=re.escape(complaint)):
        read_published(folder)


def test_pictures_that_training_holds_out(folder: Path, tmp_path: Path, capsys):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(10):
        Image.new("RGB", (32, 32), (20 * number, 90, 90)).save(data / f"{number}.png")
    words = ["evaluate", str(data), "--dataset", "folder", "--strokes", "4", "--methods", "planner+draft"]
    assert main([*words, "--out", str(tmp_path / "out"), "--limit", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 1
    from semantic_guidance.agents.ltp.episode import EnvConfig
    from semantic_guidance.learning.bank import open_banks
    from semantic_guidance.learning.config import DataConfig

    learned, held_out = open_banks(DataConfig(dataset="folder", data=str(data)), EnvConfig())
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (picture,) = results["pictures"]
    assert int(Path(picture["name"]).stem) in held_out.numbers.tolist()
    assert int(Path(picture["name"]).stem) not in learned.numbers.tolist()
