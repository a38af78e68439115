"""Whether a PNG file is whole: its checksums, which Pillow passes over, and that no rows are missing.

Specification: https://www.w3.org/TR/png-3/, sections 5.3 to 5.5 (chunks), 8 (Adam7), 10 (compression).
"""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass of an interlaced picture: first column, first row, and the steps to the next ones."""

DISPENSABLE = frozenset(
    {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"hIST", b"pHYs", b"sPLT"}
    | {b"tIME", b"tEXt", b"zTXt", b"iTXt"}
)
"""Chunks before the pixels without which those are there, not turned and no less transparent."""

FRAMES = {b"fcTL", b"fdAT"}
"""Chunks of an animation's frames: size and place, and pixels."""

_BLOCK = 1 << 20  # bytes read at once


def without_damage(source: BinaryIO, frames: bool = False) -> BinaryIO:
    """A PNG file without damaged chunks that browsers pass over, too; any other file as it is.

    Checksums are not looked at in text and the like after the pixels, nor in the end, which may be missing;
    nor in later frames of an animation, unless these `frames` are wanted.

    Raises:
        ValueError: a checksum of another chunk is wrong or cut off.
    """
    begun, damaged = False, []
    for kind, length in _chunks(source):
        begun |= kind == b"IDAT"
        if kind == b"IEND" or (begun and kind[:1].islower() and not (frames and kind in FRAMES)):
            continue  # a damaged one spoils no pixel
        checksum, begin, end = zlib.crc32(kind), source.tell() - 8, source.tell() + length + 4
        while length:
            block = source.read(min(length, _BLOCK))
            if not block:
                raise ValueError("the file is truncated")
            checksum = zlib.crc32(block, checksum)
            length -= len(block)
        if source.read(4) != struct.pack(">I", checksum):
            if kind not in DISPENSABLE:
                raise ValueError(f"wrong checksum in chunk {kind.decode('ascii', 'replace')}")
            damaged.append((begin, end))
    return _cut(source, damaged) if damaged else source


def check_rows(source: BinaryIO, image: Image.Image) -> None:
    """Check that a PNG file holds all rows of the picture that was decoded from it.

    Rows that are missing are decoded as zeros without an error; so the data are only counted if the last row
    is zero throughout, or if the picture is interlaced.

    Raises:
        ValueError: some rows are missing.
    """
    source.seek(len(SIGNATURE) + 8)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">2I5B", source.read(13))
    if (width, height) != image.size:
        return  # the first picture is that of another chunk
    last = image.crop((0, height - 1, width, height))
    if not interlaced and last.getbbox(alpha_only=False) is not None:
        return
    wanted = _length(width, height, depth * CHANNELS[colour], interlaced)
    if _inflated(source, wanted) < wanted:
        raise ValueError("rows are missing")


def check_frames(source: BinaryIO, count: int) -> None:
    """Check that a PNG file holds all rows of its first frames.

    Raises:
        ValueError: some rows are missing.
    """
    source.seek(len(SIGNATURE) + 8)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">2I5B", source.read(13))
    sizes = [(width, height)]
    begun = False
    for kind, _ in _chunks(source):
        begun |= kind == b"IDAT"
        if kind == b"fcTL" and begun:
            sizes.append(struct.unpack(">4x2I", source.read(12)))
    for number, sides in enumerate(sizes[:count]):
        wanted = _length(*sides, depth * CHANNELS[colour], interlaced)
        if _inflated(source, wanted, number) < wanted:
            raise ValueError(f"rows of frame {number + 1} are missing")


def _length(width: int, height: int, bits: int, interlaced: int) -> int:
    """Bytes of all rows of a picture, and of the filters before them."""
    wanted = 0
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        wanted += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    return wanted


def _cut(source: BinaryIO, parts: list[tuple[int, int]]) -> BinaryIO:
    """A file in memory without those parts, each from a byte to another."""
    rest = io.BytesIO()
    source.seek(0)
    for begin, end in parts:
        rest.write(source.read(begin - source.tell()))
        source.seek(end)
    shutil.copyfileobj(source, rest)
    return rest


def _chunks(source: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk, the file being at its data; none if the file is no PNG."""
    source.seek(0)
    if source.read(len(SIGNATURE)) != SIGNATURE:
        return
    place = len(SIGNATURE)
    while len(header := source.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        yield kind, length
        if kind == b"IEND":
            return
        place += 12 + length
        source.seek(place)


def _inflated(source: BinaryIO, most: int, frame: int = 0) -> int:
    """Bytes of pixels in the file, or of a later frame; no more than `most` and a block are counted."""
    inflater, count, current, begun = zlib.decompressobj(), 0, 0, False
    for kind, length in _chunks(source):
        begun |= kind == b"IDAT"
        current += kind == b"fcTL" and begun
        if kind != (b"fdAT" if frame else b"IDAT") or current != frame:
            continue
        if frame:
            length -= len(source.read(4))  # its number
        while length and count < most:
            data = source.read(min(length, _BLOCK))
            length -= len(data) or length
            while data and count < most:
                count += len(inflater.decompress(data, _BLOCK))
                data = inflater.unconsumed_tail
    return count + len(inflater.flush() if count < most else b"")
