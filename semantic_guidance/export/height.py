"""The height of the paint as a grey picture of 16 bits, to be lit or milled elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from semantic_guidance.core.files import replacing
from semantic_guidance.export.base import Exporter, Progress
from semantic_guidance.export.options import NoOptions
from semantic_guidance.painting.drawing import Drawing

HIGHEST = 1 / 128
"""Height of white, in units of the picture's longer side; black is 0."""


def write(drawing: Drawing, path: Path, options: NoOptions, progress: Progress) -> None:
    """Write the height of the painting's surface to `path`; black for the flat brush."""
    share = (drawing.height_map() / HIGHEST).clip(0, 1)
    with replacing(path) as draft:
        Image.fromarray((share * 65535 + 0.5).astype(np.uint16)).save(draft, "PNG")
    progress(1.0)


surface = Exporter(write, "the height of the paint, in 16 bits", plain=True)
