"""The directions in which a hand paints a picture, and the streamlines along them. Lengths are in pixels.

Directions have no sign: a field holds unit vectors of the double angle, which can be averaged.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)

LEAN = -0.35
"""Direction of strokes where the picture has none, in radians from the x axis: that of a right hand."""

WIDEST = 0.15
"""Scale of the coarsest field, in units of the longer side."""

COHERENT, TRUST = 1.6, 1.5
"""Factor and exponent that turn coherence into the weight of a finer field against the coarser ones."""

FAINT = 0.0025
"""Slope that counts as nothing, so that noise of flat places does not."""

ROUGH_SLOPE = 0.05
"""Slope from which on texture without direction counts as rough."""

QUICK = 2.0
"""Pixels that a scale still has in the smaller copy on which a quick flow is worked out."""

PARTS = 5
"""Steps in which one arm of a streamline is traced."""

TURN = 0.6
"""How much of a step's heading is that of the field there, against that of the step before."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Where strokes run at one scale.

    Attributes:
        double: ``[H, W, 2]`` unit vectors (cos, sin) of twice the angle.
        sure: ``[H, W]`` in [0, 1], how far the picture itself gives the direction.
        rough: ``[H, W]`` in [0, 1], texture without direction.
    """

    double: Array
    sure: Array
    rough: Array

    def heading(self, places: Array) -> Array:
        """Unit vectors (x, y) ``[N, 2]`` of the direction at places (x, y) ``[N, 2]``."""
        double = sample(self.double, places)
        angle = 0.5 * np.arctan2(double[:, 1], double[:, 0])
        heading = np.empty((len(angle), 2), np.float32)
        heading[:, 0], heading[:, 1] = np.cos(angle), np.sin(angle)
        return heading

    def turned(self, angle: float | Array) -> Flow:
        """The same with all directions turned by an angle in radians, one or ``[H, W]``."""
        cos, sin = np.cos(2 * angle), np.sin(2 * angle)
        x, y = np.moveaxis(self.double, -1, 0)
        turned = np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)
        return Flow(turned.astype(np.float32), self.sure, self.rough)


def flow(
    picture: Array,
    regions: Sequence[Array],
    scale: float,
    wander: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Flow:
    """The directions along a picture, smooth at a scale; where it has none, those of what is around.

    The structure tensor is weighted by the slope, not its square, so that weak edges count, and integrated
    at wide scales first; each finer one replaces the last where it is coherent. Regions do not mix.

    Args:
        picture: ``[H, W, 3]`` in [0, 1].
        regions: ``[H, W]`` each, in [0, 1], which add up to 1: the background, then the objects.
        scale: of the finest integration.
        wander: radians by which directions differ where the picture is rough.
        rng: of these.
    """
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.7, 0.3 * scale))
    dx, dy = (
        cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
        for order in ((1, 0), (0, 1))
    )
    xx, xy, yy = _summed(dx * dx), _summed(dx * dy), _summed(dy * dy)
    slope = np.sqrt(xx + yy) + 1e-6
    double = np.stack([yy - xx, -2 * xy], axis=-1) / slope[..., None]  # across the gradient
    merged = np.zeros_like(double) + np.array([math.cos(2 * LEAN), math.sin(2 * LEAN)], np.float32)
    sure = np.zeros_like(slope)
    for step in reversed(_scales(scale, WIDEST * max(slope.shape))):
        own, coherence = _integrated(double, slope, regions, step)
        weight = np.clip(COHERENT * coherence, 0, 1)[..., None] ** TRUST
        merged = _unit(merged * (1 - weight) + own * weight)
        sure = np.maximum(coherence, 0.6 * sure)
    found = Flow(merged.astype(np.float32), np.clip(sure, 0, 1), _roughness(double, slope, scale))
    if not wander or rng is None:
        return found
    return wandering(found, rng.standard_normal(slope.shape, dtype=np.float32), wander, scale)


def quick_flow(picture: Array, regions: Sequence[Array], scale: float) -> Flow:
    """Nearly the same as `flow`, sooner: worked out on a copy as small as the scale allows."""
    height, width = picture.shape[:2]
    smaller = max(1.0, scale / QUICK)
    size = max(1, round(width / smaller)), max(1, round(height / smaller))
    if size == (width, height):
        return flow(picture, regions, scale)

    def to(values: Array, columns: int, rows: int, how: int) -> Array:
        return np.asarray(cv2.resize(values, (columns, rows), interpolation=how), np.float32)

    # Slopes are told by the pixel, and are to be what they were.
    small = to(picture, *size, cv2.INTER_AREA) / np.float32(smaller)
    found = flow(small, [to(each, *size, cv2.INTER_AREA) for each in regions], scale / smaller)
    double, sure, rough = (
        to(each, width, height, cv2.INTER_LINEAR) for each in (found.double, found.sure, found.rough)
    )
    return Flow(_unit(double), sure, rough)


def wandering(field: Flow, noise: Array, wander: float, scale: float) -> Flow:
    """A field at a scale whose directions differ by white noise ``[H, W]`` where the picture is rough."""
    soft = blur(noise, 2 * scale)
    return field.turned(wander * field.rough * soft / max(float(soft.std()), 1e-6))


def _scales(finest: float, coarsest: float) -> list[float]:
    """From the finest scale on, each twice the last."""
    count = max(0, math.ceil(math.log2(max(coarsest / finest, 1.0))))
    return [finest * 2.0**n for n in range(count + 1)]


def _integrated(double: Array, slope: Array, regions: Sequence[Array], scale: float) -> tuple[Array, Array]:
    """Mean directions ``[H, W, 2]`` within regions at a scale, and their coherence ``[H, W]``."""
    mean, coherence = np.zeros_like(double), np.zeros_like(slope)
    for region in regions:
        area = blur(region, scale) + 1e-4
        vector = blur(double * region[..., None], scale) / area[..., None]
        length = np.sqrt(_summed(vector**2)) + 1e-9
        mean += region[..., None] * vector / length[..., None]
        coherence += region * length / (blur(slope * region, scale) / area + FAINT)
    return mean, coherence


def _roughness(double: Array, slope: Array, scale: float) -> Array:
    """``[H, W]`` in [0, 1] where there is texture, and it runs in no direction."""
    mean = blur(slope, 1.5 * scale)
    straight = np.sqrt(_summed(blur(double, 1.5 * scale) ** 2)) / mean
    rough = np.clip(mean / ROUGH_SLOPE, 0, 1) * np.clip(1.4 - 2 * straight, 0, 1)
    return np.asarray(rough, np.float32)


def streamlines(
    field: Flow,
    centre: Array,
    reach: Array,
    stops: Sequence[tuple[Array, float]] = (),
    least: float = 0.0,
) -> Array:
    """Quadratic Bezier curves along a field.

    Args:
        field: to follow.
        centre: ``[N, 2]`` places (x, y) through which they run.
        reach: ``[N]`` length of each of their two arms.
        stops: pictures ``[H, W, C]`` and how far a curve may get from its centre's colour in each.
        least: an arm's length that nothing stops.

    Returns:
        ``[N, 3, 2]`` start, control and end.
    """
    start, end = _arms(field, centre, reach, stops, least)
    back, forth = (np.sqrt(((arm - centre) ** 2).sum(-1, keepdims=True)) for arm in (start, end))
    lopsided = np.abs(back - forth) > 0.3 * (back + forth)  # the centre is far from the middle: straight
    control = np.where(lopsided, 0.5 * (start + end), 2 * centre - 0.5 * (start + end))
    return np.stack([start, control, end], axis=1).astype(np.float32)


def _arms(
    field: Flow,
    centre: Array,
    reach: Array,
    stops: Sequence[tuple[Array, float]],
    least: float,
) -> tuple[Array, Array]:
    """Where streamlines end ``[N, 2]`` that leave their centres backwards, and forwards."""
    heading, place = field.heading(centre), np.concatenate([centre, centre])
    ahead, reach = np.concatenate([-heading, heading]), np.concatenate([reach, reach])
    stride, going = (reach / PARTS)[:, None], np.ones(len(place), bool)
    begun = [sample(picture, place) for picture, _ in stops]
    for part in range(1, PARTS + 1):
        ahead = _unit(ahead)
        following = (place + ahead * stride).astype(np.float32)
        free = part / PARTS * reach <= least
        for (picture, tolerance), color in zip(stops, begun, strict=True):
            going &= free | (((sample(picture, following) - color) ** 2).sum(-1) <= tolerance**2)
        place = np.where(going[:, None], following, place)
        if part < PARTS:
            turn = field.heading(place)
            turn = np.where(_summed(turn * ahead)[:, None] < 0, -turn, turn)
            ahead = (1 - TURN) * ahead + TURN * turn
    start, end = np.split(place, 2)
    return start, end


def sample(values: NDArray[Number], places: NDArray[np.floating]) -> NDArray[Number]:
    """Values ``[N, ...]`` of an image ``[H, W, ...]`` at places (x, y) ``[N, 2]``, the nearest within it."""
    height, width = values.shape[:2]
    columns, rows = places[:, 0].astype(np.intp), places[:, 1].astype(np.intp)
    # As np.clip does, which takes longer to begin than it works here.
    columns = np.minimum(np.maximum(columns, 0), width - 1)
    return values[np.minimum(np.maximum(rows, 0), height - 1), columns]


def blur(values: Array, scale: float) -> Array:
    """Gaussian blur of ``[H, W]`` or ``[H, W, C]``, on a smaller copy where it is wide."""
    factor, (height, width) = max(1, int(scale / 4)), values.shape[:2]
    size = (max(2, width // factor), max(2, height // factor))
    small = values if factor == 1 else cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), scale / factor, borderType=cv2.BORDER_REPLICATE)
    whole = soft if factor == 1 else cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole, np.float32)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / (np.sqrt(_summed(vectors**2))[..., None] + 1e-9), vectors.dtype)


def _summed(values: Array) -> Array:
    """Sums ``[...]`` of the few channels of ``[..., C]``; much faster than numpy's, with the same bits."""
    channels = (values[..., n] for n in range(values.shape[-1]))
    return np.asarray(functools.reduce(np.add, channels), values.dtype)
