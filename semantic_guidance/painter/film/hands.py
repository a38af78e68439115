"""Strokes of a hand in a film: within its limits, layer by layer, with its own colours.

They are refined as the hand sees the frame, without the ways in which its finished colours differ, which each
stroke keeps for life. What is exchanged is exchanged within a layer, by strokes that the hand lays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.flow import quick_flow, sample
from semantic_guidance.agents.problem import Parts, Problem
from semantic_guidance.core.packed import COLOR, OPACITY, POINTS, RADIUS
from semantic_guidance.painter.film.cast import Cast
from semantic_guidance.painter.film.flow import Motion
from semantic_guidance.painter.film.following import AnyStrokes, Limits, columns
from semantic_guidance.painter.film.population import (
    CAME,
    ELSEWHERE,
    HIDDEN,
    LOWERS,
    NEVER,
    YOUNG,
)
from semantic_guidance.painter.film.presets import Hold
from semantic_guidance.painter.film.scene import Scene
from semantic_guidance.painter.finishing import departures, lively, loads, saturated
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.handling import (
    COLOR_RATE,
    FEWEST,
    POSITION_RATE,
    RADIUS_RATE,
)
from semantic_guidance.painter.handwork import HandRefiner
from semantic_guidance.painter.laying import Layers, within
from semantic_guidance.painter.manner import in_layers
from semantic_guidance.painter.refine import BEYOND, Refiner
from semantic_guidance.painter.seeing import Sight, attention
from semantic_guidance.painter.thin import THINNEST
from semantic_guidance.painting.layers import Ends
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Layer, Painting

Array = NDArray[np.float32]

TUBE = 3
"""Column of a stroke's traits that says of which tube it is, after how its colour differs."""

LOYAL = 0.6
"""A stroke takes paint of another tube that is so much nearer."""

LINE_RATE = 0.3
"""Factor of the rates of thin lines, which are where they are by what is under them."""


class HandStrokes(AnyStrokes):
    """A `Following` of a hand's strokes. Levels are its layers, and above them thin lines.

    Args:
        hand: that paints.
        ends: of the strokes.
        count: of strokes.
        share: of the strokes that objects get; by their error if None.
    """

    def __init__(self, hand: Hand, ends: Ends, count: int, share: float | None) -> None:
        super().__init__(count, ends)
        self.hand, self.share = hand, share
        self.refines = hand.work > 0
        self.loaded = True
        self.lines = len(hand.radii)  # the level of thin lines
        self.tubes = np.zeros((0, 3), np.float32)  # the few colours of which all strokes are, if they are
        self.bounds = self._bounds()

    def _bounds(self) -> Array:
        """``[L, 3]`` least and greatest radius, and opacity, of each layer."""
        low, high = self.hand.spread
        radii, opacity = self.hand.radii_for(self.count), self.hand.between("opacity")
        rows = [(radius * low, radius * high, each) for radius, each in zip(radii, opacity, strict=True)]
        return np.array(rows, np.float32)

    def seen(self, problem: Problem) -> Problem:
        """See `Following`: in the tones of the hand, by what it heeds."""
        return Sight.of(problem, self.hand).problem

    def begin(
        self, painting: Painting, scene: Scene, parts: Parts, tools: Tools | None, refiner: Refiner | None
    ) -> Cast:
        """See `Following`."""
        cast = super().begin(painting, scene, parts, tools, refiner)
        assert isinstance(refiner, HandRefiner)
        raw, shown = refiner.finished().numpy(), cast.vectors[:, COLOR].astype(np.float64)
        places = {row.tobytes(): number for number, row in enumerate(raw[:, POINTS])}
        found = np.array([places.get(row.tobytes(), -1) for row in cast.vectors[:, POINTS]], np.intp)
        drawn = found < 0
        levels = np.where(drawn, self.lines, refiner.levels[found]) if len(raw) else np.zeros(0, np.intp)
        own = raw[found].copy() if len(raw) else cast.vectors
        grey = saturated(shown, replace(self.hand, saturation=0.0))
        own[drawn] = cast.vectors[drawn]
        own[drawn, COLOR] = (grey + (shown - grey) / max(self.hand.saturation, 0.1))[drawn]
        apart = shown - saturated(own[:, COLOR], self.hand)
        self.tubes = np.zeros((0, 3), np.float32)
        if self.hand.colors and (tools is None or tools.colors is None):
            self.tubes = np.unique(cast.vectors[~drawn][:, COLOR], axis=0)
            apart = 0 * apart  # as much of it as there was is in the choice of the tube
        elif tools is not None and tools.colors is not None:
            apart = 0 * apart
        traits = np.concatenate([apart, np.zeros((len(own), 1))], axis=1).astype(np.float32)
        if len(self.tubes):
            traits[:, TUBE] = _nearest(shown, self.tubes)
        return replace(cast, vectors=own.astype(np.float32), levels=levels, traits=traits)

    def limits(self, cast: Cast, scene: Scene) -> Limits:
        """See `Following`: rates as the hand refines; `within` says more."""
        height, width = scene.target.shape[:2]
        unit = float(np.sqrt(height * width / max(FEWEST, self.count))) / scene.size
        rates = columns(unit * POSITION_RATE, unit * RADIUS_RATE, 0, COLOR_RATE)
        if self.tools is not None:
            rates[RADIUS] *= self.tools.radii is None
            rates[COLOR] *= self.tools.colors is None
        each = np.where((cast.levels == self.lines)[:, None], LINE_RATE, 1) * rates
        return Limits(each.astype(np.float32), columns(-BEYOND, 0, 0, 0), columns(1 + BEYOND, 1, 1, 1))

    def within(self, vectors: Array, cast: Cast) -> Array:
        """See `Following`: within the hand's limits."""
        held, laid = torch.from_numpy(vectors.copy()), cast.levels < self.lines
        rows = torch.from_numpy(np.flatnonzero(laid))
        if len(rows):
            own = held[rows]
            within(own, self.hand, torch.from_numpy(self.bounds[cast.levels[laid]]))
            held[rows] = own
        found = held.numpy()
        found[~laid, RADIUS] = found[~laid, RADIUS].clip(0.5 * THINNEST, self.bounds[-1, 1])
        return found

    def exchanged(
        self, cast: Cast, scene: Scene, motion: Motion, before: Array, hold: Hold, rng: np.random.Generator
    ) -> Cast:
        """See `Following`: within each layer, by the error that they lower."""
        cast = self._from_tubes(cast)
        costs, error = scene.worth(scene.task(cast.parts), self.painted(cast))
        moved = ~motion.still
        rise = np.maximum(error - motion.carried(before), 0) * moved
        wanted = np.maximum(ELSEWHERE * error * moved, rise * (1 - motion.trust))
        if wanted.max(initial=0) <= 0:
            return cast
        problem = scene.problem
        sight = Sight(problem, attention(problem))
        layers = Layers(sight, self.hand, self.count, rng, self.share, quick_flow)
        worth = np.where(cast.dying | (cast.age < YOUNG), NEVER, costs)
        new = cv2.blur(motion.trust, (5, 5)) < CAME
        dying, stay, born = cast.dying.copy(), np.ones(len(cast), bool), []
        for level in range(self.lines):
            fresh, leaving = self._exchanged(
                cast, worth, level, layers, (wanted, error * moved, rise), new, hold, rng
            )
            if fresh is None:
                continue
            dying[leaving] = True
            stay[leaving[costs[leaving] < HIDDEN]] = False
            born.append(replace(fresh, vectors=scene.found(fresh.vectors)))
        if not born:
            return cast
        both = replace(cast, dying=dying)[stay]
        for each in born:
            both = both.beside(each)
        return both[np.lexsort([both.parts, both.levels])]  # each on top of its layer and part

    def _exchanged(
        self,
        cast: Cast,
        worth: Array,
        level: int,
        layers: Layers,
        errors: tuple[Array, Array, Array],
        new: NDArray[np.bool_],
        hold: Hold,
        rng: np.random.Generator,
    ) -> tuple[Cast | None, NDArray[np.intp]]:
        """Fresh strokes of one layer, of the scene, and the numbers of those that go for them.

        Args:
            cast: all strokes.
            worth: ``[N]`` of them.
            level: number of the layer.
            layers: of the hand.
            errors: ``[h, w]`` each: where strokes are wanted, all of it, and what has come.
            new: ``[h, w]`` what came into view.
            hold: how long strokes hold.
            rng: of all random choices.
        """
        wanted, error, rise = errors
        own = np.flatnonzero(cast.levels == level)
        rank = own[np.argsort(worth[own], kind="stable")]
        most = min(len(own), max(1, round(hold.shown * len(own))))
        nobody = np.zeros(0, np.intp)
        if not most or worth[rank[0]] >= NEVER:
            return None, nobody
        laid = layers.lay(wanted ** max(0.5, layers.placing(level)), level, most)
        vectors = laid.vectors.numpy()
        middle = vectors[:, POINTS].reshape(-1, 3, 2).mean(axis=1) * layers.size
        height, width = error.shape
        rows, across = (
            middle[:, 1].clip(0, height - 1).astype(int),
            middle[:, 0].clip(0, width - 1).astype(int),
        )
        side = 2 * max(1, round(layers.radii[level] * layers.size)) + 1

        def around(values: Array) -> Array:
            total = cv2.boxFilter(values.astype(np.float32), -1, (side, side), normalize=False)
            return np.asarray(LOWERS * total[rows, across], np.float32)

        came = new[rows, across]
        gain = np.where(came, around(rise), around(error))
        chosen = _chosen(gain, came, worth[rank], max(1, round(hold.births * len(own))), hold.gain)
        if not chosen:
            return None, nobody
        some = laid[np.array(chosen, np.intp)]
        fresh = self._fresh(some.vectors.numpy(), some.levels, some.parts, layers, rng)
        fade = np.where(came[chosen], 1, 1 / max(1, hold.fade)).astype(np.float32)
        return replace(fresh, fade=fade), rank[: len(chosen)]

    def _fresh(
        self,
        vectors: Array,
        levels: NDArray[np.intp],
        parts: Parts,
        layers: Layers,
        rng: np.random.Generator,
    ) -> Cast:
        """Strokes of the scene that were laid just now, with colours of their own."""
        middle = vectors[:, POINTS].reshape(-1, 3, 2).mean(axis=1) * layers.size
        by_color = self.tools is not None and self.tools.opaque and self.tools.colors is not None
        own = lively(self.hand, levels, sample(layers.calm, middle)) * (not by_color)
        apart = departures(self.hand, own, rng)
        traits = np.concatenate([apart, np.zeros((len(vectors), 1))], axis=1).astype(np.float32)
        if len(self.tubes):
            traits[:, TUBE] = _nearest(saturated(vectors[:, COLOR], self.hand) + apart, self.tubes)
        finished = vectors.copy()
        finished[:, COLOR] = (saturated(vectors[:, COLOR], self.hand) + apart).clip(0, 1)
        return Cast.of(vectors, parts, loads(finished, self.hand, levels), levels, traits)

    def _from_tubes(self, cast: Cast) -> Cast:
        """Strokes whose colours have changed take paint of another tube, if they are of few."""
        if not len(self.tubes) or not len(cast):
            return cast
        mixed = saturated(cast.vectors[:, COLOR], self.hand) + cast.traits[:, :TUBE]
        apart = ((mixed[:, None] - self.tubes) ** 2).sum(-1)
        now, each = cast.traits[:, TUBE].astype(np.intp), np.arange(len(cast))
        best = apart.argmin(axis=1)
        changed = apart[each, best] < LOYAL**2 * apart[each, now]
        traits = cast.traits.copy()
        traits[:, TUBE] = np.where(changed, best, now)
        return replace(cast, traits=traits)

    def layers(self, cast: Cast, scene: Scene) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
        """See `Following`: with the hand's colours."""
        vectors = cast.vectors.copy()
        laid = cast.levels < self.lines
        mixed = saturated(vectors[:, COLOR], self.hand) + cast.traits[:, :TUBE]
        if len(self.tubes):
            mixed = np.where(laid[:, None], self.tubes[cast.traits[:, TUBE].astype(np.intp)], mixed)
        vectors[:, COLOR] = np.clip(mixed, 0, 1)
        vectors[:, OPACITY] *= cast.fade[:, None]
        strokes = torch.from_numpy(vectors)
        if self.tools is not None and len(strokes):
            strokes = self.tools(strokes)
        return in_layers(strokes, cast.parts, self.ends, cast.load), ()

    def state(self) -> dict[str, Any]:
        """See `Following`."""
        return {**super().state(), "tubes": self.tubes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Following`."""
        super().restore(state)
        self.tubes = np.asarray(state["tubes"], np.float32).reshape(-1, 3)


def _nearest(colors: NDArray[np.floating], tubes: Array) -> NDArray[np.intp]:
    """``[N]`` number of the nearest of some tubes ``[K, 3]`` for each colour ``[N, 3]``."""
    return np.asarray(((colors[:, None] - tubes) ** 2).sum(-1).argmin(axis=1))


def _chosen(gain: Array, came: NDArray[np.bool_], worth: Array, usual: int, above: float) -> list[int]:
    """Which fresh strokes come, from the one that does most on, each for the one that is worth least.

    Args:
        gain: ``[M]`` what each fresh stroke does.
        came: ``[M]`` whether it is where something came into view.
        worth: ``[N]`` of those that may go, from the least on.
        usual: how many may come elsewhere.
        above: a fresh stroke must do so many times what the other one is worth.
    """
    chosen: list[int] = []
    ordinary = 0
    for place in np.argsort(-gain, kind="stable").tolist():
        if not came[place] and ordinary >= usual:
            continue
        least = float(worth[len(chosen)]) if len(chosen) < len(worth) else NEVER
        if least >= NEVER or gain[place] < above * max(least, HIDDEN):
            break
        ordinary += not came[place]
        chosen.append(place)
    return chosen
