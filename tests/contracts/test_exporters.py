"""Every file format goes through the same tests."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import from_json, parser_of, to_json
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export import save, save_painting
from semantic_guidance.export.base import Exporter, folder_of
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.images.files import load_image
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.painting.painting import Layer, Painting
from tests.conftest import random_strokes

NAMES = EXPORTERS.names()


def exporter_of(name: str) -> Exporter:
    found: Exporter = EXPORTERS.get(name)
    return found


STILL = tuple(name for name in NAMES if exporter_of(name).still)
FILMS = tuple(name for name in NAMES if exporter_of(name).film)
CLEAR = tuple(name for name in NAMES if exporter_of(name).transparent)


def short(name: str) -> Any:
    """The format's options, of a film one that is soon written."""
    options = exporter_of(name).options
    return VideoOptions(fps=6, duration=1) if options is VideoOptions else options()


def content(path: Path) -> bytes:
    """What a file holds, or all files of a folder."""
    if not path.is_dir():
        return path.read_bytes()
    return b"".join(file.name.encode() + file.read_bytes() for file in sorted(path.iterdir()))


def earlier(path: Path, name: str) -> bytes:
    """Something of an earlier day in place of what is to be written."""
    if folder_of(name):
        path.mkdir()
        (path / "000001.png").write_bytes(b"before")
    else:
        path.write_bytes(b"before")
    return content(path)


def frames_of(path: Path) -> list[np.ndarray]:
    """A film's frames ``[H, W, 4]``, as another program sees them: the alpha of one without it is 255."""
    if path.is_dir() or path.name.endswith("anim.webp"):  # which FFmpeg cannot read
        pictures = []
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with Image.open(file) as film:
                for number in range(getattr(film, "n_frames", 1)):
                    film.seek(number)
                    pictures.append(np.asarray(film.convert("RGBA"), float))
        return pictures
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        if stream.metadata.get("alpha_mode") != "1":
            return [frame.to_ndarray(format="rgba").astype(float) for frame in film.decode(stream)]
        decoder: Any = av.CodecContext.create("libvpx-vp9", "r")  # the other one does not look at alpha
        found = [frame for packet in film.demux(stream) for frame in decoder.decode(packet)]
        return [frame.to_ndarray(format="rgba").astype(float) for frame in found]


def write(painting: Painting, path: Path, name: str) -> list[float]:
    """Write a painting; what progress was told."""
    told: list[float] = []
    exporter_of(name).write(painting, path, short(name), told.append)
    return told


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name):
    exporter = exporter_of(name)
    assert 0 < len(exporter.summary) < 80
    assert exporter.summary == exporter.summary.strip().removesuffix(".")
    assert not (exporter.still and exporter.film)
    assert dataclasses.is_dataclass(exporter.options)
    defaults = exporter.options()
    assert from_json(exporter.options, to_json(defaults)) == defaults
    for item in dataclasses.fields(exporter.options):
        assert item.metadata["help"]
        assert callable(parser_of(item))


@pytest.mark.parametrize("name", NAMES)
def test_its_suffix_leads_to_it(name):
    assert name == name.lower()
    for path in (f"a.{name}", f"A.{name.upper()}", f"some.where/b.c.{name}", Path("x") / f"y.{name}"):
        assert EXPORTERS.of(path) == name


def paintings() -> dict[str, Painting]:
    """Paintings that a format may stumble over."""
    strokes = random_strokes(3)
    mask = torch.tensor([[[0.0, 1.0, 1.0]]])
    flat = {"background": (0.0, 0.5, 1.0), "width": 24, "height": 16}
    return {
        "no stroke": Painting((), **flat),
        "an empty layer": Painting((Layer(random_strokes(0)), Layer(strokes)), **flat),
        "an object alone": Painting((Layer(strokes, "foreground", 0, 0),), **flat, masks=(mask,)),
        "as the papers paint": Painting((Layer(strokes, mask=0, compositing="seed"),), **flat, masks=(mask,)),
        "a pixel": Painting((Layer(strokes),), (1.0, 1.0, 1.0), 1, 1),
        "a line": Painting((Layer(strokes),), (1.0, 1.0, 1.0), 40, 1),
        "bristles": Painting((Layer(strokes),), **flat, brush=Brush.of("oil", 0)),
        "on a picture": Painting((Layer(strokes),), **flat, start=torch.full((3, 4, 6), 0.2)),
        "on paper": Painting((Layer(strokes),), **flat, paper=(100.0, 50.0)),
    }


@pytest.mark.parametrize("case", paintings())
@pytest.mark.parametrize("name", NAMES)
def test_it_writes_whatever_is_painted(name, case, tmp_path):
    path = tmp_path / f"a.{name}"
    told = write(paintings()[case], path, name)
    assert path.stat().st_size > 0
    assert os.listdir(tmp_path) == [path.name]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    assert told[0] >= 0
    assert max(told) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_it_writes_all_or_nothing(name, tmp_path, monkeypatch):
    painting, path = paintings()["an object alone"], tmp_path / f"a.{name}"
    before = earlier(path, name)

    class StopError(Exception):
        pass

    def stop(*arguments: object) -> None:
        raise StopError

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", stop)
        patched.setattr("semantic_guidance.core.whole_folders.exchange", stop)
        with pytest.raises(StopError):
            write(painting, path, name)
    assert content(path) == before
    with pytest.raises(StopError):
        exporter_of(name).write(painting, path, short(name), stop)
    left = content(path)
    assert os.listdir(tmp_path) == [path.name]
    write(painting, path, name)
    assert content(path) != before
    assert left in (before, content(path))  # at the end, which is told of, too, it is whole


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_cannot_be_written_is_named(name, painting, tmp_path):
    path = tmp_path / "none" / f"a.{name}"
    with pytest.raises(OSError, match=r"cannot be written .*, wanted a writable folder") as raised:
        save_painting(painting, path, options=short(name))
    assert str(path) in str(raised.value)
    path.parent.mkdir()
    wrong: type[OSError] = NotADirectoryError if folder_of(name) else IsADirectoryError
    if folder_of(name):
        path.touch()
    else:
        path.mkdir()
    with pytest.raises(wrong, match=r"wanted (a file name|the name of a folder)") as raised:
        save_painting(painting, path, options=short(name))
    assert str(path) in str(raised.value)
    assert not content(path)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_painting_is_the_same_file_and_stays_as_it_was(name, tmp_path):
    painting = paintings()["an object alone"]
    strokes = painting.strokes.pack()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(painting, tmp_path / folder / f"a.{name}", name)
    one, two = (tmp_path / folder / f"a.{name}" for folder in ("one", "two"))
    assert content(one) == content(two)
    assert torch.equal(painting.strokes.pack(), strokes)


@pytest.mark.parametrize("name", NAMES)
def test_still_ones_alone_take_a_lone_picture(name, painting, tmp_path):
    path = tmp_path / f"a.{name}"
    if name not in STILL:
        with pytest.raises(InputError, match="a picture has no strokes to put into this format, wanted"):
            save(painting.canvas, path)
        assert not path.exists()
        return
    save(painting.canvas, path)
    alone = load_image(path)
    write(painting, path, name)
    assert torch.equal(load_image(path), alone)
    assert (alone - painting.canvas).abs().mean() < 0.02


def test_a_stranger_s_still_takes_a_lone_picture(painting, tmp_path):
    """Netpbm's text format."""

    def write(painting: Painting, path: Path, options: object, progress: Callable[[float], None]) -> None:
        pixels = (painting.canvas * 255).round().int().permute(1, 2, 0).flatten().tolist()
        path.write_text(f"P3 {painting.width} {painting.height} 255\n{' '.join(map(str, pixels))}")

    EXPORTERS.register("ppm", Exporter(write, "a picture as text", still=True))
    try:
        for name, picture in (("a", painting), ("b", painting.canvas)):
            save(picture, tmp_path / f"{name}.ppm")
            with Image.open(tmp_path / f"{name}.ppm") as opened:
                shown = torch.from_numpy(np.array(opened)).permute(2, 0, 1) / 255
            assert (shown - painting.canvas).abs().max() < 0.51 / 255
        with pytest.raises(ValueError, match="wanted 0 to 1"):
            save(painting.canvas * 9, tmp_path / "c.ppm")
    finally:
        EXPORTERS.unregister("ppm")


def opacity(path: Path) -> np.ndarray:
    """Alpha of a picture, as bytes; all opaque where it has none."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA"))[..., 3]


@pytest.mark.parametrize("name", NAMES)
def test_transparent_ones_alone_show_what_is_behind(name, painting, tmp_path):
    path = tmp_path / f"a.{name}"
    few = dataclasses.replace(painting, layers=painting.layers[1:2], width=48, height=32)
    write(few, path, name)
    opaque = content(path)
    assert name not in STILL or opacity(path).min() == 255
    assert name not in FILMS or min(frame[..., 3].min() for frame in frames_of(path)) == 255
    write(dataclasses.replace(few, transparent="painting"), path, name)
    if name not in CLEAR:
        assert content(path) == opaque
    elif name in STILL:
        assert opacity(path).min() == 0
        assert opacity(path).max() > 150
    elif name in FILMS:
        first, *_, last = frames_of(path)
        assert first[..., 3].max() == 0
        assert last[..., 3].min() == 0
        assert last[..., 3].max() > 150
    else:
        assert b'id="canvas"' in opaque
        assert b'id="canvas"' not in path.read_bytes()


@pytest.mark.parametrize("name", FILMS)
def test_films_show_how_it_was_painted(name, painting, tmp_path):
    path = tmp_path / f"a.{name}"
    write(painting, path, name)
    frames = [frame[..., :3] for frame in frames_of(path)]
    assert len(frames) > 3
    wanted = painting.blank(), painting.canvas
    for frame, canvas in zip((frames[0], frames[-1]), wanted, strict=True):
        assert frame.shape == (64, 96, 3)
        assert np.abs(frame / 255 - canvas.permute(1, 2, 0).numpy()).mean() < 0.05


@pytest.mark.parametrize("name", STILL)
def test_stills_are_no_films(name, painting, tmp_path):
    write(painting, tmp_path / f"a.{name}", name)
    with Image.open(tmp_path / f"a.{name}") as picture:
        assert getattr(picture, "n_frames", 1) == 1


def test_each_gets_what_it_takes(painting, tmp_path):
    """A painting of tensors, or if it is plain, a drawing of arrays, whichever of them is given."""
    got: list[Any] = []

    def write(given: Any, path: Path, options: object, progress: Callable[[float], None]) -> None:
        got.append(given)

    for given in (painting, painting.drawing):
        Exporter(write, "tensors").write(given, tmp_path / "a")
        Exporter(write, "arrays", plain=True).write(given, tmp_path / "a")
    assert [type(each) for each in got] == [Painting, Drawing, Painting, Drawing]
    assert got[0] is painting
    assert got[1] is got[3] is painting.drawing
    assert torch.equal(got[2].canvas, painting.canvas)
