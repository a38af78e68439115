"""The error of a whole painting, finished and unfinished: what refinement lowers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from semantic_guidance.core.strokes import require_finite
from semantic_guidance.renderer.backends.base import Backend, Segment, Task, load_backend

__all__ = ["Objective", "Segment", "ZoomedObjective"]


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

    def error_map(self, canvas: Tensor) -> Tensor:
        """Weighted squared error of `canvas` ``[3, H, W]`` per pixel, ``[H, W]``; it sums to the mean."""
        return self.weight / self.weight.sum() * ((canvas - self.target) ** 2).mean(dim=0)


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

    def gradient(self, strokes: Tensor, softness: float) -> tuple[float, Tensor]:
        """The weighted objective for the whole picture's packed strokes ``[N, 13]``, and its gradient."""
        value, gradient = self.objective.gradient(strokes * self.scale + self.shift, softness)
        return self.weight * value, self.weight * self.scale * gradient
