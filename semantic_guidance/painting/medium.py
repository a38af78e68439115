"""What a painting is painted with: a palette, a set of brushes, opaque paint, on paper of some size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semantic_guidance.images.color import MAX_COLORS, Color, choose_colors, most_alike, nearest_color
from semantic_guidance.painting.paper import MAX_BRUSHES, PAPERS, SIDES, WIDTHS, Sheet, check_margin
from semantic_guidance.painting.pigments import Tubes


@dataclass(frozen=True)
class Medium:
    """The painter's means; by default there are no limits.

    Attributes:
        palette: RGB colours in [0, 1], or how many are to be chosen; any colour if None.
        brushes: widths of the brushes in mm; any width if empty.
        widths: least and greatest width of a stroke in mm; any width if None.
        opaque: one flat colour per stroke, without transparency, and one width; no stroke is clipped.
        paper: width and height of the paper in mm.
        tubes: of paint, of which every colour is a mixture; any colour if None.
        margin: in mm, what stays free on every side of the paper; `painting.paper.MARGIN` of it if None.

    Raises:
        ValueError: a number is out of range.
    """

    palette: Sequence[Color] | int | None = None
    brushes: tuple[float, ...] = ()
    widths: tuple[float, float] | None = None
    opaque: bool = False
    paper: tuple[float, float] = PAPERS["a4"]
    tubes: Tubes | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        count = self.palette if isinstance(self.palette, int | None) else len(self.palette)
        if count is not None and not 1 <= count <= MAX_COLORS:
            raise ValueError(f"palette has {count} colours, wanted 1 to {MAX_COLORS}")
        if not all(SIDES[0] <= side <= SIDES[1] for side in self.paper):
            raise ValueError(f"paper is {self.paper} mm, wanted sides from {SIDES[0]:g} to {SIDES[1]:g}")
        check_margin(self.paper, self.margin)
        widest = min(self.paper)
        if len(self.brushes) > MAX_BRUSHES or not all(0 < width <= widest for width in self.brushes):
            raise ValueError(
                f"brushes is {list(self.brushes)}, wanted at most {MAX_BRUSHES} widths in mm above 0 and "
                f"up to the paper's {widest:g}"
            )
        if self.widths is not None and not 0 < self.widths[0] <= self.widths[1] <= widest:
            raise ValueError(
                f"widths is {list(self.widths)}, wanted the least and the greatest in mm, above 0 and up to "
                f"the paper's {widest:g}"
            )

    @property
    def free(self) -> bool:
        """Whether every stroke can be painted."""
        limits = (self.palette, self.widths, self.tubes)
        return all(limit is None for limit in limits) and not self.brushes and not self.opaque

    @property
    def few(self) -> bool:
        """Whether a stroke's colour or opacity may be so far from what is wanted that none is better."""
        return self.opaque or self.palette is not None or self.tubes is not None

    def tools(self, picture: Tensor, weight: Tensor, height: int, width: int) -> Tools:
        """The means for one picture.

        Args:
            picture: ``[3, h, w]`` in [0, 1], from which colours are chosen.
            weight: ``[h, w]`` how much each pixel's colour counts.
            height: of the painting, in any unit.
            width: of the painting, in the same unit.
        """
        unit = Sheet.of(self.paper, height, width, self.margin).unit
        colors = None
        if isinstance(self.palette, int):
            colors = choose_colors(picture.flatten(1).T, weight.flatten(), self.palette)
        elif self.palette is not None:
            colors = torch.tensor(self.palette, dtype=torch.float32)
        if self.tubes is not None:
            colors = _mixed(self.tubes, picture, colors)
        brushes = self.brushes
        widths = self.widths or (WIDTHS if self.opaque and not brushes else (0.0, math.inf))
        return Tools(
            colors=colors,
            radii=torch.tensor(sorted(brushes), dtype=torch.float32) / (2 * unit) if brushes else None,
            min_radius=widths[0] / (2 * unit),
            max_radius=widths[1] / (2 * unit),
            opaque=self.opaque,
            mixed=self.tubes is not None and self.palette is None,
        )


def _mixed(tubes: Tubes, picture: Tensor, colors: Tensor | None) -> Tensor:
    """The mixtures ``[K, 3]`` that look most like some colours, each once; all for a picture if None."""
    mixtures = tubes.mixtures
    if colors is None:
        chosen = mixtures.needed(picture.flatten(1).T.numpy())
    else:
        chosen = np.unique(mixtures.nearest(colors.numpy()))
    return torch.from_numpy(mixtures.colors[chosen])


@dataclass(frozen=True, eq=False)
class Tools:
    """Palette and brushes in the painter's units.

    Attributes:
        colors: ``[K, 3]`` RGB in [0, 1]; any colour if None.
        radii: ``[R]`` of the brushes, in units of the longer side; any if None.
        min_radius: smallest radius of a stroke, same unit.
        max_radius: greatest radius of a stroke, same unit.
        opaque: see `Medium`.
        mixed: whether the colours are what can be mixed of some tubes, and not a palette.
    """

    colors: Tensor | None
    radii: Tensor | None
    min_radius: float
    max_radius: float
    opaque: bool
    mixed: bool = False

    @property
    def free(self) -> bool:
        """Whether any colour and any width can be used."""
        return self.colors is None and self.radii is None

    def on(self, device: torch.device) -> Tools:
        """The same on a device."""
        colors = None if self.colors is None else self.colors.to(device)
        return replace(self, colors=colors, radii=None if self.radii is None else self.radii.to(device))

    @property
    def loose(self) -> Tools:
        """The same with any colour and any width within the bounds."""
        return replace(self, colors=None, radii=None)

    def __call__(self, vectors: Tensor) -> Tensor:
        """Packed strokes ``[N, 13]`` as they can be painted, with the nearest brush and colour."""
        points, radius, opacity, color = vectors.split([6, 2, 2, 3], dim=1)
        radius = radius.clamp(self.min_radius, self.max_radius)
        if self.opaque or self.radii is not None:
            radius = radius.mean(dim=1, keepdim=True).expand(-1, 2)
        if self.radii is not None:
            apart = (radius[:, :1].clamp(min=1e-6) / self.radii).log().abs()
            radius = self.radii[apart.argmin(dim=1)][:, None].expand(-1, 2)
        if self.opaque:
            opacity = torch.ones_like(opacity)
        if self.colors is not None:
            choose = most_alike if self.mixed else nearest_color
            color = self.colors[choose(color, self.colors)]
        return torch.cat([points, radius, opacity, color], dim=1)
