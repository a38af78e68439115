"""PNG, JPEG and WebP pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from semantic_guidance.core.files import replacing
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import to_image
from semantic_guidance.painting.painting import Painting

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 4}),  # half the time of the usual 6, and files 4 % larger
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 92}),
}

CLEAR = (".png", ".webp")  # these support transparency


def write(painting: Painting, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the finished painting to `path`."""
    clear = painting.transparent is not None and path.suffix.lower() in CLEAR
    write_picture(painting.cut_out() if clear else painting.canvas, path)
    progress(1.0)


def write_picture(picture: Tensor, path: Path) -> None:
    """Write a picture to `path`, whose suffix is in `OPTIONS`.

    Args:
        picture: ``[3, H, W]`` in [0, 1], or with alpha ``[4, H, W]`` if the suffix is in `CLEAR`.
        path: of the file.
    """
    kind, options = OPTIONS[path.suffix.lower()]
    pixels = to_bytes(to_image(picture[:3]))
    if len(picture) == 4:
        alpha = to_bytes(to_image(picture[3:].expand(3, -1, -1)))[..., :1]
        pixels = np.concatenate([pixels, alpha], axis=2)
    with replacing(path) as draft:
        Image.fromarray(pixels).save(draft, kind, **options)


clear = Exporter(write, "the painting", still=True, transparent=True)
plain = Exporter(write, "the painting", still=True)
