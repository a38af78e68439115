"""How pictures are painted, by one interface: as a likeness, or by a hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.problem import Parts, Problem, runs
from semantic_guidance.agents.watching import Watch
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.color import Color
from semantic_guidance.painter.refine import Refiner
from semantic_guidance.painting.layers import Ends
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Layer

See = Callable[[float], Problem]
"""The picture's problem on about so many pixels squared."""


@dataclass(frozen=True)
class Work:
    """A painting that has its first strokes.

    Attributes:
        refiner: of these, if they are to be refined.
        finish: makes the painting's layers and masks, once they are.
    """

    refiner: Refiner | None
    finish: Callable[[], tuple[tuple[Layer, ...], tuple[Tensor, ...]]]


class Manner(Protocol):
    """Makes the strokes of a painting."""

    def ground(self, problem: Problem) -> Color:
        """Colour of the empty canvas, if nobody asks for one."""

    def masks(self, problem: Problem) -> tuple[Tensor, ...]:
        """Under which strokes show, as a painting keeps them."""

    def begin(self, problem: Problem, see: See, tools: Tools | None, watch: Watch | None = None) -> Work:
        """The first strokes.

        Args:
            problem: the picture, at a size at which little can be seen; its ground is that of the painting.
            see: the same at other sizes.
            tools: with which strokes are to be painted; any if None.
            watch: looks on, and may end it.
        """


def in_layers(
    strokes: Tensor, parts: Parts, ends: Ends, load: NDArray[np.float32] | None = None
) -> tuple[Layer, ...]:
    """One layer for each run of packed strokes ``[N, 13]`` that depict the same.

    Args:
        strokes: in painting order.
        parts: ``[N]`` what they depict.
        ends: of all strokes.
        load: ``[N]`` paint that they carry, see `Layer`.
    """
    layers, first = [], 0
    for part, count in runs(parts.tolist()):
        last = first + count
        layers.append(
            Layer(
                Strokes.unpack(strokes[None, first:last]),
                "background" if part < 0 else "foreground",
                max(0, part),
                ends=ends,
                load=None if load is None else torch.from_numpy(load[first:last].copy()),
            )
        )
        first = last
    return tuple(layers)
