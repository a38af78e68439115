"""What whoever looks for the objects of a picture has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor

from semantic_guidance.core.check import check_picture
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance
from semantic_guidance.core.plugins import GUIDES


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a person says of the object: at most one of both.

    Attributes:
        mask: ``[1, H, W]`` in [0, 1], where it is; taken as it is.
        box: round it, (x, y, width, height) in pixels of the picture.

    Raises:
        ValueError: both are given.
    """

    mask: Tensor | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        if self.mask is not None and self.box is not None:
            raise ValueError("box: the object is given by a mask already, wanted only one of the two")


class GuideLike(Protocol):
    """Finds the objects of pictures. `Guide` is the one that ships."""

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """Guidance of a picture ``[3, H, W]`` in [0, 1], of what the prompt points at if there is one.

        It is without instances where the picture has no object.

        Raises:
            ValueError: the image or the prompt is not as it should be, or the guide does not take such ones.
        """


class NoGuide:
    """A guide that knows nothing of any picture."""

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """`Guidance.none` of the picture's size, whatever the prompt."""
        check_picture("image", image)
        return Guidance.none(*image.shape[1:])


def load_guide(name: str) -> GuideLike:
    """The guide of that name in `GUIDES`.

    Raises:
        InputError: there is none.
    """
    if name not in GUIDES:
        raise InputError(f"guide is {name!r}, {GUIDES.wanted(name)}")
    return cast(GuideLike, GUIDES.get(name)())
