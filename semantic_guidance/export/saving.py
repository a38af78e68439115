"""Paintings and pictures to files, by the end of the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import EXPORTERS, usable
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.image import write as write_image
from semantic_guidance.export.image import write_picture
from semantic_guidance.images.files import to_image
from semantic_guidance.painting.painting import Painting


def save_painting(
    painting: Painting, path: str | Path, progress: Progress | None = None, options: Any = None
) -> None:
    """Write a painting to a file, by its suffix. The file is either whole or untouched.

    Args:
        painting: what to write.
        path: its suffix is one of `EXPORTERS`.
        progress: called now and then with the fraction (0 to 1) that is done.
        options: of the format, such as `VideoOptions` for videos.

    Raises:
        InputError: the suffix is not that of a known format.
        OSError: the file cannot be written.
    """
    exporter: Exporter = EXPORTERS.get(EXPORTERS.of(path))
    exporter.write(painting, Path(path), options, progress)


def save(picture: Painting | Tensor, path: str | Path) -> None:
    """Write a painting, or a picture ``[3, H, W]`` in [0, 1], to a file by its suffix.

    Raises:
        InputError: the suffix is not that of a known format, or of one for a picture alone.
        ValueError: the picture is not as above.
        OSError: the file cannot be written.
    """
    if not isinstance(picture, Tensor):
        return save_painting(picture, path)
    exporter: Exporter = EXPORTERS.get(EXPORTERS.of(path))
    if not exporter.still:
        fitting = ", ".join(name for name, each in usable(EXPORTERS).items() if each.still)
        raise InputError(f"{path}: a picture has no strokes to put into this format, wanted one of {fitting}")
    if exporter.function is write_image:
        return write_picture(picture, Path(path))
    canvas = to_image(picture)
    height, width = canvas.shape[1:]
    return exporter.write(Painting((), (0.0, 0.0, 0.0), width, height, start=canvas), Path(path))
