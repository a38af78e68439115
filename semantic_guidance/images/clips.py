"""Films to be painted, read frame after frame: videos, animated pictures, and folders of numbered frames.

Frames are upright, with square pixels, RGB over white, and on an even beat: number n is what is seen n / rate
seconds after the first one. Where a film shows the same frame for longer, as animations do, or lacks one, it
is told that nothing has changed. So a film's length and its sound stay what they were.

A frame is read when it is asked for and forgotten after it, so memory does not grow with the length.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.inputs import STDIN, no_such_file
from semantic_guidance.core.shown import printable
from semantic_guidance.images.film_names import NUMBER, is_pattern
from semantic_guidance.images.shots import Clip

ANIMATIONS = {b"GIF8": "GIF", b"\x89PNG": "PNG", b"RIFF": "WEBP"}
"""How files begin that may be animated pictures, and Pillow's names of them."""

USUAL_RATE = Fraction(24)
"""Of numbered frames, of which nothing tells it."""

_NUMBERED = re.compile(r"(.*?)(\d+)(\.\w+)")


def open_clip(path: Path, rate: Fraction | None = None) -> Clip:
    """The film in a file, in a folder, or under a pattern.

    Args:
        path: of it.
        rate: frames per second of numbered frames, which say nothing of it; `USUAL_RATE` if None.

    Raises:
        OSError: there is no such file, or it cannot be read.
        InputError: it is no film, is broken from its start or too large; the message names it.
    """
    from semantic_guidance.images import animations, videos

    if path == STDIN:
        raise InputError("-: films cannot be read from standard input, wanted a file")
    if path.is_dir() or is_pattern(path):
        return animations.numbered(path, numbered_files(path), rate or USUAL_RATE)
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        raise no_such_file(path, "a film") from None
    except OSError as error:
        raise OSError(f"{printable(path)}: cannot be read ({error.strerror}), wanted a film") from None
    if not head:
        raise InputError(f"{path}: the file is empty, wanted a film")
    kind = ANIMATIONS.get(head[:4])
    if kind is not None and (kind != "WEBP" or head[8:12] == b"WEBP"):
        return animations.animation(path)
    return videos.video(path)


def numbered_files(path: Path) -> list[tuple[int, Path]]:
    """The frames in a folder, or under a pattern, and their numbers, by which they are sorted.

    Raises:
        InputError: there are none, or those of several films.
        OSError: the folder cannot be read.
    """
    if not path.is_dir():
        before, after = NUMBER.split(path.name)[0], NUMBER.split(path.name)[-1]
        folder = path.parent
        names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
        inner = [(name, name[len(before) : len(name) - len(after)]) for name in names if name.endswith(after)]
        found = [(int(digits), name) for name, digits in inner if name.startswith(before) and _digits(digits)]
        if not found:
            raise InputError(f"{path}: there are no such frames, wanted {before}0001{after} and so on")
        return [(number, folder / name) for number, name in sorted(found)]
    parts = [match for each in path.iterdir() if (match := _NUMBERED.fullmatch(each.name)) is not None]
    pictures = [match for match in parts if not match[0].startswith(".")]
    if not pictures:
        raise InputError(f"{path}: there are no numbered frames in it, wanted 0001.png and so on")
    series = {(match[1], match[3].lower()) for match in pictures}
    if len(series) > 1:
        one, two, *_ = sorted(f"{start}...{end}" for start, end in series)
        raise InputError(f"{path}: there are frames {one} and {two} in it, wanted a pattern such as %04d.png")
    return sorted((int(match[2]), path / match[0]) for match in pictures)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
