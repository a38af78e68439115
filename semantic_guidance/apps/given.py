"""What a person says about the object of a photograph: where it is, or that there is none."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semantic_guidance.apps.given_options import GuidanceOptions
from semantic_guidance.apps.options import Box
from semantic_guidance.core.guidance import DOUBT, Guidance, Point
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.shown import printable
from semantic_guidance.guidance.base import MOST_POINTS, GuideLike, Prompt, refused
from semantic_guidance.guidance.files import Stored, read_guidance
from semantic_guidance.guidance.words import understood
from semantic_guidance.images.files import load_objects

_OPTIONS = {"points": "point", "boxes": "box", "instances": "guidance"}
"""The options by which a person says what a prompt holds."""


def check_given(said: GuidanceOptions) -> None:
    """Check that what a person says about the objects does not contradict itself.

    Raises:
        OptionError: it does.
    """
    for option in said.told:
        if said.baseline:
            raise OptionError(option, "--baseline paints without guidance, wanted only one of the two")
    if said.masks and said.boxes:
        raise OptionError("box", "the object is given by --mask already, wanted only one of the two")
    if said.invert_mask and not said.masks:
        raise OptionError("invert_mask", "there is no mask, wanted --mask with it")
    if said.guidance is not None and said.guidance.suffix.lower() != ".json":
        raise OptionError("guidance", f"{said.guidance} is no such file, wanted a name that ends in .json")
    others = [name for name in ("mask", "box", "text") if name in said.told]
    if said.text is not None and len(others) > 1:
        raise OptionError("text", f"the object is given by --{others[0]} already, wanted only one of the two")
    if others and said.guidance is not None and said.guidance.exists():
        there = f"the objects are given by --guidance {printable(said.guidance)} already"
        raise OptionError(others[0], f"{there}, wanted only one of the two, or another file")


def check_word(text: str) -> None:
    """Check that a word for the object is one of those that are known.

    Raises:
        OptionError: it is not.
    """
    try:
        understood(text)
    except ValueError as error:
        raise OptionError("text", str(error).removeprefix("text is "), " is ") from None


def given_guidance(
    said: GuidanceOptions,
    image: Tensor,
    file_size: tuple[int, int],
    guide: GuideLike,
    stored: Stored | None = None,
) -> Guidance | None:
    """What is known of the objects from what the person says about them; None if that is nothing.

    Args:
        said: masks, boxes, points, a word, or that there is no object.
        image: ``[3, H, W]``, the picture in the file, perhaps reduced.
        file_size: width and height of the picture in the file.
        guide: finds the objects to which the person points.
        stored: what the file of guidance says, if there is one.

    Raises:
        InputError: a mask cannot be read or does not fit, a box or a point lies outside the picture, or the
            guide does not take such a thing.
        OSError: a mask cannot be read.
    """
    height, width = image.shape[1:]
    if said.baseline:
        return Guidance.none(height, width)
    points = given_points(said, image, file_size)
    if stored is not None:
        instances = stored.guidance.instances
        if not points or not (instances or said.point):
            return stored.guidance
        return _asked(said, image, guide, Prompt(instances=instances, points=points))
    if said.text is not None:
        return _asked(said, image, guide, Prompt(text=said.text, points=points))
    masks = [load_objects(path, height, width, said.invert_mask) for path in said.masks]
    boxes = [clipped_box(box, image, file_size) for box in said.boxes]
    if boxes and points:
        return _asked(said, image, guide, Prompt(boxes=boxes, points=points))
    if len(boxes) == 1:
        return guide(image, Prompt(box=boxes[0]))
    masks += [guide(image, Prompt(box=box)).mask for box in boxes]
    if not masks:
        return _asked(said, image, guide, Prompt(points=points)) if points else None
    return _asked(said, image, guide, replace(Prompt.of_objects(torch.cat(masks)), points=points))


def given_points(said: GuidanceOptions, image: Tensor, file_size: tuple[int, int]) -> tuple[Point, ...]:
    """The places that a person names, in pixels of `image`; the positive ones first.

    Raises:
        OptionError: one lies outside the picture, or there are too many.
    """
    sx, sy = image.shape[2] / file_size[0], image.shape[1] / file_size[1]
    points: list[Point] = []
    for option, places in (("point", said.wanted_places), ("not_point", said.unwanted_places)):
        for x, y in places:
            if not (0 <= x < file_size[0] and 0 <= y < file_size[1]):
                size = f"{file_size[0]} x {file_size[1]}"
                raise OptionError(option, f"{x:g},{y:g} lies outside the picture of {size} pixels")
            # Who reads a place off a picture means the middle of a pixel.
            middle = [n + 0.5 if n == int(n) else n for n in (x, y)]
            points.append(Point(middle[0] * sx, middle[1] * sy, option == "point"))
        if len(points) > MOST_POINTS:
            raise OptionError(option, f"there are {len(points)} places, wanted at most {MOST_POINTS}")
    return tuple(points)


def _asked(said: GuidanceOptions, image: Tensor, guide: GuideLike, prompt: Prompt) -> Guidance:
    """What the guide makes of a prompt.

    Raises:
        OptionError: it does not take such a prompt, or the text is not understood.
    """
    kind = refused(guide, prompt)
    if kind is not None:
        option = "not_point" if kind == "points" and said.point is None else _OPTIONS.get(kind, kind)
        raise OptionError(option, f"the guide {said.guide} takes no {kind}, wanted --guide default")
    try:
        return guide(image, prompt)
    except ValueError as error:
        if str(error).startswith("text is "):
            raise OptionError("text", str(error).removeprefix("text is "), " is ") from None
        raise


def stored_guidance(said: GuidanceOptions, image: Tensor) -> Stored | None:
    """What the file of guidance says of a picture ``[3, H, W]``; None if there is no such file.

    Raises:
        InputError: it is no such file, or of another picture.
        OSError: it cannot be read.
    """
    if said.guidance is None or not said.guidance.exists():
        return None
    return read_guidance(said.guidance, (image.shape[1], image.shape[2]))


def guidance_note(said: GuidanceOptions, stored: Stored | None, source: str) -> str | None:
    """What a person should be told of the file of guidance: that it was made of another picture."""
    if stored is None or not stored.source or stored.source == source:
        return None
    made, now = (words.rpartition(" ")[0] for words in (stored.source, source))
    of = "another picture of that name" if made == now else printable(made)
    return f"{printable(said.guidance)} was made of {of}"


def doubt_note(said: GuidanceOptions, stored: Stored | None, known: Guidance) -> str | None:
    """What a person should be told who asked for objects that are all painted as background."""
    if (stored is None and not said.foreground_share) or not known.instances or known.trusted().instances:
        return None
    most = 100 * max(each.confidence for each in known.instances)
    why = f"at most {most:.0f} % sure" if most <= 100 * DOUBT else "of no salience"
    return (
        f"what is known as an object is {why}, and painted as background; --point, or other numbers in a file"
        " of --guidance, make it count"
    )


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
