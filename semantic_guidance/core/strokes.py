"""Strokes: the data that flows from agents to renderers to files.

Lengths of a stroke (positions and radii) are in units of the canvas's longer side, x to the right and
y down from the top left corner, so that a stroke means the same at any size and aspect ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from semantic_guidance.core.check import check_shape
from semantic_guidance.core.packed import COLOR as COLOR
from semantic_guidance.core.packed import CONTROL as CONTROL
from semantic_guidance.core.packed import END as END
from semantic_guidance.core.packed import NUMBERS as NUMBERS
from semantic_guidance.core.packed import OPACITY as OPACITY
from semantic_guidance.core.packed import POINTS as POINTS
from semantic_guidance.core.packed import RADIUS as RADIUS
from semantic_guidance.core.packed import START as START
from semantic_guidance.core.packed import check_finite


@dataclass(frozen=True, eq=False)
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
        """The strokes selected by `index` in every sequence, as a batch of shorter sequences.

        >>> len(Strokes.unpack(torch.rand(1, 5, 13))[1:4])
        3
        """
        return self.map(lambda values: values[:, index])

    def pack(self) -> Tensor:
        """One vector per stroke, ``[B, N, 13]``: points (6), radius (2), opacity (2), color (3)."""
        return torch.cat([self.points.flatten(2), self.radius, self.opacity, self.color], dim=-1)

    @staticmethod
    def unpack(vectors: Tensor) -> Strokes:
        """Inverse of `pack`: ``[B, N, 13]`` vectors to strokes."""
        check_shape("vectors", vectors, "batch", "strokes", NUMBERS)
        return Strokes(
            points=vectors[..., POINTS].unflatten(-1, (3, 2)),
            radius=vectors[..., RADIUS],
            opacity=vectors[..., OPACITY],
            color=vectors[..., COLOR],
        )

    def unsquashed(self, height: int, width: int) -> Strokes:
        """The strokes of a square as those of the picture that was squashed to it.

        Args:
            height: of the picture, in any unit.
            width: of the picture, in the same unit.

        Returns:
            Strokes in units of the picture's longer side; radii are stretched by the mean of both sides, the
            geometric one.
        """
        sides = self.points.new_tensor([width, height]) / max(height, width)
        return replace(self, points=self.points * sides, radius=self.radius * sides.prod().sqrt())

    @staticmethod
    def cat(parts: Sequence[Strokes]) -> Strokes:
        """The given sequences, concatenated."""
        return Strokes(
            *(torch.cat([getattr(part, field.name) for part in parts], dim=1) for field in fields(Strokes))
        )

    @staticmethod
    def empty(batch: int = 1) -> Strokes:
        """A batch of empty sequences."""
        return Strokes.unpack(torch.zeros(batch, 0, NUMBERS, dtype=torch.float32))


def affine(scale: tuple[float, float], shift: tuple[float, float], radius: float) -> tuple[Tensor, Tensor]:
    """Factor and shift ``[13]`` that carry packed strokes into another frame.

    Args:
        scale: of x and y.
        shift: of x and y, after scaling.
        radius: factor of the radii.
    """
    factors, shifts = torch.ones(NUMBERS, dtype=torch.float32), torch.zeros(NUMBERS, dtype=torch.float32)
    factors[POINTS], shifts[POINTS] = (
        torch.tensor([*scale] * 3, dtype=torch.float32),
        torch.tensor([*shift] * 3, dtype=torch.float32),
    )
    factors[RADIUS] = radius
    return factors, shifts


def require_finite(vectors: Tensor) -> None:
    """Check that packed strokes ``[..., N, 13]`` are finite: renderers rely on it.

    Raises:
        NotFiniteError: a number is infinite or NaN.
    """
    if not bool(vectors.detach().isfinite().all()):
        check_finite(vectors.detach().double().cpu().numpy())
