"""Colours where there are none: those of a picture's visible parts, continued into the transparent ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SURE = 0.05
"""Alpha from which on a pixel's own colour is believed: that of fainter ones is mostly rounding."""

LEAST = 1e-4
"""Alpha below which there is nothing to be seen."""


def filled(premultiplied: Array, alpha: Array) -> Array:
    """Straight colours ``[3, H, W]`` everywhere, those of what is near where nothing is.

    What is fainter than `SURE` takes on the mean of its surroundings, which grow until there is enough to be
    seen in them (Gortler et al., "The Lumigraph", 1996, section 3.4.2: pull and push).

    Args:
        premultiplied: ``[3, H, W]`` colours times alpha.
        alpha: ``[H, W]`` in [0, 1].

    Returns:
        Colours in [0, 1]; 0 if all is transparent.
    """
    import cv2  # takes a while, and few pictures are transparent

    color = np.ascontiguousarray(premultiplied.transpose(1, 2, 0), np.float32)
    levels = [(color, np.ascontiguousarray(alpha, np.float32))]
    while max(levels[-1][1].shape) > 1:
        height, width = (math.ceil(side / 2) for side in levels[-1][1].shape)
        levels.append(
            tuple(cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in levels[-1])  # type: ignore[arg-type]
        )
    found: Array | None = None
    for colors, seen in reversed(levels):
        height, width = seen.shape
        own = np.asarray(colors.reshape(height, width, 3) / np.maximum(seen, LEAST)[..., None], np.float32)
        if found is None:
            found = own
            continue
        around = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR).reshape(own.shape)
        share = np.minimum(seen / np.float32(SURE), 1)[..., None]
        found = np.asarray(around + share * (own - around), np.float32)
    assert found is not None
    return np.ascontiguousarray(found.transpose(2, 0, 1)).clip(0, 1)
