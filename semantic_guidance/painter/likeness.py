"""Strokes of any kind, each where the error is: what an agent drafts is refined to a likeness."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from semantic_guidance.agents.base import Agent, Draft
from semantic_guidance.agents.planner import crowded
from semantic_guidance.agents.problem import Parts, Problem, parts_of, working_size
from semantic_guidance.agents.watching import Onlooker, Watch
from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.color import Color
from semantic_guidance.painter.checks import drafted
from semantic_guidance.painter.manner import See, Work, in_layers
from semantic_guidance.painter.presets import Preset, RefineConfig
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painter.views import Ladder, View, segments_of
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Layer
from semantic_guidance.renderer.objective import Segment, Workplace

MANY, FEWER_STEPS = 1200, 0.3  # strokes from which on fewer steps do, and the exponent of how many fewer
FEW = 256  # strokes below which all is seen as with so many
DRAFTED = ((0.0, 100.0),)  # share of the steps and pixels a stroke, where there are no steps
SMALL = 256  # pictures of fewer pixels squared are enlarged: on so few, strokes do not find their edges
MASK_SIZE = 1024  # longer side at which a painting keeps its masks and what it was painted on


@dataclass(frozen=True, eq=False)
class Likeness:
    """A `Manner`: an agent's strokes, refined by a preset.

    Attributes:
        agent: that makes the first strokes.
        name: of the agent, or its file.
        preset: how much work goes into them.
        strokes: number of them.
        seed: of all random choices.
        place: where strokes are refined.
        masked: whether strokes of objects show only under their masks.
    """

    agent: Agent
    name: str
    preset: Preset
    strokes: int
    seed: int
    place: Workplace
    masked: bool = True

    def ground(self, problem: Problem) -> Color:
        """See `Manner`: the picture's mean colour."""
        return problem.ground

    def masks(self, problem: Problem) -> tuple[Tensor, ...]:
        """See `Manner`: those of the objects."""
        if not self.masked:
            return ()  # nothing stops a real brush
        return tuple(stored(instance.mask) for instance in problem.guidance.instances)

    def begin(self, problem: Problem, see: See, tools: Tools | None, watch: Watch | None = None) -> Work:
        """See `Manner`."""
        if watch is not None:
            problem = replace(problem, onlooker=Onlooker(watch, self._shown))
        draft = drafted(self.agent, self.name, problem, np.random.default_rng(self.seed))
        if self.preset.refine is not None:
            surplus = self.preset.refine.surplus if self.preset.refine.steps else 1.0
            draft = crowded(problem, draft, np.random.default_rng(self.seed), surplus)
        elif problem.asked:  # then there are as many strokes as are asked for
            draft = crowded(problem, draft, np.random.default_rng(self.seed), 1.0)
        refiner = self._refiner(problem, see, draft, tools)
        return Work(refiner, functools.partial(self._finish, problem, draft, refiner))

    def _refiner(self, problem: Problem, see: See, draft: Draft, tools: Tools | None) -> Refiner | None:
        """What refines the draft by the preset, to strokes that the tools can paint; None if nothing does."""
        if self.preset.refine is None and tools is None:
            return None
        config = self.preset.refine or RefineConfig(steps=0, sizes=DRAFTED)
        # More strokes cost more per step, and need fewer steps.
        fewer = min(1.0, (MANY / self.strokes) ** FEWER_STEPS)
        config = replace(config, steps=math.ceil(fewer * config.steps))
        counts = {part - 1: count for part, count in enumerate(problem.budgets)}
        strokes = problem.to_picture(draft.strokes).pack()[0]
        ladder = self._ladder(problem, see, config)
        parts = parts_of(draft.segments)
        return Refiner(
            strokes,
            parts,
            counts,
            ladder,
            config,
            self.seed,
            tools,
            problem.bound,
            problem.asked,
            problem.onlooker,
        )

    def _ladder(self, problem: Problem, see: See, config: RefineConfig) -> Ladder:
        """How the picture of a problem is seen while it is refined."""
        height, width = problem.picture.shape[1:]
        strokes = max(self.strokes, FEW)
        most = max(math.sqrt(height * width), SMALL)
        lengths = [min(math.sqrt(pixels * strokes), most) for _, pixels in config.sizes]

        def view(length: float) -> View:
            seen = replace(see(length), ground=problem.ground, zooms=())  # weights do what frames would
            return View(seen, self.place, self.masked)

        views = [
            (share, functools.partial(view, length))
            for (share, _), length in zip(config.sizes, lengths, strict=True)
        ]
        last = working_size(height, width, lengths[-1])
        return Ladder(views, max(last), math.sqrt(last[0] * last[1] / strokes))

    def _finish(
        self, problem: Problem, draft: Draft, refiner: Refiner | None
    ) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
        """See `Work`."""
        strokes, segments = problem.to_picture(draft.strokes), list(draft.segments)
        if refiner is not None:
            strokes = Strokes.unpack(refiner.finished()[None])
            segments = segments_of(refiner.parts)
        return self._layers(strokes, segments, problem, draft)

    def _shown(self, strokes: Tensor, parts: Parts) -> tuple[Layer, ...]:
        """Strokes ``[N, 13]`` that have just been found, in layers."""
        layers = in_layers(strokes, parts, "round")
        return tuple(
            replace(each, mask=each.instance) if self.masked and each.level == "foreground" else each
            for each in layers
        )

    def _layers(
        self, strokes: Strokes, segments: Sequence[Segment], problem: Problem, draft: Draft
    ) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
        """One layer for each run of strokes under the same mask, and the painting's masks."""
        masks = list(self.masks(problem))
        outside, rule = None, draft.compositing
        # An agent's own strokes show as it expects: those of the background only outside the object.
        if draft.outside and self.preset.refine is None and masks:
            outside = len(masks)
            masks.append((255 - (masks[0] * 255).round()) / 255)
        else:
            rule = "over"
        layers: list[Layer] = []
        first = last = 0
        for mask, group in itertools.groupby(segments, key=lambda segment: segment.mask):
            first, last = last, last + sum(segment.count for segment in group)
            part = strokes[first:last]
            if mask is None:
                layers.append(Layer(part, mask=outside, compositing=rule))
            else:
                layers.append(Layer(part, "foreground", mask, mask if masks else None, rule))
        return tuple(layers), tuple(masks)


def stored(values: Tensor, longest: int = MASK_SIZE) -> Tensor:
    """Values ``[C, H, W]`` in multiples of 1/255, on their longer side of at most `longest` pixels."""
    height, width = values.shape[-2:]
    scale = longest / max(height, width)
    if scale < 1:
        values = resample(values, max(1, round(height * scale)), max(1, round(width * scale)))
    return (values.clamp(0, 1) * 255).round() / 255
