"""Saving by suffix, and files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export import save, save_painting
from semantic_guidance.export.frames import pace, schedule
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_image
from semantic_guidance.painting.drawing import Replay
from semantic_guidance.painting.painting import Layer, Painting
from tests.conftest import random_strokes


@pytest.mark.parametrize("name", EXPORTERS.shipped)
def test_every_format_writes(painting, tmp_path, name):
    told: list[float] = []
    path = tmp_path / f"a.{name.upper()}"
    save_painting(painting, path, told.append)
    assert path.stat().st_size > (60 if name == "height.png" else 100)  # a flat painting has no height
    assert told[-1] == pytest.approx(1.0)
    assert os.listdir(tmp_path) == [path.name]


def test_painting_saves_itself_as_png(painting, tmp_path):
    painting.save(tmp_path / "a.png")
    assert np.array_equal(to_bytes(load_image(tmp_path / "a.png")), to_bytes(painting.canvas))


@pytest.mark.parametrize("name", ["png", "jpg", "jpeg", "webp"])
def test_lone_pictures(painting, tmp_path, name):
    picture = torch.nn.functional.avg_pool2d(painting.canvas, 5, 1, 2)
    save(picture, tmp_path / f"a.{name}")
    assert torch.allclose(load_image(tmp_path / f"a.{name}"), picture, atol=0.0025 if name == "png" else 0.15)
    save(painting, tmp_path / f"b.{name}")
    assert load_image(tmp_path / f"b.{name}").shape == (3, 64, 96)


@pytest.mark.parametrize("name", ["a.avi", "a.psd", "a", "a.tiff", ".png", ".svg"])
def test_unknown_formats(painting, tmp_path, name):
    with pytest.raises(InputError, match="is not known, wanted one of png, jpg, "):
        painting.save(tmp_path / name)
    assert not os.listdir(tmp_path)


def test_a_picture_is_no_film(tmp_path):
    with pytest.raises(InputError, match="wanted one of png, jpg, jpeg, webp"):
        save(torch.zeros(3, 4, 4), tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="wanted 0 to 1"):
        save(torch.full((3, 4, 4), 7.0), tmp_path / "a.png")
    assert not os.listdir(tmp_path)


def test_suffix_decides():
    assert EXPORTERS.of(Path("x/y.z.PNG")) == "png"
    assert EXPORTERS.of("x.anim.WEBP") == "anim.webp"
    assert EXPORTERS.of("my.anim.gif") == "gif"
    assert EXPORTERS.of("exact.svg") == EXPORTERS.of("inexact.svg") == "svg"
    assert EXPORTERS.of("a.Exact.SVG") == "exact.svg"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_half_written(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def interrupted() -> None:
        with replacing(path) as draft:
            draft.write_text("aft")
            assert path.read_text() == "before"
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]
    with replacing(path) as draft:
        draft.write_text("after")
    assert path.read_text() == "after"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", EXPORTERS.shipped)
def test_an_interrupted_export_leaves_nothing(painting, tmp_path, name, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        painting.save(tmp_path / f"a.{name}")
    assert not os.listdir(tmp_path)


def test_links_and_permissions_are_kept(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.txt"
    target.write_text("before")
    (tmp_path / "link.txt").symlink_to(target)
    with replacing(tmp_path / "link.txt") as draft:
        draft.write_text("after")
    assert (tmp_path / "link.txt").is_symlink()
    assert target.read_text() == "after"
    plain = tmp_path / "plain.txt"
    plain.touch()
    assert target.stat().st_mode == plain.stat().st_mode


def test_no_place_to_write(painting, tmp_path):
    with pytest.raises(OSError, match=r"cannot be written.*wanted a writable folder"):
        painting.save(tmp_path / "none" / "a.png")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError, match="wanted a file name"):
        painting.save(tmp_path / "a.png")


def test_jpeg_is_good(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = (255, 0, 0)
    save(torch.from_numpy(pixels).permute(2, 0, 1) / 255, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "JPEG"
        assert np.abs(np.array(image).astype(int) - pixels).mean() < 1


@pytest.mark.parametrize("strokes", [0, 1, 7, 300, 10_000])
def test_schedule(strokes):
    layers = (Layer(random_strokes(strokes)),) if strokes else ()
    counts = schedule(pace(Painting(layers, (0, 0, 0), 9, 9)), 30)
    assert counts[0] == 0
    assert counts[-1] == strokes
    assert counts == sorted(counts)
    assert len(counts) <= 30 * 12 + 1
    if strokes == 300:
        assert len(counts) == 30 * 8 + 1


def test_half_of_the_film_is_the_objects():
    layers = (Layer(random_strokes(200)), Layer(random_strokes(50), "foreground"))
    parts = pace(Painting(layers, (0, 0, 0), 9, 9), 10)
    assert parts == [(200, pytest.approx(5)), (50, pytest.approx(5))]
    counts = schedule(parts, 10)
    assert len(counts) == 101
    assert counts[50] == 200
    assert counts[60] == 200 + round(50 * 0.2**1.5)


@pytest.mark.parametrize("counts", [[0, 37], [0, 1, 2, 20, 21, 21, 33, 36, 37, 37], list(range(38)), [25]])
def test_states_are_those_of_the_replay(painting, counts):
    one_by_one = list(painting.replay(50))
    replay = Replay(painting.drawing, 50)
    for count in counts:
        replay.paint(count)
        assert torch.equal(torch.from_numpy(replay.picture()), one_by_one[count])
