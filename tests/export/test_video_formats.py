"""Films for editors: what comes back of them, read by other programs."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.export import VideoOptions, save_painting
from semantic_guidance.export.frames import pace, schedule
from semantic_guidance.export.kinds import KINDS
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.painting.painting import Painting

FILM = Fraction(24000, 1001)
STEADY = [name for name, kind in KINDS.items() if kind.steady and not kind.folder]


@pytest.fixture
def small(painting) -> Painting:
    return replace(painting, width=48, height=32)


def film(path: Path) -> tuple[av.VideoStream, list[av.VideoFrame]]:
    """A film's stream and its frames, alpha and all."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.metadata.get("alpha_mode") != "1":
            return stream, list(container.decode(stream))
        decoder = av.CodecContext.create("libvpx-vp9", "r")  # the other one does not look at alpha
        return stream, [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]


def pixels(frames: list[av.VideoFrame], form: str = "rgb24") -> list[np.ndarray]:
    return [frame.reformat(format=form, src_colorspace=1).to_ndarray() for frame in frames]


def pictures(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


def canvases(painting: Painting, seconds: float, rate: Fraction) -> list[np.ndarray]:
    """What each frame of a film of that length is to show: three quarters of it are painted."""
    frames = round(seconds * rate)
    painted = frames - round(seconds / 4 * rate)
    counts = schedule(pace(painting.drawing, float((painted - 1) / rate)), float(rate))
    states = [to_bytes(state) for state in painting.replay()]
    return [states[count] for count in (*counts, *[counts[-1]] * (frames - len(counts)))]


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.parametrize(
    ("rate", "seconds", "count"),
    [(30, 3.0, 90), ("23.976", 1.0, 24), ("30000/1001", 1.001, 30), (12.5, 0.5, 6)],
)
def test_a_film_is_exactly_as_long_as_asked(small, tmp_path, name, rate, seconds, count):
    options = VideoOptions(fps=rate, duration=seconds)
    save_painting(small, tmp_path / f"a.{name}", options=options)
    stream, frames = film(tmp_path / f"a.{name}")
    assert len(frames) == count
    assert stream.average_rate == options.fps
    length = Fraction(count) / options.fps
    assert frames[-1].time + 1 / options.fps == pytest.approx(float(length), abs=0.0011)
    if name in ("mp4", "mov"):
        assert stream.duration * stream.time_base == length
        with av.open(str(tmp_path / f"a.{name}")) as container:
            assert container.duration == pytest.approx(float(length * 10**6), abs=1)


@pytest.mark.parametrize(
    ("name", "codec", "form", "clear"),
    [
        ("mov", "prores", "yuv422p10le", "yuva444p12le"),  # as FFmpeg decodes all of 4444
        ("mkv", "ffv1", "bgr0", "bgra"),
        ("webm", "vp9", "yuv420p", "yuva420p"),
        ("mp4", "h264", "yuv420p", "yuv420p"),
    ],
)
def test_codecs_and_pixels(small, tmp_path, name, codec, form, clear):
    for painting, wanted in ((small, form), (replace(small, transparent="painting"), clear)):
        save_painting(painting, tmp_path / f"a.{name}", options=VideoOptions(fps=5, duration=0.5))
        stream, frames = film(tmp_path / f"a.{name}")
        assert (stream.codec_context.name, frames[0].format.name) == (codec, wanted)
        if name == "mov":
            tag = "apch" if painting is small else "ap4h"  # 422 HQ and 4444
            assert stream.codec_context.codec_tag == tag


def test_what_loses_nothing_is_the_canvas_at_its_moments(small, tmp_path):
    wanted = canvases(small, 2.0, FILM)
    for name in ("mkv", "frames"):
        save_painting(small, tmp_path / f"a.{name}", options=VideoOptions(fps=FILM, duration=2))
    got = {"mkv": pixels(film(tmp_path / "a.mkv")[1]), "frames": pictures(tmp_path / "a.frames")}
    for frames in got.values():
        assert len(frames) == 48
        assert all(map(np.array_equal, frames, wanted))
    assert len({frame.tobytes() for frame in wanted}) > 20
    assert sorted(os.listdir(tmp_path / "a.frames"))[::47] == ["000001.png", "000048.png"]


@pytest.mark.parametrize(
    ("name", "far"), [("mkv", 0), ("frames", 0), ("apng", 0), ("mov", 1), ("webm", 6), ("anim.webp", 6)]
)
def test_alpha_is_that_of_the_painting_without_its_canvas(small, tmp_path, name, far):
    clear = replace(small, transparent="painting")
    save_painting(clear, tmp_path / f"a.{name}", options=VideoOptions(fps=10, duration=1, crf=4))
    wanted = to_bytes(clear.drawing.cut_out()).astype(int)
    if name in ("frames", "anim.webp"):
        file = "a.frames/000010.png" if name == "frames" else f"a.{name}"
        with Image.open(tmp_path / file) as last:
            last.seek(getattr(last, "n_frames", 1) - 1)
            got = np.asarray(last.convert("RGBA")).astype(int)
    else:
        got = pixels(film(tmp_path / f"a.{name}")[1], "rgba")[-1].astype(int)
    assert np.abs(got[..., 3] - wanted[..., 3]).mean() <= far
    seen = wanted[..., 3] > 25
    assert np.abs(got - wanted)[seen][:, :3].mean() <= 3 * far
    assert 0 < seen.mean() < 1


def test_a_gif_has_one_bit_of_alpha(small, tmp_path):
    clear = replace(small, transparent="painting")
    save_painting(clear, tmp_path / "a.gif", options=VideoOptions(fps=10, duration=1))
    wanted = clear.drawing.cut_out()[3]
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(image.n_frames - 1)
        alpha = np.asarray(image.convert("RGBA"))[..., 3] > 0
    sure = np.abs(wanted - 0.5) > 0.1
    assert np.array_equal(alpha[sure], (wanted > 0.5)[sure])


@pytest.mark.parametrize("name", KINDS)
def test_films_of_another_size_are_drawn_anew(small, tmp_path, name):
    save_painting(small, tmp_path / f"a.{name}", options=VideoOptions(fps=4, duration=0.5, film_size=75))
    even = {"mp4": (76, 50), "webm": (76, 50), "mov": (76, 50)}.get(name, (75, 50))
    if name in ("frames", "anim.webp"):
        file = "a.frames/000001.png" if name == "frames" else f"a.{name}"
        with Image.open(tmp_path / file) as one:
            assert one.size == even
    else:
        stream, _ = film(tmp_path / f"a.{name}")
        assert (stream.width, stream.height) == even


@pytest.mark.parametrize(("name", "finest", "worst"), [("mp4", 0, 51), ("webm", 0, 63)])
def test_a_smaller_factor_is_a_finer_film(small, tmp_path, name, finest, worst):
    off, size = [], []
    for crf in (finest, worst):
        path = tmp_path / f"{crf}.{name}"
        save_painting(small, path, options=VideoOptions(fps=8, duration=0.5, crf=crf))
        last = pixels(film(path)[1])[-1].astype(int)
        off.append(np.abs(last - to_bytes(small.canvas)).mean())
        size.append(path.stat().st_size)
    assert off[0] < off[1]
    assert size[0] > size[1]
    with pytest.raises(ValueError, match="crf is 52, wanted at most 51 for mp4"):
        save_painting(small, tmp_path / "a.mp4", options=VideoOptions(crf=52))


def test_quality_is_of_webp(small, tmp_path):
    for quality in (10, 95):
        options = VideoOptions(fps=5, duration=1, quality=quality)
        save_painting(small, tmp_path / f"{quality}.anim.webp", options=options)
    assert (tmp_path / "10.anim.webp").stat().st_size < (tmp_path / "95.anim.webp").stat().st_size


def test_numbered_frames_take_the_place_of_earlier_ones_alone(small, tmp_path):
    path = tmp_path / "a_frames"
    for seconds in (1, 0.5):
        EXPORTERS.get("frames").write(small, path, VideoOptions(fps=4, duration=seconds))
        assert len(os.listdir(path)) == 4 * seconds
    (path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"a_frames: notes\.txt is in this folder"):
        EXPORTERS.get("frames").write(small, path, VideoOptions(fps=4, duration=1))
    assert len(os.listdir(path)) == 3


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("name", ["mp4", "mov", "frames"])
def test_the_largest_film(small, tmp_path, name):
    save_painting(small, tmp_path / f"a.{name}", options=VideoOptions(fps=4, duration=0.5, film_size=4096))
    if name == "frames":
        assert {frame.shape for frame in pictures(tmp_path / "a.frames")} == {(2731, 4096, 3)}
        return
    stream, frames = film(tmp_path / f"a.{name}")
    assert (stream.width, stream.height, len(frames)) == (4096, 2732 if name == "mp4" else 2731, 2)
    shown = pixels(frames[-1:])[0][:2731].astype(int)
    assert np.abs(shown - to_bytes(small.drawing.render(4096))).mean() < 4
