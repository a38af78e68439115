"""Videos of the painting process: MP4 and WebM for players, GIF, WebP and APNG for pages and messages.

Frames are painted, encoded and forgotten one by one, so memory does not grow with the video's length.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.filter import Graph
from torch import Tensor

from semantic_guidance.core.files import replacing
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.frames import Pace, pace, schedule, states
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.painting.painting import Painting
from semantic_guidance.renderer.backends.base import load_backend, one_thread

HOLD, HOLD_SHARE = 2.0, 0.25  # seconds that the finished painting stays; at most this share of the video
SHORTEST = 16  # pixels of any side: smaller videos do not play
BT709, LIMITED = 1, 1  # the numbers of the colour matrix and of the range in H.264 and FFmpeg
TICKS = 1000  # of an animation's clock in a second
PALETTE_STATES = 24  # canvases of which a GIF's palette is made


@dataclass(frozen=True)
class Kind:
    """One kind of video.

    Attributes:
        container: FFmpeg's name of the file format.
        codec: FFmpeg's name of the encoder.
        pixels: format of the encoder's frames.
        longest: pixels of the longer side at most.
        rate: frames per second, by default.
        coding: options of the encoder.
        packing: options of the container.
        steady: whether every frame is written; else only those that differ from the previous one.
    """

    container: str
    codec: str
    pixels: str
    longest: int
    rate: int
    coding: dict[str, str] = field(default_factory=dict)
    packing: dict[str, str] = field(default_factory=dict)
    steady: bool = False


VP9 = {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "7"}
KINDS = {
    "mp4": Kind(
        "mp4",
        "libx264",
        "yuv420p",
        720,
        30,
        {"crf": "18", "preset": "veryfast"},
        {"movflags": "+faststart"},
        steady=True,
    ),
    # Without this, the container's numbers of its parts are random ones.
    "webm": Kind("webm", "libvpx-vp9", "yuv420p", 720, 30, VP9, {"fflags": "+bitexact"}, steady=True),
    "gif": Kind("gif", "gif", "pal8", 480, 15, packing={"loop": "0"}),
    "anim.webp": Kind("webp", "libwebp_anim", "bgra", 640, 20, {"quality": "80"}, {"loop": "0"}),
    "apng": Kind("apng", "apng", "rgb24", 480, 15, {"pred": "mixed"}, {"plays": "0"}),
}


def write(painting: Painting, path: Path, options: VideoOptions, progress: Progress) -> None:
    """Write the video to `path`, of the kind in `KINDS` that the end of its name says."""
    kind = next(kind for name, kind in KINDS.items() if path.name.lower().endswith(f".{name}"))
    rate = options.fps or kind.rate
    parts, hold = _timing(painting, options.duration)
    counts = schedule(parts, rate)
    size = min(kind.longest, max(painting.width, painting.height))
    frames = _frames(painting, counts, round(hold * rate), size, kind)
    with ExitStack() as stack:
        stack.enter_context(one_thread(load_backend("auto", torch.device("cpu"), torch.float32)))
        draft = stack.enter_context(replacing(path))
        container: Any = stack.enter_context(
            av.open(str(draft), "w", format=kind.container, options=_packing(kind, rate))
        )
        stream = _stream(container, kind, rate, *_video_size(painting, size, kind))
        palette = _Palette(painting, counts, size, kind) if kind.codec == "gif" else None
        for number, frame in frames:
            frame.pts = number
            if not kind.steady:
                frame.pts, frame.time_base = round(number * TICKS / rate), Fraction(1, TICKS)
            for ready in [frame] if palette is None else palette.applied(frame):
                container.mux(stream.encode(ready))
            progress((number + 1) / (len(counts) + round(hold * rate)))
        container.mux(stream.encode(None))


def _packing(kind: Kind, rate: int) -> dict[str, str]:
    # Without this, APNG's last frame, which ends the hold, would last as long again.
    return kind.packing | ({"final_delay": f"1/{rate}"} if kind.container == "apng" else {})


def _timing(painting: Painting, duration: float | None) -> tuple[Pace, float]:
    """How the video's time is spent, and how long it holds at its end."""
    if duration is None:
        return pace(painting), HOLD
    hold = min(HOLD, HOLD_SHARE * duration)
    return pace(painting, duration - hold), hold


def _video_size(painting: Painting, size: int, kind: Kind) -> tuple[int, int]:
    """Width and height: even numbers, as 4:2:0 colour wants them, where it is used."""
    height, width = painting.blank(size).shape[1:]
    even = 2 if kind.pixels == "yuv420p" else 1
    return max(SHORTEST, width + width % even), max(SHORTEST, height + height % even)


def _frames(
    painting: Painting, counts: list[int], held: int, size: int, kind: Kind
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames and their numbers: one for each number of strokes, then the last one until the hold's end.

    The numbers ascend; those of a video that is not `Kind.steady` have gaps where a frame stays.
    """
    frame: Any = None
    shown, following = -1, 0
    for number, (count, canvas) in enumerate(zip(counts, states(painting, counts, size), strict=True)):
        if count != shown:
            frame, shown = _frame(canvas, _video_size(painting, size, kind), kind), count
        elif not kind.steady:
            continue
        yield number, frame
        following = number + 1
    end = len(counts) + held
    for number in range(len(counts) if kind.steady else max(following, end - 1), end):
        yield number, frame


def _frame(canvas: Tensor, video_size: tuple[int, int], kind: Kind) -> av.VideoFrame:
    """The canvas ``[3, H, W]`` in the video's pixel format, its last row and column repeated where needed."""
    pixels = to_bytes(canvas)
    height, width = pixels.shape[:2]
    margins = ((0, video_size[1] - height), (0, video_size[0] - width), (0, 0))
    frame = av.VideoFrame.from_ndarray(np.pad(pixels, margins, mode="edge"), format="rgb24")
    if kind.pixels == "yuv420p":
        return frame.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)
    return frame.reformat(format="bgra" if kind.pixels == "pal8" else kind.pixels)


def _stream(container: Any, kind: Kind, rate: int, width: int, height: int) -> Any:
    stream = container.add_stream(kind.codec, rate=rate, options=kind.coding)
    stream.width, stream.height, stream.pix_fmt = width, height, kind.pixels
    coder = stream.codec_context
    if kind.steady:
        # Players guess the colours of untagged videos from their size, each in its own way.
        coder.colorspace = coder.color_primaries = coder.color_trc = BT709
        coder.color_range = LIMITED
    else:
        coder.time_base = stream.time_base = Fraction(1, TICKS)
    return stream


class _Palette:
    """The 256 colours of a GIF, chosen for the whole video, and frames reduced to them."""

    def __init__(self, painting: Painting, counts: list[int], size: int, kind: Kind) -> None:
        width, height = self.size = _video_size(painting, size, kind)
        chooser = Graph()
        source = self._source(chooser, width, height)
        choose, sink = chooser.add("palettegen", "reserve_transparent=1"), chooser.add("buffersink")
        source.link_to(choose)
        choose.link_to(sink)
        chooser.configure()
        some = sorted({counts[n * (len(counts) - 1) // PALETTE_STATES] for n in range(PALETTE_STATES + 1)})
        for number, canvas in enumerate(states(painting, some, size)):
            frame = _frame(canvas, self.size, kind)
            frame.pts, frame.time_base = number, Fraction(1, TICKS)
            source.push(frame)
        source.push(None)
        palette: Any = sink.pull()
        self.graph = Graph()
        self.source, given = self._source(self.graph, width, height), self._source(self.graph, 16, 16)
        use = self.graph.add("paletteuse", "dither=sierra2_4a:diff_mode=rectangle")
        self.sink = self.graph.add("buffersink")
        self.source.link_to(use, 0, 0)
        given.link_to(use, 0, 1)
        use.link_to(self.sink)
        self.graph.configure()
        palette.pts = 0
        given.push(palette)
        given.push(None)

    @staticmethod
    def _source(graph: Graph, width: int, height: int) -> Any:
        form: Any = "bgra"
        return graph.add_buffer(width=width, height=height, format=form, time_base=Fraction(1, TICKS))

    def applied(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The frames that are ready when `frame` has come in."""
        self.source.push(frame)
        while True:
            try:
                ready: Any = self.sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield ready


def _video(summary: str) -> Exporter:
    return Exporter(write, summary, film=True, options=VideoOptions)


mp4 = _video("a video of the painting process")
webm = _video("a video for web pages")
gif = _video("a video as an animation of few colours")
anim_webp = _video("a video as an animation, smaller and finer")
apng = _video("a video as an animation, without loss")
