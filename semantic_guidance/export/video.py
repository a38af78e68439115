"""Films of the painting process: H.264 in an MP4 file that plays everywhere and starts at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import numpy as np
from torch import Tensor

from semantic_guidance.export import Progress
from semantic_guidance.export.atomic import replacing
from semantic_guidance.export.frames import one_thread, pace, schedule, states
from semantic_guidance.images import to_bytes
from semantic_guidance.painting import Painting

RATE = 30  # frames a second
HOLD = 2.0  # seconds for which the finished painting stays
LONGEST, SHORTEST = 720, 16  # pixels: of the longer side, and of any side (smaller ones do not play)
BT709, LIMITED = 1, 1  # the numbers of the colour matrix and of the range in H.264 and FFmpeg


def write(painting: Painting, path: Path, progress: Progress) -> None:
    """Write the film to `path`, frame after frame, so that memory does not grow with its length."""
    size = min(LONGEST, max(painting.width, painting.height))
    counts = schedule(pace(painting), RATE)
    held = round(HOLD * RATE)
    width, height = (_film_side(side) for side in painting.blank(size).shape[:0:-1])
    with (
        one_thread(),
        replacing(path) as draft,
        av.open(str(draft), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = _stream(container, width, height)
        for number, frame in enumerate(_frames(painting, counts, held, size)):
            frame.pts = number
            container.mux(stream.encode(frame))
            progress((number + 1) / (len(counts) + held))
        container.mux(stream.encode(None))


def _film_side(side: int) -> int:
    """An even number of pixels, as 4:2:0 colour wants it."""
    return max(SHORTEST, side + side % 2)


def _frames(painting: Painting, counts: list[int], held: int, size: int) -> Iterator[av.VideoFrame]:
    """One frame for each number of strokes, then the last one `held` times more."""
    frame: Any = None
    shown = -1
    for count, canvas in zip(counts, states(painting, counts, size), strict=True):
        if count != shown:
            frame, shown = _frame(canvas), count
        yield frame
    yield from repeat(frame, held)


def _frame(canvas: Tensor) -> av.VideoFrame:
    """The canvas ``[3, H, W]`` in the film's pixel format, its last row and column repeated where needed."""
    pixels = to_bytes(canvas)
    height, width = pixels.shape[:2]
    margins = ((0, _film_side(height) - height), (0, _film_side(width) - width), (0, 0))
    frame = av.VideoFrame.from_ndarray(np.pad(pixels, margins, mode="edge"), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)


def _stream(container: Any, width: int, height: int) -> Any:
    stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    # Untagged films have their colours guessed from their size, differently by different players.
    coder = stream.codec_context
    coder.colorspace = coder.color_primaries = coder.color_trc = BT709
    coder.color_range = LIMITED
    return stream
