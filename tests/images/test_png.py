"""Damaged PNG files: what spoils the picture is refused, what browsers pass over is passed over."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_grey, load_image, load_picture
from tests.images.encoding import UNDO, chunk, encoded, exif_block, png, write


def test_any_flipped_bit_of_a_png_is_noticed(tmp_path):
    """But for those of text and times after the pixels, and of what follows the end."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    data = encoded("PNG", pixels, exif=exif_block(6))
    assert np.array_equal(to_bytes(load_image(write(tmp_path / "a.png", data))), UNDO[6](pixels))
    rng = random.Random(0)
    for _ in range(150):
        place = rng.randrange(len(data) - 12)
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << rng.randrange(8)
        path = write(tmp_path / "flipped.png", bytes(spoilt))
        for read in (load_picture, load_grey):
            with pytest.raises(InputError, match=r"flipped\.png: .*, wanted"):
                read(path)


@pytest.mark.parametrize("colour", [(200, 200, 200), (0, 0, 0)])
@pytest.mark.parametrize("interlaced", [0, 1])
def test_missing_rows_of_a_png(tmp_path, interlaced, colour):
    """The stream is sound, but ends early; black rows that are there are no reason."""
    adam7 = [
        (2, 2),
        (1, 2),
        (3, 1),
        (2, 3),
        (5, 2),
        (4, 5),
        (9, 5),
    ]  # by hand: columns and rows of the passes
    passes = adam7 if interlaced else [(9, 10)]
    rows = [b"\0" + bytes(colour) * columns for columns, count in passes for _ in range(count)]
    header = (9, 10, 8, 2, 0, 0, interlaced)
    whole = write(tmp_path / "whole.png", png(header, b"".join(rows)))
    assert to_bytes(load_image(whole)).reshape(-1, 3).tolist() == [list(colour)] * 90
    short = write(tmp_path / "short.png", png(header, b"".join(rows[:-1])))
    with pytest.raises(InputError, match=r"short\.png: the picture is broken"):
        load_image(short)


def test_damage_in_the_text_after_the_pixels_spoils_nothing(tmp_path):
    spoilt = bytearray(chunk(b"tEXt", b"Comment\0hello"))
    spoilt[-1] ^= 1
    rows = b"\0\x01\x02\x03" * 2
    path = write(tmp_path / "a.png", png((1, 2, 8, 2, 0, 0, 0), rows, after=bytes(spoilt)))
    assert to_bytes(load_image(path)).tolist() == [[[1, 2, 3]], [[1, 2, 3]]]


ROWS = b"\0\x01\x02\x03" * 2
HEADER = (1, 2, 8, 2, 0, 0, 0)


def spoilt(kind: bytes, data: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    made = bytearray(chunk(kind, data))
    made[-1] ^= 1
    return bytes(made)


ANCILLARY = {
    b"gAMA": struct.pack(">I", 45455),
    b"tEXt": b"Comment\0hello",
    b"iTXt": b"Comment\0\0\0\0\0hello",
    b"iCCP": b"profile\0\0" + zlib.compress(b"none"),
    b"pHYs": struct.pack(">IIB", 9, 9, 1),
    b"tIME": bytes(7),
}


@pytest.mark.parametrize("kind", ANCILLARY)
def test_damage_in_what_browsers_skip_spoils_nothing(tmp_path, kind):
    before = spoilt(kind, ANCILLARY[kind])
    before = before + chunk(b"tEXt", b"Title\0b") + before
    path = write(tmp_path / "a.png", png(HEADER, ROWS, before=before))
    assert to_bytes(load_image(path)).tolist() == [[[1, 2, 3]], [[1, 2, 3]]]
    short = write(tmp_path / "short.png", png(HEADER, b"\0\0\0\0", before=before))
    with pytest.raises(InputError, match=r"short\.png: the picture is broken"):
        load_image(short)


@pytest.mark.parametrize(
    ("kind", "data"),
    [(b"tRNS", bytes([0, 1, 0, 2, 0, 3])), (b"eXIf", exif_block(6)), (b"pLTE", bytes(3)), (b"xxXx", b"?")],
)
def test_damage_in_what_changes_the_picture_is_refused(tmp_path, kind, data):
    path = write(tmp_path / "a.png", png(HEADER, ROWS, before=spoilt(kind, data)))
    with pytest.raises(InputError, match=rf"wrong checksum in chunk {kind.decode()}"):
        load_image(path)


@pytest.mark.parametrize("end", [b"", b"\0\0\0\0", b"\0\0\0\0IEND", chunk(b"IEND", b"")[:-1] + b"?"])
def test_the_end_may_be_missing_or_damaged(tmp_path, end):
    path = write(tmp_path / "a.png", png(HEADER, ROWS).removesuffix(chunk(b"IEND", b"")) + end)
    assert to_bytes(load_image(path)).tolist() == [[[1, 2, 3]], [[1, 2, 3]]]


def test_very_long_pictures(tmp_path):
    rows = zlib.compress(b"\0" * 4_000_000)
    data = chunk(b"IHDR", struct.pack(">2I5B", 30_000_000, 1, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
    path = write(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b""))
    with pytest.raises(InputError, match=r"30000000 x 1, wanted at most 10 million pixels along a side"):
        load_image(path)
