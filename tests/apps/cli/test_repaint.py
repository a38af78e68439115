"""``semantic-guidance repaint``, and one line about what cannot be painted over."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.apps.cli.main import main
from semantic_guidance.export.strokes_json import read_strokes
from tests.apps.cli.refusals import refusals

QUICK = ["--preset", "draft", "--no-guidance"]


@pytest.fixture
def painted(photo, tmp_path):
    """The file of a small painting by a hand."""
    argv = ["paint", str(photo), "--strokes", "20", "--size", "60", "--brush", "flat", *QUICK]
    assert main([*argv, "--formats", "png,json", "--out", str(tmp_path / "a")]) == 0
    return tmp_path / "a" / "photo_painted.json"


@pytest.fixture
def complaint(tmp_path, capsys, monkeypatch):
    """Runs a command line that must be refused and write nothing; returns what it complains."""
    return refusals("repaint", tmp_path, capsys, monkeypatch)


def test_new_strokes_in_the_region_alone(painted, photo, photo_mask, tmp_path, capsys):
    capsys.readouterr()
    argv = ["repaint", str(painted), str(photo), "--mask", str(photo_mask), "--strokes", "15", *QUICK]
    assert main([*argv, "--lock", "--out", str(tmp_path / "b"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    before, after = read_strokes(painted), read_strokes(summary["outputs"]["json"])
    assert summary["new_strokes"] == len(after.strokes) - len(before.strokes) > 5
    assert (summary["erased_strokes"], summary["strokes"]) == (0, len(after.strokes))
    assert {layer.locked for layer in after.layers} == {False, True}
    old, new = (
        np.array(Image.open(path))
        for path in (painted.with_suffix(".png"), tmp_path / "b" / "photo_painted_repainted.png")
    )
    changed = (old != new).any(axis=2)
    inside = np.array(Image.open(photo_mask)) > 0
    assert changed[inside].mean() > 0.3
    assert not changed[~inside].any()


def test_what_lies_under_a_point_is_painted_over(painted, photo, tmp_path, monkeypatch):
    class Bright:
        """Stands in for the network: what is bright is under every point."""

        def encode(self, image: torch.Tensor) -> torch.Tensor:
            return (image.amin(0, keepdim=True) > 0.85).float()

        def __call__(self, features: torch.Tensor, points: object, previous: object = None) -> object:
            return features, 1.0

    monkeypatch.setattr("semantic_guidance.guidance.guide.default_clicks", Bright)
    argv = ["repaint", str(painted), str(photo), "--strokes", "10", *QUICK, "--out", str(tmp_path / "b")]
    assert main([*argv, "--point", "30,20", "--formats", "png"]) == 0
    old, new = (
        np.array(Image.open(path))
        for path in (painted.with_suffix(".png"), tmp_path / "b" / "photo_painted_repainted.png")
    )
    rows, columns = np.nonzero((old != new).any(axis=2))
    assert len(rows) > 50
    assert ((columns - 30) ** 2 + (rows - 20) ** 2).max() < 14**2  # the disc alone


def test_the_hand_of_the_file_and_its_dials(painted, photo, photo_mask, tmp_path, capsys):
    """Its own hand paints, unless another is asked for."""
    document = json.loads(painted.read_text())
    assert document["hand"]["style"] == "alla-prima"
    document["hand"]["dials"]["width"] = 2.0
    (tmp_path / "wide.json").write_text(json.dumps(document))
    argv = [str(photo), "--mask", str(photo_mask), "--strokes", "10", "--formats", "json", *QUICK]

    def width(name: str, *more: str) -> float:
        out = tmp_path / re.sub(r"[/.]", "", "-".join(["out", name, *more]))
        assert main(["repaint", str(tmp_path / name), *argv, *more, "--out", str(out)]) == 0
        (file,) = out.iterdir()
        return float(read_strokes(file).strokes[len(document["strokes"]) :].radius.mean())

    (tmp_path / "plain.json").write_text(painted.read_text())
    plain = width("plain.json")
    assert width("wide.json") > 1.4 * plain
    assert width("plain.json", "--width", "2") == width("wide.json")
    assert width("wide.json", "--style", "alla-prima") == plain
    assert width("plain.json", "--style", "likeness") != plain
    assert capsys.readouterr().err == ""


def test_what_cannot_be_painted_over(painted, photo, photo_mask, tmp_path, complaint):
    other = tmp_path / "other.png"
    Image.new("RGB", (40, 40)).save(other)
    Image.new("L", (60, 40)).save(tmp_path / "black.png")
    mask = ["--mask", photo_mask]
    assert "--mask: nothing says where to paint, wanted --mask REGION or --point" in complaint(painted, photo)
    assert "--point: the region is given by --mask" in complaint(painted, photo, *mask, "--point", "3,3")
    assert "--not-point: the region is given by" in complaint(painted, photo, *mask, "--not-point", "3,3")
    assert "--point: 60,3 lies outside the picture" in complaint(painted, photo, "--point", "60,3")
    assert "--invert-mask: there is no mask" in complaint(painted, photo, "--point", "3,3", "--invert-mask")
    assert "other.png: the image is 40 x 40, wanted the painting's 60 x 40 or the same" in complaint(
        painted, other, *mask
    )
    assert "other.png: the mask is 40 x 40" in complaint(painted, photo, "--mask", other)
    assert "black.png: the mask is empty" in complaint(painted, photo, "--mask", "black.png")
    assert "absent.json: no such file, wanted a file of strokes" in complaint("absent.json", photo, *mask)
    assert "absent.jpg: no such file, wanted a picture" in complaint(painted, "absent.jpg", *mask)
    assert "--strokes: got '0', wanted a whole number from 1" in complaint(
        painted, photo, *mask, "--strokes", "0"
    )
    assert "--style: got 'nope'" in complaint(painted, photo, *mask, "--style", "nope")
    document = json.loads(painted.read_text())
    document["hand"]["dials"]["weight"] = 1
    (tmp_path / "bad.json").write_text(json.dumps(document))
    assert "bad.json: weight is not a dial of a hand" in complaint(tmp_path / "bad.json", photo, *mask)


def test_all_of_it_is_locked(painted, photo, photo_mask, tmp_path, capsys):
    document = json.loads(painted.read_text())
    for stroke in document["strokes"]:
        stroke |= {"locked": True, "opacity": [1, 1], "radius": [1, 1]}
    (tmp_path / "locked.json").write_text(json.dumps(document))
    argv = ["repaint", str(tmp_path / "locked.json"), str(photo), "--mask", str(photo_mask), *QUICK]
    capsys.readouterr()
    assert main([*argv, "--out", str(tmp_path / "b")]) == 2
    assert "mask.png: the region is empty, wanted bright pixels" in capsys.readouterr().err
