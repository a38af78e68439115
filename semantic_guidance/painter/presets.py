"""How much work goes into a painting, and how much may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line's help reads the presets, and does not wait for torch
    from torch import Tensor

MAX_STROKES = 100_000
SIZES = (16, 8192)
"""Bounds of a painting's longer side in pixels."""

DEFAULT_SIZES = (512, 2048)
"""Its bounds by default: that of the picture, but within these."""

DEFAULT_STYLE = "alla-prima"
"""The command line's style, chosen by looking at what all of them make of very different pictures."""

BREATHING = 0.85
"""Share of a breath after which it has as many strokes as are wanted."""

NEWBORN = 40
"""Steps within which a stroke that was born late still finds its place."""

NEWBORN_RATE = 0.6
"""Factor of the rates of a stroke that was just born, falling to 0 at age `NEWBORN`."""

GROWN_UP = 0.1
"""Share of the steps before which no stroke counts as born late."""


@dataclass(frozen=True)
class RefineConfig:
    """Parameters of the refinement.

    Lengths are in spacings: the side of the square that each stroke would have if they all shared the canvas.
    So more strokes are refined on more pixels, and by shorter steps.

    The number of strokes breathes. There are too many of them at first, of which the best stay; and now and
    then fresh ones are added where the error is, and the worst of all dropped, until there are as many as
    are wanted.

    Attributes:
        steps: gradient steps; if 0, strokes are only fitted to the tools.
        sizes: share of the steps from which on the canvas has so many pixels a stroke.
        softness: width of the strokes' edge at the first step, in spacings, and at the last one, in pixels
            of the largest canvas; it falls geometrically.
        position_rate: Adam's learning rate of points, in spacings.
        radius_rate: the same for radii.
        opacity_rate: the same for opacities.
        color_rate: the same for colours.
        held: share of the steps after which the rates fall, linearly.
        last_rate: what is left of them in the end.
        surplus: strokes at first, in multiples of those wanted.
        surplus_until: share of the steps at which the last surplus stroke is dropped.
        surplus_prunes: times at which they are dropped, in equal ratios.
        breaths: times at which the number of strokes grows and shrinks again.
        breathing: shares of the steps between which that happens.
        growth: number of strokes at the beginning of a breath, in multiples of those wanted.
        prunes: times within a breath at which strokes are dropped, in equal ratios.
    """

    steps: int = 350
    sizes: tuple[tuple[float, float], ...] = ((0.0, 24), (0.3, 96), (0.5, 320), (0.62, 384), (0.9, 1536))
    softness: tuple[float, float] = (0.41, 1.0)
    position_rate: float = 0.117
    radius_rate: float = 0.12
    opacity_rate: float = 0.096
    color_rate: float = 0.024
    held: float = 0.2
    last_rate: float = 0.1
    surplus: float = 5.0
    surplus_until: float = 0.2
    surplus_prunes: int = 4
    breaths: int = 4
    breathing: tuple[float, float] = (0.22, 0.9)
    growth: float = 1.5
    prunes: int = 3

    def softness_at(self, step: int, spacing: float) -> float:
        """Edge width in pixels of the largest canvas, on which strokes are `spacing` pixels apart."""
        end = self.softness[1]
        start = max(end, self.softness[0] * spacing)
        return start * (end / start) ** (step / max(1, self.steps))

    def rate_at(self, step: int, age: Tensor) -> Tensor:
        """Factor of the rates ``[N, 1]`` of strokes that have been there for `age` ``[N, 1]`` steps."""
        share = step / max(1, self.steps)
        falling = 1 - (1 - self.last_rate) * max(0.0, share - self.held) / (1 - self.held)
        if share <= GROWN_UP:
            return age.new_full(age.shape, falling)
        return (NEWBORN_RATE * (1 - age / NEWBORN)).clamp(min=falling)

    def crowds(self) -> dict[int, float]:
        """Number of strokes at the steps at which it changes, in multiples of those wanted."""
        found = dict(self._falling(self.surplus, 0.0, self.surplus_until, self.surplus_prunes))
        start, end = self.breathing
        for breath in range(self.breaths):
            begin = start + (end - start) * breath / self.breaths
            still = begin + BREATHING * (end - start) / self.breaths
            found |= self._falling(self.growth, begin, still, self.prunes)
        return found

    def _falling(self, first: float, begin: float, end: float, times: int) -> Iterator[tuple[int, float]]:
        """From `first` to 1 in equal ratios."""
        for time in range(times + 1):
            share = begin + (end - begin) * time / times
            yield min(round(share * self.steps), self.steps - 1), first ** (1 - time / times)


@dataclass(frozen=True)
class Preset:
    """How much work goes into a painting.

    Attributes:
        side: the first strokes are found on a canvas of this many pixels squared, for 300 strokes.
        agent: who makes the first strokes, if nobody is named.
        baseline: the same where nothing is to be known about the picture.
        refine: the refinement; None leaves the strokes as the agent drafted them.
        hand_steps: gradient steps of a hand with 1,000 strokes.
    """

    side: int = 176
    agent: str = "planner"
    baseline: str = "planner"
    refine: RefineConfig | None = field(default_factory=RefineConfig)
    hand_steps: int = 100


DRAFTED = 85
"""`Preset.side` where the first strokes are only a beginning."""

PRESETS = {
    "draft": Preset(agent="semantic", baseline="baseline", refine=None, hand_steps=0),
    "standard": Preset(side=DRAFTED),
    "fine": Preset(
        side=DRAFTED,
        refine=RefineConfig(
            steps=2500,
            sizes=((0.0, 24), (0.1, 96), (0.25, 384), (0.6, 1536)),
            breaths=12,
            growth=1.6,
            prunes=5,
        ),
        hand_steps=300,
    ),
}
