"""The data that flows through the package: strokes and guidance.

Lengths of a stroke (positions and radii) are in units of the canvas's longer side, x to the right and
y down from the top left corner, so that a stroke means the same at any size and aspect ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from semantic_guidance.errors import NotFiniteError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Strokes:
    """A batch of painting sequences: quadratic Bezier strokes in the order in which they are painted.

    Attributes:
        points: ``[B, N, 3, 2]`` start, control and end point, (x, y) in units of the longer side.
        radius: ``[B, N, 2]`` radius at start and end, same unit, linear along the curve's parameter.
        opacity: ``[B, N, 2]`` opacity at start and end in [0, 1], linear along the curve's parameter.
        color: ``[B, N, 3]`` RGB in [0, 1].
    """

    points: Tensor  # [B, N, 3, 2]
    radius: Tensor  # [B, N, 2]
    opacity: Tensor  # [B, N, 2]
    color: Tensor  # [B, N, 3]

    def __post_init__(self) -> None:
        lead = self.radius.shape[:2]
        wanted = {"points": (*lead, 3, 2), "radius": (*lead, 2), "opacity": (*lead, 2), "color": (*lead, 3)}
        for name, shape in wanted.items():
            got = tuple(getattr(self, name).shape)
            if got != shape:
                raise ValueError(f"{name} has shape {list(got)}, wanted {list(shape)} (batch, strokes, ...)")

    def __len__(self) -> int:
        """Number of strokes in each sequence of the batch."""
        return self.radius.shape[1]

    @property
    def batch(self) -> int:
        """Number of sequences."""
        return self.radius.shape[0]

    def map(self, function: Callable[[Tensor], Tensor]) -> Strokes:
        """The strokes with `function` applied to each of the four tensors."""
        return Strokes(*(function(getattr(self, field.name)) for field in fields(self)))

    def __getitem__(self, index: slice | Tensor | Sequence[int]) -> Strokes:
        """The strokes selected by `index` in every sequence, as a batch of shorter sequences."""
        return self.map(lambda values: values[:, index])

    def pack(self) -> Tensor:
        """One vector a stroke, ``[B, N, 13]``: points (6), radius (2), opacity (2), color (3)."""
        return torch.cat([self.points.flatten(2), self.radius, self.opacity, self.color], dim=-1)

    @staticmethod
    def unpack(vectors: Tensor) -> Strokes:
        """Inverse of `pack`: ``[B, N, 13]`` vectors to strokes."""
        if vectors.ndim != 3 or vectors.shape[-1] != 13:
            raise ValueError(f"vectors has shape {list(vectors.shape)}, wanted [batch, strokes, 13]")
        return Strokes(
            points=vectors[..., :6].unflatten(-1, (3, 2)),
            radius=vectors[..., 6:8],
            opacity=vectors[..., 8:10],
            color=vectors[..., 10:13],
        )

    @staticmethod
    def cat(parts: Sequence[Strokes]) -> Strokes:
        """The given sequences, one after the other."""
        return Strokes(
            *(torch.cat([getattr(part, field.name) for part in parts], dim=1) for field in fields(Strokes))
        )

    @staticmethod
    def empty(batch: int = 1) -> Strokes:
        """A batch of sequences without a stroke."""
        return Strokes.unpack(torch.zeros(batch, 0, 13))


def require_finite(vectors: Tensor) -> None:
    """See that packed strokes ``[..., N, 13]`` are numbers, and none infinite: what draws them relies on it.

    Raises:
        NotFiniteError: it is not so.
    """
    finite = vectors.detach().isfinite()
    if not bool(finite.all()):
        stroke = int((~finite).any(-1).nonzero()[0, -1])
        raise NotFiniteError(f"stroke {stroke} holds infinite numbers or none at all, wanted finite ones")


@dataclass(frozen=True)
class Instance:
    """One object of a picture, or the face of one.

    Attributes:
        mask: ``[1, H, W]`` soft mask in [0, 1].
        box: (x, y, width, height) in pixels of the mask.
    """

    mask: Tensor  # [1, H, W]
    box: Box

    @staticmethod
    def from_mask(mask: Tensor) -> Instance:
        """The instance with the tight box of `mask` ``[1, H, W]``.

        Raises:
            ValueError: no pixel of the mask is above one half.
        """
        rows, columns = (mask[0] > 0.5).nonzero(as_tuple=True)
        if len(rows) == 0:
            raise ValueError("mask is empty, wanted at least one pixel above 0.5")
        x, y = int(columns.min()), int(rows.min())
        return Instance(mask, (x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y))


@dataclass(frozen=True)
class Guidance:
    """What is known of a picture's content. It knows nothing of painting.

    Attributes:
        mask: ``[1, H, W]`` soft foreground mask in [0, 1], the union of the instances.
        focus: ``[1, H, W]`` each pixel's importance for recognition in [0, 1], zero off the mask.
        instances: the objects, largest first (of a given mask, the last may be several), then people's
            faces; empty when the picture has none.
    """

    mask: Tensor  # [1, H, W]
    focus: Tensor  # [1, H, W]
    instances: tuple[Instance, ...] = ()

    @staticmethod
    def none(height: int = 1, width: int = 1) -> Guidance:
        """Guidance of a picture of nothing in particular."""
        return Guidance(torch.zeros(1, height, width), torch.zeros(1, height, width))

    @staticmethod
    def from_mask(mask: Tensor) -> Guidance:
        """Guidance for one object given by its mask ``[1, H, W]`` in [0, 1], without a focus map.

        Raises:
            ValueError: no pixel of the mask is above one half.
        """
        return Guidance(mask, torch.zeros_like(mask), (Instance.from_mask(mask),))

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
            return torch.nn.functional.interpolate(
                values[None], (height, width), mode="bilinear", antialias=True
            )[0].clamp(0, 1)

        instances = tuple(
            Instance(resize(i.mask), (i.box[0] * sx, i.box[1] * sy, i.box[2] * sx, i.box[3] * sy))
            for i in self.instances
        )
        return Guidance(resize(self.mask), resize(self.focus), instances)
