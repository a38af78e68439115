"""Joint refinement of all strokes of a painting by gradient descent through the renderer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.planner import pick_places, strokes_at, structure
from semantic_guidance.renderer.objective import Objective, View
from semantic_guidance.renderer.threads import Threads

MEAN_DECAY, SQUARE_DECAY = 0.9, 0.99  # of Adam's running moments


@dataclass(frozen=True)
class PolishConfig:
    """Numbers of the refinement.

    Attributes:
        steps: gradient steps.
        softness: width of the strokes' edge in pixels, at the first step and from `annealed` on.
        annealed: share of the steps after which the softness has reached its end.
        position_rate: greatest change of a point in one step, in units of the longer side (as Adam counts).
        radius_rate: the same for radii.
        opacity_rate: the same for opacities.
        color_rate: the same for colours.
        reseed_at: shares of the steps after which useless strokes are moved.
        reseed_share: greatest share of a level's strokes that is moved each time.
    """

    steps: int = 400
    softness: tuple[float, float] = (2.0, 1.0)
    annealed: float = 0.6
    position_rate: float = 0.005
    radius_rate: float = 0.003
    opacity_rate: float = 0.08
    color_rate: float = 0.02
    reseed_at: tuple[float, ...] = (0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64)
    reseed_share: float = 0.3

    def softness_at(self, step: int) -> float:
        """Edge width in pixels at `step`, falling geometrically."""
        start, end = self.softness
        return start * (end / start) ** min(1.0, step / max(1.0, self.annealed * self.steps))

    def rate_at(self, step: int) -> float:
        """Factor of the rates at `step`: a cosine from 1 to 0.03."""
        return 0.03 + 0.97 * (0.5 + 0.5 * math.cos(math.pi * step / max(1, self.steps)))


class Polish:
    """Adam on the packed strokes of a painting, which now and then moves the strokes that do not help.

    Args:
        vectors: ``[N, 13]`` packed strokes in painting order.
        objective: what to minimise.
        config: numbers.
        seed: of the places of moved strokes.
        views: parts of the picture whose objectives are added.
    """

    def __init__(
        self,
        vectors: Tensor,
        objective: Objective,
        config: PolishConfig,
        seed: int = 0,
        views: Sequence[View] = (),
    ) -> None:
        self.vectors = vectors.clone()
        self.objective = objective
        self.terms: list[Objective | View] = [objective, *views]
        self.config = config
        self.rng = np.random.default_rng(seed)
        self.threads = Threads()
        self.mean = torch.zeros_like(self.vectors)
        self.square = torch.zeros_like(self.vectors)
        self.age = torch.zeros(len(vectors), 1)

        def columns(position: float, radius: float, opacity: float, color: float) -> Tensor:
            return torch.tensor([position] * 6 + [radius] * 2 + [opacity] * 2 + [color] * 3)

        self.rates = columns(config.position_rate, config.radius_rate, config.opacity_rate, config.color_rate)
        self.lowest = columns(-0.25, 0.6 / max(objective.target.shape), 0.05, 0)
        self.highest = columns(1.25, 0.3, 1, 1)

    def run(self, progress: Callable[[float], None] | None = None) -> Tensor:
        """Refine; returns the packed strokes ``[N, 13]`` in painting order."""
        steps = self.config.steps
        reseeds = {round(share * steps) for share in self.config.reseed_at}
        for step in range(steps if len(self.vectors) else 0):
            if step in reseeds:
                self._reseed(step)
            self._descend(step)
            if progress is not None:
                progress((step + 1) / steps)
        return self.vectors

    def _descend(self, step: int) -> None:
        """One step of Adam. Every stroke has its own age: one that was moved starts afresh."""
        softness = self.config.softness_at(step)
        gradients = self.threads(lambda: [term.gradient(self.vectors, softness)[1] for term in self.terms])
        gradient = torch.stack(gradients).sum(dim=0)
        self.age += 1
        self.mean.lerp_(gradient, 1 - MEAN_DECAY)
        self.square.lerp_(gradient * gradient, 1 - SQUARE_DECAY)
        mean = self.mean / (1 - MEAN_DECAY**self.age)
        scale = (self.square / (1 - SQUARE_DECAY**self.age)).sqrt_() + 1e-12
        self.vectors -= self.config.rate_at(step) * self.rates * mean / scale
        self.vectors.clamp_(self.lowest, self.highest)

    def _reseed(self, step: int) -> None:
        """Move the strokes that help least to where the error is greatest, on top of their level."""
        objective = self.objective
        costs, canvas = objective.removal_costs(self.vectors, self.config.softness_at(step))
        error = objective.error_map(canvas).numpy()
        hidden = objective.masks.amax(dim=0).numpy() if len(objective.masks) else np.zeros_like(error)
        mask_of_stroke = np.repeat(
            [-1 if run.mask is None else run.mask for run in objective.runs],
            [run.count for run in objective.runs],
        )
        for mask in np.unique(mask_of_stroke):
            slots = np.flatnonzero(mask_of_stroke == mask)
            reach = 1 - hidden if mask < 0 else objective.masks[mask].numpy()
            self._reseed_level(slots, costs.numpy()[slots], error * reach)

    def _reseed_level(
        self, slots: NDArray[np.intp], costs: NDArray[np.float32], error: NDArray[np.float32]
    ) -> None:
        """`_reseed` for the strokes of one level, `slots` in the painting order."""
        size = max(error.shape)
        # A fresh stroke is as wide as its share of the area within reach.
        radius = float(np.clip(0.35 * math.sqrt((error > 0).sum() / len(slots)), 1.0, 0.05 * size))
        count = int(self.config.reseed_share * len(slots))
        worst = np.argsort(costs, kind="stable")[:count]
        places = pick_places(error, count, 1.5 * radius, self.rng)
        side = 2 * round(radius) + 1
        gain = 0.4 * cv2.boxFilter(error, -1, (side, side), normalize=False)
        worthwhile = gain[places[:, 0], places[:, 1]] > costs[worst]
        if not worthwhile.any():
            return
        target = self.objective.target.permute(1, 2, 0).contiguous().numpy()
        fresh = strokes_at(places[worthwhile], radius, structure(target, radius), self.rng, size).pack()[0]
        kept = np.setdiff1d(np.arange(len(slots)), worst[worthwhile])
        self._reorder(torch.from_numpy(slots), torch.from_numpy(slots[kept]), fresh)

    def _reorder(self, slots: Tensor, kept: Tensor, fresh: Tensor) -> None:
        """Fill `slots` with the strokes at `kept`, then with `fresh` ``[M, 13]`` ones."""
        new_rows = {"vectors": fresh, "mean": 0 * fresh, "square": 0 * fresh, "age": 0 * fresh[:, :1]}
        for name, rows in new_rows.items():
            values = getattr(self, name)
            values[slots] = torch.cat([values[kept], rows])
