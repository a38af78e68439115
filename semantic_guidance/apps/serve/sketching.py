"""In a worker: the strokes of an unfinished painting, told to those who look on."""

from __future__ import annotations

import base64
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.watching import Easel, Sketch, Watch
from semantic_guidance.apps.serve.desk import Desk
from semantic_guidance.core.resample import resample
from semantic_guidance.export.html import packed
from semantic_guidance.images.arrays import to_bytes

LEAST, SPAN = -1.0, 3.0
"""Of the numbers of strokes that are told; what is beyond is told as the nearest."""

LONGEST = 512
"""Pixels of the longer side of masks, and of what is on the canvas, at most."""

PAUSE, SPEED = 1 / 6, 1_000_000
"""Seconds from one sketch to the next at least, and bytes a second at most."""


class Onlooker(Watch):
    """Tells the server of strokes, when it is time and somebody looks, and ends a painting if it is told to.

    Args:
        desk: of the worker.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._next = 0.0
        self._answered = False
        self.shown = False  # whether there have been strokes

    @property
    def stopped(self) -> bool:
        """See `Watch`. The server is told that this was asked, and so that the rest will soon be done."""
        stopped = self._desk.stopped()
        if stopped and not self._answered:
            self._answered = True
            self._desk.tell("stopping", {})
        return stopped

    def due(self) -> bool:
        """See `Watch`."""
        return (self._desk.watched or not self.shown) and time.monotonic() >= self._next

    def begin(self, easel: Easel) -> None:
        """See `Watch`."""
        ground: dict[str, Any] = {"background": [float(each) for each in easel.background]}
        if easel.start is not None:
            ground = {"start": packed(to_bytes(_small(easel.start)), "PNG")}
        masks = [packed(to_bytes(_small(mask))[..., 0], "PNG") for mask in easel.masks]
        self._desk.tell("canvas", {"width": easel.width, "height": easel.height, **ground, "masks": masks})

    def sketch(self, sketch: Sketch) -> None:
        """See `Watch`."""
        data = coded(sketch.strokes.numpy())
        layers = [
            {
                "count": run.count,
                "mask": run.mask,
                "level": run.level,
                "ends": run.ends,
                "compositing": run.compositing,
            }
            for run in sketch.layers
        ]
        self._desk.tell("strokes", {"count": len(sketch.strokes), "layers": layers, "data": data})
        self.shown |= len(sketch.strokes) > 0
        self._next = time.monotonic() + max(PAUSE, len(data) / SPEED)


def coded(strokes: NDArray[np.float32]) -> str:
    """Packed strokes ``[N, 13]`` as 16 bits for each number, little end first, in base64.

    A number is `SPAN` times what is told, a share of 65535, and `LEAST` more.
    """
    shares = ((strokes.astype(np.float64) - LEAST) / SPAN).clip(0, 1)
    return base64.b64encode((shares * 65535).round().astype("<u2").tobytes()).decode("ascii")


def _small(picture: Tensor) -> Tensor:
    """A picture ``[C, H, W]``, not longer than `LONGEST`."""
    height, width = picture.shape[-2:]
    shrink = min(1.0, LONGEST / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    return resample(picture.float(), *size).clamp(0, 1)
