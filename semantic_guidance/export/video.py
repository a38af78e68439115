"""Videos of the painting process: MP4 and WebM for players, GIF, WebP and APNG for pages and messages.

Frames are painted, encoded and forgotten one by one, so memory does not grow with the video's length. The
canvas is painted in place; of each frame only the rectangle that has changed is converted to the video's
colours; and the encoder works in a thread of its own, while the next frames are painted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.machine import has_avx512
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.frames import Pace, pace, schedule
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.painting.cover import Rectangle
from semantic_guidance.painting.drawing import Drawing, Replay
from semantic_guidance.renderer.backends.cpu.threads import renderer_threads

HOLD, HOLD_SHARE = 2.0, 0.25  # seconds that the finished painting stays; at most this share of the video
SHORTEST = 16  # pixels of any side: smaller videos do not play
BT709, LIMITED = 1, 1  # the numbers of the colour matrix and of the range in H.264 and FFmpeg
TICKS = 1000  # of an animation's clock in a second
PALETTE_STATES = 24  # canvases of which a GIF's palette is made
WAITING = 8  # frames that wait for the encoder at most


T = TypeVar("T")
R = TypeVar("R")


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


def write(drawing: Drawing, path: Path, options: VideoOptions, progress: Progress) -> None:
    """Write the video to `path`, of the kind in `KINDS` that the end of its name says.

    Raises:
        InputError: this FFmpeg has no encoder for it.
        OSError: the file cannot be written.
    """
    kind = next(kind for name, kind in KINDS.items() if path.name.lower().endswith(f".{name}"))
    if kind.codec not in av.codecs_available:  # x264 is under the GPL: some builds leave it out
        others = ", ".join(name for name, other in KINDS.items() if other.codec in av.codecs_available)
        raise InputError(
            f"{path}: PyAV's FFmpeg has no {kind.codec} to write it with, wanted one of {others}"
        )
    rate = options.fps or kind.rate
    parts, hold = _timing(drawing, options.duration)
    counts, held = schedule(parts, rate), round(hold * rate)
    size = min(kind.longest, max(drawing.width, drawing.height))
    with ExitStack() as stack:
        # For many small pieces of work: on a busy machine, waiting for another thread takes ten times longer.
        stack.enter_context(renderer_threads(1))
        draft = stack.enter_context(replacing(path))
        container: Any = stack.enter_context(
            av.open(str(draft), "w", format=kind.container, options=_packing(kind, rate))
        )
        stream = _stream(container, kind, rate, *_video_size(drawing, size, kind))
        palette = _Palette(drawing, counts, size, kind) if kind.codec == "gif" else None

        def encode(numbered: tuple[int, av.VideoFrame]) -> float:
            """Encode a frame; returns which share of the video it ends."""
            number, frame = numbered
            frame.pts = number
            if not kind.steady:
                frame.pts, frame.time_base = round(number * TICKS / rate), Fraction(1, TICKS)
            for ready in [frame] if palette is None else palette.applied(frame):
                container.mux(stream.encode(ready))
            return (number + 1) / (len(counts) + held)

        _in_second_thread(encode, _frames(drawing, counts, held, size, kind), progress)
        container.mux(stream.encode(None))


def _in_second_thread(function: Callable[[T], R], items: Iterable[T], tell: Callable[[R], None]) -> None:
    """Call a function with items in a second thread, while they are made in this one.

    Args:
        function: what to call, with one item after the other.
        items: at most `WAITING` of them are made ahead.
        tell: called in this thread with each result, in order.

    Raises:
        BaseException: what any of the three has raised; by then the second thread has ended.
    """
    second = ThreadPoolExecutor(1)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(second.submit(function, item))
            while waiting and (len(waiting) > WAITING or waiting[0].done()):
                tell(waiting.popleft().result())
        while waiting:
            tell(waiting.popleft().result())
    finally:
        second.shutdown(cancel_futures=True)


def _packing(kind: Kind, rate: int) -> dict[str, str]:
    # Without this, APNG's last frame, which ends the hold, would last as long again.
    return kind.packing | ({"final_delay": f"1/{rate}"} if kind.container == "apng" else {})


def _timing(drawing: Drawing, duration: float | None) -> tuple[Pace, float]:
    """How the video's time is spent, and how long it holds at its end."""
    if duration is None:
        return pace(drawing), HOLD
    hold = min(HOLD, HOLD_SHARE * duration)
    return pace(drawing, duration - hold), hold


def _video_size(drawing: Drawing, size: int, kind: Kind) -> tuple[int, int]:
    """Width and height: even numbers, as 4:2:0 colour wants them, where it is used."""
    height, width = drawing.sides(size)
    even = 2 if kind.pixels == "yuv420p" else 1
    return max(SHORTEST, width + width % even), max(SHORTEST, height + height % even)


def _frames(
    drawing: Drawing, counts: list[int], held: int, size: int, kind: Kind
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames and their numbers: one for each number of strokes, then the last one until the hold's end.

    The numbers ascend; those of a video that is not `Kind.steady` have gaps where a frame stays.
    """
    screen = _Screen(drawing, size, kind)
    frame: Any = None
    following = 0
    for number, count in enumerate(counts):
        if frame is None or count != counts[number - 1]:
            frame = screen.frame(count)
        elif not kind.steady:
            continue
        yield number, frame
        following = number + 1
    end = len(counts) + held
    for number in range(len(counts) if kind.steady else max(following, end - 1), end):
        yield number, frame


class _Screen:
    """A canvas on which a drawing appears, in the colours of a video."""

    def __init__(self, drawing: Drawing, size: int, kind: Kind) -> None:
        self.replay = Replay(drawing, size)
        self.width, self.height = width, height = _video_size(drawing, size, kind)
        self.form = "bgra" if kind.pixels == "pal8" else kind.pixels  # a palette's pixels come later
        self.blank = True
        shape = {"yuv420p": (height * 3 // 2, width), "rgb24": (height, width, 3), "bgra": (height, width, 4)}
        self.pixels = np.full(shape[self.form], 255, np.uint8)

    def frame(self, count: int) -> av.VideoFrame:
        """The canvas with `count` strokes, its last row and column repeated where the video is larger."""
        changed = self.replay.paint(count)
        if self.blank:
            changed, self.blank = (0, self.replay.height, 0, self.replay.width), False
        if changed is not None:
            self._convert(*self._widened(changed))
        frame = av.VideoFrame.from_ndarray(self.pixels, format=self.form)
        if self.form == "yuv420p":
            frame.colorspace, frame.color_range = BT709, LIMITED
        return frame

    def _widened(self, rectangle: Rectangle) -> Rectangle:
        """A rectangle of the canvas with even sides, and what of the video lies beyond the canvas there."""
        top, bottom, left, right = rectangle
        return (
            top // 2 * 2,
            self.height if bottom == self.replay.height else -(-bottom // 2) * 2,
            left // 2 * 2,
            self.width if right == self.replay.width else -(-right // 2) * 2,
        )

    def _convert(self, top: int, bottom: int, left: int, right: int) -> None:
        easel = self.replay.easel()
        if self.form == "rgb24":
            easel.rgb(self.pixels, top, bottom, left, right)
        elif self.form == "bgra":
            easel.rgb(self.pixels[..., 2::-1], top, bottom, left, right)
        else:
            width, height = self.width, self.height
            luma, rest = self.pixels[:height], self.pixels[height:].reshape(2, height // 2, width // 2)
            easel.yuv420((luma, rest[0], rest[1]), top, bottom, left, right)


def _stream(container: Any, kind: Kind, rate: int, width: int, height: int) -> Any:
    coding = kind.coding
    if kind.codec == "libx264" and has_avx512():
        coding = coding | {"x264-params": "asm=AVX2"}  # its code for AVX-512 gives other bytes now and then
    stream = container.add_stream(kind.codec, rate=rate, options=coding)
    stream.width, stream.height, stream.pix_fmt = width, height, kind.pixels
    coder = stream.codec_context
    coder.thread_count = 1  # with more, x264's bytes depend on the number of cores
    if kind.steady:
        # Players guess the colours of untagged videos from their size, each in its own way.
        coder.colorspace = coder.color_primaries = coder.color_trc = BT709
        coder.color_range = LIMITED
    else:
        coder.time_base = stream.time_base = Fraction(1, TICKS)
    return stream


class _Palette:
    """The 256 colours of a GIF, chosen for the whole video, and frames reduced to them."""

    def __init__(self, drawing: Drawing, counts: list[int], size: int, kind: Kind) -> None:
        width, height = _video_size(drawing, size, kind)
        chooser = Graph()
        source = self._source(chooser, width, height)
        choose, sink = chooser.add("palettegen", "reserve_transparent=1"), chooser.add("buffersink")
        source.link_to(choose)
        choose.link_to(sink)
        chooser.configure()
        some = sorted({counts[n * (len(counts) - 1) // PALETTE_STATES] for n in range(PALETTE_STATES + 1)})
        screen = _Screen(drawing, size, kind)
        for number, count in enumerate(some):
            frame = screen.frame(count)
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


def write_clip(pictures: Iterable[NDArray[np.uint8]], path: Path, rate: int) -> None:
    """Write given pictures, one after the other, as an MP4 video.

    Args:
        pictures: ``[H, W, 3]`` RGB, all of one size with even sides; at least one.
        path: of the file, which is either whole or untouched.
        rate: frames per second.

    Raises:
        OSError: the file cannot be written.
    """
    kind, stream = KINDS["mp4"], None
    with replacing(path) as draft, av.open(str(draft), "w", format="mp4", options=kind.packing) as container:
        for number, pixels in enumerate(pictures):
            stream = stream or _stream(container, kind, rate, pixels.shape[1], pixels.shape[0])
            frame: Any = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format=kind.pixels, dst_colorspace=BT709, dst_color_range=LIMITED)
            frame.pts = number
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


def _video(summary: str) -> Exporter:
    return Exporter(write, summary, film=True, options=VideoOptions, plain=True)


mp4 = _video("a video of the painting process")
webm = _video("a video for web pages")
gif = _video("a video as an animation of few colours")
anim_webp = _video("a video as an animation, smaller and finer")
apng = _video("a video as an animation, without loss")
