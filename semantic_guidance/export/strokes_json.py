"""The strokes of a painting as JSON: ``semantic-guidance/strokes``, version 1.

Numbers have nine significant digits, which name each float32 exactly, and the masks that clip strokes are
stored along with them, so that replaying the file gives the same canvas bit for bit. In addition to the
strokes' own numbers, ``masks`` lists grey PNG pictures in base64, and a stroke's ``mask``, if it has one,
is an index into that list.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from semantic_guidance.export import Progress
from semantic_guidance.export.atomic import replacing
from semantic_guidance.painting import Layer, Painting

FORMAT = "semantic-guidance/strokes"
VERSION = 1


def write(painting: Painting, path: Path, progress: Progress) -> None:
    """Write the strokes to `path`, one a line."""
    masks = _Masks()
    lines = [line for layer in painting.layers for line in _stroke_lines(layer, masks)]
    head = {
        "format": FORMAT,
        "version": VERSION,
        "width": painting.width,
        "height": painting.height,
        "background": _numbers(torch.tensor(painting.background)),
        "masks": masks.pictures,
    }
    with replacing(path) as draft, draft.open("w", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(head)[:-1] + ', "strokes": [')
        for n, line in enumerate(lines):
            file.write((",\n" if n else "\n") + line)
        file.write("\n]}\n")
    progress(1.0)


class _Masks:
    """The masks met so far, each once."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self._known: dict[str, int] = {}

    def index(self, mask: Tensor) -> int:
        """The place of `mask` ``[1, h, w]``, a multiple of 1/255 everywhere, in the list."""
        pixels = (mask[0].detach().cpu() * 255).round().to(torch.uint8).numpy()
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, "PNG")
        text = base64.b64encode(packed.getvalue()).decode("ascii")
        if text not in self._known:
            self._known[text] = len(self.pictures)
            self.pictures.append(text)
        return self._known[text]


def _stroke_lines(layer: Layer, masks: _Masks) -> Iterator[str]:
    mask = {} if layer.mask is None else {"mask": masks.index(layer.mask)}
    fields = (layer.strokes.points, layer.strokes.radius, layer.strokes.opacity, layer.strokes.color)
    for points, radius, opacity, color in zip(*(_numbers(values[0]) for values in fields), strict=True):
        stroke = {
            "level": layer.level,
            "instance": layer.instance,
            **mask,
            "points": points,
            "radius": radius,
            "opacity": opacity,
            "color": color,
        }
        yield json.dumps(stroke)


def _numbers(values: Tensor) -> Any:
    """A float32 tensor as nested lists of Python floats with nine significant digits."""

    def shortened(item: Any) -> Any:
        return [shortened(part) for part in item] if isinstance(item, list) else float(f"{item:.9g}")

    return shortened(values.detach().float().cpu().tolist())
