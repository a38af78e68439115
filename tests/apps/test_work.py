"""Work is counted before it is done: a file of strokes costs no more than what is stated."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semantic_guidance.apps.room import check_painting_room, check_room, needed_bytes, painting_bytes
from semantic_guidance.apps.work import MAX_WORK, OUTLINE, RAMP, _covered, work
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.export.strokes_json import read_drawing
from semantic_guidance.export.svg import mask_outline
from semantic_guidance.painting import drawing as drawn
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing, DrawnLayer, Replay


def strokes(count: int, seed: int = 0, spread: float = 1.0, widest: float = 0.1) -> np.ndarray:
    vectors = np.random.default_rng(seed).random((count, 13)).astype(np.float32)
    vectors[:, :6] = (vectors[:, :6] - 0.5) * spread + 0.5
    vectors[:, 6:8] *= widest
    return vectors


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([0.02, 1, 5, 100]),
    widest=st.sampled_from([0.01, 0.5]),
)
def test_what_a_stroke_covers_is_not_more_than_is_counted(seed, spread, widest):
    """Against the pixels that change where it is painted white and opaque on black."""
    vector = strokes(1, seed, spread, widest)
    vector[:, 8:] = 1
    one = Drawing((DrawnLayer(vector),), (0.0, 0.0, 0.0), 96, 64)
    touched = int((one.render()[0] > 0).sum())
    assert touched <= _covered(one.layers[0], one)


def test_textured_brushes_and_steps_of_opacity_count():
    """Giant strokes: textured ones take about 100 times as long as flat ones (250 against 2 ns a pixel)."""
    giant = np.full((1000, 13), 0.5, np.float32)
    flat = Drawing((DrawnLayer(giant),), (1.0, 1.0, 1.0), 4096, 4096)
    oil = replace(flat, brush=Brush("oil"))
    assert work(flat, ["png"]) < MAX_WORK < work(oil, ["png"])
    thin = giant.copy()
    thin[:, 6:8] = 0.001
    assert work(replace(oil, layers=(DrawnLayer(thin),)), ["png"]) < MAX_WORK
    ramp = thin.copy()
    ramp[:, 8:10] = 0, 1
    shapes = replace(flat, layers=(DrawnLayer(ramp),))
    assert work(shapes, ["svg"]) == 1000 * (OUTLINE + RAMP)
    assert work(shapes, ["exact.svg"]) == 1000 * OUTLINE * (1 + np.ceil(1 / 0.03))
    assert work(shapes, ["json", "exact.svg"]) == work(shapes, ["exact.svg"])


def test_films_and_pages_are_of_their_own_size():
    """A film of a huge painting is as much work as one of a small one; light falls on each frame."""
    giant = np.full((1000, 13), 0.5, np.float32)
    oil = Drawing((DrawnLayer(giant),), (1.0, 1.0, 1.0), 8192, 8192, brush=Brush("oil"))
    assert work(replace(oil, width=720, height=720), ["mp4"]) == work(oil, ["mp4"]) < MAX_WORK
    assert work(oil, ["html"]) < MAX_WORK < work(oil, ["png"])
    bare = replace(oil, layers=(DrawnLayer(giant[:1] * 0),), width=720, height=720)
    frames = work(bare, ["mp4"]) / work(bare, ["png"])
    assert 360 < frames < 30 * 14 * 2  # a frame is lit, changed and encoded
    assert work(replace(bare, brush=Brush("watercolor")), ["mp4"]) > work(bare, ["mp4"])


def test_larger_longer_and_transparent_films_are_more_work():
    drawing = Drawing((DrawnLayer(strokes(50)),), (1.0, 1.0, 1.0), 512, 512)
    usual = work(drawing, ["mp4"])
    assert work(drawing, ["mp4"], VideoOptions(film_size=4096)) > 30 * usual
    assert work(drawing, ["mp4"], VideoOptions(film_size=256)) < usual / 3
    assert work(drawing, ["mp4"], VideoOptions(duration=140)) == pytest.approx(10 * usual, rel=0.1)
    assert work(drawing, ["mp4"], VideoOptions(fps="29.97")) == pytest.approx(usual, rel=0.01)
    assert work(drawing, ["gif"], VideoOptions(film_size=4096)) > MAX_WORK
    clear = replace(drawing, transparent="painting")
    assert work(clear, ["webm"]) > 2 * work(drawing, ["webm"])
    assert work(clear, ["mp4"]) == usual  # which has no alpha


def test_hundreds_of_resized_masks_are_not_all_kept(monkeypatch):
    masks = tuple(np.full((1, 4, 4), n / 10, np.float32) for n in range(10))
    layers = tuple(DrawnLayer(strokes(2, n), "foreground", n, n % 10) for n in range(20))
    painting = Drawing(layers, (1.0, 1.0, 1.0), 64, 64, masks=masks)
    wanted = painting.render()
    monkeypatch.setattr(drawn, "MASK_BYTES", 3 * 4 * 64 * 64)
    replay = Replay(painting)
    for count in range(1, 41):
        replay.paint(count)
        assert len(replay._resized) <= 3
    assert np.array_equal(replay.picture(), wanted)


def test_masks_that_would_fill_the_memory_are_refused(monkeypatch, tmp_path):
    checker = (np.indices((40, 40)).sum(axis=0) % 2).astype(np.float32)[None]
    painting = Drawing((DrawnLayer(strokes(2), mask=0),), (1.0, 1.0, 1.0), 40, 40, masks=(checker,) * 3)
    monkeypatch.setattr("semantic_guidance.export.svg.MAX_EDGES", 100)
    with pytest.raises(InputError, match=r"a\.svg: the outlines of its masks have too many pieces"):
        EXPORTERS.get("svg").write(painting, tmp_path / "a.svg")
    monkeypatch.setattr("semantic_guidance.export.html.MAX_PIXELS", 40 * 40 * 2)
    with pytest.raises(
        InputError, match=r"a\.html: there are 3 masks, wanted at most 2 on a page of 40 x 40"
    ):
        EXPORTERS.get("html").write(painting, tmp_path / "a.html")
    monkeypatch.setattr("semantic_guidance.export.strokes_json.MAX_MASKS", 2)
    EXPORTERS.get("json").write(painting, tmp_path / "a.json")
    with pytest.raises(InputError, match=r"a\.json: there are 3 masks in it, wanted at most 2"):
        read_drawing(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert len(json.loads((tmp_path / "a.json").read_text())["masks"]) == 3


def test_the_outline_of_a_large_mask_is_the_same_shape(monkeypatch):
    """Traced at its own size, the outline of a square lies within a pixel of the finer one."""
    mask = np.zeros((1, 64, 64), np.float32)
    mask[:, 16:48, 16:48] = 1
    fine = mask_outline(mask, 64, 64)
    monkeypatch.setattr("semantic_guidance.export.svg.FINEST", 64 * 64)
    coarse = mask_outline(mask, 64, 64)

    def frame(path: str) -> np.ndarray:
        pairs = [pair.split() for pair in path.strip("MZ").split("L")]
        points = np.array(pairs, float)
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    assert np.abs(frame(coarse) - frame(fine)).max() <= 1
    assert np.abs(frame(fine) - [16, 16, 48, 48]).max() <= 0.5


def test_paintings_that_do_not_fit_are_told_before_the_work(monkeypatch):
    monkeypatch.setattr("semantic_guidance.core.memory.resident", lambda: 0)
    monkeypatch.setattr("semantic_guidance.core.memory.free_memory", lambda: 1_000_000_000)
    check_room((4096, 4096), Brush(), ["png"], "a.json")
    check_room((4096, 4096), Brush("oil"), ["json", "mp4", "svg"], "a.json")  # no picture of that size
    wanted = (
        r"a\.json: painting 4096 x 4096 pixels takes about 1\.1 GB of memory, wanted less than the 1\.0 GB"
    )
    with pytest.raises(InputError, match=wanted):
        check_room((4096, 4096), Brush("oil"), ["png"], "a.json")
    check_room((512, 512), Brush(), ["mp4"], "a.json", film_size=2048)
    with pytest.raises(InputError, match=r"1\.7 GB .* a smaller --size or a smaller --film-size"):
        check_room((512, 512), Brush(), ["mp4"], "a.json", film_size=4096)
    monkeypatch.setattr("semantic_guidance.core.memory.free_memory", lambda: None)
    check_room((8192, 8192), Brush("oil"), ["png"], "a.json")


PEAK = """
import re, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Drawing, DrawnLayer
style, name, clear, folder = sys.argv[1:]
packed = np.random.default_rng(0).random((3, 13)).astype(np.float32)
packed[:, 6:8] *= 0.02
drawing = Drawing((DrawnLayer(packed),), (1.0, 1.0, 1.0), 2048, 2048, brush=Brush(style))
drawing = replace(drawing, transparent=clear or None)
EXPORTERS.get(name).write(drawing, Path(folder) / f"a.{name}")
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize(
    ("style", "name", "clear"),
    [
        ("flat", "png", ""),
        ("flat", "png", "painting"),
        ("oil", "jpg", ""),
        ("gouache", "png", ""),
        ("pencil", "height.png", ""),
    ],
)
def test_the_estimate_is_what_a_picture_takes(style, name, clear, tmp_path):
    """The most memory that a process of its own has used."""
    command = [sys.executable, "-c", PEAK, style, name, clear, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    wanted = needed_bytes(2048**2, Brush(style), [name], bool(clear))
    assert int(done.stdout) * 1024 == pytest.approx(wanted, rel=0.3)


PAINTED = """
import re, sys
from pathlib import Path
from semantic_guidance.apps.cli.main import main
status = main(sys.argv[1:])
print(status, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_estimate_is_what_painting_takes(tmp_path):
    """The program and its networks, a large photograph, and a painting of another size."""
    photo = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    Image.fromarray(photo).resize((2400, 1800)).save(tmp_path / "a.jpg")
    words = ["paint", "a.jpg", "--strokes=20", "--preset=draft", "--formats=png", "--size=1600"]
    command = [sys.executable, "-c", PAINTED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=90, cwd=tmp_path)
    status, peak = done.stdout.splitlines()[-1].split()
    assert status == "0"
    wanted = painting_bytes(1600 * 1200, 2400 * 1800, 20, ["png"])
    assert int(peak) * 1024 == pytest.approx(wanted, rel=0.3)


def test_films_pages_and_own_pictures_count(monkeypatch):
    """Masks and a start that are kept, a film's encoder, and what painting takes whatever the formats."""
    flat, oil = Brush(), Brush("oil")
    assert needed_bytes(8192**2, flat, ["json", "svg", "html"]) == 0
    assert needed_bytes(8192**2, oil, ["html"]) == needed_bytes(1024**2, oil, ["png"])
    assert 150e6 < needed_bytes(8192**2, flat, ["mp4"]) < 250e6
    assert needed_bytes(64, flat, ["png"], kept=10**9) - needed_bytes(64, flat, ["png"]) == 10**9
    assert painting_bytes(10**6, 10**6, 100, ["json"]) > 0.6e9
    monkeypatch.setattr("semantic_guidance.core.memory.resident", lambda: 0)
    monkeypatch.setattr("semantic_guidance.core.memory.free_memory", lambda: 500_000_000)
    with pytest.raises(InputError, match=r"^a\.jpg: painting 512 x 341 pixels with 300 strokes takes about"):
        check_painting_room((341, 512), 512 * 341, 300, ["json"], "a.jpg")
