"""Files of several pictures: pages of TIFFs, frames of animations."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image, features

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_picture
from tests.images.encoding import UNDO, gradient

REDUCED, FULL, MASK = 1, 0, 4  # NewSubfileType, TIFF 6.0


@dataclass(frozen=True)
class Sheet:
    """A page of an uncompressed RGB TIFF, with more tags, and pages within it."""

    pixels: np.ndarray
    tags: dict[int, int] = field(default_factory=dict)
    inner: tuple[Sheet, ...] = ()


def tiff(*sheets: Sheet, order: str = "<", large: bool = False) -> bytes:
    """By TIFF 6.0, section 2; `large` ones by the BigTIFF design."""
    word, room, count = ("Q", 8, "Q") if large else ("I", 4, "H")
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(order + "HHHQ", 43, 8, 0, 0) if large else struct.pack(order + "HI", 42, 0)

    def put(data: bytes) -> int:
        out.extend(b"\0" * (len(out) % 2))
        out.extend(data)
        return len(out) - len(data)

    def write(sheet: Sheet) -> tuple[int, int]:
        """Where it begins, and where the place of the next one is to be written."""
        inner = [write(each)[0] for each in sheet.inner]
        height, width, _ = sheet.pixels.shape
        tags = {256: width, 257: height, 259: 1, 262: 2, 273: put(sheet.pixels.tobytes()), 277: 3}
        tags |= {278: height, 279: sheet.pixels.nbytes} | sheet.tags
        lists = {258: [8, 8, 8], **({330: inner} if inner else {})}
        entries = b""
        for tag in sorted({*tags, *lists}):
            values = lists.get(tag, [tags.get(tag, 0)])
            held = struct.pack(f"{order}{len(values)}{word}", *values)
            held = held if len(held) <= room else struct.pack(order + word, put(held))
            entries += struct.pack(order + "HH" + word, tag, 16 if large else 4, len(values)) + held
        number = struct.pack(order + count, len(entries) // (12 + 2 * room - 8))
        start = put(number + entries + b"\0" * room)
        return start, len(out) - room

    link = 8 if large else 4
    for sheet in sheets:
        start, following = write(sheet)
        struct.pack_into(order + word, out, link, start)
        link = following
    return bytes(out)


PICTURE = gradient(30, 40)
THUMB = Sheet(PICTURE[::5, ::5].copy(), {254: REDUCED})
OTHER = Sheet(PICTURE[::-1].copy(), {254: FULL})
RAW = Sheet(gradient(60, 80), {254: FULL, 262: 32803})  # colour filter array, DNG 1.6


def shown(tmp_path, data: bytes, frame: int | None = None) -> np.ndarray:
    (tmp_path / "a").write_bytes(data)
    picture = load_picture(tmp_path / "a", frame)
    assert picture.size == picture.image.shape[:0:-1]
    assert picture.note == ""
    return to_bytes(picture.image)


@pytest.mark.parametrize(("order", "large"), [("<", False), (">", False), ("<", True)])
def test_the_page_of_full_resolution_is_painted(tmp_path, order, large):
    full = Sheet(PICTURE, {254: FULL})
    files = {
        "a thumbnail first": (THUMB, full),
        "full first, then a pyramid": (full, THUMB),
        "the old tag": (Sheet(THUMB.pixels, {255: 2}), Sheet(PICTURE, {255: 1})),
        "a mask first": (Sheet(PICTURE // 2, {254: MASK}), full),
        "a scan of two": (Sheet(PICTURE), OTHER),
        "within the thumbnail, as in a DNG": (Sheet(THUMB.pixels, {254: REDUCED}, (full, OTHER)),),
        "the largest of what is reduced": (THUMB, Sheet(PICTURE, {254: REDUCED})),
        "a preview of raw data": (Sheet(THUMB.pixels, {254: 1}, (RAW, Sheet(PICTURE, {254: REDUCED}))),),
    }
    for name, sheets in files.items():
        found = shown(tmp_path, tiff(*sheets, order=order, large=large))
        assert np.array_equal(found, PICTURE), name


@pytest.mark.parametrize("orientation", [3, 6])
def test_pages_are_turned(tmp_path, orientation):
    """A DNG says so in its first directory alone."""
    turned = Sheet(PICTURE, {254: FULL, 274: orientation})
    assert np.array_equal(shown(tmp_path, tiff(THUMB, turned)), UNDO[orientation](PICTURE))
    first = Sheet(THUMB.pixels, {254: REDUCED, 274: orientation}, (Sheet(PICTURE, {254: FULL}),))
    assert np.array_equal(shown(tmp_path, tiff(first)), UNDO[orientation](PICTURE))


def test_pages_are_counted_without_thumbnails(tmp_path):
    data = tiff(Sheet(PICTURE), THUMB, OTHER)
    for frame, wanted in ((None, PICTURE), (1, PICTURE), (2, OTHER.pixels)):
        assert np.array_equal(shown(tmp_path, data, frame), wanted)
    with pytest.raises(InputError, match=r"a: the picture has 2 pages, wanted --frame 1 to 2, got 3"):
        shown(tmp_path, data, 3)
    within = tiff(Sheet(THUMB.pixels, {254: REDUCED}, (Sheet(PICTURE, {254: FULL}),)))
    assert np.array_equal(shown(tmp_path, within, 1), PICTURE)
    alone = tiff(Sheet(PICTURE, {254: MASK}))  # as a program may write what it takes for one
    assert np.array_equal(shown(tmp_path, alone), PICTURE)
    pages = io.BytesIO()
    first, second = Image.fromarray(PICTURE), Image.fromarray(OTHER.pixels)
    first.save(pages, "TIFF", save_all=True, append_images=[second], compression="tiff_lzw")
    assert np.array_equal(shown(tmp_path, pages.getvalue(), 2), OTHER.pixels)


def test_thumbnails_do_not_stand_for_what_is_damaged_or_raw(tmp_path):
    broken = Sheet(PICTURE, {254: FULL, 273: 10**6})
    with pytest.raises(InputError, match=r"a: the picture is broken"):
        shown(tmp_path, tiff(THUMB, broken))
    with pytest.raises(InputError, match=r"a: the picture is raw data, 80 pixels long; a version of 8 x 6"):
        shown(tmp_path, tiff(Sheet(THUMB.pixels, {254: REDUCED}, (RAW,))))


def test_directories_that_lie(tmp_path):
    """They lead to themselves, or beyond the end of the file."""
    data = bytearray(tiff(THUMB))
    (start,) = struct.unpack_from("<I", data, 4)
    data[-4:] = struct.pack("<I", start)
    assert np.array_equal(shown(tmp_path, bytes(data)), THUMB.pixels)
    data[-4:] = struct.pack("<I", 10**6)
    inner = tiff(Sheet(THUMB.pixels, {254: REDUCED, 330: 10**7}))
    cut = tiff(THUMB, Sheet(PICTURE))[:-30]
    for lost in (bytes(data), inner, cut):
        with pytest.raises(
            InputError, match=r"a: the picture is broken \(the directory of a page is cut off\)"
        ):
            shown(tmp_path, lost)
    full = bytearray(tiff(Sheet(PICTURE)))
    full[-4:] = struct.pack("<I", 10**6)
    assert np.array_equal(shown(tmp_path, bytes(full)), PICTURE)


def animation(format: str, *frames: np.ndarray) -> bytes:
    data = io.BytesIO()
    first, *others = map(Image.fromarray, frames)
    exact = {"lossless": True} if format == "WEBP" else {"quality": 100} if format == "AVIF" else {}
    first.save(data, format, save_all=True, append_images=others, duration=40, **exact)
    return data.getvalue()


FORMATS = ["GIF", "WEBP", "PNG", *(["AVIF"] if features.check("avif") else [])]
GREYS = np.repeat(gradient(12, 20)[..., 2:], 3, axis=2)  # of few colours, for GIF
WHITE = np.full((12, 20, 3), 255, np.uint8)


@pytest.mark.parametrize("format", FORMATS)
def test_frames_are_counted_from_one(tmp_path, format):
    frames = GREYS, GREYS[::-1], GREYS[:, ::-1]
    data = animation(format, *frames)
    for number, wanted in enumerate(frames, 1):
        off = np.abs(shown(tmp_path, data, number).astype(int) - wanted)
        assert off.max() <= (9 if format == "AVIF" else 0)
    assert np.array_equal(shown(tmp_path, data), shown(tmp_path, data, 1))
    with pytest.raises(InputError, match=r"a: the picture has 3 frames, wanted --frame 1 to 3, got 4"):
        shown(tmp_path, data, 4)
    with pytest.raises(InputError, match=r"a: the picture has one frame, wanted --frame 1, got 2"):
        shown(tmp_path, animation(format, GREYS), 2)


@pytest.mark.parametrize("format", FORMATS)
def test_an_animation_that_begins_with_nothing(tmp_path, format):
    path = tmp_path / "a"
    path.write_bytes(animation(format, WHITE, WHITE // 2, GREYS))
    picture = load_picture(path)
    assert picture.note == f"{path}: the first of 3 frames is of a single colour; --frame 3 is not"
    assert to_bytes(picture.image).min() >= 250
    clear = np.dstack([GREYS * 0, GREYS[..., 0] * 0])
    path.write_bytes(animation(format, clear, np.dstack([GREYS, WHITE[..., 0]])))
    with pytest.raises(
        InputError, match=r"a: the first of 2 frames is transparent throughout, wanted .*--frame 2"
    ):
        load_picture(path)
    assert load_picture(path, 2).note == ""
    path.write_bytes(animation(format, GREYS, WHITE))
    assert load_picture(path).note == ""


def test_damage_counts_up_to_the_frame(tmp_path):
    data = animation("PNG", GREYS, GREYS[::-1], GREYS[:, ::-1])
    at = data.index(b"fdAT") + 20
    spoilt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert np.array_equal(shown(tmp_path, spoilt), GREYS)
    assert np.array_equal(shown(tmp_path, spoilt, 1), GREYS)
    for number in (2, 3):
        with pytest.raises(InputError, match=r"a: the picture is broken \(wrong checksum in chunk fdAT\)"):
            shown(tmp_path, spoilt, number)
    gif = animation("GIF", GREYS, GREYS[::-1], GREYS[:, ::-1])
    with pytest.raises(InputError, match=r"a: the picture is broken"):
        shown(tmp_path, gif[:-40], 3)


def test_rows_that_are_missing_from_a_later_frame(tmp_path):
    """Its data are sound, but end early."""
    import zlib

    from tests.images.encoding import chunk

    rows = [b"\0" + row.tobytes() for row in GREYS]

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">5I2H2B", number, 20, 12, 0, 0, 1, 25, 0, 0))

    for kept in (12, 7):
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 20, 12, 8, 2, 0, 0, 0))
        data += chunk(b"acTL", struct.pack(">2I", 2, 0)) + control(0)
        data += chunk(b"IDAT", zlib.compress(b"".join(rows))) + control(1)
        data += chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(b"".join(rows[::-1][:kept])))
        data += chunk(b"IEND", b"")
        if kept == 12:
            assert np.array_equal(shown(tmp_path, data, 2), GREYS[::-1])
            continue
        with pytest.raises(InputError, match="a: the picture is broken"):
            shown(tmp_path, data, 2)
