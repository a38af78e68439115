"""What a person says about the object of a photograph: where it is, or that there is none."""

from __future__ import annotations

import torch
from torch import Tensor

from semantic_guidance.apps.given_options import GuidanceOptions
from semantic_guidance.apps.options import Box
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.core.options import OptionError
from semantic_guidance.guidance.base import GuideLike, Prompt
from semantic_guidance.images.files import load_objects


def check_given(said: GuidanceOptions) -> None:
    """Check that what a person says about the objects does not contradict itself.

    Raises:
        OptionError: it does.
    """
    for option in ("mask", "box"):
        if said.baseline and getattr(said, option) is not None:
            raise OptionError(option, "--baseline paints without guidance, wanted only one of the two")
    if said.masks and said.boxes:
        raise OptionError("box", "the object is given by --mask already, wanted only one of the two")
    if said.invert_mask and not said.masks:
        raise OptionError("invert_mask", "there is no mask, wanted --mask with it")


def given_guidance(
    said: GuidanceOptions, image: Tensor, file_size: tuple[int, int], guide: GuideLike
) -> Guidance | None:
    """What is known of the objects from what the person says about them; None if that is nothing.

    Args:
        said: masks, boxes, or that there is no object.
        image: ``[3, H, W]``, the picture in the file, perhaps reduced.
        file_size: width and height of the picture in the file.
        guide: finds the objects to which the person points.

    Raises:
        InputError: a mask cannot be read or does not fit, or a box lies outside the picture.
        OSError: a mask cannot be read.
    """
    height, width = image.shape[1:]
    if said.baseline:
        return Guidance.none(height, width)
    masks = [load_objects(path, height, width, said.invert_mask) for path in said.masks]
    boxes = [clipped_box(box, image, file_size) for box in said.boxes]
    if len(boxes) == 1:
        return guide(image, Prompt(box=boxes[0]))
    masks += [guide(image, Prompt(box=box)).mask for box in boxes]
    return guide(image, Prompt.of_objects(torch.cat(masks))) if masks else None


def mask_note(said: GuidanceOptions, known: Guidance | None) -> str | None:
    """What a person should be told of the masks that they gave: that they look like their own negative."""
    if known is None or not said.masks or said.invert_mask:
        return None
    mask = known.mask[0] > 0.5
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    if bool(mask.all()) or not all(bool(edge.all()) for edge in edges):
        return None
    return "the mask is bright all round its edge; --invert-mask, if the object is dark in it"


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
