"""PNG, JPEG and WebP pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from semantic_guidance.export import Progress
from semantic_guidance.export.atomic import replacing
from semantic_guidance.images import to_bytes, to_image
from semantic_guidance.painting import Painting

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 92}),
}


def write(painting: Painting, path: Path, progress: Progress) -> None:
    """Write the finished painting to `path`."""
    write_picture(painting.canvas, path)
    progress(1.0)


def write_picture(picture: Tensor, path: Path) -> None:
    """Write a picture ``[3, H, W]`` in [0, 1] to `path`, whose suffix is in `OPTIONS`."""
    kind, options = OPTIONS[path.suffix.lower()]
    pixels = to_bytes(to_image(picture))
    with replacing(path) as draft:
        Image.fromarray(pixels).save(draft, kind, **options)
