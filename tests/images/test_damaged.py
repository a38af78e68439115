"""Damaged, huge and odd picture files: read rightly, or refused by an error that names them."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile, features

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.decoding import decode, stored_orientation
from semantic_guidance.images.files import (
    load_grey,
    load_image,
    load_labels,
    load_mask,
    load_mask_array,
    load_picture,
    load_pixels,
    to_image,
)

PACKAGE = Path(__file__).parents[2] / "semantic_guidance"
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
    if format == "TIFF":
        data = tiff(pixels, 6, DAMAGES[damage])
    else:
        data = encoded(
            format, pixels, exif=exif, **({"quality": 100, "lossless": True} if format != "PNG" else {})
        )
    (tmp_path / "a").write_bytes(data)
    picture = load_picture(tmp_path / "a")
    assert picture.size == (16, 24)
    off = np.abs(to_bytes(picture.image).astype(int) - UNDO[6](pixels).astype(int)).mean()
    assert off <= (40 if format == "JPEG" else 0)
    assert load_grey(tmp_path / "a").shape == (24, 16)
    assert load_mask(tmp_path / "a", 24, 16).shape == (1, 24, 16)
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


FORMATS = {
    "PNG": {},
    "JPEG": {},
    "WEBP": {},
    "TIFF": {},
    "GIF": {},
    "BMP": {},
    "JPEG2000": {},
    "PPM": {},
    "TGA": {},
}


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_cut_off_is_refused(tmp_path, monkeypatch, format, trusting):
    """Whatever others in the process have told Pillow."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", trusting)
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = encoded(format, noise)
    for share in (0.3, 0.6, 0.95):
        (tmp_path / "cut.bin").write_bytes(data[: int(len(data) * share)])
        for read in (load_picture, load_grey, load_labels, lambda path: load_pixels(path, "L")):
            with pytest.raises(InputError, match=r"cut\.bin: .*, wanted") as caught:
                read(tmp_path / "cut.bin")
            assert "\n" not in str(caught.value)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is trusting


@pytest.mark.parametrize("suffix", ["tiff_adobe_deflate", "packbits", "tiff_lzw"])
def test_compressed_tiff_that_is_cut_off(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = encoded("TIFF", noise, compression=suffix)
    (tmp_path / "cut.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut\.tif: .*, wanted"):
        load_image(tmp_path / "cut.tif")


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


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


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


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "BMP"])
def test_no_limit_but_ours(tmp_path, monkeypatch, format):
    """Pillow's own, which TIFF and WebP are held to once more as they load, is of no account here."""
    path = write(tmp_path / "a", encoded(format, lossless=True) if format == "WEBP" else encoded(format))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # an error from 200 pixels on
    assert np.array_equal(to_bytes(load_image(path)), gradient())
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setattr("semantic_guidance.images.decoding.MAX_PIXELS", 239)
    for read in (load_image, load_grey, load_labels, lambda path: load_pixels(path, "L")):
        with pytest.raises(InputError, match=r"a: the picture has 20 x 12 pixels, wanted at most 239"):
            read(path)


def test_very_long_pictures(tmp_path):
    rows = zlib.compress(b"\0" * 4_000_000)
    data = chunk(b"IHDR", struct.pack(">2I5B", 30_000_000, 1, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
    path = write(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b""))
    with pytest.raises(InputError, match=r"30000000 x 1, wanted at most 10 million pixels along a side"):
        load_image(path)


def test_running_out_of_memory_is_not_the_pictures_fault(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", encoded("PNG"))

    def exhausted(self: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", exhausted)
    with pytest.raises(MemoryError):
        load_image(path)


def test_a_header_that_lies_about_its_length_is_the_pictures_fault(tmp_path):
    """The first box of a JPEG 2000 file says that it has 4 GiB, for which there is no room."""
    data = bytearray(encoded("JPEG2000"))
    data[12:16] = b"\xff\xff\x00\x00"
    path = write(tmp_path / "a.jp2", bytes(data))
    code = (
        "import resource, sys; from semantic_guidance.images.files import load_array\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\n"
        "try: load_array(sys.argv[1])\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: the picture is broken")


def test_a_disk_that_fails_is_not_the_pictures_fault(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", encoded("PNG"))

    def failing(self: Image.Image) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ImageFile.ImageFile, "load", failing)
    with pytest.raises(OSError, match=r"a\.png: cannot be read \(Input/output error\)"):
        load_image(path)


PEAK = """
import resource, sys
from semantic_guidance.images.files import load_array, load_mask_array, load_grey
load_grey(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_array(sys.argv[1])
load_mask_array(sys.argv[1], 1200, 250)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize("kind", ["RGBA", "16 bits"])
def test_memory_for_large_pictures(tmp_path, kind):
    """Pillow needs 4 bytes for a pixel in colour and 2 for one of 16 bits; no second copy of it is made."""
    width, height = 2_500, 12_000
    depth, colour, pixel = {"RGBA": (8, 6, 4), "16 bits": (16, 0, 2)}[kind]
    row = b"\0" + bytes(range(200, 200 + pixel)) * width
    path = write(tmp_path / "large.png", png((width, height, depth, colour, 0, 0, 0), row * height))
    small = write(tmp_path / "small.png", encoded("PNG"))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(small)], capture_output=True, text=True, check=True
    )
    held = width * height * (2 if kind == "16 bits" else 4)
    assert int(done.stdout) < held + 100_000_000  # and what is left: 853 x 4,096 pixels, as floats


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBX",
        "RGBa",
        "CMYK",
        "YCbCr",
        "HSV",
        "LAB",
        "I;16",
        "I",
        "F",
    ],
)
def test_every_mode_is_photograph_and_mask(tmp_path, mode, large):
    """A white square on black; the sizes above `MAX_SIDE` go another way."""
    side = 5000 if large else 50
    values = np.zeros((40, side), np.uint8)
    values[10:30, side // 5 : side // 2] = 255
    image = in_mode(Image.fromarray(values), mode)
    got = to_bytes(to_image(image))[..., 0]
    scale = got.shape[1] / side
    inside = got[int(15 * scale) : int(25 * scale), int(0.25 * got.shape[1]) : int(0.45 * got.shape[1])]
    assert inside.min() >= 250
    assert got[int(34 * scale) :].max() <= 5
    for suffix in ("png", "tif", "jp2"):
        path = tmp_path / f"m.{suffix}"
        try:
            image.save(path)
        except (OSError, KeyError, ValueError):
            continue  # the format has no such mode
        mask = load_mask_array(path, 40, side)[0]
        assert np.abs(mask * 255 - values).mean() < 3
        assert load_grey(path).shape == got.shape
        assert load_image(path).shape == (3, *got.shape)


def in_mode(grey: Image.Image, mode: str) -> Image.Image:
    """The picture in that mode of Pillow's."""
    if mode in ("La", "RGBa"):
        return grey.convert(mode[:-1] + "A").convert(mode)
    if mode == "PA":
        return grey.convert("P").convert("PA")
    if mode == "I;16":
        return Image.fromarray(np.asarray(grey, np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(np.asarray(grey, np.int32))
    if mode == "LAB":  # lightness in a byte, a and b from -128
        none = Image.new("L", grey.size, 128)
        return Image.merge("LAB", (grey, none, none))
    return (grey if mode in ("1", "L", "LA", "P", "F") else grey.convert("RGB")).convert(mode)


def test_labels_and_pixels(tmp_path):
    numbers = (np.arange(240).reshape(12, 20) % 7).astype(np.uint8)
    palette = Image.fromarray(numbers).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 8, 8, 8, 7, 7, 7])
    palette.save(tmp_path / "p.png")
    Image.fromarray(numbers).save(tmp_path / "l.png")
    Image.fromarray(numbers.astype(np.uint16) * 9000).save(tmp_path / "deep.png")
    assert np.array_equal(load_labels(tmp_path / "p.png"), numbers)
    assert np.array_equal(load_labels(tmp_path / "l.png"), numbers)
    assert np.array_equal(load_labels(tmp_path / "deep.png"), numbers.astype(int) * 9000)
    assert load_pixels(tmp_path / "p.png", "RGB")[0, 1].tolist() == [255, 0, 0]
    rgba = np.dstack([gradient(), np.full((12, 20), 60, np.uint8)])
    write(tmp_path / "c.png", encoded("PNG", rgba))
    assert np.array_equal(load_pixels(tmp_path / "c.png", "RGBA"), rgba)
    assert np.array_equal(load_pixels(tmp_path / "c.png", "RGB"), gradient())
    with pytest.raises(InputError, match=r"c\.png: the picture is RGBA, wanted labels"):
        load_labels(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        load_labels(tmp_path / "none.png")


def test_what_is_decoded_knows_nothing_of_its_file(tmp_path):
    path = write(tmp_path / "a.tif", tiff(gradient(), 6))
    decoded = decode(path)
    path.unlink()
    assert decoded.size == (12, 20)
    assert np.array_equal(np.asarray(decoded.upright(decoded.image)), UNDO[6](gradient()))


def test_there_is_one_reader():
    """Nothing else opens picture files; `photometry` decodes what it has encoded."""
    readers = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if any(
            name in path.read_text() for name in ("Image.open(", "imread(", "imdecode(", "exif_transpose(")
        )
    ]
    assert readers == ["images/decoding.py", "learning/data/cutouts/photometry.py"]
