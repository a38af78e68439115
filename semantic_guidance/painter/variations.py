"""Variations of a style: seeds that differ so that a person has a choice. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from semantic_guidance.core.config import MAX_SEED
from semantic_guidance.painter.hand import BOUNDS

if TYPE_CHECKING:  # the command line's help reads how many there may be, and loads nothing large
    import numpy as np
    from numpy.typing import NDArray

    from semantic_guidance.painter.styles import Style

COUNTS = (2, 16)
"""Bounds of the number of variations."""

FACTORS = {"width": 1.5, "length": 1.6, "curvature": 1.6, "saturation": 1.25}
"""Dials that are multiplied, and by what at most: as often divided by it."""

SHIFTS = {"looseness": 0.35, "flow": 0.25, "economy": 0.3, "warmth": 0.8}
"""Dials that are shifted, and by how much at most, up and down."""

LEAST = 0.5
"""Share of its greatest change by which a dial is changed at least."""

DIGITS = 2
"""Of the dials, so that a person can repeat them."""


@dataclass(frozen=True)
class Variation:
    """One of several ways to paint a picture in a style.

    Attributes:
        seed: of all random choices.
        dials: of the hand, by name, that differ from those of the style.
        style: with these dials.
    """

    seed: int
    dials: dict[str, float]
    style: Style


def variations(style: Style, count: int, seed: int = 0, fixed: Collection[str] = ()) -> list[Variation]:
    """Variations of a style: the style itself with that seed, then others with the seeds that follow.

    Where a hand makes the strokes its dials vary as well, within bounds in which the style stays what it is;
    one variation's dials are far from those of the others.

    Args:
        style: to be varied.
        count: how many.
        seed: of the first one.
        fixed: names of dials that stay as they are.

    Raises:
        ValueError: the count or the seed is out of range, or the style copies a line drawing.
    """
    check_count(count, style.marks)
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed is {seed}, wanted 0 to {MAX_SEED}")
    names = [name for name in (*FACTORS, *SHIFTS) if name not in fixed]
    found = [Variation(seed, {}, style)]
    for number, towards in enumerate(_directions(count - 1, len(names), seed), 1):
        dials = {}
        if style.hand is not None and style.marks == "strokes":
            far = zip(names, towards.tolist(), strict=True)
            dials = {name: _dial(name, getattr(style.hand, name), each) for name, each in far}
            dials = {name: value for name, value in dials.items() if value != getattr(style.hand, name)}
        changes: dict[str, Any] = {**dials}
        varied = (
            style if style.hand is None or not dials else replace(style, hand=replace(style.hand, **changes))
        )
        found.append(Variation((seed + number) % (MAX_SEED + 1), dials, varied))
    return found


def check_count(count: int, marks: str | None = None) -> None:
    """Check that there can be so many variations of a style that makes such marks.

    Raises:
        ValueError: there cannot.
    """
    if not COUNTS[0] <= count <= COUNTS[1]:
        raise ValueError(f"variations is {count}, wanted {COUNTS[0]} to {COUNTS[1]}")
    if marks == "lines":
        raise ValueError("variations of a line drawing are all alike, wanted another style")


def _dial(name: str, value: float, towards: float) -> float:
    """A dial's new value, `towards` from -1, the least, to 1, the greatest."""
    changed = value * FACTORS[name] ** towards if name in FACTORS else value + SHIFTS[name] * towards
    low, high = BOUNDS[name]
    return min(high, max(low, round(changed, DIGITS)))


def _directions(count: int, dials: int, seed: int) -> NDArray[np.float64]:
    """How far each of at most eight dials goes, ``[count, dials]`` in [-1, 1], in `count` variations.

    Signs are those of the rows of an 8 x 8 Hadamard matrix, each followed by its opposite: two variations
    have half of eight dials on other sides, or all, and after two of them no dial is on one side only.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(8), rng.permutation(8)[:dials]
    common = [[(int(row) & int(column)).bit_count() for column in columns] for row in rows]
    signs = (-1.0) ** np.array(common, float).reshape(8, dials) * rng.choice([-1.0, 1.0], dials)
    pairs = np.stack([signs, -signs], axis=1).reshape(16, dials)
    return np.asarray((pairs * rng.uniform(LEAST, 1, pairs.shape))[:count])
