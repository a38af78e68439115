"""What is in a photograph of a data set, of which the data set may say something itself."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from semantic_guidance.core.guidance import Box, Guidance
from semantic_guidance.core.resample import resample
from semantic_guidance.guidance import Guide
from semantic_guidance.learning.data.folder import Segmentation, box_inside

_LONGEST = 1024
"""Pixels; in larger pictures, what fills a box is looked for at this size."""


@lru_cache(maxsize=1)
def _guide() -> Guide:
    return Guide(faces=False)  # the papers' data know nothing of them


def look(image: Tensor, masks: Segmentation | None, box: Box | None, source: Path) -> Guidance:
    """What is in a picture ``[3, H, W]``, as the data set says, or where it says, or wherever it is.

    Args:
        image: the picture.
        masks: what reads the data set's own masks, if it has some.
        box: where the data set says that the object is, if it does.
        source: of the picture, for messages.

    Raises:
        ValueError: the data set's box lies outside the picture, or its masks cannot be read.
    """
    if masks is not None:
        return _with_focus(image, masks(*image.shape[1:]))
    return _guide()(image) if box is None else _in_box(image, box, source)


def _with_focus(image: Tensor, given: Guidance) -> Guidance:
    """The data set's own masks, with a focus map."""
    if not given.instances:
        return given
    small = _shrunk(image)
    found = _guide().from_mask(small, given.resized(*small.shape[1:]).mask).resized(*image.shape[1:])
    return replace(given, focus=found.focus * (given.mask > 0.5))


def _in_box(image: Tensor, box: Box, source: Path) -> Guidance:
    """What fills a box (x, y, width, height, in pixels); `source` is for messages."""
    height, width = image.shape[1:]
    box_inside(box, height, width, source)
    small = _shrunk(image)
    across, down = small.shape[2] / width, small.shape[1] / height
    x, y, w, h = box
    found = _guide().from_box(small, (x * across, y * down, w * across, h * down)).resized(height, width)
    return replace(found, focus=found.focus * (found.mask > 0.5))


def _shrunk(image: Tensor) -> Tensor:
    """The picture, at most `_LONGEST` pixels long."""
    scale = min(1.0, _LONGEST / max(image.shape[1:]))
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[1:])
    return resample(image, height, width).clamp(0, 1)
