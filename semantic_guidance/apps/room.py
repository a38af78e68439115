"""How much memory a painting's files take, told before the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from semantic_guidance.core.errors import RoomError
from semantic_guidance.core.memory import lacking
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.painting.brushes.brush import Brush

START = 95_000_000
"""Bytes of the program that renders, before its first pixel."""

FLAT, TEXTURED, LIT, WATER, CLEAR, HEIGHT = 35, 54, 60, 123, 27, 26
"""Bytes for each pixel, measured on 4 to 67 million of them: of a picture with the flat brush, with another
one, with relief and light, with running water, and what transparency adds (twice as much where there is
texture but no water); of the height of the paint."""

COVERED = 16
"""Bytes for each pixel of a picture under a cover."""

FILM = 85_000_000
"""Of a film's encoder and its frames, up to `USUAL` pixels."""

USUAL = 720 * 720

FRAME: Mapping[str, tuple[int, int]] = {
    "mp4": (95, 95),
    "webm": (135, 280),
    "gif": (190, 230),
    "anim.webp": (150, 180),
    "apng": (95, 145),
    "mov": (50, 110),
    "mkv": (110, 180),
    "frames": (50, 100),
}
"""Bytes for each pixel of a larger film's frame, opaque and transparent, measured on 1 to 17 million."""

PAGE = 1024 * 1024
"""Pixels of a textured brush's work on a page."""

PAINTER, CANVAS, PAINTER_CLEAR, PHOTO, STROKE = 485_000_000, 119, 50, 50, 80_000
"""Of the program that paints: itself with its networks, for each pixel of the painting, what transparency
adds, for each pixel of the photograph, and for each stroke that is refined."""

START_PICTURE = 35
"""For each pixel of a picture that a painting begins on."""


def needed_bytes(
    pixels: int,
    brush: Brush,
    formats: Iterable[str],
    clear: bool = False,
    kept: int = 0,
    covered: bool = False,
    frame: int = 0,
) -> int:
    """Bytes that it takes to draw and write files of so many pixels; 0 if none is drawn.

    Args:
        pixels: of the painting.
        brush: of it.
        formats: of the files.
        clear: whether its canvas is transparent.
        kept: bytes of the masks and pictures that it has.
        covered: whether it has a cover.
        frame: pixels of a film's frame, if they are known.
    """
    formats = tuple(formats)
    picture = LIT if brush.dial("relief") > 0 and brush.light is not None else TEXTURED
    picture = {"flat": FLAT, "watercolor": WATER}.get(brush.style, picture)
    if clear:
        picture += 2 * CLEAR if picture in (TEXTURED, LIT) else CLEAR
    elif covered:
        picture += COVERED
    each = [picture * pixels for name in formats if EXPORTERS.get(name).still]
    height = TEXTURED if brush.on_paper else HEIGHT  # of paper it is as much work as the picture
    each += [height * pixels for name in formats if name == "height.png" and brush.style != "flat"]
    each += [film_bytes(name, frame, clear) for name in formats if EXPORTERS.get(name).film]
    each += [picture * min(pixels, PAGE) for name in formats if name == "html" and brush.style != "flat"]
    return START + kept + max(each) if each else 0


def film_bytes(format: str, frame: int, clear: bool = False) -> int:
    """Bytes of a film's encoder and its frames of so many pixels, with alpha if it is `clear`."""
    return FILM + max(0, frame - USUAL) * FRAME.get(format, FRAME["mp4"])[clear]


def frame_pixels(sides: tuple[int, int], film_size: int | None) -> int:
    """Pixels of a film's frame of a size, of a painting that has these sides; 0 if it is the usual size."""
    return 0 if film_size is None else round(film_size**2 * min(sides) / max(sides))


def check_room(
    sides: tuple[int, int],
    brush: Brush,
    formats: Iterable[str],
    where: object,
    clear: bool = False,
    kept: int = 0,
    covered: bool = False,
    film_size: int | None = None,
) -> None:
    """Check that the pictures and films among a painting's files fit into the memory that is free.

    Args:
        sides: height and width of the painting in pixels.
        brush: of it.
        formats: of the files.
        where: what the complaint begins with.
        clear: whether its canvas is transparent.
        kept: bytes of the masks and pictures that it has.
        covered: whether it has a cover.
        film_size: pixels of films' longer side, if they are not of the usual size.

    Raises:
        RoomError: they do not.
    """
    height, width = sides
    frame = frame_pixels(sides, film_size)
    needed = needed_bytes(height * width, brush, formats, clear, kept, covered, frame)
    smaller = "a smaller --size" + (", or --brush flat" if brush.style != "flat" else "")
    smaller += " or a smaller --film-size" if film_size is not None else ""
    _check(f"{where}: painting {width} x {height} pixels", needed, smaller)


def painting_bytes(
    pixels: int,
    photo: int,
    strokes: int,
    formats: Iterable[str],
    clear: bool = False,
    start: int = 0,
    frame: int = 0,
) -> int:
    """Bytes that it takes to paint a photograph and to write its files.

    Args:
        pixels: of the painting; its errors are measured on it whatever the formats.
        photo: pixels of the photograph.
        strokes: of the painting.
        formats: of the files.
        clear: whether its canvas is transparent.
        start: pixels of the picture that it begins on.
        frame: pixels of a film's frame, if they are known.
    """
    films = [name for name in formats if EXPORTERS.get(name).film]
    film = max((film_bytes(name, frame, clear) for name in films), default=0)
    canvas = CANVAS + (PAINTER_CLEAR if clear else 0)
    return PAINTER + film + canvas * pixels + PHOTO * photo + STROKE * strokes + START_PICTURE * start


def check_painting_room(
    sides: tuple[int, int],
    photo: int,
    strokes: int,
    formats: Iterable[str],
    where: object,
    clear: bool = False,
    start: int = 0,
    film_size: int | None = None,
) -> None:
    """Check that what painting a photograph takes fits into the memory that is free.

    Args:
        sides: height and width of the painting in pixels.
        photo: see `painting_bytes`, as are the following.
        strokes: of the painting.
        formats: of the files.
        where: what the complaint begins with.
        clear: whether its canvas is transparent.
        start: pixels of the picture that it begins on.
        film_size: pixels of films' longer side, if they are not of the usual size.

    Raises:
        RoomError: it does not.
    """
    height, width = sides
    frame = frame_pixels(sides, film_size)
    needed = painting_bytes(height * width, photo, strokes, formats, clear, start, frame)
    smaller = "a smaller --size or photograph, or fewer --strokes"
    smaller += ", or a smaller --film-size" if film_size is not None else ""
    _check(f"{where}: painting {width} x {height} pixels with {strokes} strokes", needed, smaller)


def _check(what: str, needed: int, smaller: str) -> None:
    free = lacking(needed)
    if free is not None:
        raise RoomError(
            f"{what} takes about {needed / 1e9:.1f} GB of memory, wanted less than the"
            f" {free / 1e9:.1f} GB that are free: {smaller}"
        )
