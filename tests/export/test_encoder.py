"""Videos of given frames, decoded again, and their sound."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from semantic_guidance.core.errors import InputError
from semantic_guidance.export.encoder import KINDS, Encoder, Tags
from semantic_guidance.export.sound import Sound

FILM = Fraction(24000, 1001)


def pictures(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """A bright square that moves over a ramp."""
    ramp = np.linspace(0, 200, width).astype(np.uint8)
    made = []
    for number in range(count):
        pixels = np.stack([np.broadcast_to(ramp, (height, width))] * 3, axis=-1).copy()
        pixels[8:24, number : number + 16] = 255, 128, 0
        made.append(pixels)
    return made


def tone(path: Path, codec: str, seconds: float, rate: int = 48_000, start: int = 0) -> Path:
    """A file of sound alone: silence with a click at half a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        samples = np.zeros((1, int(rate * seconds)), np.float32)
        samples[0, rate // 2 : rate // 2 + 480] = 0.9
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def click(path: Path) -> float:
    """Seconds at which a file's sound is first loud."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()).reshape(-1) > 0.3 * _loudest(frame))
            if len(loud):
                return float(frame.time) + loud[0] / frame.sample_rate
    return -1.0


def _loudest(frame: av.AudioFrame) -> float:
    return 32767.0 if frame.format.name.startswith("s16") else 1.0


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize("name", ["mp4", "webm"])
@pytest.mark.parametrize("rate", [Fraction(30), FILM, Fraction(60000, 1001)])
def test_frames_come_back_at_their_rate(tmp_path, name, rate):
    frames = pictures(9)
    with Encoder(tmp_path / f"a.{name}", KINDS[name], rate, 48, 32) as video:
        for pixels in frames:
            video.add(pixels)
    with av.open(str(tmp_path / f"a.{name}")) as container:
        stream = container.streams.video[0]
        if name == "mp4":
            assert stream.average_rate == rate
        else:  # which has whole nanoseconds a frame
            assert float(stream.average_rate) == pytest.approx(float(rate), rel=1e-7)
        assert stream.codec_context.colorspace == Colorspace.ITU709
        got = list(container.decode(stream))
    assert len(got) == 9
    for number, (frame, pixels) in enumerate(zip(got, frames, strict=True)):
        assert frame.time == pytest.approx(float(number / rate), abs=0.0011)
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - pixels).mean() < 8


def test_odd_pictures_repeat_their_last_row_and_column(tmp_path):
    with Encoder(tmp_path / "a.mp4", KINDS["mp4"], 10, 47, 31) as video:
        for pixels in pictures(2, 31, 47):
            video.add(pixels)
        with pytest.raises(ValueError, match="wanted"):
            video.add(np.zeros((32, 48, 3), np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        last = list(container.decode(video=0))[-1].to_ndarray(format="rgb24").astype(int)
    assert last.shape == (32, 48, 3)
    assert np.abs(last[:, 47] - last[:, 46]).mean() < 4


def test_colours_have_the_tags_of_the_source(tmp_path):
    """BT.601's green is another one than BT.709's, but the picture is the same."""
    tags = Tags(matrix=6, primaries=6, transfer=6, full=True)
    with Encoder(tmp_path / "a.mp4", KINDS["mp4"], 10, 48, 32, tags=tags) as video:
        video.add(np.full((32, 48, 3), (10, 250, 30), np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        coder = container.streams.video[0].codec_context
        assert (coder.colorspace, coder.color_primaries, coder.color_trc) == (6, 6, 6)
        assert coder.color_range == ColorRange.JPEG
        frame = next(container.decode(video=0))
        shown = frame.reformat(format="rgb24", src_colorspace=Colorspace.ITU601).to_ndarray()
    assert np.abs(shown.astype(int) - (10, 250, 30)).max() <= 4


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_video_that_fails_leaves_nothing(tmp_path, error):
    (tmp_path / "a.mp4").write_bytes(b"before")

    def fail() -> None:
        with Encoder(tmp_path / "a.mp4", KINDS["mp4"], 10, 48, 32) as video:
            video.add(pictures(1)[0])
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"before"


@pytest.mark.parametrize(
    ("name", "codec", "file", "got"),
    [
        ("mp4", "aac", "s.m4a", "aac"),
        ("mp4", "mp3", "s.mp3", "mp3float"),
        ("webm", "libopus", "s.webm", "opus"),
        ("webm", "aac", "s.m4a", "opus"),
        ("mp4", "pcm_s16le", "s.wav", "aac"),
    ],
)
def test_sound_is_copied_where_it_can_be(tmp_path, name, codec, file, got):
    sound = tone(tmp_path / file, codec, 1.0)
    path = tmp_path / f"a.{name}"
    with Encoder(path, KINDS[name], FILM, 48, 32, sound=sound) as video:
        for pixels in pictures(24):
            video.add(pixels)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == got
        assert container.streams.video[0].frames in (24, 0)
        assert next(container.decode(video=0)).time == pytest.approx(0, abs=0.001)
    if got.removesuffix("float") in codec:
        assert packets(path) == packets(sound)
    assert click(path) == pytest.approx(click(sound), abs=0.003)
    assert click(sound) == pytest.approx(0.5, abs=0.06)


def test_sound_begins_where_the_film_does(tmp_path):
    """Of a part of a film, the sound of that part."""
    sound = tone(tmp_path / "s.wav", "pcm_s16le", 2.0)
    part = Sound(sound, start=Fraction(1, 4), end=Fraction(1))
    with Encoder(tmp_path / "a.mp4", KINDS["mp4"], 24, 48, 32, sound=part) as video:
        for pixels in pictures(18):
            video.add(pixels)
    assert click(tmp_path / "a.mp4") == pytest.approx(0.25, abs=0.02)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(0.75, abs=0.15)


def test_files_without_sound(tmp_path):
    for name, wanted in (("a", None), ("b", tmp_path / "a.mp4")):
        with Encoder(tmp_path / f"{name}.mp4", KINDS["mp4"], 24, 48, 32, sound=wanted) as video:
            video.add(pictures(1)[0])
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "c.mp4").write_bytes(b"none")
    with (
        pytest.raises(InputError, match=r"c\.mp4: its sound cannot be read"),
        Encoder(tmp_path / "d.mp4", KINDS["mp4"], 24, 48, 32, sound=tmp_path / "c.mp4"),
    ):
        pass
    assert not (tmp_path / "d.mp4").exists()


def test_a_gif_s_colours_are_those_of_samples_or_of_each_frame(tmp_path):
    frames = pictures(5)
    for name, samples in (("a", frames[::4]), ("b", [])):
        with Encoder(tmp_path / f"{name}.gif", KINDS["gif"], 10, 48, 32, samples=samples) as video:
            for pixels in frames:
                video.add(pixels)
        with av.open(str(tmp_path / f"{name}.gif")) as container:
            got = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
        assert len(got) == 5
        for shown, pixels in zip(got, frames, strict=True):
            assert np.abs(shown - pixels).mean() < 6


def test_sound_is_of_that_very_file(tmp_path):
    """A list of files, which FFmpeg would follow, is no sound."""
    tone(tmp_path / "tone.m4a", "aac", 0.6)
    (tmp_path / "list.m4a").write_text("ffconcat version 1.0\nfile 'tone.m4a'\n")
    list_of_one = Encoder(tmp_path / "a.mp4", KINDS["mp4"], 24, 48, 32, sound=tmp_path / "list.m4a")
    with pytest.raises(InputError, match=r"list\.m4a: its sound cannot be read"), list_of_one:
        pass
    assert not (tmp_path / "a.mp4").exists()
