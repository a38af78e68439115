"""Joint refinement of all strokes of a painting by gradient descent through the renderer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.problem import Parts, on_top
from semantic_guidance.agents.watching import Onlooker
from semantic_guidance.core.strokes import COLOR, END, NUMBERS, OPACITY, POINTS, RADIUS, START
from semantic_guidance.images.color import nearest_color
from semantic_guidance.painter.population import helpful, newborn, shared_out, worth
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.views import Ladder
from semantic_guidance.painting.medium import Tools
from semantic_guidance.renderer.objective import Objective, UnfinishedObjective, ZoomedObjective, gradients

FREE_SHARE = 0.4  # of the steps, before strokes get colours and brushes that there are
COLOR_ROUND = 8  # steps from one choice of colours to the next
MEAN_DECAY, SQUARE_DECAY = 0.8, 0.99  # of Adam's running moments
LOOKS = 2  # steps from one look at the unfinished painting to the next, as each costs time
ALL = -1  # the group of all strokes of parts whose number is not kept; the background is among them
ROUNDS = 3  # in which strokes are dropped, each with costs anew: two that are alike are both needed if alone
BEYOND = 0.25  # how far points may lie over the picture's edges
LEAST_RADIUS, LEAST_PIXELS = 0.029, 0.4  # in spacings, and in pixels of the largest view
GREATEST_RADIUS, LEAST_OPACITY = 0.3, 0.05
SHARPEST = 0.7  # pixels of a view that is not the last one: a narrower edge would fall between its pixels


class Refiner:
    """Adam on the packed strokes of a painting, whose number breathes, see `RefineConfig`.

    All of it happens on the device of the objectives, but for the choice of new places.

    Args:
        strokes: ``[N, 13]`` packed strokes in painting order, in units of the picture's longer side.
        parts: ``[N]`` what they depict.
        counts: number of strokes of each part in the end.
        ladder: how the picture is seen, from coarse to fine.
        config: parameters.
        seed: of the places of fresh strokes.
        tools: what the strokes are to be painted with; no limits if None.
        bound: whether each part keeps its number of strokes; else they are born where the weighted error is,
            and dropped where they are worth least, whatever they depict.
        kept: parts that keep theirs even so.
        onlooker: who is shown the strokes before each step, and may end that.
    """

    def __init__(
        self,
        strokes: Tensor,
        parts: Parts,
        counts: Mapping[int, int],
        ladder: Ladder,
        config: RefineConfig,
        seed: int = 0,
        tools: Tools | None = None,
        bound: bool = True,
        kept: Collection[int] = (),
        onlooker: Onlooker | None = None,
    ) -> None:
        self.onlooker = onlooker
        self.kept = sorted(counts) if bound else sorted(kept)  # parts that keep their number
        self.free = [part for part in sorted(counts) if part not in self.kept]
        self.ended = False  # before the last step
        self.config, self.ladder, self.counts = config, ladder, counts
        self.view = ladder.views[0][1]()
        self.views = 1  # seen so far
        self.device = self.view.place.device
        self.vectors, self.parts = strokes.to(self.device, copy=True), parts
        self.mean = torch.zeros_like(self.vectors)
        self.square = torch.zeros_like(self.vectors)
        self.age = torch.zeros(len(strokes), 1, device=self.device, dtype=torch.float32)
        self.rng = np.random.default_rng(seed)
        self.tools = None if tools is None else tools.on(self.device)
        self.ranks = torch.empty(0, dtype=torch.float32)  # of the palette's colours in the order of painting
        self.fitted = False  # to palette and brushes
        self.crowds = config.crowds()
        unit = ladder.spacing / ladder.size  # a spacing in units of the longer side
        rates = (unit * config.position_rate, unit * config.radius_rate)
        self.rates = _columns(*rates, config.opacity_rate, config.color_rate).to(self.device)
        self.closeness = self.view.closeness(counts)
        least = max(LEAST_RADIUS * unit, LEAST_PIXELS / ladder.size)
        self.low = _columns(-BEYOND, least, LEAST_OPACITY, 0).to(self.device)
        self.high = _columns(1 + BEYOND, GREATEST_RADIUS, 1, 1).to(self.device)
        self.steady = self.view.place.backend.steady()
        self._seen_anew()

    def run(self, progress: Callable[[float], None] | None = None) -> Tensor:
        """Refine; returns the packed strokes ``[N, 13]`` in painting order, in the processor's memory."""
        for step in range(self.steps):
            if self.onlooker is not None and not self.onlooker.told(self._so_far):
                self.end(step)
                break
            vectors = self.prepare(step)
            if self._stopped:
                self.end(step)
                break
            work = functools.partial(self._gradients, vectors, self.softness_at(step))
            self.descend(step, self.steady(work))
            if progress is not None:
                progress((step + 1) / self.steps)
        return self.finished()

    @property
    def _stopped(self) -> bool:
        """Whether somebody looks on and wants no more."""
        return self.onlooker is not None and self.onlooker.stopped

    def end(self, step: int) -> None:
        """Leave it at this step: no more strokes than are wanted, as they can be painted."""
        self.ended = True
        if len(self.vectors):
            if self.crowds:
                self._crowd(1.0, step, rounds=1)
            self.fitted = self.tools is not None and not self.tools.free
            if self.fitted:
                self._recolor(step)

    @property
    def steps(self) -> int:
        """How many there are to do."""
        return self.config.steps if len(self.vectors) else 0

    @property
    def whole(self) -> ZoomedObjective:
        """The term of the whole picture."""
        return self.looks[0][0]

    def softness_at(self, step: int) -> float:
        """Edge width in pixels of the view."""
        softness = self.config.softness_at(step, self.ladder.spacing)
        return max(SHARPEST, softness * self.view.size / self.ladder.size)

    def prepare(self, step: int) -> Tensor:
        """What comes before a step's gradient; returns the strokes ``[N, 13]`` at which it is wanted."""
        begun = sum(share * self.config.steps <= step for share, _ in self.ladder.views)
        if begun > self.views:
            self.view, self.views = self.ladder.views[begun - 1][1](), begun
            self.steady = self.view.place.backend.steady()
            self._seen_anew()
        self._fit(step)
        self._breathe(step)
        self.terms = self.looks[min(1, step % LOOKS)]
        return self._painted()

    def descend(self, step: int, gradients: Sequence[Tensor]) -> None:
        """One step of Adam. Every stroke has its own age: one that was born late starts afresh.

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
        self.vectors -= self.config.rate_at(step, self.age) * self.rates * self.lengths * mean / scale
        self.vectors.clamp_(self.low, self.high)

    def _gradients(self, vectors: Tensor, softness: float) -> list[Tensor]:
        """``[N, 13]`` of each of the terms."""
        return [term.gradient(vectors, softness)[1] for term in self.terms]

    def _so_far(self) -> tuple[Tensor, Parts]:
        """The packed strokes ``[N, 13]`` that there are, and what they depict."""
        return self._painted().cpu(), self.parts

    def finished(self) -> Tensor:
        """The packed strokes ``[N, 13]`` as they are painted, in the processor's memory."""
        if not self.steps and len(self.vectors) and not self.fitted:
            self._fit(0)
        return self._painted().cpu()

    def _seen_anew(self) -> None:
        """Objectives for the strokes that there are in the view that there is."""
        self.lengths = torch.ones_like(self.vectors)
        close = self.vectors.new_tensor([self.closeness[part] for part in self.parts.tolist()])[:, None]
        self.lengths[:, : OPACITY.start] = close
        self.looks: list[list[ZoomedObjective]] = [[], []]
        if len(self.parts):
            self.looks = [self.view.terms(self.parts, factor) for factor in (LOOKS, 0.0)]

    def _breathe(self, step: int) -> None:
        """Let fresh strokes be born, or drop those that help least, where it is time."""
        crowd = self.crowds.get(step)
        if crowd is not None:
            self._crowd(crowd, step, ROUNDS)

    def _crowd(self, crowd: float, step: int, rounds: int) -> None:
        """Have so many strokes, in multiples of those wanted; surplus ones are dropped in some rounds."""
        wanted = {part: round(crowd * self.counts[part]) for part in self.kept}
        if self.free:
            wanted[ALL] = round(crowd * sum(self.counts[part] for part in self.free))
        births = {part: max(0, count) for part, count in self._beyond(wanted, -1).items()}
        if any(births.values()) and not self.ended:
            self._grow(births)
        softness = self.softness_at(step)
        for left in range(rounds, 0, -1):
            surplus = self._beyond(wanted, 1)
            if self._stopped and not self.ended:
                return  # `end` drops them all at once
            if any(count > 0 for count in surplus.values()):
                stay = {
                    part: count + max(0, surplus[part]) * (left - 1) // left for part, count in wanted.items()
                }
                costs = self._worth(softness)
                self._take(helpful(costs, self._groups, stay))

    def _worth(self, softness: float) -> NDArray[np.float32]:
        """What each stroke is worth ``[N]``; for the finished painting alone if that is near."""
        objective, seen = self.whole.objective, self.whole.seen(self._painted())
        if self.ended:
            return np.asarray(objective.removal_costs(seen, softness)[0].cpu().numpy(), np.float32)
        return worth(objective, seen, softness, 1 / LOOKS, self._behind())

    @property
    def _groups(self) -> Parts:
        """``[N]`` of which strokes each is one, where numbers are kept: of its part, or of all others."""
        return np.where(np.isin(self.parts, self.kept), self.parts, ALL)

    def _behind(self) -> Objective | None:
        """What is about the background while objects are still missing, if anything is."""
        last = self.looks[0][-1]
        return last.objective if isinstance(last, UnfinishedObjective) else None

    def _beyond(self, wanted: Mapping[int, int], sign: int) -> dict[int, int]:
        """How many strokes each group has beyond what is wanted, times `sign`."""
        return {part: sign * (int((self._groups == part).sum()) - count) for part, count in wanted.items()}

    def _grow(self, births: Mapping[int, int]) -> None:
        """Add fresh strokes on top of their parts."""
        objective = self.whole.objective
        canvas = objective.painted(self.whole.seen(self._painted()))
        counts = self.counts
        if self.free:
            births = {**births, **shared_out(objective, canvas, births[ALL], self.free)}
            counts = self._expected()
        fresh, parts = newborn(objective, canvas, births, counts, self.rng)
        fresh = fresh.to(self.device) / self.whole.scale
        new_rows = {"vectors": fresh, "mean": 0 * fresh, "square": 0 * fresh, "age": 0 * fresh[:, :1]}
        for name, rows in new_rows.items():
            setattr(self, name, torch.cat([getattr(self, name), rows]))
        order = on_top(self.parts, parts)
        self.parts = np.concatenate([self.parts, parts])
        self._take(order)

    def _expected(self) -> dict[int, int]:
        """Number of strokes of each part in the end, if their shares stay."""
        total = sum(self.counts.values())
        there = {part: int((self.parts == part).sum()) for part in self.counts}
        return {part: max(1, round(total * count / max(1, len(self.parts)))) for part, count in there.items()}

    def _take(self, order: NDArray[np.intp]) -> None:
        """Go on with these strokes, in this order."""
        chosen = torch.from_numpy(order).to(self.device)
        for name in ("vectors", "mean", "square", "age"):
            setattr(self, name, getattr(self, name)[chosen])
        self.parts = self.parts[order]
        self._seen_anew()

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
            self._recolor(step)

    def _recolor(self, step: int) -> None:
        """Give every stroke the colour with which it would lower the error most."""
        tools = self.tools
        if tools is not None and tools.colors is not None:
            self.vectors[:, COLOR] = self._wanted_colors(self.softness_at(step))
            if tools.opaque and not tools.mixed:
                self._sort_colors(tools.colors)

    def _wanted_colors(self, softness: float) -> Tensor:
        """``[N, 3]`` the colour with which each stroke would lower the error most, all others as they are.

        The error is quadratic in it. Its curvature is the gradient for white strokes on a black canvas with
        a black target, exactly where strokes are opaque, and else a bound from above.
        """
        objective, vectors = self.whole.objective, self.whole.seen(self._painted())
        slope = objective.gradient(vectors, softness)[1][:, COLOR]
        white = torch.cat([vectors[:, : COLOR.start], torch.ones_like(slope)], dim=1)
        black = torch.zeros_like(objective.target)
        curvature = replace(objective, blank=black, target=black).gradient(white, softness)[1][:, COLOR]
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
            empty = torch.zeros(len(palette), dtype=torch.float32)
            self.ranks = empty.index_add(0, chosen, place) / empty.index_add(0, chosen, area).clamp(min=1e-12)
        order = np.arange(len(self.parts))
        for part in np.unique(self.parts):
            slots = np.flatnonzero(self.parts == part)
            order[slots] = slots[self.ranks[chosen[slots]].argsort(stable=True).numpy()]
        self._take(order)

    def _painted(self) -> Tensor:
        """The strokes ``[N, 13]`` as they are painted."""
        if self.tools is None:
            return self.vectors
        return self.tools(self.vectors) if self.fitted else self.tools.loose(self.vectors)


def refine_together(
    refiners: Sequence[Refiner], progress: Callable[[float], None] | None = None
) -> list[Tensor]:
    """`Refiner.run` of several paintings, step by step, with one call of the renderer for each softness.

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
                groups.setdefault(refiner.softness_at(step), []).append((refiner, vectors))
        for softness, group in groups.items():
            terms = [(term, vectors) for refiner, vectors in group for term in refiner.terms]
            found = iter(gradients(terms, softness, group[0][0].view.place.backend))
            for refiner, _ in group:
                refiner.descend(step, [next(found) for _ in refiner.terms])
        if progress is not None:
            progress((step + 1) / most)
    return [refiner.finished() for refiner in refiners]


def _columns(position: float, radius: float, opacity: float, color: float) -> Tensor:
    """``[13]`` one number for each kind of a stroke's numbers."""
    columns = torch.empty(NUMBERS, dtype=torch.float32)
    for where, value in ((POINTS, position), (RADIUS, radius), (OPACITY, opacity), (COLOR, color)):
        columns[where] = value
    return columns
