"""The one door through which picture files come: decoded wholly or refused, by an error that names the file.

Pillow decodes. Its settings that belong to the whole process (pixels at most, whether truncated files will
do) are set for the time of decoding, whatever others have made of them.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import struct
import threading
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.inputs import STDIN, no_such_file, standard_input
from semantic_guidance.core.shown import printable
from semantic_guidance.images import heif, png
from semantic_guidance.images.pages import Blank, blank, full_page, may_be_blank, turn_to

MAX_SIDE = 4096  # larger pictures are reduced on loading
MAX_PIXELS = 300_000_000  # larger than any camera's; Pillow holds a colour picture of this size in 1.2 GB
MAX_LENGTH = 10_000_000  # of a side; Pillow's decoders count the bits of a row in 32 bits
MAX_PIPED = 4_000_000_000  # bytes of a picture from a pipe
UNSAFE = {"EPS", "WMF"}  # formats that Pillow reads by running another program
ORIENTATION = 0x0112  # EXIF tag
INTACT = "wanted an intact one"
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright; 1 is upright."""

_decoding = threading.Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what it logs lands on standard error


class TooManyPixelsError(InputError):
    """A picture is too large."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """All of a picture as its file stores it.

    Attributes:
        image: its pixels, not turned; of a large JPEG that may be reduced, no more than are needed.
        orientation: as in EXIF, 1 to 8.
        size: width and height of the upright picture in the file.
        blank: if it is the first frame of an animation, and empty.
    """

    image: Image.Image
    orientation: int
    size: tuple[int, int]
    blank: Blank | None = None

    def upright(self, image: Image.Image) -> Image.Image:
        """What was made of `image`, turned as a viewer has to."""
        return image.transpose(TURNS[self.orientation]) if self.orientation in TURNS else image


def decode(
    path: str | Path, reduce: bool = False, frame: int | None = None, most: int | None = None
) -> Decoded:
    """The picture in a file, which may be a pipe.

    Of a TIFF it is the first page of full resolution, of an animation the first frame.

    Args:
        path: the file.
        reduce: whether a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as its
            longer side does not fall below `MAX_SIDE`.
        frame: which of the frames, or of the pages of full resolution, counted from 1.
        most: pixels at most; `MAX_PIXELS` if None.

    Raises:
        OSError: there is no such file, it is a directory, or it cannot be read.
        InputError: it is no picture, is broken or too large; the message names it.
    """
    with _source(Path(path)) as source:
        return decode_stream(source, str(path), reduce=reduce, frame=frame, most=most)


def decode_stream(
    source: BinaryIO,
    name: str,
    reduce: bool = False,
    formats: Collection[str] | None = None,
    most: int | None = None,
    frame: int | None = None,
) -> Decoded:
    """The picture in an open file.

    Args:
        source: can be sought in; stays open.
        name: what messages call it.
        reduce: as in `decode`.
        formats: Pillow's names of those that will do; all safe ones if None.
        most: pixels at most; `MAX_PIXELS` if None.
        frame: as in `decode`.

    Raises:
        OSError: it cannot be read.
        InputError: it is no picture, is broken or too large; the message names it.
    """
    with refusing(name):
        later = (frame or 1) > 1
        source = png.without_damage(source, later)
        with _strict(None):
            image = _identified(source, name, formats)
            image = full_page(image, source, frame, name, lambda file: _identified(file, name, {"TIFF"}))
        _check_size(image, name, MAX_PIXELS if most is None else most)
        orientation = _tiff_orientation(image)
        with _strict(MAX_PIXELS // 2):
            turn_to(image, frame, name)
            before = image.size
            if reduce and not later and image.format != "HEIF":  # whose draft is another picture, a thumbnail
                image.draft(None, reduced_size(*before))
            drafted = image.size != before
            image.load()
        if image.format == "PNG":
            png.check_frames(source, frame or 1) if later else png.check_rows(source, image)
        _check_size(image, name, MAX_PIXELS if most is None else most)
        orientation = orientation or stored_orientation(image.info) or 1
        plain = image._new(image.im)  # holds the pixels and knows nothing of the file
        empty = None
        if frame is None and may_be_blank(image, plain):
            plain = plain.copy()
            with _strict(MAX_PIXELS // 2):
                empty = blank(image, plain)
    width, height = before if drafted else plain.size
    return Decoded(plain, orientation, (height, width) if orientation >= 5 else (width, height), empty)


def decode_given(image: Image.Image) -> Decoded:
    """A Pillow image that somebody hands over, which may not be loaded yet.

    Raises:
        ValueError: it has no pixels, or cannot be decoded.
    """
    if 0 in image.size:
        raise ValueError(f"image is {image.width} x {image.height}, wanted at least one pixel")
    with refusing("image"):
        told: Any = None
        with _strict(MAX_PIXELS // 2):
            image.load()
            with contextlib.suppress(Exception):  # a damaged EXIF block; what can be read of it may do
                told = image.getexif().get(ORIENTATION, 1)
        orientation = int(told) if told in range(1, 9) else stored_orientation(image.info) or 1
    width, height = image.size
    return Decoded(image, orientation, (height, width) if orientation >= 5 else (width, height))


def noted(path: Path, formats: Collection[str], tag: int) -> Any:
    """What a picture's EXIF block has under a tag, its pixels unread; None if it says nothing.

    Args:
        path: the file, which may be anything.
        formats: Pillow's names of those that are looked at.
        tag: of the first directory.
    """
    with contextlib.suppress(Exception), _strict(MAX_PIXELS // 2), path.open("rb") as source:
        info = Image.open(source, formats=list(formats)).info
        block = Image.Exif()
        block.load(info["exif"])  # not `getexif`, which may load all of the picture
        return block.get(tag)
    return None


def stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture as its file has it, its pixels unread; None if that cannot be told.

    Args:
        path: the file, which may be anything.
    """
    with contextlib.suppress(Exception), _strict(None), path.open("rb") as source:
        return _identified(source, path.name, None).size
    return None


def decode_frames(path: Path, most: int) -> Iterator[tuple[Image.Image, int]]:
    """All frames of an animation, one after the other: RGBA, and how many milliseconds each says it lasts.

    Args:
        path: the file.
        most: pixels of a frame at most.

    Raises:
        OSError: it cannot be read.
        InputError: it is no picture, or broken there, or too large; the message names it.
    """
    with _source(path) as source, refusing(str(path)):
        with _strict(None):
            image = _identified(source, str(path), None)
        _check_size(image, str(path), most)
        number = 1 if getattr(image, "default_image", False) else 0  # a PNG's, which is no frame
        while True:
            with _strict(MAX_PIXELS // 2):
                try:
                    image.seek(number)
                except EOFError:
                    return
                image.load()
                frame = image.convert("RGBA")
            yield frame, int(image.info.get("duration") or 0)
            number += 1


@contextlib.contextmanager
def refusing(name: str) -> Iterator[None]:
    """Whatever goes wrong with a picture within is an `InputError` that names it, or the system's OSError.

    Decoders raise nearly anything on broken data: OSError, SyntaxError, struct.error, IndexError ...
    Running out of memory is not the picture's fault.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(f"{printable(name)}: cannot be read ({error.strerror}), wanted a picture") from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name}: the picture is broken ({reason}), {INTACT}") from None


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of a picture whose longer side is `MAX_SIDE` at most."""
    shrink = min(1.0, MAX_SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def stored_orientation(info: dict[Any, Any]) -> int | None:
    """The orientation, 1 to 8, in the EXIF block or else the XMP packet of a Pillow image's `info`.

    None if it is not told there. A damaged block is read as far as it goes; nothing is changed in it.
    """
    exif = info.get("exif")
    if isinstance(text := info.get("Raw profile type exif"), str) and not exif:  # as ImageMagick writes PNG
        with contextlib.suppress(ValueError):
            exif = bytes.fromhex("".join(text.split("\n")[3:]))
    if isinstance(exif, bytes) and (found := _exif_orientation(exif)):
        return found
    for key in ("XML:com.adobe.xmp", "xmp"):
        packet = info.get(key)
        packet = packet.encode(errors="replace") if isinstance(packet, str) else packet
        if isinstance(packet, bytes) and (match := re.search(rb'tiff:Orientation(?:="|>)([1-8])', packet)):
            return int(match[1])
    return None


def _exif_orientation(exif: bytes) -> int | None:
    """The first directory's orientation (EXIF 2.32, 4.6.2): a SHORT, but some writers use other integers."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    with contextlib.suppress(struct.error):  # beyond the block's end
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(order + "HHI", exif, place)
            if tag == ORIENTATION and count == 1 and kind in (1, 3, 4):
                (value,) = struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[kind], exif, place + 8)
                return value if value in range(1, 9) else None
    return None


def _tiff_orientation(image: Image.Image) -> int | None:
    """The orientation of a TIFF that is not yet loaded; sees to it that loading does not turn the picture.

    Pillow turns TIFFs as it loads them, through all of their EXIF blocks, which may be damaged, and holds the
    picture twice for it.
    """
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return None
    found = None
    with contextlib.suppress(Exception):
        found = tags.get(ORIENTATION)
    setattr(image, "getexif", Image.Exif)  # noqa: B010 - an empty one, of this image alone
    return found if found in range(1, 9) else None


@contextlib.contextmanager
def _source(path: Path) -> Iterator[BinaryIO]:
    """The file, or what came out of the pipe."""
    if path.is_dir():
        raise IsADirectoryError(f"{printable(path)}: this is a directory, wanted a picture")
    if path == STDIN:
        yield io.BytesIO(_all_of(standard_input("a picture"), path))
        return
    try:
        data = path.open("rb")
    except FileNotFoundError:
        raise no_such_file(path, "a picture") from None
    except OSError as error:
        raise OSError(f"{printable(path)}: cannot be read ({error.strerror}), wanted a picture") from None
    except ValueError:  # a NUL byte in the name
        raise InputError(f"{str(path)!r}: not a file name, wanted a picture") from None
    with data:
        with refusing(str(path)):
            if not data.peek(1):
                raise InputError(f"{path}: the file is empty, wanted a picture")
            seekable = data.seekable()
        yield data if seekable else io.BytesIO(_all_of(data, path))


def _all_of(pipe: BinaryIO, name: Path) -> bytes:
    """What comes out of a pipe."""
    with refusing(str(name)):
        held = pipe.read(MAX_PIPED + 1)
    if not held:
        raise InputError(f"{name}: the file is empty, wanted a picture")
    if len(held) > MAX_PIPED:
        raise InputError(f"{name}: more than {MAX_PIPED:,} bytes came, wanted a picture")
    return held


@contextlib.contextmanager
def _strict(limit: int | None) -> Iterator[None]:
    """Pillow without warnings and truncated files, and with another limit: it takes twice that in pixels."""
    with _decoding, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = limit, False
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _identified(source: BinaryIO, name: str, formats: Collection[str] | None) -> ImageFile.ImageFile:
    """The picture before its pixels are read."""
    if (formats is None or "HEIF" in formats) and heif.is_heif(source):
        return heif.opened(source, name)
    Image.preinit()  # the usual formats; the others take longer to import than a JPEG to decode
    for complete in (lambda: None, Image.init):
        complete()
        known = [each for each in Image.OPEN if each not in UNSAFE and (formats is None or each in formats)]
        source.seek(0)
        try:
            return Image.open(source, formats=known)
        except UnidentifiedImageError:
            continue
        except MemoryError:  # a header that says how long it is, and lies
            raise InputError(f"{name}: the picture is broken (its header has no end), {INTACT}") from None
    raise InputError(f"{name}: not a picture that can be read, wanted JPEG, PNG, WebP, TIFF, GIF or BMP")


def _check_size(image: Image.Image, name: str, most: int) -> None:
    width, height = image.size
    if width * height > most:
        limit = f"{most // 1_000_000} million" if most >= 1_000_000 else str(most)
        raise TooManyPixelsError(f"{name}: the picture has {width} x {height} pixels, wanted at most {limit}")
    if max(width, height) > MAX_LENGTH:
        raise TooManyPixelsError(
            f"{name}: the picture is {width} x {height}, wanted at most {MAX_LENGTH // 1_000_000} million "
            "pixels along a side"
        )
