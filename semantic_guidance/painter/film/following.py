"""What a style does in a film: the seam between the film, which carries strokes along, and the styles.

A film asks a style to paint the first frame, and frame after frame how it sees the picture, what keeps carried
and refined strokes its own, how fresh ones are laid, and how all of them are shown. Which strokes are carried,
die and fade, and their refinement, are the film's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.problem import Parts
from semantic_guidance.core.guidance import Guidance
from semantic_guidance.painter.views import View
from semantic_guidance.painting.painting import Layer

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Laid:
    """Strokes in painting order, as they are refined: before colours differ and paint runs out.

    Attributes:
        vectors: ``[N, 13]`` packed, in units of the picture's longer side.
        levels: ``[N]`` number of their layer, from wide to fine; 0 where a style has no layers.
        parts: ``[N]`` what they depict, see `Parts`.
        traits: ``[N, K]`` what a style keeps of each stroke while it lives, such as how its colour differs.
    """

    vectors: Array
    levels: NDArray[np.intp]
    parts: Parts
    traits: Array

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, chosen: NDArray[Any]) -> Laid:
        """The strokes with these numbers, or where it is true."""
        return Laid(self.vectors[chosen], self.levels[chosen], self.parts[chosen], self.traits[chosen])

    def and_(self, others: Laid) -> Laid:
        """These, then others."""
        names = ("vectors", "levels", "parts", "traits")
        return Laid(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in names))


class Following(Protocol):
    """A style at work on a film. What it keeps from frame to frame is in `state`.

    Attributes:
        rates: ``[13]`` how far Adam moves a stroke's numbers at a rate of 1, see `refine.Refiner.rates`.
        by_error: whether strokes are born and die by the error, and are refined. If not, `redraw` says which
            do, and nothing is refined.
    """

    rates: Array
    by_error: bool

    def begin(self, picture: Tensor, guidance: Guidance) -> Laid:
        """Paint the first frame, or one after a cut, ``[3, H, W]``, as if it were a picture."""

    def see(self, picture: Tensor, guidance: Guidance) -> View:
        """The frame as the style sees it, at the size at which strokes are refined; the first of each frame."""

    def hold(self, laid: Laid) -> None:
        """Bring strokes that have been carried or refined within what the style can make, in place."""

    def lay(self, error: Array, count: int, laid: Laid) -> Laid:
        """At most so many fresh strokes where an error ``[h, w]`` is greatest, beside those that there are."""

    def redraw(self, laid: Laid, trust: Array) -> tuple[NDArray[np.bool_], Laid]:
        """Which of the carried strokes no longer fit ``[N]``, and fresh ones; `trust` ``[h, w]`` in the flow."""

    def order(self, laid: Laid) -> NDArray[np.intp]:
        """``[N]`` numbers of strokes in painting order, of those in painting order and fresh ones after them."""

    def shown(self, laid: Laid, fade: Array, ids: NDArray[np.int64]) -> tuple[Layer, ...]:
        """The layers of a painting: strokes as they are finished, faded ``[N]`` in [0, 1], with `ids` as keys.

        They are in the order of `laid`; none is left out.
        """

    def masks(self) -> tuple[Tensor, ...]:
        """``[1, h, w]`` under which the strokes of objects show in this frame, as a painting keeps them."""

    def state(self) -> dict[str, Any]:
        """What it needs to go on with the same bits: arrays and JSON values by name."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


def faded(vectors: Array, fade: Array) -> Array:
    """Packed strokes ``[N, 13]`` with their opacities times ``[N]`` in [0, 1]."""
    shown = vectors.copy()
    shown[:, 8:10] *= fade[:, None]
    return shown


def as_keys(ids: NDArray[np.int64]) -> Tensor:
    """Numbers of strokes as the keys of their textures."""
    return torch.from_numpy(np.ascontiguousarray(ids, np.int64))
