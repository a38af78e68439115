"""Strokes that are better left out: where colours are few, "not at all" is one of them.

Only paintings of a palette or of opaque paint are pruned. Elsewhere opacities and colours adapt, so that no
stroke is worse than none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.resample import resample
from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import resize
from semantic_guidance.painting.layers import boxes
from semantic_guidance.painting.painting import Layer, Painting
from semantic_guidance.renderer.backends.base import Backend
from semantic_guidance.renderer.objective import Objective, Segment

SIDES = (512, 1024)
"""Pixels of the longer side on which strokes are judged: those of the picture, but not fewer or more."""

SOFTNESS = 1.0
"""Pixels of a stroke's soft edge, as in the finished picture."""

NOTHING = 1e-9
"""A stroke that lowers the mean squared error by less than this does nothing that can be seen."""


def pruned(painting: Painting, picture: Tensor, backend: str | Backend = "auto") -> Painting:
    """The painting without strokes without which it is at least as like the picture.

    What each stroke is worth is found by the renderer, exactly, on the canvas as it is without those that
    have been dropped before: the worst ones first, and together only such as have no pixel in common.

    Args:
        painting: flat, whatever its brush. If a stroke is not composed ``over``, all of them stay.
        picture: ``[3, H, W]`` that is painted.
        backend: that renders on the processor.
    """
    layers = painting.layers
    counts = np.array([len(layer.strokes) for layer in layers], np.intp)
    if not counts.sum() or any(layer.compositing != "over" for layer in layers):
        return painting
    side = min(max(*picture.shape[1:], SIDES[0]), SIDES[1], max(painting.width, painting.height))
    blank = painting.blank(side)
    height, width = blank.shape[1:]
    whole = Objective(
        segments=[Segment(0, None, 1.0)],
        masks=torch.cat(
            [
                torch.zeros(0, height, width, dtype=torch.float32),
                *(resample(m, height, width) for m in painting.masks),
            ]
        ),
        blank=blank,
        target=resize(picture, height, width),
        weight=torch.ones(height, width, dtype=torch.float32),
        backend=backend,
    )
    vectors = painting.strokes.pack()[0]
    owner = np.repeat(np.arange(len(layers)), counts)
    frames = np.concatenate(
        [boxes(layer.strokes.pack()[0].numpy(), height, width, layer.ends) for layer in layers]
    )
    stay = np.arange(len(owner))
    while len(stay):
        numbers = np.bincount(owner[stay], minlength=len(layers)).tolist()
        segments = [Segment(n, layer.mask, 0.0) for n, layer in zip(numbers, layers, strict=True)]
        segments[-1] = replace(segments[-1], weight=1.0)
        costs, _ = replace(whole, segments=segments).removal_costs(vectors[torch.from_numpy(stay)], SOFTNESS)
        leaving = _apart(costs.numpy(), frames[stay])
        if not len(leaving):
            break
        stay = np.delete(stay, leaving)
    first = np.cumsum(counts) - counts
    kept = [stay[owner[stay] == n] - first[n] for n in range(len(layers))]
    parts = (_kept(layer, some) for layer, some in zip(layers, kept, strict=True) if len(some))
    return replace(painting, layers=tuple(parts))


def _apart(costs: NDArray[np.floating], frames: NDArray[np.int64]) -> NDArray[np.intp]:
    """Strokes that are worth nothing, the worst first, without those that may touch a worse one.

    Args:
        costs: ``[N]`` what each is worth.
        frames: ``[N, 4]`` first row, row after the last, first column, column after the last of each.
    """
    order = np.argsort(costs, kind="stable")
    order = order[costs[order] <= NOTHING]
    free = np.ones(len(order), bool)
    top, bottom, left, right = frames[order].T
    for n in range(len(order)):
        if free[n]:
            touching = (top < bottom[n]) & (bottom > top[n]) & (left < right[n]) & (right > left[n])
            free[n + 1 :] &= ~touching[n + 1 :]
    return np.asarray(order[free])


def _kept(layer: Layer, numbers: NDArray[np.intp]) -> Layer:
    """The layer with these of its strokes."""
    if len(numbers) == len(layer.strokes):
        return layer
    chosen = torch.from_numpy(numbers)
    strokes = Strokes.unpack(layer.strokes.pack()[:, chosen])
    load, keys = (None if each is None else each[chosen] for each in (layer.load, layer.keys))
    return replace(layer, strokes=strokes, load=load, keys=keys)
