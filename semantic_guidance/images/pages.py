"""Which of several pictures in a file is the one: pages of a TIFF, frames of an animation.

Specifications: TIFF 6.0, section 8 (NewSubfileType, SubfileType); TIFF Technical Note 1 (SubIFDs); DNG 1.6;
BigTIFF. People count from 1.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from semantic_guidance.core.errors import InputError

NEW_SUBFILE, SUBFILE, WIDTH, HEIGHT, SUB_DIRECTORIES = 254, 255, 256, 257, 330  # tags
TAGS = {NEW_SUBFILE, SUBFILE, WIDTH, HEIGHT, SUB_DIRECTORIES}
REDUCED, OTHER = 1, 4 | 8  # bits of NewSubfileType: smaller than another page; a mask, a map of depths
OLD_REDUCED = 2  # SubfileType
FORMS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # of whole numbers in entries
MOST_PAGES = 10_000
MOST_INNER = 64  # directories within one
LEAST_PREVIEW = 0.25  # of the side of raw data that cannot be decoded
ANIMATED = {"GIF", "WEBP", "PNG", "AVIF", "FLI"}  # Pillow's names
SINGLE = {"PSD", "ICO", "ICNS"}  # what Pillow calls their frames are layers, and sizes
BEYOND = (struct.error, OverflowError, OSError)  # what reading beyond the end of a file raises
LOOKED_AT = 64  # frames, in search of one that is not empty

Open = Callable[[BinaryIO], ImageFile.ImageFile]


@dataclass(frozen=True)
class Page:
    """A directory of a TIFF.

    Attributes:
        place: where it begins in the file.
        number: in the chain of pages, from 0; None if it is within another directory.
        width: in pixels.
        height: in pixels.
        reduced: whether it is a smaller version of another page.
        other: whether it is no picture, but a mask and the like.
    """

    place: int
    number: int | None
    width: int
    height: int
    reduced: bool
    other: bool


@dataclass(frozen=True)
class Blank:
    """An animation whose first frame is empty.

    Attributes:
        frames: that it has.
        shown: the first one that is not empty.
        clear: whether the first one is transparent throughout, not of one colour.
    """

    frames: int
    shown: int
    clear: bool


def full_page(
    image: ImageFile.ImageFile, source: BinaryIO, frame: int | None, name: str, opened: Open
) -> ImageFile.ImageFile:
    """The page of a TIFF that is wanted, before its pixels are read; any other picture as it is.

    It is the first one of full resolution, or number `frame` of those. If nothing of full resolution can be
    decoded, as in the raw files of cameras, it is the largest other one.

    Raises:
        InputError: there is no such page, or what can be decoded is far too small; the message names it.
        ValueError: the page of full resolution is missing, and the file damaged.
    """
    if image.format != "TIFF":
        return image
    pages = _pages(source)
    first = next(pages, None)
    if first is None or (frame is None and not first.reduced and not first.other):
        return image
    rest = list(pages)
    known = [first, *(page for page in rest if page is not None)]
    if frame is None and len(known) == 1 and not first.reduced and not rest:
        return image  # a mask, and nothing that it belongs to
    whole = [page for page in known if not (page.reduced or page.other)]
    if frame is not None:
        chain = [page for page in whole if page.number is not None] or whole or known
        _check_frame(frame, len(chain), name, "pages")
        whole, known = [chain[frame - 1]], known if len(chain) == 1 else []
    for page in whole:
        if (found := _opened(image, source, page, opened)) is not None:
            return found
    if None in rest:
        raise ValueError("the directory of a page is cut off")
    lacking = max((max(page.width, page.height) for page in whole), default=0)
    for page in sorted(known, key=lambda page: -page.width * page.height):
        found = _opened(image, source, page, opened) if page.reduced and not page.other else None
        if found is not None and max(found.size) < LEAST_PREVIEW * lacking:
            raise InputError(
                f"{name}: the picture is raw data, {lacking} pixels long; a version of {found.width} x"
                f" {found.height} alone can be decoded, wanted a developed one, such as a JPEG"
            )
        if found is not None:
            return found
    raise InputError(f"{name}: no page of the picture can be decoded, wanted another format, such as JPEG")


def turn_to(image: ImageFile.ImageFile, frame: int | None, name: str) -> None:
    """Go to a frame of an animation, decoding those before it.

    Raises:
        InputError: there is no such frame; the message names the file.
    """
    if frame is None or frame == 1 or image.format == "TIFF":
        return
    _check_frame(frame, 1 if image.format in SINGLE else getattr(image, "n_frames", 1), name, "frames")
    image.seek(frame - 1)


def blank(image: ImageFile.ImageFile, first: Image.Image) -> Blank | None:
    """Whether the first frame of an animation is empty, and another one is not.

    Args:
        image: the animation; it does not stay at its first frame.
        first: its first frame.
    """
    clear = first.convert("RGBA").getchannel("A").getextrema()[1] == 0
    with contextlib.suppress(Exception):  # damage in frames that nobody wants
        frames = int(getattr(image, "n_frames", 1))
        for number in range(2, min(frames, LOOKED_AT) + 1):
            image.seek(number - 1)
            image.load()
            if not _is_empty(image):
                return Blank(frames, number, clear)
    return None


def may_be_blank(image: ImageFile.ImageFile, first: Image.Image) -> bool:
    """Whether to look at more than the first frame of a picture."""
    moves = image.format == "GIF" or (image.format in ANIMATED and getattr(image, "is_animated", False))
    return bool(moves) and _is_empty(first)


def _is_empty(image: Image.Image) -> bool:
    """Whether all pixels are the same, or transparent."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[1] == 0:
            return True
    return all(low == high for low, high in np.reshape(image.getextrema(), (-1, 2)))


def _check_frame(frame: int, count: int, name: str, noun: str) -> None:
    if not 1 <= frame <= count:
        has, wanted = (f"{count} {noun}", f"1 to {count}") if count > 1 else (f"one {noun[:-1]}", "1")
        raise InputError(f"{name}: the picture has {has}, wanted --frame {wanted}, got {frame}")


def _opened(
    image: ImageFile.ImageFile, source: BinaryIO, page: Page, opened: Open
) -> ImageFile.ImageFile | None:
    """The page before its pixels are read; None if it is of a kind that cannot be decoded."""
    with contextlib.suppress(SyntaxError, KeyError, InputError):
        if page.number is None:
            inner = opened(io.BufferedReader(_Elsewhere(source, page.place)))
            if inner.format == "TIFF" and (turned := getattr(image, "tag_v2").get(274)):  # noqa: B009
                getattr(inner, "tag_v2").setdefault(274, turned)  # noqa: B009 - told once, in the first one
            return inner
        image.seek(page.number)
        return image
    return None


class _Elsewhere(io.RawIOBase):
    """A TIFF file that begins with another directory."""

    def __init__(self, source: BinaryIO, place: int) -> None:
        super().__init__()
        source.seek(0)
        head = source.read(16)
        order, large = _order(head)
        self._head = (
            head[:8] + struct.pack(order + "Q", place)
            if large
            else head[:4] + struct.pack(order + "I", place)
        )
        self._source, self._place = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset += self._source.seek(0, io.SEEK_END)
        self._place = offset + (self._place if whence == io.SEEK_CUR else 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._source.seek(self._place)
        data = self._source.read(len(buffer))
        for n, byte in enumerate(self._head[self._place : self._place + len(data)]):
            data = data[:n] + bytes([byte]) + data[n + 1 :]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def _order(head: bytes) -> tuple[str, bool]:
    """The order of bytes, and whether it is a BigTIFF."""
    order = ">" if head.startswith(b"MM") else "<"
    return order, struct.unpack_from(order + "H", head, 2)[0] == 43


def _pages(source: BinaryIO) -> Iterator[Page | None]:
    """The pages of a TIFF, and after each the directories within it; None if one cannot be read."""
    source.seek(0)
    head = source.read(16)
    try:
        order, large = _order(head)
        (place,) = struct.unpack_from(order + ("Q" if large else "I"), head, 8 if large else 4)
        seen: set[int] = set()
        while place and place not in seen and len(seen) < MOST_PAGES:
            number = len(seen)
            seen.add(place)
            tags, following = _directory(source, place, order, large)
            yield _page(place, number, tags)
            for inner in tags.get(SUB_DIRECTORIES, ()):
                try:
                    tags_within, _ = _directory(source, inner, order, large)
                except BEYOND:
                    yield None
                else:
                    yield _page(inner, None, tags_within)
            place = following
    except BEYOND:
        yield None


def _page(place: int, number: int | None, tags: dict[int, tuple[int, ...]]) -> Page:
    def value(tag: int) -> int:
        return tags.get(tag, (0,))[0]

    kind = value(NEW_SUBFILE)
    reduced = bool(kind & REDUCED) or (NEW_SUBFILE not in tags and value(SUBFILE) == OLD_REDUCED)
    return Page(place, number, value(WIDTH), value(HEIGHT), reduced, bool(kind & OTHER))


def _directory(
    source: BinaryIO, place: int, order: str, large: bool
) -> tuple[dict[int, tuple[int, ...]], int]:
    """The whole numbers in the entries that matter, and where the next directory is.

    Raises:
        struct.error: it goes beyond the end of the file.
    """
    count_form, entry, word = ("Q", 20, "Q") if large else ("H", 12, "I")
    source.seek(place)
    (count,) = struct.unpack(order + count_form, source.read(8 if large else 2))
    data = source.read(entry * min(count, MOST_PAGES))
    (following,) = struct.unpack(order + word, source.read(8 if large else 4))
    tags = {}
    for begin in range(0, len(data), entry):
        tag, kind, number = struct.unpack_from(order + "HH" + word, data, begin)
        if tag not in TAGS or kind not in FORMS or not number:
            continue
        form = f"{order}{min(number, MOST_INNER)}{FORMS[kind]}"
        held, room = data[begin + entry - (8 if large else 4) : begin + entry], 8 if large else 4
        if struct.calcsize(form) > room:
            source.seek(struct.unpack(order + word, held)[0])
            held = source.read(struct.calcsize(form))
        tags[tag] = struct.unpack_from(form, held)
    return tags, following
