"""The film, decoded again."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from semantic_guidance.export.frames import pace, schedule
from semantic_guidance.export.video import HOLD, LONGEST, RATE, SHORTEST
from semantic_guidance.images import to_bytes
from semantic_guidance.painting import Painting


def test_film(painting, tmp_path):
    path = tmp_path / "a.mp4"
    painting.save(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert len(container.streams) == 1
        assert stream.codec_context.name == "h264"
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
    assert np.abs(frames[0].astype(int) - empty).max() <= 6
    finished = to_bytes(painting.canvas).astype(int)
    # Colour has half the resolution in a film, so compare averages over small areas.
    for frame in (frames[-1], frames[painted]):
        difference = (frame.astype(int) - finished).reshape(16, 4, 24, 4, 3).mean((1, 3))
        assert np.abs(difference).mean() < 2.5
        assert np.abs(difference).max() < 20
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
