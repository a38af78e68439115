"""A page that replays the painting: one file that works from anywhere, without a network.

The page draws the strokes itself, with the same mathematics as the renderer, from the same numbers. What it
needs lies beside this module: the page, its style, the stroke renderer and the player. A textured brush's
work is a picture that appears when the last stroke is done.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic_guidance.core.box import box_of
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.shown import printable
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.frames import pace
from semantic_guidance.export.options import NoOptions
from semantic_guidance.images.arrays import resample_array, resize_array, to_bytes
from semantic_guidance.painting.drawing import Drawing

LONGEST = 1024  # pixels of the page's canvas at most
MAX_PIXELS = 500_000_000  # of all masks on a page: half a minute, and as many bytes


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the page to `path`; its title is the file's name, without what `paint` adds to a photograph's.

    Raises:
        InputError: it has too many masks.
    """
    height, width = drawing.sides(min(LONGEST, max(drawing.width, drawing.height)))
    most = MAX_PIXELS // (height * width)
    if len(drawing.masks) > most:
        raise InputError(
            f"{path}: there are {len(drawing.masks)} masks, wanted at most {most} on a page of"
            f" {width} x {height} pixels"
        )
    page = _page(path.stem.removesuffix("_painted").replace("_", " "), page_data(drawing))
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8", newline="\n")
    progress(1.0)


def _page(title: str, data: Mapping[str, Any]) -> str:
    parts = files("semantic_guidance.export.html")
    names = {"style": "page.css", "strokes": "strokes.js", "player": "player.js"}
    texts = {key: (parts / name).read_text(encoding="utf-8") for key, name in names.items()}
    title = html.escape(printable(title))
    # In a script element only "<" can end it or open a comment.
    packed = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return Template((parts / "page.html").read_text(encoding="utf-8")).substitute(
        texts, title=title, data=packed
    )


def page_data(drawing: Drawing) -> dict[str, Any]:
    """What the player reads; lengths in pixels of its canvas, except those of the strokes."""
    size = min(LONGEST, max(drawing.width, drawing.height))
    height, width = drawing.sides(size)
    flat = drawing.brush.style == "flat"
    layers: list[dict[str, Any]] = []
    objects: dict[int, dict[str, Any]] = {}
    for layer in drawing.layers:
        if layer.mask is not None and layer.level == "foreground":
            box = _box(drawing.masks[layer.mask], height, width)
            objects.setdefault(layer.instance, {"mask": layer.mask, "box": box})
        layers.append(
            {
                "count": len(layer.strokes),
                "level": layer.level,
                "mask": layer.mask,
                "compositing": layer.compositing,
                "ends": layer.ends,
            }
        )
    return {
        "width": width,
        "height": height,
        "background": drawing.background,
        "layers": layers,
        "objects": list(objects.values()),
        "masks": [
            packed(to_bytes(resample_array(mask, height, width))[..., 0], "PNG") for mask in drawing.masks
        ],
        "cover": None
        if drawing.cover is None
        else packed(to_bytes(resample_array(drawing.cover, height, width))[..., 0], "PNG"),
        "beyond": list(drawing.beyond)
        if isinstance(drawing.beyond, tuple)
        else packed(to_bytes(drawing.behind(height, width)), "PNG"),
        "photo": None if drawing.photo is None else _photo(drawing.photo, height, width),
        "start": None if drawing.start is None else packed(to_bytes(drawing.blank(size)), "PNG"),
        "brush": None if flat else drawing.brush.style,
        "finish": None if flat else _photo(drawing.render(size), height, width),
        "pace": pace(drawing),
        "strokes": base64.b64encode(drawing.strokes.astype("<f4").tobytes()).decode("ascii"),
    }


def _box(mask: NDArray[np.float32], height: int, width: int) -> list[float]:
    """Where `mask` ``[1, h, w]`` is above one half (x, y, width, height) in pixels of the canvas."""
    x, y, across, down = box_of(mask[0]) or (0, 0, 0, 0)
    sx, sy = width / mask.shape[2], height / mask.shape[1]
    return [round(x * sx, 2), round(y * sy, 2), round(across * sx, 2), round(down * sy, 2)]


def _photo(photo: NDArray[np.float32], height: int, width: int) -> str:
    pixels = resize_array(np.ascontiguousarray(photo.transpose(1, 2, 0)), height, width)
    pixels = pixels.reshape(height, width, 3)
    return packed((pixels.clip(0, 1) * 255).round().astype(np.uint8), "JPEG", quality=88)


def packed(pixels: NDArray[np.uint8], kind: str, **options: Any) -> str:
    """A picture ``[H, W]`` or ``[H, W, 3]`` as a data URL."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


page = Exporter(write, "a page that replays the strokes", plain=True)
