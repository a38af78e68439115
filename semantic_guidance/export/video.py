"""Videos of the painting process: MP4 and WebM for players; GIF, WebP and APNG for pages and messages;
ProRes, FFV1 and numbered pictures for editors.

Frames are painted, encoded and forgotten one by one, so memory does not grow with the video's length. The
canvas is painted in place; of each frame only the rectangle that has changed is converted to the video's
colours; and the encoder works in a thread of its own, while the next frames are painted.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.encoder import WAITING, Encoder, waiting
from semantic_guidance.export.frames import pace, schedule
from semantic_guidance.export.kinds import KINDS, Kind
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.export.screen import screen
from semantic_guidance.painting.drawing import Drawing
from semantic_guidance.renderer.backends.cpu.threads import renderer_threads

HOLD, HOLD_SHARE = 2.0, 0.25  # seconds that the finished painting stays; at most this share of the video
PALETTE_STATES = 24  # canvases of which a GIF's palette is made

T = TypeVar("T")
R = TypeVar("R")


def write(kind: Kind, drawing: Drawing, path: Path, options: VideoOptions, progress: Progress) -> None:
    """Write the video of a kind to `path`; a transparent drawing without its canvas, if the kind has alpha.

    Raises:
        InputError: this FFmpeg has no encoder for it.
        ValueError: the options do not fit the kind.
        OSError: the file cannot be written.
    """
    rate = Fraction(options.fps or kind.rate)
    counts, held = _timing(drawing, options.duration, rate)
    size = options.film_size or min(kind.longest, max(drawing.width, drawing.height))
    height, width = drawing.sides(size)
    samples = _samples(drawing, counts, size, kind) if kind.codec == "gif" else ()
    clear = drawing.transparent is not None and bool(kind.clear)
    with (
        # For many small pieces of work: on a busy machine, waiting for another thread takes ten times longer.
        renderer_threads(1),
        Encoder(
            path, kind, rate, width, height, options, clear=clear, samples=samples, source=drawing.source
        ) as video,
    ):

        def encode(numbered: tuple[int, av.VideoFrame]) -> float:
            """Encode a frame; returns which share of the video it ends."""
            number, frame = numbered
            video.put(frame, number)
            return (number + 1) / (len(counts) + held)

        shown = _frames(drawing, counts, held, size, kind)
        _in_second_thread(encode, shown, progress, waiting(video.width, video.height))


def _in_second_thread(
    function: Callable[[T], R], items: Iterable[T], tell: Callable[[R], None], ahead: int = WAITING
) -> None:
    """Call a function with items in a second thread, while they are made in this one.

    Args:
        function: what to call, with one item after the other.
        items: what it is called with.
        tell: called in this thread with each result, in order.
        ahead: how many items are made before it is their turn, at most.

    Raises:
        BaseException: what any of the three has raised; by then the second thread has ended.
    """
    second = ThreadPoolExecutor(1)
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(second.submit(function, item))
            while begun and (len(begun) > ahead or begun[0].done()):
                tell(begun.popleft().result())
        while begun:
            tell(begun.popleft().result())
    finally:
        second.shutdown(cancel_futures=True)


def _timing(drawing: Drawing, duration: float | None, rate: Fraction) -> tuple[list[int], int]:
    """Number of strokes in each frame, and how many frames the last one stays.

    A video whose duration is given has just as many frames as are nearest to that, but at least two.
    """
    if duration is None:
        return schedule(pace(drawing), float(rate)), round(HOLD * rate)
    frames = max(2, round(Fraction(duration) * rate))
    held = min(round(min(HOLD, HOLD_SHARE * duration) * rate), frames - 2)
    counts = schedule(pace(drawing, float((frames - held - 1) / rate)), float(rate))
    return counts, frames - len(counts)


def _samples(drawing: Drawing, counts: list[int], size: int, kind: Kind) -> Iterator[av.VideoFrame]:
    """Canvases from all of the video."""
    canvas = screen(drawing, size, kind)
    for count in sorted({counts[n * (len(counts) - 1) // PALETTE_STATES] for n in range(PALETTE_STATES + 1)}):
        yield canvas.frame(count)


def _frames(
    drawing: Drawing, counts: list[int], held: int, size: int, kind: Kind
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames and their numbers: one for each number of strokes, then the last one until the hold's end.

    The numbers ascend; those of a video that is not `Kind.steady` have gaps where a frame stays.
    """
    canvas = screen(drawing, size, kind)
    frame: Any = None
    following = 0
    for number, count in enumerate(counts):
        if frame is None or count != counts[number - 1]:
            frame = canvas.frame(count)
        elif not kind.steady:
            continue
        yield number, frame
        following = number + 1
    end = len(counts) + held
    for number in range(len(counts) if kind.steady else max(following, end - 1), end):
        yield number, frame


def write_clip(pictures: Iterable[NDArray[np.uint8]], path: Path, rate: int) -> None:
    """Write given pictures, one after the other, as an MP4 video.

    Args:
        pictures: ``[H, W, 3]`` RGB, all of one size with even sides; at least one.
        path: of the file, which is either whole or untouched.
        rate: frames per second.

    Raises:
        OSError: the file cannot be written.
    """
    left = iter(pictures)
    first = next(left)
    with Encoder(path, KINDS["mp4"], rate, first.shape[1], first.shape[0]) as video:
        for pixels in itertools.chain([first], left):
            video.add(pixels)


def _video(name: str, summary: str) -> Exporter:
    kind = KINDS[name]
    return Exporter(
        partial(write, kind),
        summary,
        film=True,
        transparent=bool(kind.clear),
        options=VideoOptions,
        plain=True,
        folder=kind.folder,
    )


mp4 = _video("mp4", "a video of the painting process")
webm = _video("webm", "a video for web pages")
gif = _video("gif", "a video as an animation of few colours")
anim_webp = _video("anim.webp", "a video as an animation, smaller and finer")
apng = _video("apng", "a video as an animation, without loss")
mov = _video("mov", "a video for editors, in ProRes 422 HQ, or 4444 if it is transparent")
mkv = _video("mkv", "a video without loss, in FFV1")
frames = _video("frames", "a video as a folder of numbered pictures")
