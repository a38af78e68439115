"""The film, decoded again."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.export import VideoOptions, encoder, save_painting
from semantic_guidance.export.encoder import WAITING
from semantic_guidance.export.frames import pace, schedule
from semantic_guidance.export.kinds import KINDS, SHORTEST
from semantic_guidance.export.screen import Screen
from semantic_guidance.export.video import HOLD, _in_second_thread
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.painting.brushes.brush import Brush
from semantic_guidance.painting.drawing import Replay
from semantic_guidance.painting.painting import Layer, Painting
from tests.conftest import random_strokes

LONGEST, RATE = KINDS["mp4"].longest, KINDS["mp4"].rate
FILES = [name for name, kind in KINDS.items() if not kind.folder]
ANIMATIONS = ("gif", "anim.webp", "apng")


@pytest.mark.parametrize(
    ("name", "codec", "bounds"), [("mp4", "h264", (6, 2.5, 20)), ("webm", "vp9", (8, 3.5, 30))]
)
def test_film(painting, tmp_path, name, codec, bounds):
    most_empty, mean, most = bounds  # of 255
    path = tmp_path / f"a.{name}"
    painting.save(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert len(container.streams) == 1
        assert stream.codec_context.name == codec
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == Colorspace.ITU709
        assert stream.codec_context.color_range == ColorRange.MPEG
        assert stream.average_rate == RATE
        assert (stream.width, stream.height) == (96, 64)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        duration = container.duration / 1_000_000
    painted = len(schedule(pace(painting), RATE))
    assert len(frames) == painted + HOLD * RATE
    assert duration == pytest.approx(len(frames) / RATE, abs=0.1)
    empty = to_bytes(painting.blank())
    assert np.abs(frames[0].astype(int) - empty).max() <= most_empty
    finished = to_bytes(painting.canvas).astype(int)
    # Colour has half the resolution in a film, so compare averages over small areas.
    for frame in (frames[-1], frames[painted]):
        difference = (frame.astype(int) - finished).reshape(16, 4, 24, 4, 3).mean((1, 3))
        assert np.abs(difference).mean() < mean
        assert np.abs(difference).max() < most
    middle = to_bytes(list(painting.replay())[schedule(pace(painting), RATE)[painted // 2]]).astype(int)
    assert np.abs(frames[painted // 2].astype(int) - middle).mean() < 6


def test_film_starts_at_once(painting, tmp_path):
    painting.save(tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("width", "height", "film"),
    [
        (95, 63, (96, 64)),
        (1, 1, (SHORTEST, SHORTEST)),
        (2000, 3, (LONGEST, SHORTEST)),
        (1999, 1001, (LONGEST, 362)),
        (33, 1500, (SHORTEST, LONGEST)),
    ],
)
def test_sizes(painting: Painting, tmp_path, width, height, film):
    few = replace(painting, width=width, height=height, layers=painting.layers[2:])
    few.save(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == film
        assert next(container.decode(stream)).width == film[0]


def test_a_painting_without_strokes(painting, tmp_path):
    replace(painting, layers=()).save(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2 + HOLD * RATE


def read_animation(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """Frames as Pillow sees them, and how many seconds each stays."""
    frames, seconds = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0  # for ever
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.array(image.convert("RGB")).astype(int))
            seconds.append(image.info["duration"] / 1000)
    return frames, seconds


@pytest.mark.parametrize("name", ANIMATIONS)
def test_animations(painting, tmp_path, name):
    path = tmp_path / f"a.{name}"
    painting.save(path)
    frames, seconds = read_animation(path)
    states = list(painting.replay())
    # 37 strokes, some of them hidden by their mask, and the empty canvas; the last frame may come twice.
    assert 25 < len(frames) <= 1 + 37 + 1
    assert sum(seconds) == pytest.approx(0.2 * 37 + HOLD, abs=0.25)
    assert sum(seconds[-2:]) >= HOLD
    far = {"gif": 6, "anim.webp": 5, "apng": 0}[name]
    assert np.abs(frames[0] - to_bytes(states[0])).mean() <= far
    assert np.abs(frames[-1] - to_bytes(states[-1])).mean() <= far
    assert min(np.abs(frames[15] - to_bytes(state)).mean() for state in states) <= far


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("fps", "seconds"), [(10, 3.0), (None, 0.5), (60, 1.2)])
def test_rate_and_length(painting, tmp_path, name, fps, seconds):
    path = tmp_path / f"a.{name}"
    save_painting(painting, path, options=VideoOptions(fps=fps, duration=seconds))
    if name in ANIMATIONS:
        length = sum(read_animation(path)[1])
    else:
        with av.open(str(path)) as container:
            frames = [frame.time for frame in container.decode(video=0)]
            assert container.streams.video[0].average_rate == (fps or KINDS[name].rate)
            length = frames[-1] + 1 / (fps or KINDS[name].rate)
    assert length == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize("name", FILES)
def test_films_too_short_for_a_hold(painting, tmp_path, name):
    """A quarter of half a second is no frame of one a second: there are the first state and the last."""
    path = tmp_path / f"a.{name}"
    save_painting(painting, path, options=VideoOptions(fps=1, duration=0.5))
    if name in ANIMATIONS:
        assert len(read_animation(path)[0]) == 2
    else:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 2


def test_memory_does_not_grow_with_length(painting, tmp_path):
    """Seven times the frames: all of them together would take 130 MB as pixels."""
    script = (
        "import pickle, resource, sys\n"
        "from semantic_guidance.export import VideoOptions, save_painting\n"
        "painting = pickle.load(open(sys.argv[1], 'rb'))\n"
        "save_painting(painting, sys.argv[2], options=VideoOptions(fps=30, duration=2.0))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "save_painting(painting, sys.argv[2], options=VideoOptions(fps=30, duration=14.0))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    layers = (Layer(random_strokes(200)),)
    (tmp_path / "p").write_bytes(pickle.dumps(replace(painting, layers=layers, width=320, height=240)))
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "p", tmp_path / "a.gif"], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert int(done.stdout) < 25_000  # KiB


@pytest.mark.parametrize("style", ["flat", "watercolor"])
@pytest.mark.parametrize("name", ["mp4", "gif", "apng"])
@pytest.mark.parametrize(("width", "height"), [(96, 64), (95, 63), (9, 70)])
def test_frames_converted_in_parts_are_those_of_whole_canvases(painting, name, style, width, height):
    drawing = replace(painting, width=width, height=height, brush=Brush(style)).drawing
    size = max(width, height)
    screen = Screen(drawing, size, KINDS[name])
    for count in (0, 1, 2, 2, 3, 7, 25, 36, 37):
        got = screen.frame(count)
        assert (got.width, got.height) == (max(SHORTEST, screen.width), max(SHORTEST, screen.height))
        whole = Screen(drawing, size, KINDS[name]).frame(count)
        assert got.format.name == whole.format.name
        assert np.array_equal(got.to_ndarray(), whole.to_ndarray())
        assert whole.colorspace == got.colorspace
    replay = Replay(drawing, size)
    replay.paint(37)
    shown = got.to_ndarray(format="rgb24")[:height, :width].astype(int)
    far = np.abs(shown - to_bytes(replay.picture())).mean()
    assert far == 0 if name != "mp4" else far < 8  # colour has half the resolution


@pytest.mark.parametrize("name", FILES)
def test_films_are_the_same_at_every_run(painting, tmp_path, name):
    """Where there is AVX-512, x264 left to itself writes another mp4 every second to hundredth time."""
    films = set()
    for n in range(20 if name == "mp4" else 3):
        save_painting(painting, tmp_path / f"{n}.{name}", options=VideoOptions(fps=10, duration=2.0))
        films.add((tmp_path / f"{n}.{name}").read_bytes())
    assert len(films) == 1


class StopError(Exception):
    pass


def failing_stream(fail: Callable[[], None]) -> Callable[..., Any]:
    """`new_stream`, whose stream fails when `fail` does."""
    make = encoder.new_stream

    class Stream:
        def __init__(self, *arguments: Any) -> None:
            self.stream = make(*arguments)

        def encode(self, frame: Any) -> Any:
            fail()
            return self.stream.encode(frame)

    return Stream


class FailingImage:
    """Pillow's `Image` for numbered pictures, which fails when `fail` does."""

    def __init__(self, fail: Callable[[], None]) -> None:
        self.fail = fail

    def fromarray(self, pixels: np.ndarray) -> Image.Image:
        self.fail()
        return Image.fromarray(pixels)


class TestTheSecondThread:
    def test_results_come_in_order_from_another_thread(self):
        told: list[tuple[int, bool]] = []
        here = threading.get_ident()
        _in_second_thread(lambda n: (n * n, threading.get_ident() != here), range(30), told.append)
        assert told == [(n * n, True) for n in range(30)]

    def test_few_items_wait(self):
        made: list[int] = []
        ahead: list[int] = []

        def items() -> Iterator[int]:
            for n in range(40):
                made.append(n)
                yield n

        def slowly(n: int) -> None:
            time.sleep(0.002)
            ahead.append(len(made) - n)

        _in_second_thread(slowly, items(), lambda result: None)
        assert 3 < max(ahead) <= WAITING + 2

    @pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
    @pytest.mark.parametrize("place", ["function", "items", "tell"])
    def test_what_is_raised_in_either_thread_ends_both(self, place, error):
        before = threading.active_count()

        def fail_at_five(where: str, n: int) -> int:
            if where == place and n == 5:
                raise error
            return n

        items = (fail_at_five("items", n) for n in range(1000))
        done: list[int] = []

        def function(n: int) -> int:
            done.append(n)
            return fail_at_five("function", n)

        with pytest.raises(error):
            _in_second_thread(function, items, lambda n: done.append(fail_at_five("tell", n)))
        assert threading.active_count() == before
        after = list(done)
        time.sleep(0.02)
        assert done == after
        assert len(done) < 100

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
    @pytest.mark.parametrize("place", ["encoder", "frame", "progress"])
    def test_a_film_that_fails_leaves_nothing(self, painting, tmp_path, monkeypatch, name, error, place):
        calls = 0

        def fail(*arguments: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise error

        if place == "frame":
            frame = Screen.frame
            monkeypatch.setattr(Screen, "frame", lambda self, count: (fail(), frame(self, count))[1])
        elif place != "progress":
            monkeypatch.setattr(encoder, "new_stream", failing_stream(fail))
            monkeypatch.setattr(encoder, "Image", FailingImage(fail))
        before = threading.active_count()
        path = earlier = tmp_path / f"a.{name}"
        if KINDS[name].folder:
            path.mkdir()
            earlier = path / "000001.png"
        earlier.write_bytes(b"before")
        with pytest.raises(error):
            save_painting(painting, path, fail if place == "progress" else None)
        assert calls >= 3
        assert earlier.read_bytes() == b"before"
        assert os.listdir(tmp_path) == [path.name]
        assert earlier == path or os.listdir(path) == [earlier.name]
        assert threading.active_count() == before


def test_an_ffmpeg_without_an_encoder_is_told_with_what_to_do(
    painting: Painting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with pytest.raises(InputError, match=r"a\.mp4: .* no libx264 .*, wanted one of webm, gif"):
        save_painting(painting, tmp_path / "a.mp4")
    assert not [*tmp_path.iterdir()]
    save_painting(painting, tmp_path / "a.webm")
