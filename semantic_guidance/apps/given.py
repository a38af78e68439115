"""What a person says about the object of a photograph: where it is, or that there is none."""

from __future__ import annotations

from torch import Tensor

from semantic_guidance.apps.options import Box, GuidanceOptions
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.options import OptionError
from semantic_guidance.guidance.base import GuideLike, Prompt
from semantic_guidance.images.files import load_mask


def given_guidance(
    said: GuidanceOptions, image: Tensor, file_size: tuple[int, int], guide: GuideLike
) -> Guidance | None:
    """What is known of the object from what the person says about it; None if that is nothing.

    Args:
        said: a mask, a box, or that there is no object.
        image: ``[3, H, W]``, the picture in the file, perhaps reduced.
        file_size: width and height of the picture in the file.
        guide: finds the object to which the person points.

    Raises:
        InputError: the mask cannot be read or does not fit, or the box lies outside the picture.
        OSError: the mask cannot be read.
    """
    height, width = image.shape[1:]
    if said.baseline:
        return Guidance.none(height, width)
    if said.mask is not None:
        return guide(image, Prompt(mask=load_mask(said.mask, height, width)))
    if said.box is not None:
        return guide(image, Prompt(box=clipped_box(said.box, image, file_size)))
    return None


def clipped_box(box: Box, image: Tensor, file_size: tuple[int, int]) -> Box:
    """The part of `box` within the picture, in pixels of `image`.

    Raises:
        OptionError: less than a pixel of it is within the picture.
    """
    x, y, width, height = box
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(file_size[0], x + width), min(file_size[1], y + height)
    if right - left < 1 or bottom - top < 1:
        shown = ",".join(f"{number:g}" for number in box)
        size = f"{file_size[0]} x {file_size[1]}"
        raise OptionError("box", f"{shown} lies outside the picture of {size} pixels")
    sx, sy = image.shape[2] / file_size[0], image.shape[1] / file_size[1]
    return left * sx, top * sy, (right - left) * sx, (bottom - top) * sy
