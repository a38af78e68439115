"""Contact sheets: several pictures side by side, each with a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from semantic_guidance.core.files import replacing
from semantic_guidance.images.arrays import resample_array, to_bytes

SIDE, GAP = 480, 16
"""Longer side of a picture, and the space between two, in pixels."""

FONT = 18
"""Height of the captions in pixels."""

PAPER, INK = (250, 249, 246), (40, 40, 40)


def thumbnail(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture ``[3, H, W]`` in [0, 1] as it is on a sheet: ``[h, w, 3]``, its longer side `SIDE`."""
    height, width = picture.shape[1:]
    scale = SIDE / max(height, width)
    return to_bytes(resample_array(picture, max(1, round(height * scale)), max(1, round(width * scale))))


def write_sheet(pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], path: Path) -> None:
    """Write a PNG picture of all of them.

    Args:
        pictures: ``[h, w, 3]`` each, all of one size, at least one.
        captions: what stands under each.
        path: of the file.

    Raises:
        OSError: it cannot be written.
    """
    height, width = pictures[0].shape[:2]
    columns = min(len(pictures), math.ceil(math.sqrt(len(pictures) * height / width)))
    rows = math.ceil(len(pictures) / columns)
    across, down = width + GAP, height + FONT + 2 * GAP
    sheet = Image.new("RGB", (columns * across + GAP, rows * down + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, columns)
        left, top = GAP + column * across, GAP + row * down
        sheet.paste(Image.fromarray(picture), (left, top))
        draw.text((left, top + height + GAP // 2), caption, INK, font)
    with replacing(path) as draft:
        sheet.save(draft, "PNG")
