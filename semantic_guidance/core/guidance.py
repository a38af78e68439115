"""Guidance: what is known about a picture's content. It knows nothing about painting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from semantic_guidance.core.box import box_of
from semantic_guidance.core.resample import resample

Box = tuple[float, float, float, float]
"""(x, y, width, height)."""


class Point(NamedTuple):
    """A person's click, in pixels of the picture; pixel centres are at halves.

    Attributes:
        x: from the left.
        y: from the top.
        positive: whether what lies there is wanted, or not.
    """

    x: float
    y: float
    positive: bool = True


KINDS = ("object", "face")
"""What an instance may be; a face belongs to an object."""

SPARE = 1e-3
"""By how much shares may exceed all strokes together, since people round."""

DOUBT = 0.5
"""Confidence up to which an instance is doubtful."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One object in a picture, or a person's face.

    Attributes:
        mask: ``[1, H, W]`` soft mask in [0, 1].
        box: (x, y, width, height) in pixels of the mask.
        kind: what it is, one of `KINDS`.
        confidence: probability in [0, 1] that a person would say that there is an object just there; 1 for
            what a person gave.
        salience: how much it draws the eye, in [0, 1], against the other instances of the picture.
        share: of all strokes, in [0, 1], that a person asks for; as many as it is worth if None.

    Raises:
        ValueError: the share is out of range.
    """

    mask: Tensor  # [1, H, W]
    box: Box
    kind: str = "object"
    confidence: float = 1.0
    salience: float = 1.0
    share: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}, wanted 0 to 1")

    @property
    def doubtful(self) -> bool:
        """Whether there is rather no object, or none that draws the eye, and nobody asks for its strokes."""
        return self.share is None and (self.confidence <= DOUBT or self.salience <= 0)

    @staticmethod
    def from_mask(
        mask: Tensor,
        kind: str = "object",
        confidence: float = 1.0,
        salience: float = 1.0,
        share: float | None = None,
    ) -> Instance:
        """The instance with the tight box of `mask` ``[1, H, W]``.

        Raises:
            ValueError: no pixel of the mask is above one half.
        """
        box = box_of(mask[0])
        if box is None:
            raise ValueError("mask is empty, wanted at least one pixel above 0.5")
        return Instance(mask, box, kind, confidence, salience, share)


def check_shares(shares: Sequence[float | None]) -> None:
    """Raise ValueError if the shares that are asked for are more than all strokes."""
    total = sum(each for each in shares if each is not None)
    if total > 1 + SPARE:
        raise ValueError(f"the wanted shares add up to {total:.4g}, wanted at most 1")


@dataclass(frozen=True, eq=False)
class Guidance:
    """What is known about a picture's content. It knows nothing about painting.

    Attributes:
        mask: ``[1, H, W]`` soft foreground mask in [0, 1], the union of the instances.
        focus: ``[1, H, W]`` each pixel's importance for recognition in [0, 1].
        instances: the objects, most salient first (in a given mask, the last may be several), then faces;
            empty when the picture has none.

    Raises:
        ValueError: more than all strokes are asked for.
    """

    mask: Tensor  # [1, H, W]
    focus: Tensor  # [1, H, W]
    instances: tuple[Instance, ...] = ()

    def __post_init__(self) -> None:
        check_shares([each.share for each in self.instances])

    @staticmethod
    def none(height: int = 1, width: int = 1) -> Guidance:
        """Guidance for a picture without objects."""
        return Guidance(
            torch.zeros(1, height, width, dtype=torch.float32),
            torch.zeros(1, height, width, dtype=torch.float32),
        )

    @staticmethod
    def from_mask(mask: Tensor) -> Guidance:
        """Guidance for one object given by its mask ``[1, H, W]`` in [0, 1], without a focus map.

        Raises:
            ValueError: no pixel of the mask is above one half.
        """
        return Guidance(mask, torch.zeros_like(mask), (Instance.from_mask(mask),))

    def united(self) -> Guidance:
        """All objects as one, for those who know of one at most; none if no pixel of it is above one half."""
        if not self.instances or box_of(self.mask[0]) is None:
            return replace(self, instances=())
        confidence = max(each.confidence for each in self.instances)
        salience = max(each.salience for each in self.instances)
        shares = [each.share for each in self.instances if each.share is not None]
        share = min(1.0, sum(shares)) if shares else None
        one = Instance.from_mask(self.mask, "object", confidence, salience, share)
        return replace(self, instances=(one,))

    def trusted(self) -> Guidance:
        """The same without doubtful instances and their focus."""
        kept = tuple(each for each in self.instances if not each.doubtful)
        if len(kept) == len(self.instances):
            return self
        none = torch.zeros_like(self.mask)
        mask = torch.stack([none, *(each.mask for each in kept)]).amax(dim=0)
        doubted = torch.stack([none, *(each.mask for each in self.instances)]).amax(dim=0) - mask
        return Guidance(mask, self.focus * (doubted <= 0), kept)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """One (x, y, width, height) in pixels per instance."""
        return tuple(instance.box for instance in self.instances)

    def resized(self, height: int, width: int) -> Guidance:
        """The same guidance for the picture at another size."""
        old_height, old_width = self.mask.shape[-2:]
        if (old_height, old_width) == (height, width):
            return self
        sx, sy = width / old_width, height / old_height

        def resize(values: Tensor) -> Tensor:
            return resample(values, height, width).clamp(0, 1)

        instances = tuple(
            replace(i, mask=resize(i.mask), box=(i.box[0] * sx, i.box[1] * sy, i.box[2] * sx, i.box[3] * sy))
            for i in self.instances
        )
        return Guidance(resize(self.mask), resize(self.focus), instances)
