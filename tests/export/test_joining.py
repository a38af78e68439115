"""Parts of a video become one, whose packets and pictures are theirs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from semantic_guidance.core.errors import InputError
from semantic_guidance.export.encoder import KINDS, Encoder
from semantic_guidance.export.joining import join
from tests.export.test_encoder import FILM, packets, pictures, tone


def written(path: Path, frames: list[np.ndarray], rate: Fraction = FILM) -> Path:
    height, width = frames[0].shape[:2]
    kind = KINDS[path.suffix[1:]]
    with Encoder(path, kind, rate, width, height) as video:
        for pixels in frames:
            video.add(pixels)
    return path


def shown(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["mp4", "webm"])
def test_the_whole_is_its_parts(tmp_path, name):
    frames = pictures(25)
    cuts = [frames[:12], frames[12:13], frames[13:15], frames[15:]]
    parts = [written(tmp_path / f"{number}.{name}", cut) for number, cut in enumerate(cuts)]
    sound = tone(tmp_path / "s.m4a", "aac", 1.0)
    count = join(parts, tmp_path / f"a.{name}", KINDS[name], FILM, sound)
    assert count == 25
    got = shown(tmp_path / f"a.{name}")
    assert len(got) == 25
    for one, other in zip(got, [frame for part in parts for frame in shown(part)], strict=True):
        assert np.array_equal(one, other)
    with av.open(str(tmp_path / f"a.{name}")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == FILM
        times = [frame.time for frame in container.decode(stream)]
        if name == "mp4":
            assert stream.duration * stream.time_base == 25 / FILM
    assert times == pytest.approx([float(number / FILM) for number in range(25)], abs=0.0011)
    if name == "mp4":
        assert packets(tmp_path / "a.mp4") == packets(sound)


def test_one_part_alone_is_what_the_encoder_writes(tmp_path):
    part = written(tmp_path / "0.mp4", pictures(9), Fraction(25))
    join([part], tmp_path / "a.mp4", KINDS["mp4"], 25)
    both = []
    for path in (part, tmp_path / "a.mp4"):
        with av.open(str(path)) as container:
            read = list(container.demux(video=0))
            both.append([(bytes(each), each.pts, each.dts, each.duration, each.is_keyframe) for each in read])
    assert both[0] == both[1]


def test_parts_that_do_not_fit_are_named(tmp_path):
    one = written(tmp_path / "0.mp4", pictures(2))
    other = written(tmp_path / "1.mp4", pictures(2, 48, 48))
    with pytest.raises(InputError, match=r"1\.mp4: this is another kind of video"):
        join([one, other], tmp_path / "a.mp4", KINDS["mp4"], FILM)
    other.write_bytes(one.read_bytes()[:100])
    with pytest.raises(InputError, match=r"1\.mp4: this part of a video cannot be read"):
        join([one, other], tmp_path / "a.mp4", KINDS["mp4"], FILM)
    assert not (tmp_path / "a.mp4").exists()
