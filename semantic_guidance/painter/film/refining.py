"""Some steps of Adam on the strokes of a frame that follows another one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.packed import OPACITY
from semantic_guidance.painter.film.cast import Cast
from semantic_guidance.painter.film.following import Following
from semantic_guidance.painter.film.presets import Effort
from semantic_guidance.painter.film.scene import Scene
from semantic_guidance.painter.refine import MEAN_DECAY, SQUARE_DECAY
from semantic_guidance.renderer.objective import Objective

Array = NDArray[np.float32]

YOUTH = 0.7
"""The factor of the rates of a stroke that was just born is 1, and this much of it a frame later."""

SPRING = 0.03
"""Share of the way back to where they were carried that strokes go in a step."""

MUCH = 0.05
"""Share of strokes that were just born, from which on all additional steps are made."""

LARGEST = 2.0
"""Greatest step, in rates."""


def refined(
    cast: Cast,
    scene: Scene,
    task: Objective,
    following: Following,
    effort: Effort,
    steady: Callable[[Callable[[], Array]], Array],
) -> Cast:
    """Strokes that lower the error of a task, not far from where they were carried; resting ones stay there.

    Adam's mean squared gradients are those of the frames before, its mean gradient begins anew.

    Args:
        cast: as they were carried.
        scene: the frame.
        task: what is to be lowered.
        following: keeps strokes within what may be.
        effort: number of steps, and their rates.
        steady: runs a step's gradient on as many threads as is fastest.
    """
    limits, start = following.limits(cast, scene), cast.vectors
    mean, square, age = np.zeros_like(start), cast.square, cast.steps
    youth = np.where(cast.age < 90, YOUTH ** cast.age.astype(np.float32), 0).astype(np.float32)[:, None]
    first, last = effort.rates
    steps = effort.steps + math.ceil(effort.more * min(1.0, float((cast.age < 1).mean()) / MUCH))
    for step in range(steps):
        gradient = steady(partial(_gradient, task, scene, following.painted(cast)))
        gradient[:, OPACITY] *= cast.fade[:, None]
        age = age + 1
        mean = mean + (1 - MEAN_DECAY) * (gradient - mean)
        square = square + (1 - SQUARE_DECAY) * (gradient * gradient - square)
        scale = np.sqrt(square / (1 - SQUARE_DECAY**age)) + 1e-12
        move = (mean / (1 - MEAN_DECAY ** (step + 1)) / scale).clip(-LARGEST, LARGEST)
        rate = first * (last / first) ** (step / max(1, steps - 1))
        vectors = cast.vectors - np.maximum(rate, youth) * limits.rates * move
        vectors += np.where(youth < rate, SPRING, 0) * (start - vectors)
        vectors = vectors.clip(limits.low, limits.high).astype(np.float32)
        vectors = following.within(vectors, cast)
        vectors[cast.resting] = start[cast.resting]
        cast = replace(cast, vectors=vectors)
    return replace(cast, square=square.astype(np.float32), steps=age.astype(np.float32))


def _gradient(task: Objective, scene: Scene, painted: Array) -> Array:
    """``[N, 13]`` of a task in painted strokes."""
    return np.asarray(task.gradient(scene.seen(painted), scene.softness)[1].cpu().numpy(), np.float32)
