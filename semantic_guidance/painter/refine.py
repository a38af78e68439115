"""Joint refinement of all strokes of a painting by gradient descent through the renderer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.core.strokes import COLOR, END, NUMBERS, OPACITY, POINTS, RADIUS, START
from semantic_guidance.images.color import nearest_color
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.relocate import masks_of, relocate
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.objective import Objective, Segment, ZoomedObjective, gradients

FREE_SHARE = 0.4  # of the steps, before strokes get colours and brushes that there are
COLOR_ROUND = 8  # steps from one choice of colours to the next
MEAN_DECAY, SQUARE_DECAY = 0.9, 0.99  # of Adam's running moments


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of packed strokes.

    Attributes:
        low: ``[13]``, or ``[N, 13]`` for each stroke.
        high: the same shape.
    """

    low: Tensor
    high: Tensor

    @staticmethod
    def of_picture(longer: int) -> Bounds:
        """For a picture of `longer` pixels on its longer side: points may lie a little beyond its edges."""
        return Bounds(_columns(-0.25, 0.6 / longer, 0.05, 0), _columns(1.25, 0.3, 1, 1))

    def on(self, device: torch.device) -> Bounds:
        """The same on a device."""
        return Bounds(self.low.to(device), self.high.to(device))

    def holding(self, strokes: Tensor, free: Tensor) -> Bounds:
        """The same bounds for those of the strokes ``[N, 13]`` that are `free` ``[N, 1]``; others stay."""
        return Bounds(torch.where(free, self.low, strokes), torch.where(free, self.high, strokes))


class Refiner:
    """Adam on the packed strokes of a painting, which now and then relocates strokes that do not help.

    All of it happens on the device of the objective, but for the choice of new places.

    Args:
        strokes: ``[N, 13]`` packed strokes in painting order.
        objective: what to minimise.
        config: parameters.
        seed: of the places of moved strokes.
        zooms: parts of the picture whose objectives are added.
        tools: what the strokes are to be painted with; no limits if None.
        parts: what the strokes depict, if the objective's segments do not tell.
        bounds: of the strokes; those of a picture if None.
    """

    def __init__(
        self,
        strokes: Tensor,
        objective: Objective,
        config: RefineConfig,
        seed: int = 0,
        zooms: Sequence[ZoomedObjective] = (),
        tools: Tools | None = None,
        parts: Sequence[Segment] = (),
        bounds: Bounds | None = None,
    ) -> None:
        device = objective.target.device
        self.vectors = strokes.to(device, copy=True)
        self.objective = objective
        self.terms: list[Objective | ZoomedObjective] = [objective, *zooms]
        self.config = config
        self.tools = None if tools is None else tools.on(device)
        self.ranks = torch.empty(0)  # of the palette's colours in the order of painting
        self.fitted = False  # to palette and brushes
        self.parts = parts or objective.segments
        self.rng = np.random.default_rng(seed)
        self.steady = objective.renderer.steady()
        self.mean = torch.zeros_like(self.vectors)
        self.square = torch.zeros_like(self.vectors)
        self.age = torch.zeros(len(strokes), 1, device=device)
        rates = (config.position_rate, config.radius_rate, config.opacity_rate, config.color_rate)
        self.rates = _columns(*rates).to(device)
        self.bounds = (bounds or Bounds.of_picture(max(objective.target.shape))).on(device)

    def run(self, progress: Callable[[float], None] | None = None) -> Tensor:
        """Refine; returns the packed strokes ``[N, 13]`` in painting order, in the processor's memory."""
        for step in range(self.steps):
            work = functools.partial(self._gradients, self.prepare(step), self.config.softness_at(step))
            self.descend(step, self.steady(work))
            if progress is not None:
                progress((step + 1) / self.steps)
        return self.finished()

    @property
    def steps(self) -> int:
        """How many there are to do."""
        return self.config.steps if len(self.vectors) else 0

    def prepare(self, step: int) -> Tensor:
        """What comes before a step's gradient; returns the strokes ``[N, 13]`` at which it is wanted."""
        self._fit(step)
        if step in {round(share * self.config.steps) for share in self.config.relocate_at}:
            self._relocate(step)
        return self._painted()

    def descend(self, step: int, gradients: Sequence[Tensor]) -> None:
        """One step of Adam. Every stroke has its own age: one that was moved starts afresh.

        Args:
            step: its number.
            gradients: ``[N, 13]`` of each of the terms.
        """
        gradient = torch.stack(list(gradients)).sum(dim=0)
        self.age += 1
        self.mean.lerp_(gradient, 1 - MEAN_DECAY)
        self.square.lerp_(gradient * gradient, 1 - SQUARE_DECAY)
        mean = self.mean / (1 - MEAN_DECAY**self.age)
        scale = (self.square / (1 - SQUARE_DECAY**self.age)).sqrt_() + 1e-12
        self.vectors -= self.config.rate_at(step) * self.rates * mean / scale
        self.vectors.clamp_(self.bounds.low, self.bounds.high)

    def _gradients(self, vectors: Tensor, softness: float) -> list[Tensor]:
        """``[N, 13]`` of each of the terms."""
        return [term.gradient(vectors, softness)[1] for term in self.terms]

    def finished(self) -> Tensor:
        """The packed strokes ``[N, 13]`` as they are painted, in the processor's memory."""
        if not self.steps and len(self.vectors):
            self._fit(0)
        return self._painted().cpu()

    def _fit(self, step: int) -> None:
        """Give every stroke one of the brushes, once, and a colour of the palette, again and again.

        Brushes and colours are free at first. Later a colour would be led astray by its gradient, which does
        not vanish at a colour of the palette: so it is found anew by `_wanted_colors`.
        """
        tools = self.tools
        if tools is None or tools.free or step < FREE_SHARE * self.config.steps:
            return
        if not self.fitted:
            self.fitted = True
            self.rates[RADIUS] *= float(tools.radii is None)
            self.rates[COLOR] *= float(tools.colors is None)
        if tools.colors is not None and step % COLOR_ROUND == 0:
            self.vectors[:, COLOR] = self._wanted_colors(self.config.softness_at(step))
            if tools.opaque:
                self._sort_colors(tools.colors)

    def _wanted_colors(self, softness: float) -> Tensor:
        """``[N, 3]`` the colour with which each stroke would lower the error most, all others as they are.

        The error is quadratic in it. Its curvature is the gradient for white strokes on a black canvas with
        a black target, exactly where strokes are opaque, and else a bound from above.
        """
        vectors = self._painted()
        slope = self.objective.gradient(vectors, softness)[1][:, COLOR]
        white = torch.cat([vectors[:, : COLOR.start], torch.ones_like(slope)], dim=1)
        black = torch.zeros_like(self.objective.target)
        curvature = replace(self.objective, blank=black, target=black).gradient(white, softness)[1][:, COLOR]
        return (vectors[:, COLOR] - slope / curvature.clamp(min=1e-9)).clamp(0, 1)

    def _sort_colors(self, palette: Tensor) -> None:
        """Sort the strokes of each part by colour, so that each colour is needed once in a part.

        The colours keep the order in which they were needed on average when first sorted.
        """
        vectors = self.vectors.cpu()  # where sums are always in the same order
        chosen = nearest_color(vectors[:, COLOR], palette.cpu())
        if not len(self.ranks):
            length = (vectors[:, END] - vectors[:, START]).norm(dim=1)
            radius = vectors[:, RADIUS.start]
            area = radius * (length + radius)
            place = area * torch.arange(len(area))
            empty = torch.zeros(len(palette))
            self.ranks = empty.index_add(0, chosen, place) / empty.index_add(0, chosen, area).clamp(min=1e-12)
        parts = torch.from_numpy(masks_of(self.parts))
        for mask in parts.unique():
            slots = (parts == mask).nonzero()[:, 0]
            order = slots[self.ranks[chosen[slots]].argsort(stable=True)]
            self._reorder(slots, order, self.vectors[:0])

    def _painted(self) -> Tensor:
        """The strokes ``[N, 13]`` as they are painted."""
        if self.tools is None:
            return self.vectors
        return self.tools(self.vectors) if self.fitted else self.tools.loose(self.vectors)

    def _relocate(self, step: int) -> None:
        """Move the strokes that help least to where the error is greatest, on top of their part."""
        softness, share = self.config.softness_at(step), self.config.relocate_share
        for move in relocate(self._painted(), self.objective, self.parts, softness, share, self.rng):
            self._reorder(move.slots, move.kept, move.fresh)

    def _reorder(self, slots: Tensor, kept: Tensor, fresh: Tensor) -> None:
        """Fill `slots` with the strokes at `kept`, then with `fresh` ``[M, 13]`` ones."""
        device = self.vectors.device
        slots, kept, fresh = slots.to(device), kept.to(device), fresh.to(device)
        new_rows = {"vectors": fresh, "mean": 0 * fresh, "square": 0 * fresh, "age": 0 * fresh[:, :1]}
        for name, rows in new_rows.items():
            values = getattr(self, name)
            values[slots] = torch.cat([values[kept], rows])


def refine_together(
    refiners: Sequence[Refiner], progress: Callable[[float], None] | None = None
) -> list[Tensor]:
    """`Refiner.run` of several paintings, step by step, with one call of the renderer for all gradients.

    Args:
        refiners: of paintings by the same renderer.
        progress: called with the share that is done.

    Returns:
        The packed strokes ``[N, 13]`` of each: the same as when it is refined alone.
    """
    most = max((each.steps for each in refiners), default=0)
    for step in range(most):
        groups: dict[float, list[tuple[Refiner, Tensor]]] = {}
        for refiner in refiners:
            if step < refiner.steps:
                vectors = refiner.prepare(step)
                groups.setdefault(refiner.config.softness_at(step), []).append((refiner, vectors))
        for softness, group in groups.items():
            terms = [(term, vectors) for refiner, vectors in group for term in refiner.terms]
            found = iter(gradients(terms, softness, group[0][0].objective.renderer))
            for refiner, _ in group:
                refiner.descend(step, [next(found) for _ in refiner.terms])
        if progress is not None:
            progress((step + 1) / most)
    return [refiner.finished() for refiner in refiners]


def _columns(position: float, radius: float, opacity: float, color: float) -> Tensor:
    """``[13]`` one number for each kind of a stroke's numbers."""
    columns = torch.empty(NUMBERS)
    for where, value in ((POINTS, position), (RADIUS, radius), (OPACITY, opacity), (COLOR, color)):
        columns[where] = value
    return columns
