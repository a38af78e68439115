"""Pictures drawn by lines: in ink, in pencil, or as the line drawings that they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.flow import sample
from semantic_guidance.agents.problem import Parts, Problem, length_factor
from semantic_guidance.agents.watching import Onlooker, Watch
from semantic_guidance.core.packed import POINTS
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import to_array
from semantic_guidance.images.color import Color
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.lines.art import as_lines, ground_of
from semantic_guidance.painter.lines.dials import COLORED_PENCIL, INK, PENCIL, LineStyle
from semantic_guidance.painter.lines.drawing import drawn
from semantic_guidance.painter.lines.sheet import Told, unwatched
from semantic_guidance.painter.manner import See, Work, in_layers
from semantic_guidance.painter.styles import Style
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Layer

Array = NDArray[np.float32]

SIDE, CLOSER, BOUNDS = 176, 1000.0, (1.2, 2.5)
"""Root of the pixels of what is drawn for 300 lines; it is enlarged where there are fewer lines than these,
so that small faces keep their eyes; least and greatest enlargement."""

STYLES = {"ink": INK, "pencil": PENCIL, "colored-pencil": COLORED_PENCIL}
"""What is made by lines, and how."""


@dataclass(frozen=True, eq=False)
class LineWork:
    """A `Manner`: contours and hatching.

    Attributes:
        style: in which it is drawn.
        strokes: greatest number of lines.
        seed: of all random choices.
    """

    style: Style
    strokes: int
    seed: int

    def ground(self, problem: Problem) -> Color:
        """See `Manner`."""
        return self.style.ground if isinstance(self.style.ground, tuple) else problem.ground

    def masks(self, problem: Problem) -> tuple[Tensor, ...]:
        """See `Manner`: none."""
        return ()

    def begin(self, problem: Problem, see: See, tools: Tools | None, watch: Watch | None = None) -> Work:
        """See `Manner`."""
        seen = see(self.length)
        found = drawn(
            to_array(seen.target),
            seen.weight.numpy(),
            seen.masks.numpy(),
            seen.focus.numpy(),
            self.strokes,
            self.dials(problem.ground),
            np.random.default_rng(self.seed),
            _telling(seen, self.style, watch),
        )
        strokes = seen.to_picture(torch.from_numpy(found.strokes)).pack()[0]
        return Work(None, partial(_finish, strokes, seen, self.style, tools))

    @property
    def length(self) -> float:
        """Root of the pixels of what is drawn."""
        closer = min(max(BOUNDS[0], 1.6 * (CLOSER / self.strokes) ** 0.37), BOUNDS[1])
        return SIDE * length_factor(self.strokes) * closer

    def dials(self, ground: Color) -> LineStyle:
        """The dials of the drawing, as the hand changes them, on paper of that colour."""
        own, hand = STYLES[self.style.marks], self.style.hand or Hand()
        low, high = own.reach
        return replace(
            own,
            radius=own.radius * hand.width,
            reach=(low * hand.length, high * hand.length),
            opacity=hand.opacity,
            colored=min(1.0, own.colored * hand.saturation),
            paper=ground,
        )


@dataclass(frozen=True, eq=False)
class LineCopy:
    """A `Manner`: a line drawing, line by line.

    Attributes:
        style: in which it is drawn.
        strokes: greatest number of lines.
    """

    style: Style
    strokes: int

    def ground(self, problem: Problem) -> Color:
        """See `Manner`: that of the drawing."""
        return ground_of(to_array(problem.picture))

    def masks(self, problem: Problem) -> tuple[Tensor, ...]:
        """See `Manner`: none."""
        return ()

    def begin(self, problem: Problem, see: See, tools: Tools | None, watch: Watch | None = None) -> Work:
        """See `Manner`."""
        told = _telling(replace(problem, stretch=(1.0, 1.0)), self.style, watch)
        strokes = torch.from_numpy(as_lines(to_array(problem.picture), self.strokes, told).strokes)
        return Work(None, partial(_finish, strokes, problem, self.style, tools))


def _finish(
    strokes: Tensor, problem: Problem, style: Style, tools: Tools | None
) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
    """See `Work`."""
    if tools is not None and len(strokes):
        strokes = tools(strokes)
    return in_layers(strokes, _depicted(strokes, problem), style.ends), ()


def _depicted(strokes: Tensor, problem: Problem) -> Parts:
    """What strokes ``[N, 13]`` of the picture depict."""
    points = problem.from_picture(Strokes.unpack(strokes[None]))[:, POINTS]
    middle = points.reshape(-1, 3, 2).mean(dim=1).numpy() * problem.size
    return sample(problem.owner, middle)


def _telling(problem: Problem, style: Style, watch: Watch | None) -> Told:
    """Tells who looks on of strokes of a problem."""
    if watch is None:
        return unwatched
    onlooker = Onlooker(watch, lambda strokes, parts: in_layers(strokes, parts, style.ends))

    def told(drawing: Callable[[], Array]) -> bool:
        def laid() -> tuple[Tensor, Parts]:
            strokes = problem.to_picture(torch.from_numpy(drawing())).pack()[0]
            return strokes, _depicted(strokes, problem)

        return onlooker.told(laid)

    return told
