"""The picture at the sizes at which strokes are refined."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from semantic_guidance.agents.problem import Parts, Problem, runs, video_segments
from semantic_guidance.core.strokes import NUMBERS, affine
from semantic_guidance.renderer.objective import Segment, UnfinishedObjective, Workplace, ZoomedObjective

CLOSEST = 0.3
"""Least spacing of a part's strokes against that of all that is reckoned with."""


BENEATH = 0.2
"""Weight of an unfinished background's error where an object will hide it."""


def segments_of(parts: Parts) -> list[Segment]:
    """Consecutive strokes of one part, cut where the unfinished painting counts."""
    found = [Segment(count, None if part < 0 else part) for part, count in runs(parts.tolist())]
    return video_segments(found)


def _weighted(segments: Sequence[Segment], factor: float) -> list[Segment]:
    """Segments whose unfinished paintings count `factor` times as much."""
    *before, last = segments
    return [*(replace(each, weight=factor * each.weight) for each in before), last]


@dataclass(frozen=True, eq=False)
class View:
    """The picture at one size; strokes are packed, in units of the picture's longer side.

    Attributes:
        problem: the picture at this size.
        place: where errors are worked out.
        masked: whether strokes of an object show only under its mask.
    """

    problem: Problem
    place: Workplace
    masked: bool = True

    @property
    def size(self) -> int:
        """Pixels of the longer side."""
        return self.problem.size

    @cached_property
    def stretch(self) -> Tensor:
        """``[13]`` factors that turn strokes of the problem into ones of the picture."""
        return affine(self.problem.stretch, (0.0, 0.0), 1.0)[0]

    def closeness(self, counts: Mapping[int, int]) -> dict[int, float]:
        """Spacing of the strokes of each part against that of all, for these numbers of strokes."""
        masks, total = self.problem.masks, max(1, sum(counts.values()))
        found = {}
        for part, count in counts.items():
            area = float(1 - self.problem.mask.mean()) if part < 0 else float(masks[part].mean())
            found[part] = max(CLOSEST, math.sqrt(area * total / max(1, count)))
        return found

    def terms(self, parts: Parts, unfinished: float = 1.0) -> list[ZoomedObjective]:
        """What is to be lowered: the error of the whole picture, and those of the objects seen larger.

        Args:
            parts: ``[N]`` what the strokes depict.
            unfinished: factor of the weight of the unfinished painting's error.
        """
        segments = segments_of(parts)
        behind = self._behind(segments)
        own = [replace(each, weight=0.0) for each in segments[:behind]] + segments[behind:]
        if not self.masked:
            own = [replace(segment, mask=None) for segment in own]
        factors = [unfinished, *[0.0] * (len(self._terms) - 1)]  # objects seen larger count when finished
        terms = [
            replace(term, objective=replace(term.objective, segments=_weighted(own, factor)))
            for term, factor in zip(self._terms, factors, strict=True)
        ]
        if behind and unfinished > 0:
            terms.append(self._unfinished(segments[:behind], len(parts), unfinished))
        return terms

    def _behind(self, segments: Sequence[Segment]) -> int:
        """Segments of the background up to the last at which it counts while objects are still missing."""
        if all(segment.mask is None for segment in segments):
            return 0
        runs = itertools.takewhile(lambda each: each.mask is None, segments)
        return max((number for number, each in enumerate(runs, 1) if each.weight > 0), default=0)

    def _unfinished(self, segments: Sequence[Segment], total: int, factor: float) -> UnfinishedObjective:
        """The error of the background while objects are still missing: little of it is where they will be."""
        objective = replace(
            self._terms[0].objective,
            segments=[replace(each, weight=factor * each.weight) for each in segments],
            weight=self.unhidden,
        )
        first = sum(segment.count for segment in segments)
        whole = self._terms[0]
        return UnfinishedObjective(objective, whole.scale, whole.shift, whole.weight, first, total - first)

    @cached_property
    def unhidden(self) -> Tensor:
        """``[h, w]`` weight of errors of a background on which there is no object yet."""
        mask = self.problem.mask
        return (self.problem.weight * (1 - mask) + BENEATH * mask).to(self.place.device)

    @cached_property
    def _terms(self) -> list[ZoomedObjective]:
        """The same of no strokes: all that stays where their number changes."""
        nothing = [Segment(0, None, 1.0)]
        whole = ZoomedObjective(
            self.problem.objective(nothing), 1 / self.stretch, torch.zeros(NUMBERS, dtype=torch.float32), 1.0
        )
        zooms = self.problem.zoomed_objectives(nothing)
        terms = [whole, *(replace(zoom, scale=zoom.scale / self.stretch) for zoom in zooms)]
        return [term.at(self.place) for term in terms]


@dataclass(frozen=True)
class Ladder:
    """How the picture is seen while strokes are refined, from coarse to fine.

    Attributes:
        views: shares of the steps from which on the picture is seen so, ascending from 0.
        size: pixels of the longer side of the last one.
        spacing: there, side in pixels of the square that each stroke has.
    """

    views: Sequence[tuple[float, Callable[[], View]]]
    size: int
    spacing: float
