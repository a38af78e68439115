"""The strokes of a film as they are at one frame."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.problem import Parts, on_top
from semantic_guidance.core.packed import NUMBERS, OPACITY

Array = NDArray[np.float32]

GROWN = 99
"""Age in frames of strokes that were there from the beginning."""


@dataclass(frozen=True, eq=False)
class Cast:
    """Strokes in painting order.

    Attributes:
        vectors: ``[N, 13]`` packed, in units of the picture's longer side, without their fading.
        ids: ``[N]`` which stroke each is.
        parts: ``[N]`` what they depict.
        load: ``[N]`` paint that they carry, see `painting.Layer`.
        levels: ``[N]`` number of their layer, from wide to fine; 0 where a manner has no layers.
        traits: ``[N, K]`` what a manner keeps of each stroke while it lives, such as how its colour differs.
        fade: ``[N]`` in [0, 1], how much is there of each.
        age: ``[N]`` in frames.
        dying: ``[N]`` whether they fade out.
        resting: ``[N]`` whether nothing has changed in what is seen of each: it stays as it is.
        square: ``[N, 13]`` Adam's mean squared gradients.
        steps: ``[N, 1]`` of Adam so far.
    """

    vectors: Array
    ids: NDArray[np.int64]
    parts: Parts
    load: Array
    levels: NDArray[np.intp]
    traits: Array
    fade: Array
    age: NDArray[np.int64]
    dying: NDArray[np.bool_]
    resting: NDArray[np.bool_]
    square: Array
    steps: Array

    @staticmethod
    def of(
        vectors: Array,
        parts: Parts,
        load: Array | None = None,
        levels: NDArray[np.intp] | None = None,
        traits: Array | None = None,
        age: int = 0,
    ) -> Cast:
        """Strokes that begin, without numbers yet; what is not said is 1, 0, and nothing."""
        count = len(vectors)
        ones = np.ones(count, np.float32)
        return Cast(
            vectors=vectors,
            ids=np.full(count, -1, np.int64),
            parts=parts,
            load=ones if load is None else load,
            levels=np.zeros(count, np.intp) if levels is None else levels,
            traits=np.zeros((count, 0), np.float32) if traits is None else traits,
            fade=ones,
            age=np.full(count, age, np.int64),
            dying=np.zeros(count, bool),
            resting=np.zeros(count, bool),
            square=np.zeros((count, NUMBERS), np.float32),
            steps=np.zeros((count, 1), np.float32),
        )

    def __len__(self) -> int:
        """Number of strokes, those that fade out among them."""
        return len(self.vectors)

    def __getitem__(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Cast:
        """These strokes."""
        return Cast(*(getattr(self, each.name)[index] for each in fields(Cast)))

    @property
    def shown(self) -> Array:
        """``[N, 13]`` as they are painted: with their fading."""
        vectors = self.vectors.copy()
        vectors[:, OPACITY] *= self.fade[:, None]
        return vectors

    def joined(self, fresh: Cast) -> Cast:
        """These and fresh ones, each on top of its part."""
        return self.beside(fresh)[on_top(self.parts, fresh.parts)]

    def beside(self, fresh: Cast) -> Cast:
        """These, then fresh ones."""
        return Cast(
            *(np.concatenate([getattr(self, each.name), getattr(fresh, each.name)]) for each in fields(Cast))
        )

    def aged(self, frames: int) -> Cast:
        """One frame later, where fading takes some frames; strokes that have disappeared are not there."""
        step = np.float32(1 / max(1, frames))
        fade = np.where(self.dying, self.fade - step, np.minimum(1, self.fade + step)).astype(np.float32)
        return replace(self, fade=fade, age=self.age + 1)[fade > 1e-3]
