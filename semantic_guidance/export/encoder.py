"""Videos written frame by frame, whatever the frames are of: a painting's strokes, or a painted film.

    with Encoder(path, KINDS["mp4"], Fraction(24000, 1001), 640, 480, sound=clip) as video:
        for pixels in frames:
            video.add(pixels)

A frame is encoded and forgotten, so memory does not grow with the video's length; and the encoder works in a
thread of its own, while the next frames are made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.machine import has_avx512
from semantic_guidance.export.gif_palette import Palette
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.export.sound import Sound

SHORTEST = 16  # pixels of any side: smaller videos do not play
BT709, LIMITED = 1, 1  # the numbers of the colours and of the range in H.264 and FFmpeg
RGB = 0  # the number of the matrix of what is not converted
TICKS = 1000  # of an animation's clock in a second
WAITING = 8  # frames that wait for the encoder at most,
WAITING_BYTES = 1 << 26  # if they are not more bytes


@dataclass(frozen=True)
class Kind:
    """One kind of video.

    Attributes:
        container: FFmpeg's name of the file format.
        codec: FFmpeg's name of the encoder.
        pixels: format of the encoder's frames.
        longest: pixels of the longer side at most, unless another size is asked for.
        rate: frames per second, by default.
        coding: options of the encoder.
        packing: options of the container.
        steady: whether every frame is written; else only those that differ from the previous one.
        clear: format of the encoder's frames with alpha; empty if it has none.
    """

    container: str
    codec: str
    pixels: str
    longest: int
    rate: int
    coding: dict[str, str] = field(default_factory=dict)
    packing: dict[str, str] = field(default_factory=dict)
    steady: bool = False
    clear: str = ""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a video of such pictures: even, where the colours of four pixels are one."""
        even = 2 if "420" in self.pixels else 1
        return max(SHORTEST, width + width % even), max(SHORTEST, height + height % even)

    def packed(self, rate: Fraction) -> dict[str, str]:
        """Options of the container of a video of so many frames per second."""
        packing = dict(self.packing)
        if self.container == "apng":  # else its last frame, which ends the hold, would last as long again
            packing["final_delay"] = f"{rate.denominator}/{rate.numerator}"
        if self.container == "mp4" and rate.denominator != 1:  # in milliseconds, its length is not exact
            packing["movie_timescale"] = str(rate.numerator)
        return packing

    def check(self, path: object) -> None:
        """See that there is an encoder for it.

        Raises:
            InputError: there is none; the message names `path`.
        """
        if self.codec not in av.codecs_available:  # x264 is under the GPL: some builds leave it out
            others = ", ".join(name for name, other in KINDS.items() if other.codec in av.codecs_available)
            raise InputError(
                f"{path}: PyAV's FFmpeg has no {self.codec} to write it with, wanted one of {others}"
            )


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


@dataclass(frozen=True)
class Tags:
    """What the numbers of a video's colours mean, by their numbers in ITU-T H.273 (and FFmpeg).

    Attributes:
        matrix: from RGB to luma and chroma: 1 is BT.709, 5 and 6 are BT.601, 9 is BT.2020.
        primaries: what red, green and blue are.
        transfer: how light becomes a number.
        full: whether the numbers use all of their range, as in JPEG.
    """

    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709
    full: bool = False

    @property
    def range(self) -> int:
        """FFmpeg's number of the range."""
        return 2 if self.full else LIMITED


class Encoder:
    """A file of a video, to be used as a context; it is whole at the end, or untouched if something fails.

    Args:
        path: of the file.
        kind: one of `KINDS`.
        rate: frames per second.
        width: pixels of the frames that come; the video may be larger, see `Kind.size`.
        height: the same.
        options: how well it is encoded.
        sound: a file whose sound it gets, or a `sound.Sound` of it; a copy where the container can hold it.
        tags: of the colours, where they are converted.
        samples: for GIF, frames ``[H, W, 3]`` of which its colours are chosen; each frame has its own if
            there are none.

    Raises:
        InputError: this FFmpeg has no encoder for it, or the sound's file cannot be read.
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        rate: Fraction | int,
        width: int,
        height: int,
        options: VideoOptions | None = None,
        *,
        sound: Sound | Path | None = None,
        tags: Tags | None = None,
        samples: Iterable[av.VideoFrame | NDArray[np.uint8]] = (),
    ) -> None:
        self.path, self.kind, self.rate = path, kind, Fraction(rate)
        self.options = options or VideoOptions()
        self.given, (self.width, self.height) = (width, height), kind.size(width, height)
        self.sound = Sound(sound) if isinstance(sound, Path) else sound
        self.tags = tags or Tags()
        self.samples = samples
        self.pixels = kind.pixels
        self.count = 0
        self._block: AbstractContextManager[None] = self._opened()
        self._waiting: deque[Future[None]] = deque()
        self._most = max(1, min(WAITING, WAITING_BYTES // (width * height * 4)))

    def __enter__(self) -> Self:
        self._block.__enter__()
        return self

    def __exit__(self, *raised: Any) -> bool | None:
        return self._block.__exit__(*raised)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        self.kind.check(self.path)
        with ExitStack() as stack:
            draft = stack.enter_context(replacing(self.path))
            self._container: Any = stack.enter_context(
                av.open(str(draft), "w", format=self.kind.container, options=self.kind.packed(self.rate))
            )
            self._stream = new_stream(
                self._container, self.kind, self.rate, self.width, self.height, self.tags
            )
            self._sound = None
            if self.sound is not None:
                self._sound = stack.enter_context(self.sound.into(self._container, self.kind.container))
            self._palette = None
            if self.kind.codec == "gif":
                self._palette = Palette(self.width, self.height, map(self.frame, self.samples))
            self._second = ThreadPoolExecutor(1)
            try:
                yield
                while self._waiting:
                    self._waiting.popleft().result()
            finally:
                self._second.shutdown(cancel_futures=True)
            if self._palette is not None:
                for frame in self._palette.rest():
                    self._container.mux(self._stream.encode(frame))
            self._container.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.until(None)

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Write the next frame; it is encoded in a second thread.

        Args:
            pixels: ``[H, W, 3]`` RGB, of the size that was told; they are copied.

        Raises:
            ValueError: they are not as above.
            BaseException: what encoding an earlier frame has raised.
        """
        frame, number = self.frame(pixels), self.count
        self.count += 1
        self._waiting.append(self._second.submit(self.put, frame, number))
        while self._waiting and (len(self._waiting) > self._most or self._waiting[0].done()):
            self._waiting.popleft().result()

    def frame(self, pixels: av.VideoFrame | NDArray[np.uint8]) -> av.VideoFrame:
        """A frame of pixels, whose last row and column are repeated where the video is larger."""
        if isinstance(pixels, av.VideoFrame):
            return pixels
        width, height = self.given
        if pixels.shape != (height, width, 3):
            raise ValueError(f"pixels are {list(pixels.shape)}, wanted {[height, width, 3]}")
        beyond = ((0, self.height - height), (0, self.width - width), (0, 0))
        if (self.width, self.height) != self.given:
            pixels = np.pad(pixels, beyond, mode="edge")
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")

    def put(self, frame: av.VideoFrame, number: int) -> None:
        """Encode a frame here and now, as the one of this number, which is larger than that before."""
        coded: Any = frame
        wanted = "bgra" if self.pixels == "pal8" else self.pixels
        if frame.format.name != wanted:
            coded = frame.reformat(
                format=wanted, dst_colorspace=self.tags.matrix, dst_color_range=self.tags.range
            )
        coded.pts = number
        if not self.kind.steady:
            coded.pts, coded.time_base = round(number * TICKS / self.rate), Fraction(1, TICKS)
        for ready in [coded] if self._palette is None else self._palette.applied(coded):
            for packet in self._stream.encode(ready):
                if self._sound is not None:
                    self._sound.until(packet.dts * packet.time_base)
                self._container.mux(packet)


def new_stream(container: Any, kind: Kind, rate: Fraction, width: int, height: int, tags: Tags) -> Any:
    """A stream of an open container that encodes frames of a kind."""
    coding = kind.coding
    if kind.codec == "libx264" and has_avx512():
        coding = coding | {"x264-params": "asm=AVX2"}  # its code for AVX-512 gives other bytes now and then
    stream = container.add_stream(kind.codec, rate=rate, options=coding)
    stream.width, stream.height, stream.pix_fmt = width, height, kind.pixels
    coder = stream.codec_context
    coder.thread_count = 1  # with more, x264's bytes depend on the number of cores
    if kind.steady:
        # Players guess the colours of untagged videos from their size, each in its own way.
        coder.colorspace, coder.color_range = tags.matrix, tags.range
        coder.color_primaries, coder.color_trc = tags.primaries, tags.transfer
    else:
        coder.time_base = stream.time_base = Fraction(1, TICKS)
    return stream
