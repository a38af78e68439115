"""The interface of guides, which find the objects of a picture."""

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
    """What a person says about the object: at most one of a mask and a box.

    Attributes:
        mask: ``[1, H, W]`` in [0, 1], where it is; used unchanged.
        box: round it, (x, y, width, height) in pixels of the picture.
        objects: ``[N, H, W]`` in [0, 1], if the person tells several objects apart, whose union is the mask.
            A guide that passes over them sees the mask alone.

    Raises:
        ValueError: both are given, or objects without a mask.
    """

    mask: Tensor | None = None
    box: Box | None = None
    objects: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mask is not None and self.box is not None:
            raise ValueError("box: the object is given by a mask already, wanted only one of the two")
        if self.objects is not None and self.mask is None:
            raise ValueError("objects are given without a mask, wanted their union with them")

    @staticmethod
    def of_objects(objects: Tensor) -> Prompt:
        """For the objects ``[N, H, W]``; where two of them meet, their union has no seam.

        Raises:
            ValueError: there is none, or it has another shape.
        """
        if objects.ndim != 3 or 0 in objects.shape:
            raise ValueError(f"objects have shape {list(objects.shape)}, wanted [N, H, W]")
        if len(objects) == 1:
            return Prompt(mask=objects)
        return Prompt(mask=objects.sum(dim=0, keepdim=True).clamp(0, 1), objects=objects)


class GuideLike(Protocol):
    """Finds the objects of pictures. `Guide` is the one that ships."""

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """Guidance for a picture ``[3, H, W]`` in [0, 1], or for what the prompt points at.

        It has no instances if the picture has no object.

        Raises:
            ValueError: the image or the prompt is invalid, or of a kind that the guide does not take.
        """


class NoGuide:
    """A guide that never finds anything."""

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """`Guidance.none` of the picture's size, whatever the prompt."""
        check_picture("image", image)
        return Guidance.none(*image.shape[1:])


def load_guide(name: str) -> GuideLike:
    """The guide of that name in `GUIDES`.

    Raises:
        InputError: the name is unknown.
    """
    if name not in GUIDES:
        raise InputError(f"guide is {name!r}, {GUIDES.wanted(name)}")
    return cast(GuideLike, GUIDES.get(name)())
