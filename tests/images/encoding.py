"""Picture files, made by hand or by Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

UNDO: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""How a viewer has to turn what is stored, by the EXIF standard."""


def gradient(height: int = 12, width: int = 20) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (7 * x + 5 * y) % 256], axis=-1).astype(np.uint8)


def encoded(format: str, pixels: np.ndarray | None = None, **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(gradient() if pixels is None else pixels).save(data, format, **options)
    return data.getvalue()


def exif_block(orientation: int, *more: tuple[int, int, int, int], order: str = "<") -> bytes:
    """An EXIF block of the orientation and of other entries (tag, type, count, value), as in TIFF 6.0."""
    short = orientation if order == "<" else orientation << 16
    entries = [(0x0112, 3, 1, short), *more]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return head + b"".join(struct.pack(order + "HHII", *entry) for entry in entries) + b"\0\0\0\0"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(header: tuple[int, ...], rows: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    data = chunk(b"IHDR", struct.pack(">2I5B", *header)) + before + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + data + after + chunk(b"IEND", b"")


def tiff(pixels: np.ndarray, orientation: int, *more: tuple[int, int, int, int]) -> bytes:
    """An uncompressed RGB TIFF of one strip, by the TIFF 6.0 standard."""
    height, width, _ = pixels.shape
    data = pixels.tobytes() + struct.pack("<3H", 8, 8, 8)
    data += b"\0" * (len(data) % 2)
    bits = 8 + pixels.nbytes
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 8), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 4, 1, height)]
    entries += [(279, 4, 1, pixels.nbytes), *more]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *each) for each in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + b"\0\0\0\0"


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
