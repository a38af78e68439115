"""Palettes from files: texts with hex colours, what painting programs write, and pictures.

Of Adobe's files, whose formats are known from descriptions alone, the colours are read: RGB, CMYK without a
profile as light that inks let through, Lab under D50, HSB and grey.
"""

from __future__ import annotations

import codecs
import colorsys
import logging
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable
from semantic_guidance.images.color import HEX, MAX_COLORS, Color, chosen_colors, encoded, parse_color
from semantic_guidance.images.decoding import decode, refusing
from semantic_guidance.images.pixels import pixels

MAX_BYTES = 1 << 20
MAX_SEEN = 4_000_000  # pixels of a picture; of larger ones some are left out
WANTED = (
    "hex colours, or a palette of GIMP (.gpl), Lospec (.hex), JASC (.pal), paint.net (.txt) or Adobe (.ase,"
    " .aco), or a picture"
)
BARE = re.compile(r"(?:0x)?([0-9a-fA-F]{2})?([0-9a-fA-F]{6})")  # Lospec's, or paint.net's with alpha first
NOTE = re.compile(r";|#(?:\s|$)|//")  # how lines begin that are for people
APART = re.compile(r"[\s,;]+")
ROW = re.compile(r"\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\b")

D50_TO_LIGHT = np.array(
    [
        [3.1341359, -1.6173863, -0.4906619],
        [-0.9787955, 1.9162544, 0.0334427],
        [0.0719550, -0.2289768, 1.4053860],
    ]
)
"""From XYZ under D50 to linear sRGB, with Bradford's adaptation to D65."""
D50 = np.array([0.9642, 1.0, 0.8249])
"""XYZ of that white, ICC.1, 7.2.16."""


class _BrokenError(Exception):
    """What is wrong with a palette."""


def read_palette(path: Path) -> tuple[Color, ...]:
    """The colours in a file, each once, in its order; of a picture with many, those that stand for all.

    Raises:
        OSError: it cannot be read.
        InputError: it is broken or of no known kind, or has no colours, or too many.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted a file of colours")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, wanted a file of colours") from None
    except OSError as error:
        raise OSError(f"{path}: cannot be read ({error.strerror}), wanted a file of colours") from None
    try:
        found = _read(data, path)
    except (_BrokenError, struct.error) as error:
        reason = str(error) if isinstance(error, _BrokenError) else "it is cut off"
        raise InputError(
            f"{path}: the palette is broken ({printable(reason)}), wanted an intact one"
        ) from None
    colors = tuple(dict.fromkeys(found))
    if not 1 <= len(colors) <= MAX_COLORS:
        raise InputError(f"{path}: there are {len(colors)} colours in it, wanted 1 to {MAX_COLORS}: {WANTED}")
    return colors


def _read(data: bytes, path: Path) -> Sequence[Color]:
    """The colours in a file of whatever kind."""
    if data.startswith(b"ASEF"):
        return [*_swatches(data)]
    if _is_numbered(data) or (path.suffix.lower() == ".aco" and data.startswith(b"\0")):
        return [*_numbered(data)]
    if data[:4] == b"RIFF" and data[8:12] == b"PAL ":
        return [*_riff(data)]
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not wide:
        return _of_picture(path)
    if len(data) > MAX_BYTES:
        raise _BrokenError(f"it has more than {MAX_BYTES:,} bytes")
    return _of_text(data.decode("utf-16" if wide else "utf-8-sig", "replace"))


def _of_text(text: str) -> list[Color]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    if first.startswith("GIMP Palette"):
        return [_bytes(*map(int, match.groups())) for line in lines if (match := ROW.match(line))]
    if first == "JASC-PAL":
        return [*_jasc(lines)]
    words = [word for line in lines if not NOTE.match(line) for word in APART.split(line) if word]
    bare = [BARE.fullmatch(word) for word in words]
    if bare and all(bare):
        return [parse_color(f"#{match[2]}") for match in bare if match and match[1] != "00"]
    return [parse_color(match[0]) for match in HEX.finditer(text)]


def _jasc(lines: list[str]) -> Iterator[Color]:
    """Paint Shop Pro's: ``JASC-PAL``, ``0100``, how many, and a row of each: R G B, and perhaps A."""
    if len(lines) < 3 or not re.fullmatch(r"\d{1,6}", lines[2]):
        raise _BrokenError("it does not say how many colours it has")
    rows = lines[3:]
    if len(rows) != int(lines[2]):
        raise _BrokenError(f"it says that it has {int(lines[2])} colours, and has {len(rows)}")
    for row in rows:
        numbers = [int(word) if re.fullmatch(r"\d{1,3}", word) else 256 for word in row.split()]
        if len(numbers) not in (3, 4) or max(numbers) > 255:
            raise _BrokenError(f"{row!r} is no colour")
        if numbers[3:] != [0]:
            yield _bytes(*numbers[:3])


def _riff(data: bytes) -> Iterator[Color]:
    """Windows' ``.pal``: the chunk ``data`` has a version, how many, and four bytes for each."""
    name, _, _, count = struct.unpack_from("<4sI2H", data, 12)
    if name != b"data":
        raise _BrokenError("it does not begin with its colours")
    for n in range(count):
        yield _bytes(*struct.unpack_from("<3Bx", data, 24 + 4 * n))


def _swatches(data: bytes) -> Iterator[Color]:
    """Adobe Swatch Exchange: blocks, of which those of the kind 1 are colours."""
    (count,) = struct.unpack_from(">8xI", data)
    place = 12
    for _ in range(count):
        kind, length = struct.unpack_from(">HI", data, place)
        block, place = data[place + 6 : place + 6 + length], place + 6 + length
        if len(block) < length:
            raise _BrokenError("it is cut off")
        if kind != 1:  # the beginning or the end of a group
            continue
        (letters,) = struct.unpack_from(">H", block)
        (model,) = struct.unpack_from(">4s", block, 2 + 2 * letters)
        if model not in SWATCHES:
            raise _BrokenError(f"its colours are of the kind {model.decode('latin-1')!r}")
        parts, make = SWATCHES[model]
        values = struct.unpack_from(f">{parts}f", block, 6 + 2 * letters)
        if not np.isfinite(values).all():
            raise _BrokenError("a colour is no number")
        yield make(*values)


def _is_numbered(data: bytes) -> bool:
    """Whether a file, whatever its name, is as long as one of Photoshop's of so many colours."""
    end = 4 + 10 * int.from_bytes(data[2:4], "big")
    first = data.startswith(b"\0\1") and (len(data) == end or data[end : end + 2] == b"\0\2")
    return end > 4 and (first or (data.startswith(b"\0\2") and len(data) > end))


def _numbered(data: bytes) -> Iterator[Color]:
    """Photoshop's ``.aco``: how many, and five numbers of 16 bits for each, the kind first; then names."""
    version, count = struct.unpack_from(">2H", data)
    if version not in (1, 2):
        raise _BrokenError(f"its version is {version}")
    place = 4
    for _ in range(count):
        kind, *values = struct.unpack_from(">5H", data, place)
        place += 10
        if version == 2:
            place += 4 + 2 * int(struct.unpack_from(">I", data, place)[0])
        if kind not in NUMBERED:
            raise _BrokenError(f"its colours are of the kind {kind}")
        yield NUMBERED[kind](*values)


def _of_picture(path: Path) -> list[Color]:
    """The colours of what is not wholly transparent, by their first pixels; none of no picture."""
    try:
        decoded = decode(path, reduce=True)
    except InputError as error:
        if "not a picture" in str(error):
            return []
        raise
    with refusing(str(path)):
        rgba = pixels(decoded, "RGBA").reshape(-1, 4)
    rgba = rgba[:: max(1, len(rgba) // MAX_SEEN)]
    numbers = rgba[rgba[:, 3] > 0, :3].astype(np.int32) @ (65536, 256, 1)
    unique, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    colors = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1) / 255
    if len(colors) > MAX_COLORS:
        logging.getLogger(__name__).warning(
            "%s has %d colours: the palette is %d that stand for them", path, len(colors), MAX_COLORS
        )
        return [_clipped(*color) for color in chosen_colors(colors, counts.astype(np.float64), MAX_COLORS)]
    return [_clipped(*color) for color in colors[np.argsort(first)]]


def _clipped(*values: float) -> Color:
    red, green, blue = (min(max(float(value), 0.0), 1.0) for value in values)
    return red, green, blue


def _bytes(*values: int) -> Color:
    return _clipped(*(value / 255 for value in values))


def _cmyk(cyan: float, magenta: float, yellow: float, black: float) -> Color:
    return _clipped(*((1 - ink) * (1 - black) for ink in (cyan, magenta, yellow)))


def _lab(lightness: float, a: float, b: float) -> Color:
    """CIELAB under D50, the first of 0 to 100 (CIE 15, 8.2.1)."""
    middle = (lightness + 16) / 116
    roots = np.array([middle + a / 500, middle, middle - b / 200])
    share = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    return _clipped(*encoded(D50_TO_LIGHT @ (share * D50)))


def _signed(value: int) -> float:
    return (value - 65536 if value > 32767 else value) / 100


SWATCHES: dict[bytes, tuple[int, Callable[..., Color]]] = {
    b"RGB ": (3, _clipped),
    b"CMYK": (4, _cmyk),
    b"LAB ": (3, lambda lightness, a, b: _lab(100 * lightness, a, b)),
    b"Gray": (1, lambda grey: _clipped(grey, grey, grey)),
}
"""What colours of ``.ase`` are made of: how many numbers, and the colour."""

NUMBERED: dict[int, Callable[..., Color]] = {
    0: lambda red, green, blue, _: _clipped(red / 65535, green / 65535, blue / 65535),
    1: lambda hue, share, value, _: _clipped(*colorsys.hsv_to_rgb(hue / 65535, share / 65535, value / 65535)),
    2: lambda *inks: _cmyk(*(1 - ink / 65535 for ink in inks)),
    7: lambda lightness, a, b, _: _lab(lightness / 100, _signed(a), _signed(b)),
    8: lambda grey, *_: _clipped(*[grey / 10000] * 3),
    9: lambda *inks: _cmyk(*(ink / 10000 for ink in inks)),
}
"""The same of ``.aco``, by the number of the kind."""
