"""How strokes look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import resize_array
from semantic_guidance.images.files import load_grey
from semantic_guidance.painting.brushes import BRUSHES

LARGEST = (256, 1024)  # rows and columns of a brush picture at most
LEVELS = 7  # of smoothness, for strokes that are smaller than the brush picture


@dataclass(frozen=True, eq=False)
class Brush:
    """How strokes look.

    Attributes:
        style: one of `BRUSHES`, or ``picture``.
        seed: of all texture.
        levels: ``[L, h, w]`` in [0, 1], for ``picture`` alone: where the brush leaves paint, from the
            stroke's start on the left to its end on the right, each level half as sharp as the one before.
    """

    style: str = "flat"
    seed: int = 0
    levels: NDArray[np.float32] | None = None

    @staticmethod
    def of(name: str | Path, seed: int = 0) -> Brush:
        """The brush of that name, or the one in a picture file: bright (or opaque) is where it leaves paint.

        Raises:
            ValueError: it is neither.
            InputError: the picture is broken or has nothing bright; the message names the file.
        """
        if str(name) in BRUSHES:
            return Brush(str(name), seed)
        if not Path(name).is_file():
            raise ValueError(
                f"brush is {str(name)!r}, wanted one of {', '.join(BRUSHES)}, or the file of a picture"
            )
        picture = load_grey(name)
        if picture.max() < 0.05:
            raise InputError(f"{name}: the brush is empty, wanted bright pixels where it leaves paint")
        return Brush("picture", seed, _levels(picture))


def _levels(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2  # takes a while, and most brushes need none

    height, width = (min(side, most) for side, most in zip(picture.shape, LARGEST, strict=True))
    sharp = resize_array(picture, height, width).reshape(height, width)
    blurred = [
        cv2.GaussianBlur(sharp, (0, 0), 0.5 * 2**n, borderType=cv2.BORDER_CONSTANT) for n in range(1, LEVELS)
    ]
    return np.stack([sharp, *blurred]).astype(np.float32)
