"""The head of a JPEG file: what stands before its pixels.

Specification: ITU T.81, B.1 and B.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BEGINNING = b"\xff\xd8"
COMMENT = 0xFE
JFIF = 0xE0
APPLICATIONS = range(0xE0, 0xF0)  # JFIF, EXIF, colour profiles, and what else programs note down
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
MOST_BYTES = 2**18
"""Of a head, at most."""


@dataclass(frozen=True)
class Head:
    """What a JPEG file says of itself.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 for grey.
        comments: of its writer.
        noted: whether there is anything else that cameras and programs note down: EXIF, a colour profile ...
    """

    height: int
    width: int
    channels: int
    comments: tuple[bytes, ...]
    noted: bool


def read_head(path: Path) -> Head | None:
    """The head of a file, None if that is no JPEG.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES)
    comments: list[bytes] = []
    noted = False
    for kind, begin, end in _segments(data):
        noted |= kind in APPLICATIONS and kind != JFIF
        if kind == COMMENT:
            comments.append(data[begin:end])
        if kind in FRAMES and begin + 6 <= len(data):
            height, width, channels = struct.unpack_from(">HHB", data, begin + 1)
            return Head(height, width, channels, tuple(comments), noted)
    return None


def with_comment(data: bytes, comment: bytes) -> bytes:
    """A JPEG file with one comment more.

    Args:
        data: the file.
        comment: at most 65,533 bytes.
    """
    place = next(begin - 4 for kind, begin, _ in _segments(data) if kind not in APPLICATIONS)
    return data[:place] + struct.pack(">BBH", 0xFF, COMMENT, len(comment) + 2) + comment + data[place:]


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, beginning and end of each segment's content; none if the data are no JPEG."""
    place = len(BEGINNING)
    while data.startswith(BEGINNING) and place + 4 <= len(data) and data[place] == 0xFF:
        (length,) = struct.unpack_from(">H", data, place + 2)
        yield data[place + 1], place + 4, place + 2 + length
        place += 2 + length
