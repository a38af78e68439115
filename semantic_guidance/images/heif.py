"""HEIF pictures, as phones write them (``.heic``): Pillow reads none, the package ``pillow-heif`` does.

Specification: ISO/IEC 23008-12; the first box, ``ftyp``, is that of ISO/IEC 14496-12, 4.3.
"""

from __future__ import annotations

from typing import BinaryIO

from PIL import ImageFile

from semantic_guidance.core.errors import InputError

HEVC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
"""Brands of pictures and sequences that are compressed with HEVC."""

ANY = frozenset({b"mif1", b"mif2", b"msf1"})
"""Brands that leave the compression open."""

AVIF = frozenset({b"avif", b"avis"})
"""Brands that Pillow reads."""

MOST_BRANDS = 64


def is_heif(source: BinaryIO) -> bool:
    """Whether a file that can be sought in says at its beginning that it is HEIF, but not AVIF."""
    source.seek(0)
    head = source.read(8 + 4 * (2 + MOST_BRANDS))
    if head[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, end - 3, 4))}
    return bool(brands & HEVC) or (bool(brands & ANY) and not brands & AVIF)


def opened(source: BinaryIO, name: str) -> ImageFile.ImageFile:
    """The picture in a HEIF file, turned as the file says once it is loaded, its pixels not read yet.

    Args:
        source: can be sought in; stays open.
        name: what messages call it.

    Raises:
        InputError: ``pillow-heif`` is not installed.
        SyntaxError: the file is broken.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise InputError(
            f"{name}: this is a HEIC picture, wanted pip install semantic-guidance[heif], which reads it,"
            " or JPEG, PNG, WebP, TIFF, GIF or BMP"
        ) from None
    source.seek(0)
    image: ImageFile.ImageFile = HeifImageFile(source)
    return image
