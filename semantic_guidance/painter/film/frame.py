"""What is painted of one frame of a film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painting.painting import Painting


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """One frame, painted.

    Attributes:
        number: of the painted frame, from 0.
        painting: its strokes in their layers, with their fading in their opacities; masks of its objects.
        ids: ``[N]`` which stroke each of the painting's is, in painting order: the same number in another
            frame is the same stroke. No number is used twice in a film.
        fresh: whether all strokes are new: the first frame, or one after a cut.
    """

    number: int
    painting: Painting
    ids: NDArray[np.int64]
    fresh: bool
