"""Videos written frame by frame, whatever the frames are of: a painting's strokes, or a painted film.

    with Encoder(path, KINDS["mp4"], Fraction(24000, 1001), 640, 480, sound=clip) as video:
        for pixels in frames:
            video.add(pixels)

A frame is encoded and forgotten, so memory does not grow with the video's length; and the encoder works in a
thread of its own, while the next frames are made.
"""

from __future__ import annotations

import io
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.whole_folders import replacing_folder
from semantic_guidance.export.gif_palette import Palette
from semantic_guidance.export.image import png_options
from semantic_guidance.export.kinds import KINDS as KINDS
from semantic_guidance.export.kinds import TICKS, new_stream
from semantic_guidance.export.kinds import Kind as Kind
from semantic_guidance.export.kinds import Tags as Tags
from semantic_guidance.export.numbered import NUMBERED
from semantic_guidance.export.options import VideoOptions
from semantic_guidance.export.sound import Sound

WAITING = 8  # frames that wait for the encoder at most,
WAITING_BYTES = 1 << 27  # if they are not more bytes

Pixels = av.VideoFrame | NDArray[np.uint8]


class Encoder:
    """A file of a video, to be used as a context; it is whole at the end, or untouched if something fails.

    Args:
        path: of the file, or of the folder of numbered pictures.
        kind: one of `KINDS`.
        rate: frames per second.
        width: pixels of the frames that come; the video may be larger, see `Kind.size`.
        height: the same.
        options: how well it is encoded.
        sound: a file whose sound it gets, or a `sound.Sound` of it; a copy where the container can hold it.
        tags: of the colours, where they are converted.
        clear: whether frames have alpha.
        samples: for GIF, frames of which its colours are chosen; each frame has its own if there are none.
        source: for numbered pictures, of what they are made, as in `Painting`.

    Raises:
        InputError: this FFmpeg has no encoder for it, the kind has no alpha, or the sound's file cannot be
            read.
        ValueError: the options do not fit the kind.
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
        clear: bool = False,
        samples: Iterable[Pixels] = (),
        source: str = "",
    ) -> None:
        self.path, self.kind, self.rate = path, kind, Fraction(rate)
        self.given, (self.width, self.height) = (width, height), kind.size(width, height)
        self.options, self.tags, self.clear = options or VideoOptions(), tags or Tags(), clear
        self.sound = Sound(sound) if isinstance(sound, Path) else sound
        self.samples, self.source = samples, source
        self.pixels = kind.clear if clear else kind.pixels
        self.count = 0
        self._block: AbstractContextManager[None] = self._opened()
        self._waiting: deque[Future[None]] = deque()
        self._most = waiting(width, height)

    def __enter__(self) -> Self:
        self._block.__enter__()
        return self

    def __exit__(self, *raised: Any) -> bool | None:
        return self._block.__exit__(*raised)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        if not self.pixels:
            clear = ", ".join(name for name, kind in KINDS.items() if kind.clear)
            raise InputError(f"{self.path}: this format has no transparency, wanted one of {clear}")
        self.kind.check(self.path)
        with ExitStack() as stack:
            if self.kind.folder:
                folder = stack.enter_context(replacing_folder(self.path, NUMBERED))
                self._sink: _Stream | _Folder = _Folder(folder, self.source)
            else:
                draft = stack.enter_context(replacing(self.path))
                self._sink = _Stream(self, draft, stack)
            self._second = ThreadPoolExecutor(1)
            try:
                yield
                while self._waiting:
                    self._waiting.popleft().result()
            finally:
                self._second.shutdown(cancel_futures=True)
            self._sink.end()

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Write the next frame; it is encoded in a second thread.

        Args:
            pixels: ``[H, W, 3]`` RGB, or ``[H, W, 4]`` with straight alpha, of the size that was told; they
                are copied.

        Raises:
            ValueError: they are not as above.
            BaseException: what encoding an earlier frame has raised.
        """
        frame, number = self.frame(pixels), self.count
        self.count += 1
        self._waiting.append(self._second.submit(self.put, frame, number))
        while self._waiting and (len(self._waiting) > self._most or self._waiting[0].done()):
            self._waiting.popleft().result()

    def frame(self, pixels: Pixels) -> av.VideoFrame:
        """A frame of pixels, whose last row and column are repeated where the video is larger."""
        if isinstance(pixels, av.VideoFrame):
            return pixels
        width, height = self.given
        shape = (height, width, 4 if self.clear else 3)
        if pixels.shape != shape:
            raise ValueError(f"pixels are {list(pixels.shape)}, wanted {list(shape)}")
        if (self.width, self.height) != self.given:
            pixels = np.pad(pixels, ((0, self.height - height), (0, self.width - width), (0, 0)), mode="edge")
        form = "rgba" if self.clear else "rgb24"
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=form)

    def put(self, frame: av.VideoFrame, number: int) -> None:
        """Encode a frame here and now, as the one of this number, which is larger than that before."""
        self._sink.put(frame, number)


class _Folder:
    """A folder of numbered PNG pictures, the first of which is 000001.png."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder, self.about = folder, png_options(source)
        self.last: tuple[av.VideoFrame, Path] | None = None

    def put(self, frame: av.VideoFrame, number: int) -> None:
        path = self.folder / f"{number + 1:06d}.png"
        if self.last is not None and self.last[0] is frame:
            shutil.copyfile(self.last[1], path)
            return
        form = "rgba" if frame.format.name in ("rgba", "bgra") else "rgb24"
        packed = io.BytesIO()
        Image.fromarray(frame.to_ndarray(format=form, threads=1)).save(packed, "PNG", **self.about)
        path.write_bytes(packed.getbuffer())
        self.last = frame, path

    def end(self) -> None:
        """Nothing is left to be written."""


class _Stream:
    """A stream of a container, and its sound."""

    def __init__(self, encoder: Encoder, draft: Path, stack: ExitStack) -> None:
        kind, rate, self.tags = encoder.kind, encoder.rate, encoder.tags
        self.steady, self.rate = kind.steady, rate
        self.pixels = "bgra" if encoder.pixels == "pal8" else encoder.pixels
        self.container: Any = stack.enter_context(
            av.open(str(draft), "w", format=kind.container, options=kind.packed(rate))
        )
        coding = kind.coded(encoder.options, encoder.clear)
        size = encoder.width, encoder.height
        self.stream = new_stream(self.container, kind, rate, size, self.tags, coding, encoder.pixels)
        self.sound = self.palette = None
        if encoder.sound is not None:
            self.sound = stack.enter_context(encoder.sound.into(self.container, kind.container))
        if kind.codec == "gif":
            self.palette = Palette(*size, map(encoder.frame, encoder.samples))

    def put(self, frame: av.VideoFrame, number: int) -> None:
        coded: Any = frame
        if frame.format.name != self.pixels:
            coded = frame.reformat(
                format=self.pixels,
                dst_colorspace=self.tags.matrix,
                dst_color_range=self.tags.range,
                threads=1,  # with more, some of FFmpeg's write into rows of others
            )
        coded.pts = number
        if not self.steady:
            coded.pts, coded.time_base = round(number * TICKS / self.rate), Fraction(1, TICKS)
        self.write([coded] if self.palette is None else self.palette.applied(coded))

    def write(self, frames: Iterable[Any]) -> None:
        """Encode frames; None is the end."""
        for frame in frames:
            for packet in self.stream.encode(frame):
                if self.sound is not None:
                    self.sound.until(packet.dts * packet.time_base)
                self.container.mux(packet)

    def end(self) -> None:
        """Write what waits for more frames."""
        if self.palette is not None:
            self.write(self.palette.rest())
        self.write([None])
        if self.sound is not None:
            self.sound.until(None)


def waiting(width: int, height: int) -> int:
    """Frames that may wait for the encoder, so that they are not too much memory."""
    return max(1, min(WAITING, WAITING_BYTES // (width * height * 4)))
