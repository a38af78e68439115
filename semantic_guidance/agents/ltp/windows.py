"""The papers' actor at work on parts of a picture: the division of the baseline's code, at any place.

Each level is painted in squares that show what is still wrong (see `agents.window.rollout`); the actor sees a
square as if it were a picture of its own, with the object's mask, focus map and alignment grid in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from semantic_guidance.agents.ltp import episode
from semantic_guidance.agents.ltp.episode import EnvConfig, PaintState
from semantic_guidance.agents.ltp.network import Actor
from semantic_guidance.agents.window.rollout import Rollout, Seen, looked
from semantic_guidance.agents.window.view import Window
from semantic_guidance.core.guidance import Box, box_of
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import to_array

FIRST_LOOKS = 6
"""Looks at the whole part, of 3 or 5 strokes each."""

CANDIDATES = 4
"""Windows of each size that are tried in a round."""

PATIENCE = 8
"""Rounds without a stroke after which nothing more is tried."""

SIDES = (0.5, 0.34, 0.24, 0.16, 0.11, 0.075)
"""Of the windows for details, in units of the part's extent."""


@dataclass(frozen=True, eq=False)
class VectorPolicy:
    """One level of an actor's strokes, as a `Policy` of windows.

    Attributes:
        actor: in evaluation mode.
        config: the episode of its training.
        size: side in pixels of what it sees.
        level: index of the bundle of each step that is painted.
        mask: ``[h, w]`` in [0, 1], all objects.
        focus: ``[h, w]`` in [0, 1].
        total: strokes that the part gets, for the channel that tells how far the painting is.
    """

    actor: Actor
    config: EnvConfig
    size: int
    level: int
    mask: Tensor
    focus: Tensor
    total: int

    def strokes(self, rollout: Rollout, windows: Sequence[Window]) -> tuple[Strokes, Seen]:
        """See `Policy`."""
        seen = rollout.look(windows, self.size)
        mask, focus = (looked(to_array(plane[None]), windows, self.size) for plane in (self.mask, self.focus))
        boxes = torch.tensor([self._seen_from(window) for window in windows], dtype=torch.float32)
        grid = episode.alignment_grid(boxes, self.size, self.size)
        done = len(rollout.strokes) / max(1, self.total)
        last = self.config.max_eps_len - 1
        step = torch.full(
            (len(windows),), min(last, round(done * self.config.max_eps_len)), dtype=torch.int64
        )
        state = PaintState(seen.canvas, seen.target, mask, focus, grid, step)
        with torch.inference_mode():
            observed = episode.observation(state, self.config).contiguous(memory_format=torch.channels_last)
            return episode.decode(self.actor(observed), self.config)[self.level], seen

    @cached_property
    def _box(self) -> Box:
        """(x, y, width, height) of the objects in pixels; all of the picture without any."""
        height, width = self.mask.shape
        return box_of(self.mask) or (0.0, 0.0, float(width), float(height))

    def _seen_from(self, window: Window) -> Box:
        """The objects' box in units of a window."""
        left, top, across, down = self._box
        return (
            (left - window.left) / window.side,
            (top - window.top) / window.side,
            across / window.side,
            down / window.side,
        )
