"""Which strokes go, and which come, from one frame of a film to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from semantic_guidance.agents.placing import pick_places
from semantic_guidance.painter.film.cast import Cast
from semantic_guidance.painter.film.flow import Motion
from semantic_guidance.painter.film.presets import Hold
from semantic_guidance.painter.film.scene import Scene
from semantic_guidance.painter.population import APART, RADIUS

Array = NDArray[np.float32]

Born = Callable[[Scene, NDArray[np.intp], float, np.random.Generator], Cast]
"""Makes fresh strokes, without numbers yet, at places (row, column) ``[M, 2]`` of a scene, of a radius."""

ELSEWHERE = 0.35
"""How much an error counts, where fresh strokes are placed, that was there before."""

LOWERS = 0.4
"""Share of the error around a place that a fresh stroke may be expected to remove."""

CAME = 0.6
"""Mean trust around a place below which it came into view."""

YOUNG = 4
"""Frames within which a stroke is not taken away."""

HIDDEN = 1e-7
"""What a stroke is worth, as a mean squared error, that is not seen, or in the way: it goes at once."""

RESTING = 4.0
"""What a stroke counts as worth, in multiples, in which nothing has changed."""

HARMFUL = 0.5
"""A stroke that raises the error by more than so many times what each has of it on average goes at once."""

NEVER = 1e9
"""What a stroke counts as worth that stays."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where strokes may be born, those first that gain most.

    Attributes:
        where: ``[M, 2]`` rows and columns.
        gain: ``[M]`` by how much the error would fall.
        new: ``[M]`` whether the place came into view.
        radius: of strokes there, in pixels.
    """

    where: NDArray[np.intp]
    gain: Array
    new: NDArray[np.bool_]
    radius: float


def turned_over(
    cast: Cast,
    scene: Scene,
    motion: Motion,
    error_before: Array,
    painted: Callable[[Cast], Array],
    born: Born,
    hold: Hold,
    budget: int,
    rng: np.random.Generator,
) -> Cast:
    """The strokes of a frame, with fresh ones for such as are worth less.

    Args:
        cast: carried to the frame.
        scene: the frame.
        motion: from the frame before.
        error_before: ``[h, w]`` error of its painting.
        painted: strokes ``[N, 13]`` as they are painted.
        born: makes fresh strokes.
        hold: how long strokes hold.
        budget: strokes of the film.
        rng: of all random choices.
    """
    costs, error = scene.worth(scene.task(cast.parts), painted(cast))
    places = _places(error, motion, motion.carried(error_before), hold, budget, rng)
    worth = np.where(cast.dying | (cast.age < YOUNG), NEVER, np.where(cast.resting, RESTING, 1) * costs)
    harmful = costs < -HARMFUL * error.sum(dtype=np.float64) / max(1, budget)
    harmful &= (cast.age >= YOUNG) & ~cast.resting
    worth[harmful] = NEVER
    free = max(0, budget - int((~cast.dying & ~harmful).sum()))
    chosen, leaving = _exchanged(places, worth, hold, budget, free)
    dying = cast.dying.copy()
    dying[leaving] = True
    stay = ~harmful
    stay[leaving[costs[leaving] < HIDDEN]] = False
    fresh = born(scene, places.where[chosen], places.radius, rng)
    appears = np.where(places.new[chosen], 1, 1 / max(1, hold.fade)).astype(np.float32)
    return replace(cast, dying=dying)[stay].joined(replace(fresh, fade=appears))


def _places(
    error: Array,
    motion: Motion,
    before: Array,
    hold: Hold,
    budget: int,
    rng: np.random.Generator,
) -> Places:
    """Places at which strokes may be born, for errors ``[h, w]`` now and before."""
    moved = ~motion.still
    rise = np.maximum(error - before, 0) * moved
    radius = float(
        np.clip(RADIUS * math.sqrt(error.size / max(1, budget)), 1.0, max(1.0, 0.05 * max(error.shape)))
    )
    wanted = np.maximum(
        ELSEWHERE * error * moved,
        np.maximum(rise * (1 - motion.trust), error * moved * (1 - motion.familiar)),
    )
    most = max(1, math.ceil(hold.shown * budget))
    where = pick_places(torch.from_numpy(wanted.astype(np.float32)), most, APART * radius, rng)
    rows, columns = where.T
    side = 2 * round(radius) + 1

    def around(values: Array) -> Array:
        total = cv2.boxFilter(values.astype(np.float32), -1, (side, side), normalize=False)
        return np.asarray(LOWERS * total[rows, columns], np.float32)

    new = np.asarray(cv2.blur(motion.familiar, (5, 5))[rows, columns] < CAME)
    gain = around(error * moved)
    order = np.argsort(-gain, kind="stable")
    return Places(where[order], gain[order], new[order], radius)


def _exchanged(
    places: Places, worth: Array, hold: Hold, budget: int, free: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which places get a stroke, and which strokes go for them; so many go for none that has gone already."""
    rank = np.argsort(worth, kind="stable")
    chosen: list[int] = []
    ordinary, most = 0, math.ceil(hold.births * budget)
    for place, (gain, new) in enumerate(zip(places.gain, places.new, strict=True)):
        if not new and ordinary >= most:
            continue
        goes = len(chosen) - free
        if goes >= len(rank):
            break
        least = worth[rank[goes]] if goes >= 0 else 0.0
        if least >= NEVER or gain < hold.gain * max(least, HIDDEN):
            break
        ordinary += not new
        chosen.append(place)
    return np.array(chosen, np.intp), rank[: max(0, len(chosen) - free)]
