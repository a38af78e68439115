"""Painters made of a trained window actor in a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.agent_file import load_window_actor
from semantic_guidance.guidance.threads import torch_threads
from semantic_guidance.planner import plan
from semantic_guidance.renderer.objective import Run
from semantic_guidance.renderer.threads import renderer_threads
from semantic_guidance.sketch import Sketch, film_runs
from semantic_guidance.window_painter import Level, WindowPainter, whole_windows
from semantic_guidance.windows import foreground_weight, object_window


@dataclass(frozen=True)
class WindowAgent:
    """A painter of sketches.

    Attributes:
        painter: of levels.
        guided: whether it knows of objects; one that does not sees none.
    """

    painter: WindowPainter
    guided: bool

    @staticmethod
    def load(path: str | Path) -> WindowAgent:
        """The agent in a file.

        Raises:
            ValueError: the file is missing, corrupt, or something else.
        """
        actor, guided = load_window_actor(path)
        return WindowAgent(WindowPainter(actor), guided)

    def draft(self, sketch: Sketch, fill: np.random.Generator | None = None) -> tuple[Tensor, list[Run]]:
        """Strokes ``[N, 13]`` of the background, then of each object, and the runs that they form.

        They are fewer than the sketch asks for where more would not make it better, unless `fill` is given:
        then the planner adds the missing ones, for polish to make something of them.
        """
        canvas = sketch.canvas
        parts, groups, left = [torch.empty(0, 13)], [], 0
        # Hundreds of short computations: on a busy machine each would wait for its slowest thread.
        with torch_threads(), renderer_threads():
            for level, mask in self._levels(sketch):
                # What one level has no use for, the next one gets.
                strokes, canvas = self.painter.paint(replace(level, count=level.count + left), canvas)
                left += level.count - len(strokes)
                parts.append(strokes)
                groups.append((len(strokes), mask))
        if fill is not None and left > 0:
            more, _ = plan(sketch.target, level.weight, left, canvas, level.show, fill)
            parts.append(more.pack()[0])
            groups[-1] = (groups[-1][0] + left, mask)
        return torch.cat(parts), film_runs(groups)

    def _levels(self, sketch: Sketch) -> list[tuple[Level, int | None]]:
        """The levels of a sketch, each with the number of its mask."""
        target = sketch.target
        weight = sketch.uncovered(-1)
        levels: list[tuple[Level, int | None]] = [
            (Level(target, None, weight, sketch.counts[0], whole_windows(*target.shape[:2])), None)
        ]
        for index, mask in enumerate(sketch.masks):
            weight = foreground_weight(mask * sketch.uncovered(index), sketch.focus)
            levels.append(
                (Level(target, mask, weight, sketch.counts[index + 1], (object_window(mask),)), index)
            )
        return levels
