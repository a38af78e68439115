"""The error of a whole painting, also as it is made: what polish works with (CPU, float32)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.renderer import kernel_geometry, kernel_objective
from semantic_guidance.types import require_finite


@dataclass(frozen=True)
class Run:
    """Consecutive strokes under one mask, and how much the picture after them counts.

    Attributes:
        count: number of strokes.
        mask: index of the mask under which they are painted, None for everywhere.
        factor: weight of the error of the canvas as it is after this run; above 0 for the last run.
    """

    count: int
    mask: int | None = None
    factor: float = 0.0


@dataclass(frozen=True)
class Objective:
    """Sum over runs of ``factor * mean(weight * (canvas after the run - target)^2)``.

    Attributes:
        runs: the painting's runs, in painting order.
        masks: ``[M, H, W]`` in [0, 1].
        blank: ``[3, H, W]`` the canvas before the first stroke.
        target: ``[3, H, W]`` the wanted picture.
        weight: ``[H, W]`` of the squared error; scaled to mean 1.
    """

    runs: Sequence[Run]
    masks: Tensor  # [M, H, W]
    blank: Tensor  # [3, H, W]
    target: Tensor  # [3, H, W]
    weight: Tensor  # [H, W]

    def gradient(self, vectors: Tensor, softness: float) -> tuple[float, Tensor]:
        """The objective for packed strokes ``[N, 13]``, and its gradient ``[N, 13]``.

        Raises:
            NotFiniteError: a stroke's number is infinite, or none.
        """
        require_finite(vectors)
        runs, masks, blank, target, weight, bands = self._arrays()
        factors = np.array([run.factor for run in self.runs], np.float32)
        totals, grads = kernel_objective.objective(
            vectors.numpy(), *runs, masks, factors, blank, target, weight, softness, bands
        )
        return float(totals.sum()), torch.from_numpy(grads.sum(axis=0))

    def removal_costs(self, vectors: Tensor, softness: float) -> tuple[Tensor, Tensor]:
        """What the error of the finished canvas would rise by without each stroke, and that canvas.

        Exact for each stroke alone; at most 0 for a stroke that does not help.

        Returns:
            ``[N]`` rise of the weighted mean squared error, and the canvas ``[3, H, W]``.

        Raises:
            NotFiniteError: a stroke's number is infinite, or none.
        """
        require_finite(vectors)
        runs, masks, blank, target, weight, bands = self._arrays()
        canvas, costs = kernel_objective.removal_costs(
            vectors.numpy(), *runs, masks, blank, target, weight, softness, bands
        )
        return torch.from_numpy(costs.sum(axis=0)), torch.from_numpy(canvas)

    def error_map(self, canvas: Tensor) -> Tensor:
        """Weighted squared error of `canvas` ``[3, H, W]`` by pixel, ``[H, W]``; it sums to the mean."""
        return self.weight / self.weight.sum() * ((canvas - self.target) ** 2).mean(dim=0)

    def _arrays(self) -> tuple[Any, ...]:
        """The kernels' arguments; the weight is scaled so that a sum is a mean over pixels and RGB."""
        ends = np.cumsum([run.count for run in self.runs])
        chosen = np.array([-1 if run.mask is None else run.mask for run in self.runs])
        weight: NDArray[np.float32] = (self.weight / self.weight.sum() / 3).numpy()
        bands = kernel_geometry.band_count(1, self.target.shape[1])
        arrays = (self.masks.numpy(), self.blank.numpy(), self.target.numpy(), weight)
        return (ends, chosen), *arrays, bands


@dataclass(frozen=True)
class View:
    """A part of the picture seen larger: the strokes are mapped into its frame (the paper's alignment).

    Attributes:
        objective: of the part, with the runs of the whole painting.
        scale: ``[13]`` factor of packed strokes.
        shift: ``[13]`` added to them then.
        factor: weight of the part's objective against that of the whole picture.
    """

    objective: Objective
    scale: Tensor  # [13]
    shift: Tensor  # [13]
    factor: float

    def gradient(self, vectors: Tensor, softness: float) -> tuple[float, Tensor]:
        """The weighted objective for the whole picture's packed strokes ``[N, 13]``, and its gradient."""
        value, gradient = self.objective.gradient(vectors * self.scale + self.shift, softness)
        return self.factor * value, self.factor * self.scale * gradient
