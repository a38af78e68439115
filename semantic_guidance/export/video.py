"""Videos of the painting process: MP4 and WebM for players, GIF, WebP and APNG for pages and messages.

Frames are painted, encoded and forgotten one by one, so memory does not grow with the video's length. The
canvas is painted in place; of each frame only the rectangle that has changed is converted to the video's
colours; and the encoder works in a thread of its own, while the next frames are painted.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.encoder import BT709, KINDS, LIMITED, WAITING, Encoder, Kind
from semantic_guidance.export.frames import Pace, pace, schedule
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.painting.cover import Rectangle
from semantic_guidance.painting.drawing import Drawing, Replay
from semantic_guidance.renderer.backends.cpu.threads import renderer_threads

HOLD, HOLD_SHARE = 2.0, 0.25  # seconds that the finished painting stays; at most this share of the video
PALETTE_STATES = 24  # canvases of which a GIF's palette is made

T = TypeVar("T")
R = TypeVar("R")


def write(drawing: Drawing, path: Path, options: VideoOptions, progress: Progress) -> None:
    """Write the video to `path`, of the kind in `KINDS` that the end of its name says.

    Raises:
        InputError: this FFmpeg has no encoder for it.
        OSError: the file cannot be written.
    """
    kind = next(kind for name, kind in KINDS.items() if path.name.lower().endswith(f".{name}"))
    rate = options.fps or kind.rate
    parts, hold = _timing(drawing, options.duration)
    counts, held = schedule(parts, rate), round(hold * rate)
    size = min(kind.longest, max(drawing.width, drawing.height))
    height, width = drawing.sides(size)
    samples = _samples(drawing, counts, size, kind) if kind.codec == "gif" else ()
    with (
        # For many small pieces of work: on a busy machine, waiting for another thread takes ten times longer.
        renderer_threads(1),
        Encoder(path, kind, rate, width, height, options, samples=samples) as video,
    ):

        def encode(numbered: tuple[int, av.VideoFrame]) -> float:
            """Encode a frame; returns which share of the video it ends."""
            number, frame = numbered
            video.put(frame, number)
            return (number + 1) / (len(counts) + held)

        _in_second_thread(encode, _frames(drawing, counts, held, size, kind), progress)


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


def _timing(drawing: Drawing, duration: float | None) -> tuple[Pace, float]:
    """How the video's time is spent, and how long it holds at its end."""
    if duration is None:
        return pace(drawing), HOLD
    hold = min(HOLD, HOLD_SHARE * duration)
    return pace(drawing, duration - hold), hold


def _samples(drawing: Drawing, counts: list[int], size: int, kind: Kind) -> Iterator[av.VideoFrame]:
    """Canvases from all of the video."""
    screen = _Screen(drawing, size, kind)
    for count in sorted({counts[n * (len(counts) - 1) // PALETTE_STATES] for n in range(PALETTE_STATES + 1)}):
        yield screen.frame(count)


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
        height, width = drawing.sides(size)
        self.width, self.height = width, height = kind.size(width, height)
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


def write_clip(pictures: Iterable[NDArray[np.uint8]], path: Path, rate: int) -> None:
    """Write given pictures, one after the other, as an MP4 video.

    Args:
        pictures: ``[H, W, 3]`` RGB, all of one size with even sides; at least one.
        path: of the file, which is either whole or untouched.
        rate: frames per second.

    Raises:
        OSError: the file cannot be written.
    """
    frames = iter(pictures)
    first = next(frames)
    with Encoder(path, KINDS["mp4"], rate, first.shape[1], first.shape[0]) as video:
        for pixels in itertools.chain([first], frames):
            video.add(pixels)


def _video(summary: str) -> Exporter:
    return Exporter(write, summary, film=True, options=VideoOptions, plain=True)


mp4 = _video("a video of the painting process")
webm = _video("a video for web pages")
gif = _video("a video as an animation of few colours")
anim_webp = _video("a video as an animation, smaller and finer")
apng = _video("a video as an animation, without loss")
