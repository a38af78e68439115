"""How a hand lays its first strokes: layer by layer, from wide to fine, along the picture's flow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.agents.flow import Array, Flow, blur, flow, sample, streamlines, wandering
from semantic_guidance.agents.placing import pick_places
from semantic_guidance.agents.problem import Parts, paint
from semantic_guidance.core.strokes import COLOR, CONTROL, END, NUMBERS, OPACITY, POINTS, RADIUS, START
from semantic_guidance.images.arrays import to_array
from semantic_guidance.images.color import LUMA
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.seeing import Sight, calmness
from semantic_guidance.painter.sharing import Groups

PLACING = (0.0, 0.5, 0.6, 0.8, 1.0)
"""Exponents of the error by which strokes are placed, from the first layer, laid evenly, to the last."""

PADDED_LAYERS, PADDING = 2, 0.7
"""Layers that are laid over the border, and by how many radii."""

APART = 1.5
"""Distance of strokes of one layer, in radii, where they overlap by a quarter of their width."""

UNLIKE = 0.08, 0.24
"""How far from its own colour a stroke may run, at no looseness and at full looseness."""

ARMS = (0.6, 0.9)
"""Length of a stroke's arms against the greatest."""

SHORTER = 0.6
"""By how much strokes are shorter where the picture is rough."""

WANDER = 1.2
"""Radians by which strokes turn from rough texture at full looseness."""

NOTHING = 1e-6
"""A chord of this length has no direction."""

TONE = 0.5
"""Exponent that brings out the directions of darks."""


@dataclass(frozen=True, eq=False)
class Composition:
    """Strokes in the order in which they are painted.

    Attributes:
        vectors: ``[N, 13]`` packed, in units of the problem's longer side.
        levels: ``[N]`` number of their layer.
        parts: ``[N]`` what they depict, see `Parts`.
    """

    vectors: Tensor
    levels: NDArray[np.intp]
    parts: Parts

    def __getitem__(self, order: NDArray[np.intp]) -> Composition:
        """The strokes with these numbers."""
        return Composition(self.vectors[torch.from_numpy(order)], self.levels[order], self.parts[order])


class Layers:
    """What a hand knows of a picture before it lays strokes.

    Args:
        sight: the picture as the hand sees it.
        hand: that paints it.
        strokes: number of them, which says how wide they are.
        rng: of all random choices.
        share: of each layer's strokes that objects get, 0 to 1; by their error if None.
        flow: works out the directions along the picture.
    """

    def __init__(
        self,
        sight: Sight,
        hand: Hand,
        strokes: int,
        rng: np.random.Generator,
        share: float | None = None,
        flow: Callable[[Array, Sequence[Array], float], Flow] = flow,
    ) -> None:
        problem = sight.problem
        self.hand, self.problem, self.rng = hand, problem, rng
        self.size = problem.size
        self.target = to_array(problem.target)
        self.weight = problem.weight.numpy()
        self.radii = hand.radii_for(strokes)
        self.calm = calmness(sight.heed)
        masks = problem.masks.numpy()
        self.inside = problem.mask.numpy()
        self.share = share if len(masks) else None
        self.groups = Groups.of(problem)
        regions = [1 - self.inside, self.inside] if len(masks) else [np.ones_like(self.inside)]
        self._flow, self._toned, self._regions = flow, self.target**TONE, regions
        self._wander = WANDER * hand.looseness
        shape = self.inside.shape
        self._noise = [
            rng.standard_normal(shape, dtype=np.float32) if self._wander else None for _ in self.radii
        ]
        self._fields: dict[int, Flow] = {}
        self._blurred: dict[int, Array] = {}
        low, high = hand.spread
        opacity = hand.between("opacity")
        limits = [
            (radius * low, radius * high, each) for radius, each in zip(self.radii, opacity, strict=True)
        ]
        self.limits = np.array(limits, np.float32)

    def field(self, layer: int) -> Flow:
        """The directions of a layer, not worked out before they are needed: so the first layer comes soon."""
        if layer not in self._fields:
            scale = max(1.0, self.hand.smoothness * self.radii[layer] * self.size)
            found, noise = self._flow(self._toned, self._regions, scale), self._noise[layer]
            self._fields[layer] = found if noise is None else wandering(found, noise, self._wander, scale)
        return self._fields[layer]

    def blurred(self, layer: int) -> Array:
        """``[h, w, 3]`` the picture as a layer's strokes can show it."""
        if layer not in self._blurred:
            self._blurred[layer] = blur(self.target, max(0.5, 0.6 * self.radii[layer] * self.size))
        return self._blurred[layer]

    def parts_at(self, centre: NDArray[np.floating]) -> Parts:
        """What is at places (x, y) ``[N, 2]`` in pixels."""
        return sample(self.problem.owner, centre)

    def placing(self, layer: int) -> float:
        """Exponent of the error by which a layer's strokes are placed."""
        at = layer * (len(PLACING) - 1) / max(1, len(self.radii) - 1)
        exponent = float(np.interp(at, range(len(PLACING)), PLACING))
        if self.problem.start is not None:  # what is there already need not be covered
            exponent = max(exponent, PLACING[1])
        return exponent

    def parts_now(self, parts: Parts, centre: NDArray[np.floating]) -> Parts:
        """What strokes that depicted some parts do at places (x, y) ``[N, 2]`` in pixels."""
        if self.groups is not None:
            return self.groups.parts_now(parts, centre)
        return parts if self.share is not None else self.parts_at(centre)

    def lay(
        self, error: Array, layer: int, count: int, instead: Parts | None = None, before: int = 0
    ) -> Composition:
        """`count` strokes of a layer where `error` ``[h, w]`` is greatest.

        Where objects have a fixed share, they get that, or as many as among the parts `instead` ``[count]``;
        `before` is the number of strokes of other layers.
        """
        radius, field, rng = self.radii[layer] * self.size, self.field(layer), self.rng
        centre, parts = self._places(error, layer, count, instead, before)
        calm = sample(self.calm, centre)
        own = radius * rng.uniform(0.85, 1.15, count) * (1 + 0.5 * self.hand.economy * (calm - 0.5))
        arms = own * self.hand.bounds[1] * rng.uniform(*ARMS, count)
        arms *= 1 - SHORTER * sample(field.rough, centre)
        points = streamlines(field, centre, arms.astype(np.float32), self._stops(layer), 1.2 * radius)
        numbers = np.concatenate(
            [
                points.reshape(count, 6) / self.size,
                (own / self.size)[:, None] * (1, 1 - 0.45 * self.hand.taper),
                np.full((count, 2), self.limits[layer, 2]),
                sample(self.blurred(layer), centre),
            ],
            axis=1,
        )
        vectors = torch.from_numpy(numbers.astype(np.float32))
        within(vectors, self.hand, torch.from_numpy(self.limits[np.full(count, layer)]))
        return Composition(vectors, np.full(count, layer), parts)

    def _places(
        self, error: Array, layer: int, count: int, instead: Parts | None, before: int
    ) -> tuple[Array, Parts]:
        """`count` places (x, y) ``[count, 2]`` in pixels for strokes of a layer, and what they depict."""
        if self.groups is not None:
            numbers = self.groups.numbers(count, before) if instead is None else self.groups.among(instead)
            return self._in_groups(self.groups, error, layer, numbers)
        if self.share is None:
            centre = self._greatest(error, layer, count)
            return centre, self.parts_at(centre)
        within = round(self.share * count) if instead is None else int((instead >= 0).sum())
        behind = self._greatest(error * (1 - self.inside), layer, count - within)
        front = self._greatest(error * self.inside, layer, within)
        masks = np.moveaxis(self.problem.masks.numpy(), 0, -1)
        parts = [np.full(count - within, -1), sample(masks, front).argmax(axis=-1)]
        return np.concatenate([behind, front]), np.concatenate(parts)

    def _in_groups(self, groups: Groups, error: Array, layer: int, numbers: list[int]) -> tuple[Array, Parts]:
        """So many places (x, y) of each group, and what strokes there depict."""
        centres = [
            self._greatest(error * plane, layer, number)
            for plane, number in zip(groups.planes, numbers, strict=True)
        ]
        centre = np.concatenate(centres)
        return centre, groups.parts_now(np.repeat(np.array(groups.parts, np.intp), numbers), centre)

    def _greatest(self, error: Array, layer: int, count: int) -> Array:
        """The same wherever the error ``[h, w]`` is greatest."""
        radius = self.radii[layer] * self.size
        pad = round(PADDING * radius) if layer < PADDED_LAYERS else 0
        padded = np.pad(error.astype(np.float32), pad, mode="edge")
        spacing = APART * (1.25 - self.hand.overlap) * radius
        places = pick_places(torch.from_numpy(padded), count, spacing, self.rng) - pad
        return places[:, ::-1].astype(np.float32) + 0.5

    def _stops(self, layer: int) -> list[tuple[Array, float]]:
        """What ends a streamline: other colours, and, if edges are kept, other objects."""
        low, high = UNLIKE
        stops = [(self.blurred(layer), low + (high - low) * self.hand.looseness)]
        if len(self.problem.masks) and self.hand.edges > 0:
            stops.append((self.inside[..., None], 1.1 - 0.9 * self.hand.edges))
        return stops

    def order(self, composition: Composition) -> Composition:
        """By layer, then what is behind first; within these as they were."""
        return composition[np.lexsort([composition.parts, composition.levels])]


def compose(layers: Layers, strokes: int) -> Composition:
    """The first strokes: each layer where the layers before it left the greatest error.

    Fewer layers if somebody looks on and ends it.
    """
    hand, problem, rng = layers.hand, layers.problem, layers.rng
    counts = np.diff(np.round(np.cumsum((0, *hand.shares)) / sum(hand.shares) * strokes)).astype(int)
    canvas, laid = problem.canvas, []
    for layer, count in enumerate(counts):
        error = ((to_array(canvas) - layers.target) ** 2).sum(-1)
        error = (error * (layers.weight if layer else 1)) ** layers.placing(layer)
        fresh = layers.lay(error, layer, int(count), before=int(counts[:layer].sum()))
        light = fresh.vectors[:, COLOR].numpy() @ LUMA
        fresh = fresh[np.argsort(-light, kind="stable") if hand.pale_first else rng.permutation(len(light))]
        canvas = paint(fresh.vectors, canvas, None, problem.backend)
        laid.append(fresh)
        if not problem.told(functools.partial(_shown, layers, laid)):
            break
    return together(laid)


def _shown(layers: Layers, laid: list[Composition]) -> tuple[Tensor, Parts]:
    """Packed strokes ``[N, 13]`` of some layers, as they are painted, and what they depict."""
    composition = layers.order(together(laid))
    return composition.vectors, composition.parts


def together(compositions: list[Composition]) -> Composition:
    """All strokes, one composition after the other."""
    return Composition(
        torch.cat([torch.empty(0, NUMBERS, dtype=torch.float32), *(each.vectors for each in compositions)]),
        np.concatenate([np.empty(0, np.intp), *(each.levels for each in compositions)]),
        np.concatenate([np.empty(0, np.intp), *(each.parts for each in compositions)]),
    )


def within(vectors: Tensor, hand: Hand, limits: Tensor) -> None:
    """Bring strokes within a hand's limits, in place.

    Args:
        vectors: ``[N, 13]`` packed.
        hand: that makes them.
        limits: ``[N, 3]`` least and greatest radius, and opacity.
    """
    low, high, opacity = limits.split(1, dim=1)
    thin = 1 - hand.taper
    radius = torch.minimum(torch.maximum(vectors[:, RADIUS], low * thin), high).clamp(min=1e-9)
    greatest = radius.amax(dim=1, keepdim=True)
    widest = torch.maximum(greatest, low)
    vectors[:, RADIUS] = torch.maximum(radius * (widest / greatest), thin * widest)
    vectors[:, OPACITY] = opacity
    start, control, end = vectors[:, START], vectors[:, CONTROL], vectors[:, END]
    middle, half = (start + end) / 2, (end - start) / 2
    chord = 2 * half.norm(dim=1, keepdim=True)
    level = vectors.new_tensor([[1.0, 0.0]])  # for strokes without a direction
    unit = torch.where(chord > NOTHING, 2 * half / chord.clamp(min=NOTHING), level)
    least, most = hand.bounds
    wanted = torch.minimum(torch.maximum(chord, 2 * least * widest), 2 * most * widest)
    half = unit * (wanted / 2)
    bow = control - middle
    bow = bow * (hand.curvature * wanted / bow.norm(dim=1, keepdim=True).clamp(min=1e-9)).clamp(max=1)
    vectors[:, POINTS] = torch.cat([middle - half, middle + bow, middle + half], dim=1)
