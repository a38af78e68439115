"""A style at work on one picture: from its first strokes to finished layers."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.flow import sample
from semantic_guidance.agents.problem import Parts, Problem, working_size
from semantic_guidance.agents.watching import Onlooker, Watch
from semantic_guidance.core.strokes import POINTS
from semantic_guidance.images.color import Color
from semantic_guidance.painter.finishing import finished, lively, loads
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.handwork import HandRefiner
from semantic_guidance.painter.laying import Layers, compose
from semantic_guidance.painter.manner import See, Work, in_layers
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.seeing import Sight, toned_ground
from semantic_guidance.painter.styles import Style
from semantic_guidance.painter.thin import thin_lines
from semantic_guidance.painter.views import Ladder, View
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Layer
from semantic_guidance.renderer.objective import Workplace

SIZES = ((0.0, 48.0), (0.3, 103.0), (0.75, 256.0))
"""Share of the steps from which on the canvas has so many pixels a stroke, see `RefineConfig`."""

FEWEST = 300
"""Strokes below which the picture is seen as with so many."""

UNLIKE = 0.02
"""Difference from which on a pixel of a picture that is painted on is to be painted over."""

MOST_DENSE = 8.0
"""How much denser strokes lie at most where only a part of the canvas is to be painted."""

SMALL = 256
"""Root of the pixels on which even smaller pictures are seen."""

LINES_LENGTH, LINES_GROWTH, LINE_LOAD = 420, 0.35, 0.2
"""Root of the pixels on which thin lines are looked for, for `FEWEST` strokes; exponent with which it grows;
and the paint that lines carry."""

PROBLEM_PIXELS = 103
"""Pixels a stroke on which strokes are laid."""

POSITION_RATE, RADIUS_RATE, COLOR_RATE = 0.117, 0.058, 0.02
"""Rates of refinement, see `RefineConfig`."""

FEW, MOST_MORE = 1000, 2.0
"""Strokes below which there are more steps, and by how much at most."""


@dataclass(frozen=True, eq=False)
class Handling:
    """A `Manner`: a hand that paints in a style.

    Attributes:
        style: in which.
        hand: of the style.
        strokes: number of them.
        seed: of all random choices.
        place: where strokes are refined.
        steps: of refinement, for 1,000 strokes.
        share: of the strokes that objects get; by what they are worth if None.
    """

    style: Style
    hand: Hand
    strokes: int
    seed: int
    place: Workplace
    steps: int
    share: float | None = None

    def ground(self, problem: Problem) -> Color:
        """Colour of the empty canvas."""
        if isinstance(self.style.ground, tuple):
            return self.style.ground
        return toned_ground(problem) if self.style.ground == "toned" else problem.ground

    def masks(self, problem: Problem) -> tuple[Tensor, ...]:
        """See `Manner`: none."""
        return ()

    def begin(self, problem: Problem, see: See, tools: Tools | None, watch: Watch | None = None) -> Work:
        """See `Manner`."""
        ground, onlooker = problem.ground, None
        if watch is not None:
            onlooker = Onlooker(watch, self._shown)
        dense = self.strokes / max(unlike(problem), 1 / MOST_DENSE)
        problem = replace(see(self._length(PROBLEM_PIXELS, dense, problem)), ground=ground, onlooker=onlooker)
        sight, rng = Sight.of(problem, self.hand), np.random.default_rng(self.seed)
        layers = Layers(sight, self.hand, round(dense), rng, self.share)
        first = layers.order(compose(layers, self.strokes - self._lines(problem)))
        vectors = problem.to_picture(first.vectors).pack()[0]
        more = min(MOST_MORE, math.sqrt(FEW / self.strokes))
        config = RefineConfig(
            steps=round(self.steps * self.hand.work * more),
            sizes=SIZES,
            position_rate=POSITION_RATE,
            radius_rate=RADIUS_RATE,
            opacity_rate=0.0,
            color_rate=COLOR_RATE,
        )
        ladder = self._ladder(see, problem, config, dense)
        refiner = HandRefiner(replace(first, vectors=vectors), layers, ladder, config, self.seed, tools)
        return Work(refiner, functools.partial(self._finish, refiner, see, tools))

    def _shown(self, strokes: Tensor, parts: Parts) -> tuple[Layer, ...]:
        """Strokes ``[N, 13]`` that have just been found, in layers."""
        return in_layers(strokes, parts, self.style.ends)

    @staticmethod
    def _length(pixels: float, dense: float, problem: Problem) -> float:
        """Root of the pixels of a canvas that has so many a stroke, if `dense` strokes cover it."""
        height, width = problem.picture.shape[-2:]
        return min(math.sqrt(pixels * max(dense, FEWEST)), max(math.sqrt(height * width), SMALL))

    def _ladder(self, see: See, problem: Problem, config: RefineConfig, dense: float) -> Ladder:
        """How the picture of a problem is seen while strokes are refined."""

        def view(pixels: float) -> View:
            seen = Sight.of(see(self._length(pixels, dense, problem)), self.hand).problem
            return View(replace(seen, ground=problem.ground), self.place, masked=False)

        views = [(share, functools.partial(view, pixels)) for share, pixels in config.sizes]
        height, width = problem.picture.shape[-2:]
        last = working_size(height, width, self._length(config.sizes[-1][1], dense, problem))
        return Ladder(views, max(last), math.sqrt(last[0] * last[1] / max(dense, FEWEST)))

    def _lines(self, problem: Problem) -> int:
        """Strokes that are kept for thin lines: none where shares are, since lines are where they are."""
        return 0 if problem.asked else round(self.hand.lines * self.hand.shares[-1] * self.strokes)

    def _thin(self, refiner: HandRefiner, see: See) -> tuple[Tensor, Problem]:
        """Lines ``[M, 13]`` on top of the refined strokes, and the problem in which they were found."""
        length = LINES_LENGTH * max(1.0, self.strokes / FEWEST) ** LINES_GROWTH
        own = refiner.layers.problem
        problem = replace(Sight.of(see(length), self.hand).problem, ground=own.ground, onlooker=own.onlooker)
        widest = refiner.layers.radii[-1]
        return thin_lines(problem, refiner.finished(), self._lines(problem), widest), problem

    def _finish(
        self, refiner: HandRefiner, see: See, tools: Tools | None
    ) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
        """See `Work`."""
        strokes, layers = refiner.finished(), refiner.layers
        calm = sample(layers.calm, _middles(strokes) * refiner.to_pixels[:2])
        own = lively(self.hand, refiner.levels, calm)
        by_color = tools is not None and tools.opaque and tools.colors is not None  # one after the other
        if by_color:
            own = 0 * own
        lines = strokes[:0]
        parts = refiner.parts
        if self._lines(layers.problem) and not by_color and not layers.problem.stopped:
            lines, problem = self._thin(refiner, see)
            parts = np.concatenate([parts, sample(problem.owner, _middles(lines) * problem.size)])
            strokes, own = torch.cat([strokes, lines]), np.pad(own, (0, len(lines)))
        rng = np.random.default_rng(self.seed)
        vectors = finished(strokes.numpy().copy(), self.hand, own, rng)
        load = loads(vectors[: len(refiner.levels)], self.hand, refiner.levels)
        load = np.concatenate([load, np.full(len(lines), LINE_LOAD, np.float32)])
        packed = torch.from_numpy(vectors)
        if tools is not None and len(packed):
            packed = tools(packed)
        return in_layers(packed, parts, self.style.ends, load), ()


def _middles(strokes: Tensor) -> NDArray[np.float32]:
    """Mean control points (x, y) ``[N, 2]`` of packed strokes ``[N, 13]``."""
    return np.asarray(strokes[:, POINTS].reshape(-1, 3, 2).mean(dim=1).numpy(), np.float32)


def unlike(problem: Problem) -> float:
    """Share of the canvas that is to be painted: all, unless there is a picture on it that is like it."""
    if problem.start is None:
        return 1.0
    apart = (problem.start - problem.target).abs().amax(dim=0) > UNLIKE
    return float(apart.float().mean())
