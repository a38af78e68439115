"""How strokes of some manner go on from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.placing import strokes_at, structure
from semantic_guidance.agents.problem import Parts, Problem
from semantic_guidance.core.packed import COLOR, NUMBERS, OPACITY, POINTS, RADIUS
from semantic_guidance.painter.film.cast import GROWN, Cast
from semantic_guidance.painter.film.flow import Motion
from semantic_guidance.painter.film.population import turned_over
from semantic_guidance.painter.film.presets import Hold
from semantic_guidance.painter.film.scene import Scene
from semantic_guidance.painter.film.state import tools_of, tools_state
from semantic_guidance.painter.likeness import stored
from semantic_guidance.painter.manner import in_layers
from semantic_guidance.painter.presets import RefineConfig
from semantic_guidance.painter.refine import (
    BEYOND,
    GREATEST_RADIUS,
    LEAST_OPACITY,
    LEAST_PIXELS,
    LEAST_RADIUS,
    Refiner,
)
from semantic_guidance.painting.layers import Ends
from semantic_guidance.painting.medium import Tools
from semantic_guidance.painting.painting import Layer, Painting

Array = NDArray[np.float32]


HAIR = 0.08
"""Least radius of strokes that were born in the film, in spacings: else hairs stay where something passed."""


@dataclass(frozen=True, eq=False)
class Limits:
    """Of packed strokes, for each of their numbers.

    Attributes:
        rates: ``[13]`` or ``[N, 13]`` of refinement.
        low: ``[13]`` or ``[N, 13]``.
        high: ``[13]`` or ``[N, 13]``.
    """

    rates: Array
    low: Array
    high: Array


class Following(Protocol):
    """What a manner of painting makes of strokes that are carried along. Strokes are those of the picture.

    Attributes:
        refines: whether strokes are refined.
    """

    refines: bool

    def seen(self, problem: Problem) -> Problem:
        """A frame as it is to be painted."""

    def begin(
        self, painting: Painting, scene: Scene, parts: Parts, tools: Tools | None, refiner: Refiner | None
    ) -> Cast:
        """The strokes, without numbers yet, of the first frame's painting, or of one after a cut.

        Args:
            painting: by the painter.
            scene: the frame, as it is seen.
            parts: ``[N]`` what its strokes depict.
            tools: with which they are painted.
            refiner: that has refined them, if one has.
        """

    def limits(self, cast: Cast, scene: Scene) -> Limits:
        """Within which strokes are refined."""

    def within(self, vectors: Array, cast: Cast) -> Array:
        """Strokes ``[N, 13]`` as the manner may have them; asked after they were carried, and each step."""

    def painted(self, cast: Cast) -> Array:
        """Strokes ``[N, 13]`` as they are painted: with their fading."""

    def exchanged(
        self, cast: Cast, scene: Scene, motion: Motion, before: Array, hold: Hold, rng: np.random.Generator
    ) -> Cast:
        """Strokes that were carried to a scene, with fresh ones, without numbers yet, for some of them.

        Args:
            cast: that was carried.
            scene: the frame, as it is seen.
            motion: from the frame before.
            before: ``[h, w]`` error of its painting.
            hold: how long strokes hold.
            rng: of all random choices.
        """

    def layers(self, cast: Cast, scene: Scene) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
        """Layers and masks of the painting; all strokes of the cast, in their order."""

    def state(self) -> dict[str, Any]:
        """What it needs to go on with the same bits: arrays and JSON values by name."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""


class AnyStrokes:
    """A `Following` of free strokes, as a likeness has them.

    Args:
        count: strokes of the film.
        ends: of the strokes.
    """

    refines = True

    def __init__(self, count: int, ends: Ends = "round") -> None:
        self.count, self.ends = count, ends
        self.loaded = False  # whether strokes carry more or less paint
        self.tools: Tools | None = None

    def seen(self, problem: Problem) -> Problem:
        """See `Following`: as it is."""
        return problem

    def begin(
        self, painting: Painting, scene: Scene, parts: Parts, tools: Tools | None, refiner: Refiner | None
    ) -> Cast:
        """See `Following`."""
        self.tools = tools
        self.loaded = any(layer.load is not None for layer in painting.layers)
        loads = [
            np.ones(len(layer.strokes), np.float32) if layer.load is None else layer.load.numpy()
            for layer in painting.layers
        ]
        vectors = painting.strokes.pack()[0].numpy().copy()
        cast = Cast.of(vectors, parts, np.concatenate([np.empty(0, np.float32), *loads]), age=GROWN)
        if refiner is None or len(refiner.square) != len(cast):
            return cast
        return replace(
            cast, square=refiner.square.cpu().numpy().copy(), steps=refiner.age.cpu().numpy().copy()
        )

    def limits(self, cast: Cast, scene: Scene) -> Limits:
        """See `Following`: as the strokes of a painting are refined."""
        height, width = scene.target.shape[:2]
        config, unit = RefineConfig(), np.sqrt(height * width / max(1, self.count)) / scene.size
        least = max(LEAST_RADIUS * unit, LEAST_PIXELS / scene.size)
        rates = columns(
            unit * config.position_rate, unit * config.radius_rate, config.opacity_rate, config.color_rate
        )
        if self.tools is not None:
            rates[RADIUS] *= self.tools.radii is None
            rates[COLOR] *= self.tools.colors is None
        low = np.repeat(columns(-BEYOND, least, LEAST_OPACITY, 0)[None], len(cast), axis=0)
        young = cast.age < GROWN
        low[young, RADIUS] = max(least, HAIR * unit)
        return Limits(rates, low, columns(1 + BEYOND, GREATEST_RADIUS, 1, 1))

    def within(self, vectors: Array, cast: Cast) -> Array:
        """See `Following`: as they are."""
        return vectors

    def painted(self, cast: Cast) -> Array:
        """See `Following`: as the tools can; opaque strokes do not fade."""
        if self.tools is None or not len(cast):
            return cast.shown
        return np.asarray(self.tools(torch.from_numpy(cast.shown)).numpy(), np.float32)

    def born(self, scene: Scene, places: NDArray[np.intp], radius: float, rng: np.random.Generator) -> Cast:
        """Fresh strokes, see `Born`, along the picture's structure."""
        field = structure(scene.problem.target, radius)
        fresh = strokes_at(places, radius, field, rng, scene.size).pack()[0].numpy()
        return Cast.of(scene.found(fresh), scene.problem.owner[places[:, 0], places[:, 1]])

    def exchanged(
        self, cast: Cast, scene: Scene, motion: Motion, before: Array, hold: Hold, rng: np.random.Generator
    ) -> Cast:
        """See `Following`: by the error that they lower."""
        return turned_over(cast, scene, motion, before, self.painted, self.born, hold, self.count, rng)

    def layers(self, cast: Cast, scene: Scene) -> tuple[tuple[Layer, ...], tuple[Tensor, ...]]:
        """See `Following`."""
        strokes = torch.from_numpy(self.painted(cast))
        layers = in_layers(strokes, cast.parts, self.ends, cast.load if self.loaded else None)
        if not scene.masked:
            return layers, ()
        masks = tuple(stored(each.mask) for each in scene.problem.guidance.instances)
        shown = (replace(each, mask=each.instance) if each.level == "foreground" else each for each in layers)
        return tuple(shown), masks

    def state(self) -> dict[str, Any]:
        """See `Following`."""
        return {"loaded": self.loaded, "tools": tools_state(self.tools)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Following`."""
        self.loaded, self.tools = bool(state["loaded"]), tools_of(state["tools"])


def columns(position: float, radius: float, opacity: float, color: float) -> Array:
    """``[13]`` one number for each kind of a stroke's numbers."""
    columns = np.empty(NUMBERS, np.float32)
    for where, value in ((POINTS, position), (RADIUS, radius), (OPACITY, opacity), (COLOR, color)):
        columns[where] = value
    return columns
