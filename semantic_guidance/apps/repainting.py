"""What is to be read and checked before a region of a painting is painted over."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from semantic_guidance.apps.room import check_painting_room
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.resample import resample
from semantic_guidance.images.files import Picture
from semantic_guidance.images.restyle import replace_background
from semantic_guidance.painter.repaint import check_aspect
from semantic_guidance.painting.painting import Painting


def photograph_of(
    before: Painting, picture: Picture, strokes: int, formats: Iterable[str], photo: object, where: object
) -> Tensor:
    """A picture ``[3, H, W]`` as a painting of it is painted over; transparent where the painting is.

    Args:
        before: the painting.
        picture: that was painted.
        strokes: number of new ones.
        formats: of the files that are written.
        photo: what complaints of the picture begin with.
        where: what those of memory begin with.

    Raises:
        InputError: the picture has another aspect ratio.
        RoomError: it takes more memory than is free.
    """
    image = picture.image
    try:
        check_aspect(image, before)
    except ValueError as error:
        raise InputError(f"{photo}: the {error}") from None
    if before.cover is not None and picture.alpha is None:  # it is not transparent, as the painting is
        image = replace_background(image, resample(before.cover, *image.shape[1:]), (1.0, 1.0, 1.0))
    sides, pixels = (before.height, before.width), image.shape[1] * image.shape[2]
    start = 0 if before.start is None else before.start.shape[-2] * before.start.shape[-1]
    check_painting_room(sides, pixels, strokes, formats, where, start=start)
    return image
