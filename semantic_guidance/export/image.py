"""PNG, JPEG and WebP pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.files import replacing
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.images.arrays import check_range, to_bytes
from semantic_guidance.images.decoding import noted
from semantic_guidance.images.files import to_image
from semantic_guidance.painting.drawing import Drawing

if TYPE_CHECKING:
    from torch import Tensor

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 4}),  # half the time of the usual 6, and files 4 % larger
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 92}),
}

CLEAR = (".png", ".webp")  # these support transparency

SOURCE = 0x010D
"""EXIF's DocumentName, for the file that was painted."""


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the finished painting to `path`."""
    clear = drawing.transparent is not None and path.suffix.lower() in CLEAR
    _write(drawing.cut_out() if clear else drawing.canvas, path, drawing.source)
    progress(1.0)


def write_picture(picture: Tensor, path: Path, source: str = "") -> None:
    """Write a picture to `path`, whose suffix is in `OPTIONS`.

    Args:
        picture: ``[3, H, W]`` in [0, 1], or with alpha ``[4, H, W]`` if the suffix is in `CLEAR`.
        path: of the file.
        source: as in `Painting`.

    Raises:
        ValueError: the picture is not as above.
    """
    to_image(picture[:3])
    _write(picture.detach().cpu().float().numpy(), path, source)


def source_of(path: Path) -> str:
    """`Painting.source` of what a picture was written from; empty if it does not say."""
    found = noted(path, tuple(kind for kind, _ in OPTIONS.values()), SOURCE)
    return found if isinstance(found, str) else ""


def _write(picture: NDArray[np.float32], path: Path, source: str = "") -> None:
    check_range(picture)
    kind, options = OPTIONS[path.suffix.lower()]
    options = {**options, **_noted(source)}
    packed = io.BytesIO()  # given a file of the system's, Pillow does not see that a full disk took half
    Image.fromarray(to_bytes(picture)).save(packed, kind, **options)
    with replacing(path) as draft:
        draft.write_bytes(packed.getbuffer())


def png_options(source: str) -> dict[str, Any]:
    """What Pillow's `save` takes for a PNG picture made of a source."""
    return {**OPTIONS[".png"][1], **_noted(source)}


def _noted(source: str) -> dict[str, Any]:
    """What tells Pillow's `save` of the source."""
    if not source:
        return {}
    exif = Image.Exif()
    exif[SOURCE] = source
    return {"exif": exif}


clear = Exporter(write, "the painting", still=True, transparent=True, plain=True)
plain = Exporter(write, "the painting", still=True, plain=True)
