"""Small films for tests."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch

from semantic_guidance.core.guidance import Guidance
from semantic_guidance.painter.film.film import Film
from semantic_guidance.painter.painter import Painter
from semantic_guidance.painter.presets import Preset, RefineConfig

QUICK = Preset(side=85, refine=RefineConfig(steps=12, breaths=1))
SIZE = 72


@cache
def scenery() -> np.ndarray:
    """A picture ``[3, 120, 120]`` with something to see everywhere."""
    rng = np.random.default_rng(3)
    coarse, fine = rng.random((8, 8, 3), np.float32), rng.random((30, 30, 3), np.float32)
    picture = 0.7 * cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)
    picture += 0.3 * cv2.resize(fine, (120, 120), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(picture.clip(0, 1).transpose(2, 0, 1))


def window(x: int, y: int) -> torch.Tensor:
    """A frame of the scenery, from this column and row."""
    return torch.from_numpy(scenery()[:, y : y + SIZE, x : x + SIZE].copy())


def film(hold: str = "steady", **options) -> Film:
    return Film(Painter("planner", QUICK, strokes=40, size=SIZE, **options), hold)


def none() -> Guidance:
    return Guidance.none(SIZE, SIZE)


def strokes(frame) -> dict[int, np.ndarray]:
    """The numbers of each stroke of a frame."""
    return dict(zip(frame.ids.tolist(), frame.painting.strokes.pack()[0].numpy(), strict=True))
