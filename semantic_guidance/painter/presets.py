"""How much work goes into a painting, and how much may."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

MAX_STROKES = 100_000
SIZES = (16, 8192)
"""Bounds of a painting's longer side in pixels."""

DEFAULT_SIZES = (512, 2048)
"""Its bounds by default: that of the picture, but within these."""

MAX_DETAIL = 8

OBJECT_SHARE = 0.4
"""Share of the strokes that objects get beyond the share of their area."""


@dataclass(frozen=True)
class RefineConfig:
    """Parameters of the refinement.

    Attributes:
        steps: gradient steps; if 0, strokes are only fitted to the tools.
        softness: width of the strokes' edge in pixels, at the first step and from `annealed` on.
        annealed: share of the steps after which the softness has reached its end.
        position_rate: Adam's learning rate of points, in units of the longer side.
        radius_rate: the same for radii.
        opacity_rate: the same for opacities.
        color_rate: the same for colours.
        relocate_at: shares of the steps after which useless strokes are moved.
        relocate_share: greatest share of a part's strokes that is moved each time.
    """

    steps: int = 330
    softness: tuple[float, float] = (2.0, 1.0)
    annealed: float = 0.6
    position_rate: float = 0.005
    radius_rate: float = 0.003
    opacity_rate: float = 0.08
    color_rate: float = 0.02
    relocate_at: tuple[float, ...] = (0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64)
    relocate_share: float = 0.3

    def softness_at(self, step: int) -> float:
        """Edge width in pixels at `step`, falling geometrically."""
        start, end = self.softness
        return start * (end / start) ** min(1.0, step / max(1.0, self.annealed * self.steps))

    def rate_at(self, step: int) -> float:
        """Factor of the rates at `step`: a cosine from 1 to 0.03."""
        return 0.03 + 0.97 * (0.5 + 0.5 * math.cos(math.pi * step / max(1, self.steps)))


@dataclass(frozen=True)
class Preset:
    """How much work goes into a painting.

    Attributes:
        side: the strokes are found on a canvas of this many pixels squared, for 300 strokes.
        object_share: share of the strokes that objects get beyond the share of their area, see
            `agents.problem.foreground_share`.
        refine: the refinement; None leaves the strokes as the agent drafted them.
    """

    side: int = 176
    object_share: float = OBJECT_SHARE
    refine: RefineConfig | None = field(default_factory=RefineConfig)


PRESETS = {
    "draft": Preset(object_share=0.5, refine=None),
    "standard": Preset(),
    "fine": Preset(
        side=256,
        refine=RefineConfig(steps=1500, relocate_at=tuple(0.04 + 0.03 * n for n in range(22))),
    ),
}
