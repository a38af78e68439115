"""One frame of a film as it is looked at while its strokes are found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.problem import Parts, Problem, runs
from semantic_guidance.core.strokes import Strokes, affine
from semantic_guidance.images.arrays import to_array, to_tensor
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import Objective, Segment, Workplace

Array = NDArray[np.float32]

SHARPEST = 0.7
"""Pixels of the strokes' soft edge: a narrower one would fall between pixels."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A frame, made small.

    Attributes:
        problem: of the frame.
        place: where errors are worked out.
        masked: whether strokes of an object show only under its mask.
        drawn: pixels of the longer side at which the film is drawn.
    """

    problem: Problem
    place: Workplace
    masked: bool
    drawn: int

    @cached_property
    def target(self) -> Array:
        """``[h, w, 3]`` the frame."""
        return to_array(self.problem.target)

    @property
    def size(self) -> int:
        """Pixels of the longer side."""
        return self.problem.size

    @property
    def softness(self) -> float:
        """Width of the strokes' edge: that with which they are drawn, in pixels of the scene."""
        return max(SHARPEST, self.size / self.drawn)

    @cached_property
    def _scale(self) -> Tensor:
        """``[13]`` factors that turn strokes of the picture into ones of the problem."""
        return 1 / affine(self.problem.stretch, (0.0, 0.0), 1.0)[0]

    def seen(self, vectors: Array) -> Tensor:
        """Packed strokes ``[N, 13]`` of the picture as ones of the scene."""
        return (torch.from_numpy(vectors) * self._scale).to(self.place.device)

    def found(self, vectors: Array) -> Array:
        """Inverse of `seen`."""
        return np.asarray((torch.from_numpy(vectors) / self._scale).numpy(), np.float32)

    @cached_property
    def _task(self) -> Objective:
        return self.problem.objective([Segment(0, None, 1.0)]).at(self.place)

    def task(self, parts: Parts, target: Array | None = None, weight: Array | None = None) -> Objective:
        """The objective of strokes that depict some parts.

        Args:
            parts: ``[N]``.
            target: ``[h, w, 3]`` instead of the frame.
            weight: ``[h, w]`` instead of the frame's.
        """
        segments = [
            Segment(count, part if self.masked and part >= 0 else None)
            for part, count in runs(parts.tolist())
        ]
        segments = segments or [Segment(0)]
        segments[-1] = replace(segments[-1], weight=1.0)
        task, device = replace(self._task, segments=segments), self.place.device
        if target is not None:
            task = replace(task, target=to_tensor(target).to(device))
        if weight is not None:
            task = replace(task, weight=torch.from_numpy(np.ascontiguousarray(weight)).to(device))
        return task

    def worth(self, task: Objective, vectors: Array) -> tuple[Array, Array]:
        """What strokes ``[N, 13]`` are worth ``[N]``, and the error ``[h, w]`` of what they paint."""
        costs, canvas = task.removal_costs(self.seen(vectors), self.softness)
        return costs.cpu().numpy(), task.error_map(canvas).cpu().numpy()

    @torch.no_grad()
    def painted(self, task: Objective, vectors: Array) -> tuple[Array, Array]:
        """What strokes ``[N, 13]`` paint, ``[h, w, 3]``, and its error ``[h, w]``."""
        strokes, canvas, start = self.seen(vectors)[None], task.blank[None], 0
        for segment in task.segments:
            mask = None if segment.mask is None else task.masks[segment.mask][None, None]
            part = Strokes.unpack(strokes[:, start : start + segment.count])
            canvas = render(part, canvas, mask, self.softness, task.backend)
            start += segment.count
        return to_array(canvas[0]), task.error_map(canvas[0]).cpu().numpy()
