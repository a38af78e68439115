"""Orientations, in sound files and beside damaged EXIF entries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.decoding import stored_orientation
from semantic_guidance.images.files import load_grey, load_mask, load_picture, load_pixels, to_image
from tests.images.encoding import UNDO, chunk, encoded, exif_block, gradient, png, tiff

DAMAGES = {
    "GPS beyond the end": (0x8825, 4, 1, 0xFFFFFFF0),
    "GPS before the beginning": (0x8825, 8, 1, 0xFFF0),
    "EXIF directory is text": (0x8769, 2, 4, 0x41414141),
    "interoperability directory is text": (0xA005, 2, 2, 0x16),
    "software is a float": (0x0131, 11, 1, 10),
    "artist is a fraction": (0x013B, 5, 1, 0),
    "resolution is bytes": (0x011A, 7, 4, 8),
    "resolution by zero": (0x011A, 5, 1, 8),
    "directory before the beginning": (0x014A, 9, 1, 0xFFFFFFF0),
    "XMP is a float": (0x02BC, 11, 1, 22),
    "a count of four thousand million": (0x9286, 7, 0xFFFFFFFF, 0),
    "unknown type": (0x0131, 77, 1, 0),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_damaged_exif_block_spoils_neither_picture_nor_orientation(tmp_path, format, damage):
    pixels = gradient(16, 24)
    exif = b"Exif\0\0" + exif_block(6, DAMAGES[damage])
    for name, shown in (("a", pixels), ("mask", np.repeat(pixels[..., :1], 3, axis=2))):
        if format == "TIFF":
            data = tiff(shown, 6, DAMAGES[damage])
        else:
            data = encoded(
                format, shown, exif=exif, **({"quality": 100, "lossless": True} if format != "PNG" else {})
            )
        (tmp_path / name).write_bytes(data)
    picture = load_picture(tmp_path / "a")
    assert picture.size == (16, 24)
    off = np.abs(to_bytes(picture.image).astype(int) - UNDO[6](pixels).astype(int)).mean()
    assert off <= (40 if format == "JPEG" else 0)
    assert load_grey(tmp_path / "a").shape == (24, 16)
    assert load_mask(tmp_path / "mask", 24, 16).shape == (1, 24, 16)
    if format != "TIFF":  # Pillow itself falls over those, as it loads them
        with Image.open(tmp_path / "a") as image:
            assert to_image(image).shape == (3, 24, 16)


@pytest.mark.parametrize("orientation", UNDO)
@pytest.mark.parametrize("format", ["eXIf", "eXIf at the end", "XMP", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_found_in_every_format(tmp_path, format, orientation):
    pixels = gradient(32, 48)
    height, width, _ = pixels.shape
    block = exif_block(orientation, order=">" if orientation % 2 else "<")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = (width, height, 8, 2, 0, 0, 0)
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow is without AVIF")
    packet = f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + packet.encode()
    data = {
        "eXIf": lambda: png(header, rows, before=chunk(b"eXIf", block)),
        "eXIf at the end": lambda: png(header, rows, after=chunk(b"eXIf", block)),
        "XMP": lambda: png(header, rows, before=chunk(b"iTXt", text)),
        "WEBP": lambda: encoded("WEBP", pixels, lossless=True, exif=block),
        "TIFF": lambda: tiff(pixels, orientation),
        "AVIF": lambda: encoded("AVIF", pixels, quality=100, subsampling="4:4:4", exif=block),
    }[format]()
    (tmp_path / "a").write_bytes(data)
    picture = load_picture(tmp_path / "a")
    wanted = UNDO[orientation](pixels)
    assert picture.size == wanted.shape[1::-1]
    tolerance = 9 if format == "AVIF" else 0
    assert np.abs(to_bytes(picture.image).astype(int) - wanted.astype(int)).max() <= tolerance
    assert np.abs(load_pixels(tmp_path / "a", "RGB").astype(int) - wanted.astype(int)).max() <= tolerance
    with Image.open(tmp_path / "a") as image:
        given = to_bytes(to_image(image))
    assert np.array_equal(given, to_bytes(picture.image))


@given(st.binary(max_size=80), st.sampled_from([b"", b"Exif\0\0", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_block_is_read_without_an_error(noise, head):
    assert stored_orientation({"exif": head + noise}) in (None, *range(1, 9))


@given(st.sampled_from(range(1, 9)), st.sampled_from("<>"), st.integers(0, 200))
def test_the_orientation_of_a_block_that_is_cut_off(orientation, order, kept):
    block = exif_block(orientation, (0x0131, 2, 99, 500), order=order)
    whole = 4 + 4 + 2 + 12  # header, offset, number of entries, the first entry
    cut = stored_orientation({"exif": b"Exif\0\0" + block[:kept]})
    assert cut == (orientation if kept >= whole - 2 else None)
