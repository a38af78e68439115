"""Refinement by a hand: every stroke stays within the hand's limits, and follows the picture's flow."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.flow import sample, streamlines
from semantic_guidance.core.strokes import COLOR, POINTS
from semantic_guidance.images.color import LUMA
from semantic_guidance.painter.laying import Composition, Layers, within
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painter.views import Ladder
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.objective import Segment, ZoomedObjective

PULL = (0.25, 0.18, 0.10, 0.05, 0.03)
"""How far a stroke is pulled to its streamline at once, from the first layer to the last, at half flow."""

PULLED = 2
"""Steps from one pull to the next."""

WRONG = 0.5
"""What is added to the target, modulo 1, for a ground that is wrong everywhere, so that no gap pays."""

QUANTILE_STEP = 7
"""Every how many pixels are looked at for a quantile."""

REBORN_AT, REBORN = (0.15, 0.3, 0.45, 0.6), 0.25
"""Shares of the steps at which so many of a layer's strokes, those worth least, are laid anew."""

BARED = 0.04
"""Share of the strokes that are left out at a time until enough of the ground shows."""

PALE = 0.04
"""How much darker than the ground a stroke must be where the ground is the white."""

USELESS = 0.01
"""A stroke is worth nothing that is worth less than this much of what half of them are worth."""


class HandRefiner(Refiner):
    """Adam as in `Refiner`, under projection: after every step strokes are within the limits of their hand.

    Their number stays; those that are worth least are laid anew within their layer. What is worth nothing in
    the end is left out.

    Args:
        composition: the first strokes, in units of the picture's longer side.
        layers: from which strokes are laid anew.
        ladder: how the picture is seen, from coarse to fine.
        config: parameters; the number of strokes does not breathe.
        seed: of the base class, which makes no choices here.
        tools: what the strokes are to be painted with; no limits if None.
    """

    def __init__(
        self,
        composition: Composition,
        layers: Layers,
        ladder: Ladder,
        config: RefineConfig,
        seed: int = 0,
        tools: Tools | None = None,
    ) -> None:
        self.levels, self.layers, self.hand = composition.levels, layers, layers.hand
        parts = composition.parts
        counts = {int(part): int((parts == part).sum()) for part in np.unique(parts)}
        onlooker = layers.problem.onlooker
        super().__init__(composition.vectors, parts, counts, ladder, config, seed, tools, onlooker=onlooker)
        self.crowds = {}
        self.thinned = False  # of strokes that are worth nothing
        self.low[:], self.high[:] = self.low.clamp(max=0), self.high.clamp(min=1)  # `within` says more
        self.rebirths = {round(share * config.steps) for share in REBORN_AT}
        stretch = torch.tensor(layers.problem.stretch * 3, dtype=torch.float32)
        self.to_pixels = (layers.size / stretch).numpy()  # of points of the picture

    def prepare(self, step: int) -> Tensor:
        """See `Refiner`."""
        vectors = super().prepare(step)
        if step in self.rebirths and step:
            self._relay(step)
            vectors = self._painted()
        return vectors

    def descend(self, step: int, gradients: list[Tensor]) -> None:  # type: ignore[override]
        """See `Refiner`."""
        super().descend(step, gradients)
        if step % PULLED == 1 and self.hand.flow > 0:
            self._follow(1 - step / self.config.steps)
        within(self.vectors, self.hand, self.bounds)

    def finished(self) -> Tensor:
        """See `Refiner`; without strokes that are worth nothing or hide ground that is to show."""
        if self.steps and not self.thinned:
            self.thinned = True
            groups = self.layers.groups
            if self.hand.economy > 0 and groups is None:
                self._take(self._useful())
            if self.hand.pale_first:
                self._take(self._darker())
                if groups is not None and len(self.parts):
                    self._take(groups.kept(self._costs(self.config.steps)[0], self.parts))
            if self.hand.ground_shown > 0:
                self._bare()
        return super().finished()

    @property
    def bounds(self) -> Tensor:
        """``[N, 3]`` least and greatest radius and opacity of each stroke."""
        return torch.from_numpy(self.layers.limits[self.levels]).to(self.device)

    def _take(self, order: NDArray[np.intp]) -> None:
        self.levels = self.levels[order]
        super()._take(order)

    def _seen_anew(self) -> None:
        self.lengths = torch.ones_like(self.vectors)
        terms: list[ZoomedObjective] = []
        if len(self.parts):
            whole = [Segment(len(self.parts), None, 1.0)]
            terms = [self._on_wrong_ground(term, whole) for term in self.view.terms(self.parts, 0.0)]
        self.looks = [terms, terms]

    def _on_wrong_ground(self, term: ZoomedObjective, segments: list[Segment]) -> ZoomedObjective:
        """The same for unclipped strokes on a ground on which no gap pays, but where the ground may show."""
        objective, shown = term.objective, self._shown()
        blank = (objective.target + WRONG) % 1
        if shown > 0:
            unlike = (objective.target - objective.blank).norm(dim=0)
            bound = torch.quantile(unlike.flatten()[::QUANTILE_STEP], shown)
            blank = torch.where(unlike <= bound, objective.blank, blank)
        return replace(term, objective=replace(objective, segments=segments, blank=blank))

    def _shown(self) -> float:
        """Share of the canvas that may stay as it was: where it is most like the picture."""
        groups = self.layers.groups
        alone = self.layers.share == 1 or (groups is not None and groups.whole)  # nothing but objects
        there = self.layers.problem.start is not None
        return 1.0 if there or alone or self.hand.pale_first else self.hand.ground_shown

    def _follow(self, left: float) -> None:
        """Pull every stroke towards the streamline through its middle; `left` of the pull is left."""
        points = self.vectors[:, POINTS].cpu().numpy() * self.to_pixels
        points = points.reshape(-1, 3, 2)
        count = len(self.layers.radii)
        shares = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(PULL)), PULL)
        for layer in range(count):
            field = self.layers.field(layer)
            own = np.flatnonzero(self.levels == layer)
            start, control, end = np.moveaxis(points[own], 1, 0)
            centre, chord = 0.25 * start + 0.5 * control + 0.25 * end, end - start
            wanted = streamlines(field, centre, np.sqrt((chord**2).sum(-1)) / 2)
            same = ((wanted[:, 2] - wanted[:, 0]) * chord).sum(-1) >= 0
            wanted = np.where(same[:, None, None], wanted, wanted[:, ::-1])
            trust = 0.35 + 0.65 * sample(field.sure, centre)
            pull = min(1.0, 2 * self.hand.flow * shares[layer] * left) * trust
            points[own] += pull[:, None, None] * (wanted - points[own])
        moved = points.reshape(-1, 6) / self.to_pixels
        self.vectors[:, POINTS] = torch.from_numpy(moved.astype(np.float32)).to(self.device)

    def _costs(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What each stroke is worth ``[N]``, and the error ``[h, w]`` of the canvas."""
        objective, seen = self.whole.objective, self.whole.seen(self._painted())
        costs, canvas = objective.removal_costs(seen, self.softness_at(step))
        return costs.cpu().numpy(), objective.error_map(canvas).cpu().numpy()

    def _relay(self, step: int) -> None:
        """Lay the strokes that are worth least anew, each within its layer and on top of it."""
        costs, error = self._costs(step)
        if error.shape != self.layers.weight.shape:
            import cv2

            height, width = self.layers.weight.shape
            error = np.asarray(cv2.resize(error, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        error = error / np.float32(max(float(error.mean()), 1e-12))
        stay, fresh = np.ones(len(costs), bool), []
        for layer in range(1, len(self.layers.radii)):
            slots = np.flatnonzero(self.levels == layer)
            worst = slots[np.argsort(costs[slots], kind="stable")[: int(REBORN * len(slots))]]
            if len(worst):
                stay[worst] = False
                wanted = error ** self.layers.placing(layer)
                fresh.append(self.layers.lay(wanted, layer, len(worst), self.parts[worst]))
        if fresh:
            self._exchange(np.flatnonzero(stay), fresh)

    def _exchange(self, stay: NDArray[np.intp], fresh: list[Composition]) -> None:
        """Go on with the strokes of these numbers and fresh ones, each on top of its layer and part."""
        vectors = torch.cat([each.vectors for each in fresh])
        vectors[:, POINTS] *= torch.tensor(self.layers.problem.stretch * 3, dtype=torch.float32)
        rows, before = vectors.to(self.device), len(self.parts)
        new = {"vectors": rows, "mean": 0 * rows, "square": 0 * rows, "age": 0 * rows[:, :1]}
        for name, values in new.items():
            setattr(self, name, torch.cat([getattr(self, name), values]))
        self.levels = np.concatenate([self.levels, *(each.levels for each in fresh)])
        self.parts = np.concatenate([self.parts, *(each.parts for each in fresh)])
        if self.layers.share is None or self.layers.groups is not None:  # strokes have moved
            middles = self.vectors[:, POINTS].cpu().numpy() * self.to_pixels
            self.parts = self.layers.parts_now(self.parts, middles.reshape(-1, 3, 2).mean(axis=1))
        kept = np.concatenate([stay, np.arange(before, len(self.parts))])
        self._take(kept[np.lexsort([self.parts[kept], self.levels[kept]])])

    def _useful(self) -> NDArray[np.intp]:
        """The strokes that are worth something, in their order."""
        costs, _ = self._costs(self.config.steps)
        return np.flatnonzero(costs > USELESS * np.median(costs))

    def _darker(self) -> NDArray[np.intp]:
        """The strokes that are darker than the ground, in their order: it is the lightest of all colours."""
        light = self.vectors[:, COLOR].cpu().numpy() @ LUMA
        return np.flatnonzero(light < np.array(self.layers.problem.ground) @ LUMA - PALE)

    def _bare(self) -> None:
        """Leave out strokes, those first that are most like the ground, until enough of it shows."""
        blank = self.view.problem.canvas.to(self.device)
        softness = self.softness_at(self.config.steps)
        while len(self.parts):
            seen = self.whole.seen(self._painted())
            if self._bare_share(seen) >= self.hand.ground_shown:
                return
            ground = replace(self.whole.objective, blank=blank)
            costs = ground.removal_costs(seen, softness)[0].cpu().numpy()
            fewer, groups = math.ceil(BARED * len(costs)), self.layers.groups
            if groups is None:
                self._take(np.sort(np.argsort(costs, kind="stable")[fewer:]))
            else:
                self._take(groups.kept(costs, self.parts, len(costs) - fewer))

    def _bare_share(self, seen: Tensor) -> float:
        """Share of the canvas on which there is no stroke."""
        white, objective = seen.clone(), self.whole.objective
        white[:, COLOR] = 1
        covered = replace(objective, blank=torch.zeros_like(objective.blank)).painted(white)
        return float((covered[0] < 0.5).float().mean())
