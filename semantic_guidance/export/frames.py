"""Which states of the canvas a film of the painting process shows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import numba
import torch
from torch import Tensor

from semantic_guidance.painting import Painting

EASING = 1.5  # exponent: the first strokes are large and few a second, the last ones small and many
SECONDS_A_STROKE = 0.2  # at most, for paintings of few strokes
FEW, MANY = 8.0, 12.0  # seconds of painting up to 300 strokes, and for any number of them


def schedule(strokes: int, rate: int) -> list[int]:
    """Number of strokes on the canvas in each frame: 0 in the first one, all in the last one.

    Args:
        strokes: of the painting.
        rate: frames a second.
    """
    longest = min(MANY, FEW + 2 * math.log10(max(strokes, 300) / 300))
    frames = max(1, round(rate * min(SECONDS_A_STROKE * strokes, longest)))
    return [round(strokes * (frame / frames) ** EASING) for frame in range(frames + 1)]


def states(painting: Painting, counts: Sequence[int], size: int) -> Iterator[Tensor]:
    """The canvas ``[3, H, W]`` after each of the given numbers of strokes, as `Painting.replay` shows it.

    All strokes between two states are painted at once, which for many strokes is far faster than
    `Painting.replay`; the states are the same.

    Args:
        painting: what is painted.
        counts: numbers of strokes, ascending.
        size: pixels of the longer side.
    """
    canvas = painting.blank(size)
    layers = iter(painting.layers)
    layer, begin, done = next(layers, None), 0, 0  # the current layer, how many of its strokes are done, all
    for count in counts:
        while layer is not None and done < count:
            end = min(len(layer.strokes), begin + count - done)
            if end > begin:
                canvas = layer.paint(canvas, slice(begin, end))
            done, begin = done + end - begin, end
            if end == len(layer.strokes):
                layer, begin = next(layers, None), 0
        yield canvas


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Rendering and tensor operations within the block use one thread.

    The work on a frame is small: on a busy machine, waiting for a second thread takes ten times longer.
    """
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])
