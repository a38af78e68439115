"""Frames of a film as they were drawn, kept without loss beside the parts of its track.

With a textured brush it takes half of the time to draw a frame, so what was painted before is not drawn again
either. What is missing here, or broken, is drawn again all the same; a checksum tells, since FFmpeg fills
broken frames with those before them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.files import file_digest, replacing
from semantic_guidance.export.encoder import KINDS, Encoder

Pixels = NDArray[np.uint8]

END, SUM = ".mkv", ".sum"
LOSSLESS = KINDS["mkv"]


class Drawn:
    """The frames of each part, but for those that are as the one before; to be used as a context.

    Args:
        folder: of the parts.
        size: width and height of a frame.
        used: whether any are kept.
    """

    def __init__(self, folder: Path, size: tuple[int, int], used: bool) -> None:
        self.folder, self.size, self.used = folder, size, used
        self._open = ExitStack()
        self._video: Encoder | None = None
        self._part = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> bool | None:
        return self._open.__exit__(*raised)

    def add(self, part: int, pixels: Pixels) -> None:
        """Keep the next frame ``[H, W, 3]`` of a part.

        Raises:
            OSError: it cannot be written.
        """
        if self._video is None and self.used:
            self._part = part
            self._video = self._open.enter_context(Encoder(self._path(part), LOSSLESS, 24, *self.size))
        if self._video is not None:
            self._video.add(pixels)

    def end(self) -> None:
        """The part is done: its frames are whole from now on.

        Raises:
            OSError: they cannot be written.
        """
        if self._video is None:
            return
        self._video = None
        self._open.close()
        path = self._path(self._part)
        with replacing(path.with_suffix(SUM)) as draft:
            draft.write_text(file_digest(path))

    def frames(self, part: int) -> Iterator[Pixels]:
        """The frames of a part, as far as there are any of this size."""
        path, (width, height) = self._path(part), self.size
        try:
            whole = self.used and path.with_suffix(SUM).read_text() == file_digest(path)
        except (OSError, UnicodeDecodeError):
            return
        if not whole:
            return
        with contextlib.suppress(av.FFmpegError), av.open(str(path.absolute())) as container:
            for frame in container.decode(video=0):
                pixels = frame.to_ndarray(format="rgb24", threads=1)[:height, :width]
                if (frame.width, frame.height) != LOSSLESS.size(width, height):
                    return
                yield np.ascontiguousarray(pixels)

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:07d}{END}"
