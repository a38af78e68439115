"""A hand's strokes where a person asks for shares of some objects: each group keeps its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.agents.flow import sample
from semantic_guidance.agents.problem import Parts, Problem
from semantic_guidance.painter.population import helpful

Array = NDArray[np.float32]

OTHERS = -1
"""The last group: all that has no group of its own, the background among it."""

SHORT = 0.01
"""Share of all strokes by which a group may fall short of its own when strokes are left out."""

HIDDEN = 0.02
"""Share of an object that is to be seen; else its strokes go wherever it is, under others."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Objects with a share of their own, and all others as one.

    Attributes:
        parts: of the groups: objects, then `OTHERS`.
        planes: ``[h, w]`` in [0, 1] each, where they are seen.
        shares: of all strokes; they sum to 1.
        owner: ``[h, w]`` of the others, what is on top.
    """

    parts: tuple[int, ...]
    planes: tuple[Array, ...]
    shares: tuple[float, ...]
    owner: NDArray[np.intp]

    @staticmethod
    def of(problem: Problem) -> Groups | None:
        """The groups of a problem; None if nobody asks for a share of an object."""
        if not problem.asked:
            return None
        own = sorted(problem.asked) if not problem.bound else list(range(len(problem.masks)))
        masks, seen = problem.masks.numpy(), {}
        left = np.ones_like(masks[0])
        for part in reversed(range(len(masks))):
            seen[part], left = left * masks[part], left * (1 - masks[part])
        planes = [seen[n] if seen[n].sum() > HIDDEN * masks[n].sum() else masks[n] for n in own]
        total = max(1, sum(problem.budgets))
        shares = [problem.budgets[part + 1] / total for part in own]
        return Groups(
            (*own, OTHERS),
            (*planes, np.clip(1 - np.sum([seen[part] for part in own], axis=0), 0, 1)),
            (*shares, 1 - sum(shares)),
            np.where(np.isin(problem.owner, own), OTHERS, problem.owner),
        )

    @property
    def whole(self) -> bool:
        """Whether there is nothing but objects with a share of their own."""
        return self.shares[-1] < 1e-9

    def numbers(self, count: int, before: int = 0) -> list[int]:
        """How many of so many strokes, after others, each group gets, so that it has its share of all."""
        own = self.shares[:-1]
        found = [round(share * (before + count)) - round(share * before) for share in own]
        rest = count - sum(found)
        if rest < 0 or self.whole:  # rounded too much, or too little
            found[int(np.argmax(found))] += rest
            rest = 0
        return [*found, rest]

    def among(self, parts: Parts) -> list[int]:
        """How many of some strokes are of each group."""
        found = [int((parts == part).sum()) for part in self.parts[:-1]]
        return [*found, len(parts) - sum(found)]

    def parts_now(self, parts: Parts, centre: NDArray[np.floating]) -> Parts:
        """What strokes that depicted some parts do at places (x, y) ``[N, 2]``: with a share, the same."""
        return np.where(np.isin(parts, self.parts[:-1]), parts, sample(self.owner, centre))

    def kept(self, costs: Array, parts: Parts, count: int | None = None) -> NDArray[np.intp]:
        """The strokes that stay, in their order, so that all groups have their shares.

        Args:
            costs: ``[N]`` what they are worth.
            parts: ``[N]`` what they depict.
            count: how many are to stay; as many as can be if None.
        """
        groups = np.where(np.isin(parts, self.parts[:-1]), parts, OTHERS)
        there = self.among(groups)
        spare = SHORT * len(parts)
        most = min((n + spare) / share for n, share in zip(there, self.shares, strict=True) if share > 0)
        numbers = self.numbers(int(most) if count is None else min(count, int(most)))
        return helpful(costs, groups, dict(zip(self.parts, numbers, strict=True)))
