"""Films of pictures: animated GIF, WebP and PNG, and numbered frames, decoded as all pictures are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.decoding import decode, decode_frames, refusing
from semantic_guidance.images.pixels import colours
from semantic_guidance.images.rates import evened
from semantic_guidance.images.shots import MAX_FRAME, Clip, Pixels, Shot, Trouble

SHORTEST, USUAL = 20, 100
"""Milliseconds: frames of an animation that say they last less last as long as `USUAL`, as in browsers."""

FINEST = 20
"""Milliseconds of the beat of an animation at least: 50 frames a second."""

LONGEST = 600_000
"""Milliseconds of a frame at most."""


def animation(path: Path) -> Clip:
    """The film in an animated picture.

    Its beat is the longest on which all of its frames begin, unless that is below `FINEST`.

    Raises:
        OSError: it cannot be read.
        InputError: it is broken, too large, or no animation.
    """
    times, clear, size = [], False, (0, 0)
    trouble = Trouble()
    for frame, time in _frames(path, trouble):
        times.append(time)
        size = frame.size
        clear = clear or frame.getchannel("A").getextrema()[0] != 255
    if len(times) < 2 and not trouble.cut:
        raise InputError(f"{path}: this is a picture of one frame, wanted a film")
    beat = math.gcd(*times)
    rate = Fraction(1000, beat) if beat >= FINEST else evened(Fraction(1000 * len(times), sum(times)))
    notes = (f"{path} is transparent in places, and painted over white",) if clear else ()
    count = math.floor(sum(times) * rate / 1000 + Fraction(1, 2))
    return Clip(
        path,
        rate,
        *size,
        partial(_animated, path, rate),
        (path,),
        count=max(1, count),
        notes=notes,
    )


def _frames(path: Path, trouble: Trouble) -> Iterator[tuple[Image.Image, int]]:
    """Frames, RGBA, and their milliseconds; what is broken ends it, but for the first one."""
    count = 0
    frames = decode_frames(path, MAX_FRAME)
    while True:
        try:
            frame, time = next(frames)
        except StopIteration:
            return
        except InputError as error:
            if not count:
                raise
            trouble.cut = str(error).removeprefix(f"{path}: ").partition(",")[0]
            return
        count += 1
        yield frame, USUAL if time < SHORTEST else min(time, LONGEST)


def _animated(path: Path, rate: Fraction, trouble: Trouble) -> Iterator[Shot]:
    elapsed = begun = 0
    held: Image.Image | None = None
    for frame, time in _frames(path, trouble):
        elapsed += time
        held = frame
        end = math.floor(elapsed * rate / 1000 + Fraction(1, 2))
        if end > begun:  # else it passes between two beats
            yield Shot(end - begun, partial(_over_white, frame))
            begun = end
    if not begun and held is not None:
        yield Shot(1, partial(_over_white, held))


def _over_white(frame: Image.Image) -> Pixels:
    white = Image.new("RGBA", frame.size, "white")
    return np.array(Image.alpha_composite(white, frame).convert("RGB"))


def numbered(path: Path, frames: list[tuple[int, Path]], rate: Fraction) -> Clip:
    """The film of pictures, one a frame.

    Args:
        path: of their folder, or their pattern.
        frames: their numbers and files, in order.
        rate: frames per second.

    Raises:
        OSError: the first one cannot be read.
        InputError: it is no picture.
    """
    files = [file for _, file in frames]
    height, width, _ = _picture(files[0], None).shape
    shots = partial(_numbered, files, (width, height))
    notes = tuple(_gaps(path, [number for number, _ in frames]))
    return Clip(path, rate, width, height, shots, tuple(files), count=len(files), notes=notes)


def _gaps(path: Path, numbers: list[int]) -> Iterator[str]:
    first, last = numbers[0], numbers[-1]
    if missing := last - first + 1 - len(set(numbers)):
        yield (
            f"{path}: {missing} of the numbers {first} to {last} are missing, and the frames follow each"
            " other all the same"
        )


def _numbered(files: list[Path], size: tuple[int, int], trouble: Trouble) -> Iterator[Shot]:
    for file in files:
        yield Shot(1, partial(_picture, file, size))


def _picture(file: Path, size: tuple[int, int] | None) -> Pixels:
    decoded = decode(file, reduce=True, most=MAX_FRAME)
    with refusing(str(file)):
        pixels = to_bytes(colours(decoded)[0])
    found = pixels.shape[1], pixels.shape[0]
    if size is not None and found != size:
        sides, wanted = (f"{width} x {height}" for width, height in (found, size))
        raise InputError(f"{file}: the frame is {sides}, wanted {wanted} as the first one")
    return pixels
