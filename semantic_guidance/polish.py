"""Joint refinement of all strokes of a painting by gradient descent through the renderer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.medium import Tools
from semantic_guidance.palette import nearest_color
from semantic_guidance.planner import pick_places, strokes_at, structure
from semantic_guidance.renderer.objective import Objective, Run, View
from semantic_guidance.renderer.threads import Threads

FREE_SHARE = 0.4  # of the steps, before strokes get their colours and brushes from what there is
COLOR_ROUND = 8  # steps from one choice of colours to the next
MEAN_DECAY, SQUARE_DECAY = 0.9, 0.99  # of Adam's running moments


@dataclass(frozen=True)
class PolishConfig:
    """Numbers of the refinement.

    Attributes:
        steps: gradient steps; without any, strokes are only fitted to the tools.
        softness: width of the strokes' edge in pixels, at the first step and from `annealed` on.
        annealed: share of the steps after which the softness has reached its end.
        position_rate: greatest change of a point in one step, in units of the longer side (as Adam counts).
        radius_rate: the same for radii.
        opacity_rate: the same for opacities.
        color_rate: the same for colours.
        reseed_at: shares of the steps after which useless strokes are moved.
        reseed_share: greatest share of a level's strokes that is moved each time.
    """

    steps: int = 330
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
        tools: what the strokes are to be painted with; anything if None.
        levels: the objective's runs, if those do not tell what the strokes depict.
    """

    def __init__(
        self,
        vectors: Tensor,
        objective: Objective,
        config: PolishConfig,
        seed: int = 0,
        views: Sequence[View] = (),
        tools: Tools | None = None,
        levels: Sequence[Run] = (),
    ) -> None:
        self.vectors = vectors.clone()
        self.objective = objective
        self.terms: list[Objective | View] = [objective, *views]
        self.config = config
        self.tools = tools
        self.ranks = torch.empty(0)  # of the palette's colours in the order of painting
        self.fitted = False  # to palette and brushes
        self.levels = levels or objective.runs
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
            self._fit(step)
            if step in reseeds:
                self._reseed(step)
            self._descend(step)
            if progress is not None:
                progress((step + 1) / steps)
        if not steps and len(self.vectors):
            self._fit(0)
        return self._painted()

    def _descend(self, step: int) -> None:
        """One step of Adam. Every stroke has its own age: one that was moved starts afresh."""
        softness = self.config.softness_at(step)
        vectors = self._painted()
        gradients = self.threads(lambda: [term.gradient(vectors, softness)[1] for term in self.terms])
        gradient = torch.stack(gradients).sum(dim=0)
        self.age += 1
        self.mean.lerp_(gradient, 1 - MEAN_DECAY)
        self.square.lerp_(gradient * gradient, 1 - SQUARE_DECAY)
        mean = self.mean / (1 - MEAN_DECAY**self.age)
        scale = (self.square / (1 - SQUARE_DECAY**self.age)).sqrt_() + 1e-12
        self.vectors -= self.config.rate_at(step) * self.rates * mean / scale
        self.vectors.clamp_(self.lowest, self.highest)

    def _fit(self, step: int) -> None:
        """Give every stroke one of the brushes, once, and a colour of the palette, time and again.

        Brushes and colours are free at first. A colour that is then set apart from the others would be led
        astray by its gradient, which never comes to rest: so it is found anew by `_wanted_colors`.
        """
        tools = self.tools
        if tools is None or tools.free or step < FREE_SHARE * self.config.steps:
            return
        if not self.fitted:
            self.fitted = True
            self.rates[6:8] *= float(tools.radii is None)
            self.rates[10:13] *= float(tools.colors is None)
        if tools.colors is not None and step % COLOR_ROUND == 0:
            self.vectors[:, 10:13] = self._wanted_colors(self.config.softness_at(step))
            if tools.opaque:
                self._sort_colors(tools.colors)

    def _wanted_colors(self, softness: float) -> Tensor:
        """``[N, 3]`` the colour with which each stroke would lower the error most, all others as they are.

        The error is quadratic in it. Its curvature is the gradient for white strokes on a black canvas with
        a black target, exactly so where strokes are opaque, and else it is above it.
        """
        vectors = self._painted()
        slope = self.objective.gradient(vectors, softness)[1][:, 10:13]
        white = torch.cat([vectors[:, :10], torch.ones_like(slope)], dim=1)
        black = torch.zeros_like(self.objective.target)
        curvature = replace(self.objective, blank=black, target=black).gradient(white, softness)[1][:, 10:13]
        return (vectors[:, 10:13] - slope / curvature.clamp(min=1e-9)).clamp(0, 1)

    def _sort_colors(self, palette: Tensor) -> None:
        """Sort the strokes of each level by colour: so every colour is needed once in a level.

        The colours keep the order in which they were needed on average when they were sorted first.
        """
        chosen = nearest_color(self.vectors[:, 10:13], palette)
        if not len(self.ranks):
            length = (self.vectors[:, 4:6] - self.vectors[:, :2]).norm(dim=1)
            area = self.vectors[:, 6] * (length + self.vectors[:, 6])
            place = area * torch.arange(len(area))
            empty = torch.zeros(len(palette))
            self.ranks = empty.index_add(0, chosen, place) / empty.index_add(0, chosen, area).clamp(min=1e-12)
        levels = torch.from_numpy(self._masks())
        for mask in levels.unique():
            slots = (levels == mask).nonzero()[:, 0]
            order = slots[self.ranks[chosen[slots]].argsort(stable=True)]
            self._reorder(slots, order, self.vectors[:0])

    def _painted(self) -> Tensor:
        """The strokes ``[N, 13]`` as they are painted."""
        if self.tools is None:
            return self.vectors
        return self.tools(self.vectors) if self.fitted else self.tools.loose(self.vectors)

    def _reseed(self, step: int) -> None:
        """Move the strokes that help least to where the error is greatest, on top of their level."""
        objective = self.objective
        costs, canvas = objective.removal_costs(self._painted(), self.config.softness_at(step))
        error = objective.error_map(canvas).numpy()
        masks = objective.masks.numpy()
        mask_of_stroke = self._masks()
        for mask in np.unique(mask_of_stroke):
            slots = np.flatnonzero(mask_of_stroke == mask)
            later = masks[mask + 1 :]  # hides what is painted there
            reach = (masks[mask] if mask >= 0 else 1.0) * (1 - later.max(axis=0, initial=0.0))
            self._reseed_level(slots, costs.numpy()[slots], error * reach)

    def _masks(self) -> NDArray[np.intp]:
        """``[N]`` the mask of each stroke's level, -1 for the background."""
        masks = [-1 if run.mask is None else run.mask for run in self.levels]
        return np.repeat(masks, [run.count for run in self.levels])

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
