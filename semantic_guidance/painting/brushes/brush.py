"""How strokes look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.images.arrays import resize_array
from semantic_guidance.images.files import load_grey
from semantic_guidance.painting.brushes import BRUSHES, DIALS
from semantic_guidance.painting.brushes.light import UPPER_LEFT, Light

LARGEST = (256, 1024)  # rows and columns of a brush picture at most
LEVELS = 7  # of smoothness, for strokes that are smaller than the brush picture

USUAL = {
    "flat": (0.0, 0.0, 0.0),
    "oil": (0.5, 0.5, 0.3),
    "knife": (0.5, 0.0, 0.2),
    "gouache": (0.0, 0.4, 0.15),
    "watercolor": (0.5, 0.5, 0.0),
    "ink": (0.0, 0.1, 0.15),
    "pencil": (0.5, 0.5, 0.0),
    "picture": (0.0, 0.0, 0.0),
}
"""Relief, bristle and dry of each style, if nothing else is said."""

TURNED = {
    "flat": (),
    "oil": DIALS,
    "knife": ("relief", "dry"),
    "gouache": DIALS,
    "watercolor": DIALS,
    "ink": ("bristle", "dry"),
    "pencil": DIALS,
    "picture": ("relief",),
}
"""The dials that change anything in each style."""


PAPERS = ("watercolor", "ink", "pencil")
"""The styles for paper."""


@dataclass(frozen=True, eq=False)
class Brush:
    """How strokes look.

    Attributes:
        style: one of `BRUSHES`, or ``picture``.
        seed: of all texture.
        levels: ``[L, h, w]`` in [0, 1], for ``picture`` alone: where the brush leaves paint, from the
            stroke's start on the left to its end on the right, each level half as sharp as the one before.
        relief: 0 for none to 1, how high paint stands (on watercolours and drawings: how rough the paper is),
            which the light shows; the style's usual one if None.
        bristle: 0 for smooth paint to 1 for strong streaks (watercolor: grains, pencil: gaps between lines).
        dry: 0 for never to 1, how early a stroke runs dry: by its length in widths, later where its load is
            greater. Up to about a half, a dry stroke uncovers only what is of similar colour.
        light: where light comes from; it shows no relief if None.

    Raises:
        ValueError: an unknown style, or a dial out of its range.
    """

    style: str = "flat"
    seed: int = 0
    levels: NDArray[np.float32] | None = None
    relief: float | None = None
    bristle: float | None = None
    dry: float | None = None
    light: Light | None = UPPER_LEFT

    def __post_init__(self) -> None:
        if self.style not in USUAL:
            raise ValueError(f"style is {self.style!r}, wanted one of {', '.join(USUAL)}")
        for name in DIALS:
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}, wanted a number from 0 to 1")

    @property
    def on_paper(self) -> bool:
        """Whether it is for paper, which shows between its marks."""
        return self.style in PAPERS

    def dial(self, name: str) -> float:
        """The value of one of `DIALS`, the style's usual one if nothing else was said."""
        value: float | None = getattr(self, name)
        return USUAL[self.style][DIALS.index(name)] if value is None else value

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
        return Brush("picture", seed, levels_of(picture))


def levels_of(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """`Brush.levels` of a grey picture ``[H, W]`` in [0, 1]; the first one has multiples of 1/255."""
    import cv2  # takes a while, and most brushes need none

    height, width = (min(side, most) for side, most in zip(picture.shape, LARGEST, strict=True))
    sharp = resize_array(picture, height, width).reshape(height, width)
    sharp = (sharp.clip(0, 1) * np.float32(255)).round() / np.float32(255)
    blurred = [
        cv2.GaussianBlur(sharp, (0, 0), 0.5 * 2**n, borderType=cv2.BORDER_CONSTANT) for n in range(1, LEVELS)
    ]
    return np.stack([sharp, *blurred]).astype(np.float32)
