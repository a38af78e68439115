"""The error of a whole painting, finished and unfinished: what refinement lowers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semantic_guidance.core.strokes import require_finite
from semantic_guidance.renderer.backends.base import Backend, Segment, Task, load_backend

__all__ = ["Objective", "Segment", "UnfinishedObjective", "Workplace", "ZoomedObjective", "gradients"]


@dataclass(frozen=True, eq=False)
class Workplace:
    """Where strokes are refined.

    Attributes:
        device: of the tensors.
        backend: that renders there.
    """

    device: torch.device
    backend: Backend


@dataclass(frozen=True, eq=False)
class Objective(Task):
    """A task and the renderer that works on it.

    Attributes:
        backend: what computes, a name or a backend.
    """

    backend: str | Backend = "auto"

    @property
    def renderer(self) -> Backend:
        """The backend."""
        return load_backend(self.backend, self.target.device, self.target.dtype)

    @property
    def objective(self) -> Objective:
        """Itself: the one that is worked out."""
        return self

    def at(self, place: Workplace) -> Objective:
        """The same there."""
        names = ("masks", "blank", "target", "weight")
        planes = {name: getattr(self, name).to(place.device) for name in names}
        return replace(self, backend=place.backend, **planes)

    def seen(self, strokes: Tensor) -> Tensor:
        """Packed strokes of the whole picture as they are in what it is about: the same."""
        return strokes

    def told(self, gradient: Tensor) -> Tensor:
        """A gradient in those as one in the whole picture's strokes."""
        return gradient

    def gradient(self, strokes: Tensor, softness: float) -> tuple[float, Tensor]:
        """The error for packed strokes ``[N, 13]``, and its gradient ``[N, 13]``.

        Raises:
            NotFiniteError: a stroke's number is infinite or NaN.
        """
        require_finite(strokes)
        return self.renderer.objective(strokes, self, softness)

    def removal_costs(self, strokes: Tensor, softness: float) -> tuple[Tensor, Tensor]:
        """By how much the error of the finished canvas rises without each stroke, and that canvas.

        Exact for each stroke alone; at most 0 for a stroke that does not help.

        Returns:
            ``[N]`` rise of the weighted mean squared error, and the canvas ``[3, H, W]``.

        Raises:
            NotFiniteError: a stroke's number is infinite or NaN.
        """
        require_finite(strokes)
        return self.renderer.removal_costs(strokes, self, softness)

    @torch.no_grad()
    def painted(self, strokes: Tensor) -> Tensor:
        """The finished canvas ``[3, H, W]`` with packed strokes ``[N, 13]``.

        Raises:
            NotFiniteError: a stroke's number is infinite or NaN.
        """
        require_finite(strokes)
        self.check_count(strokes)
        canvas, start = self.blank[None], 0
        for segment in self.segments:
            part = strokes[None, start : start + segment.count]
            mask = None if segment.mask is None else self.masks[segment.mask][None, None]
            canvas = self.renderer.render(part, canvas, mask, 1.0)
            start += segment.count
        return canvas[0]

    def error_map(self, canvas: Tensor) -> Tensor:
        """Weighted squared error of `canvas` ``[3, H, W]`` per pixel, ``[H, W]``; it sums to the mean."""
        return self.shares * ((canvas - self.target) ** 2).mean(dim=0)


@dataclass(frozen=True, eq=False)
class ZoomedObjective:
    """A part of the picture seen larger: the strokes are mapped into its frame (the paper's alignment).

    Attributes:
        objective: of the part, with the segments of the whole painting.
        scale: ``[13]`` factor of packed strokes.
        shift: ``[13]`` added to them afterwards.
        weight: of the part's objective against that of the whole picture.
    """

    objective: Objective
    scale: Tensor  # [13]
    shift: Tensor  # [13]
    weight: float

    def at(self, place: Workplace) -> ZoomedObjective:
        """The same there."""
        scale, shift = self.scale.to(place.device), self.shift.to(place.device)
        return replace(self, objective=self.objective.at(place), scale=scale, shift=shift)

    def seen(self, strokes: Tensor) -> Tensor:
        """Packed strokes of the whole picture as they are in this part."""
        return strokes * self.scale + self.shift

    def told(self, gradient: Tensor) -> Tensor:
        """A gradient of the part's objective as the weighted one in the whole picture's strokes."""
        return self.weight * self.scale * gradient

    def gradient(self, strokes: Tensor, softness: float) -> tuple[float, Tensor]:
        """The weighted objective for the whole picture's packed strokes ``[N, 13]``, and its gradient."""
        value, gradient = self.objective.gradient(self.seen(strokes), softness)
        return self.weight * value, self.told(gradient)


@dataclass(frozen=True, eq=False)
class UnfinishedObjective(ZoomedObjective):
    """The same of the first strokes alone.

    Attributes:
        first: number of these; `objective` has their segments.
        rest: number of all others.
    """

    first: int
    rest: int

    def seen(self, strokes: Tensor) -> Tensor:
        """See `ZoomedObjective`: the first ones."""
        return super().seen(strokes[: self.first])

    def told(self, gradient: Tensor) -> Tensor:
        """See `ZoomedObjective`: 0 for the rest."""
        return torch.cat([super().told(gradient), gradient.new_zeros(self.rest, gradient.shape[1])])


def gradients(
    terms: Sequence[tuple[Objective | ZoomedObjective, Tensor]], softness: float, renderer: Backend
) -> list[Tensor]:
    """`gradient` of several objectives, each of its own packed strokes ``[N, 13]``, worked out together.

    Raises:
        NotFiniteError: a stroke's number is infinite or NaN.
    """
    if not terms:
        return []
    seen = [term.seen(strokes) for term, strokes in terms]
    require_finite(torch.cat(seen))
    found = renderer.objectives(seen, [term.objective for term, _ in terms], softness)[1]
    return [term.told(each) for (term, _), each in zip(terms, found, strict=True)]
