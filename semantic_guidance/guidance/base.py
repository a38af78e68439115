"""The interface of guides, which find the objects of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor

from semantic_guidance.core.check import check_picture
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance, Instance, Point
from semantic_guidance.core.plugins import GUIDES

MOST_POINTS = 64
"""Clicks in a prompt."""

KNOWN = ("mask", "boxes")
"""What a guide takes of a prompt that does not say it."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a person says about the objects of a picture.

    Nothing at all: they are found. A mask or boxes: they are these. Points alone: they are what lies under
    the positive ones, exactly that; those that lie in one thing make one object, separate things separate
    ones. What lies under a negative one is taken away: from what the positive ones select, or, if there are
    none, from what is found. With a mask, boxes, a text or instances, points correct these: a positive one
    adds what lies under it, a negative one takes it away, and the rest of a mask stays as it is.

    Attributes:
        mask: ``[1, H, W]`` in [0, 1], where they are; used unchanged where no point corrects it.
        box: round the only one, (x, y, width, height) in pixels of the picture; None if there are several.
        objects: ``[N, H, W]`` in [0, 1], if the person tells several objects apart, whose union is the mask.
            A guide that passes over them sees the mask alone.
        points: clicks, in pixels of the picture, in their order; pairs (x, y) are positive ones.
        boxes: round one object each; `box` alone is the same as one of them.
        text: what they are, in a word: of what is found, only what is that stays.
        instances: what is known already, as a file of guidance tells it. Those that no point touches stay as
            they are, in their order, and no face is looked for in them.

    Raises:
        ValueError: mask and boxes are both given, or objects without a mask, or a text or instances beside
            any of these, or a point is none.
    """

    mask: Tensor | None = None
    box: Box | None = None
    objects: Tensor | None = None
    points: Sequence[Point | tuple[float, float]] = ()
    boxes: Sequence[Box] = ()
    text: str | None = None
    instances: Sequence[Instance] = ()

    def __post_init__(self) -> None:
        boxes = tuple(self.boxes)
        if self.box is not None:
            if boxes and boxes != (self.box,):
                raise ValueError("box: boxes are given already, wanted only one of the two")
            boxes = (self.box,)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "box", boxes[0] if len(boxes) == 1 else None)
        object.__setattr__(self, "points", _clicks(self.points))
        if self.mask is not None and boxes:
            raise ValueError("box: the object is given by a mask already, wanted only one of the two")
        if self.objects is not None and self.mask is None:
            raise ValueError("objects are given without a mask, wanted their union with them")
        if self.text is not None and (self.mask is not None or boxes):
            what = "a mask" if boxes == () else "a box"
            raise ValueError(f"text: the object is given by {what} already, wanted only one of the two")
        object.__setattr__(self, "instances", tuple(self.instances))
        if self.instances and (self.mask is not None or boxes or self.text is not None):
            raise ValueError("instances: the objects are given otherwise already, wanted only one of the two")

    @property
    def clicks(self) -> tuple[Point, ...]:
        """The points, each as a `Point`."""
        return cast("tuple[Point, ...]", self.points)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of ``mask``, ``boxes``, ``points``, ``text`` and ``instances`` are given."""
        there = {
            "mask": self.mask is not None,
            "boxes": bool(self.boxes),
            "points": bool(self.points),
            "text": self.text is not None,
            "instances": bool(self.instances),
        }
        return tuple(name for name, given in there.items() if given)

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
    """Finds the objects of pictures. `Guide` is the one that ships.

    It may have an attribute `takes` that names what it takes of a prompt, see `Prompt.kinds`; without it,
    these are `KNOWN`, and at most one box.
    """

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """Guidance for a picture ``[3, H, W]`` in [0, 1], or for what the prompt points at.

        It has no instances if the picture has no object.

        Raises:
            ValueError: the image or the prompt is invalid, or of a kind that the guide does not take.
        """


class NoGuide:
    """A guide that never finds anything."""

    takes = ("mask", "boxes", "points", "text", "instances")

    def __call__(self, image: Tensor, prompt: Prompt | None = None) -> Guidance:
        """`Guidance.none` of the picture's size, whatever the prompt."""
        check_picture("image", image)
        return Guidance.none(*image.shape[1:])


def refused(guide: GuideLike, prompt: Prompt) -> str | None:
    """The first of `Prompt.kinds` that a guide does not take; None if it takes all."""
    takes = getattr(guide, "takes", KNOWN)
    return next((kind for kind in prompt.kinds if kind not in takes), None)


def _clicks(points: Sequence[Point | tuple[float, float]]) -> tuple[Point, ...]:
    """The points, checked.

    Raises:
        ValueError: one is none, or there are too many.
    """
    if len(points) > MOST_POINTS:
        raise ValueError(f"points are {len(points)}, wanted at most {MOST_POINTS}")
    found = []
    for number, each in enumerate(points):
        try:
            point = Point(*each)
            finite = math.isfinite(point.x) and math.isfinite(point.y)
        except TypeError:
            finite = False
        if not finite:
            raise ValueError(f"points[{number}] is {each}, wanted finite numbers x, y, and perhaps positive")
        found.append(Point(float(point.x), float(point.y), bool(point.positive)))
    return tuple(found)


def load_guide(name: str) -> GuideLike:
    """The guide of that name in `GUIDES`.

    Raises:
        InputError: the name is unknown.
    """
    if name not in GUIDES:
        raise InputError(f"guide is {name!r}, {GUIDES.wanted(name)}")
    return cast(GuideLike, GUIDES.get(name)())
