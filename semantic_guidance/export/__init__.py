"""Files made of a painting. A new format is one module with a `write` function and one line in `FORMATS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_guidance.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from semantic_guidance.painting import Painting

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Format:
    """One kind of file that a painting can be written to.

    Attributes:
        module: in this package, with a function ``write(painting, path, progress)``.
        summary: for people, a few words.
        picture: whether a lone picture without strokes can be written to it, too.
        film: whether it shows the painting process; its ``write`` takes a `Film`, too.
    """

    module: str
    summary: str
    picture: bool = False
    film: bool = False


@dataclass(frozen=True)
class Film:
    """How a film is to be.

    Attributes:
        fps: frames a second, 1 to 60; what suits the format if None.
        seconds: length with the hold at the end; by the number of strokes if None.
    """

    fps: int | None = None
    seconds: float | None = None


FORMATS = {
    "png": Format("image", "the painting", picture=True),
    "jpg": Format("image", "the painting", picture=True),
    "jpeg": Format("image", "the painting", picture=True),
    "webp": Format("image", "the painting", picture=True),
    "mp4": Format("video", "a film of the painting process", film=True),
    "webm": Format("video", "the same for web pages", film=True),
    "gif": Format("video", "the same as an animation", film=True),
    "anim.webp": Format("video", "the same, smaller and finer", film=True),
    "apng": Format("video", "the same, without loss", film=True),
    "json": Format("strokes_json", "the strokes"),
    "html": Format("html", "a page that replays the strokes"),
    "svg": Format("svg", "the strokes as shapes, for editing"),
    "exact.svg": Format("svg", "the strokes as shapes, for showing"),
    "plotter.svg": Format("plotter", "centre lines in mm, in layers of one colour"),
    "plotter.json": Format("plotter", "the same as numbers"),
}
SETS = {"plotter": ("plotter.svg", "plotter.json")}
"""Formats that go together, by the name for all of them."""


def format_of(path: str | Path) -> str:
    """The name in `FORMATS` of the format that a file name asks for by its suffix.

    Raises:
        InputError: the suffix names no known format.
    """
    file = Path(path).name.lower()
    for name in sorted(FORMATS, key=len, reverse=True):  # exact.svg before svg
        if file.endswith(f".{name}") and file != f".{name}":
            return name
    suffix = Path(path).suffix.lower().removeprefix(".")
    raise InputError(f"{path}: format {suffix!r} is not known, wanted one of {', '.join(FORMATS)}")


def save_painting(
    painting: Painting, path: str | Path, progress: Progress | None = None, film: Film | None = None
) -> None:
    """Write a painting to a file, by its suffix. The file is either whole or untouched.

    Args:
        painting: what to write.
        path: its suffix is one of `FORMATS`.
        progress: told now and then which fraction (0 to 1) is done.
        film: how a film is to be, if it is one.

    Raises:
        InputError: the suffix names no known format.
        OSError: the file cannot be written.
    """
    kind = FORMATS[format_of(path)]
    module: Any = importlib.import_module(f"{__name__}.{kind.module}")
    extra = {"film": film} if kind.film else {}
    module.write(painting, Path(path), progress or (lambda fraction: None), **extra)


def save(picture: Painting | Tensor, path: str | Path) -> None:
    """Write a painting, or a picture ``[3, H, W]`` in [0, 1], to a file by its suffix.

    Raises:
        InputError: the suffix names no known format, or not one for a lone picture.
        ValueError: the picture is not as above.
        OSError: the file cannot be written.
    """
    from torch import Tensor

    if not isinstance(picture, Tensor):
        return save_painting(picture, path)
    if not FORMATS[format_of(path)].picture:
        fitting = ", ".join(name for name, kind in FORMATS.items() if kind.picture)
        raise InputError(f"{path}: a picture has no strokes to put into this format, wanted one of {fitting}")
    from semantic_guidance.export.image import write_picture

    return write_picture(picture, Path(path))
