"""The picture at the sizes at which strokes are refined."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from semantic_guidance.agents.problem import Parts, Problem, runs, video_segments
from semantic_guidance.core.strokes import affine
from semantic_guidance.renderer.objective import Segment, Workplace, ZoomedObjective

CLOSEST = 0.3
"""Least spacing of a part's strokes against that of all that is reckoned with."""


def segments_of(parts: Parts) -> list[Segment]:
    """Consecutive strokes of one part, cut where the unfinished painting counts."""
    found = [Segment(count, None if part < 0 else part) for part, count in runs(parts.tolist())]
    return video_segments(found)


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
        *before, last = segments_of(parts)
        segments = [*(replace(each, weight=unfinished * each.weight) for each in before), last]
        if not self.masked:
            segments = [replace(segment, mask=None) for segment in segments]
        whole = ZoomedObjective(self.problem.objective(segments), 1 / self.stretch, torch.zeros(13), 1.0)
        zooms = self.problem.zoomed_objectives(segments)
        return [
            whole.at(self.place),
            *(replace(zoom, scale=zoom.scale / self.stretch).at(self.place) for zoom in zooms),
        ]


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
