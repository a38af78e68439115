"""What a picture's objects are worth: how much their errors count, and how many strokes that brings them.

Nothing has a share of the strokes by rule. Every pixel has a weight, strokes go where the weighted error is,
and shares follow. What can be said beforehand follows from one law: `n` strokes where there is the detail `d`
leave an error of ``d * n ** -LAW``. Of all ways to lay strokes with a density ``n``, the weighted error is
least where ``n`` is proportional to ``(weight * d) ** (1 / (1 + LAW))``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.guidance import DOUBT, Instance
from semantic_guidance.images.arrays import resize, to_array

Array = NDArray[np.float32]

GREATEST = 12.0
"""Weight of a pixel of an object of full confidence and salience, against 1 in the background."""

FACE = 2.5
"""What a face's pixel counts against one of the object to which it belongs."""

FOCUS = 0.5
"""A pixel of full focus counts 1 + this much."""

SURE = 0.9
"""Confidence from which on an object counts fully; up to `DOUBT` it counts as background."""

LAW = 0.6
"""Exponent with which errors fall with the number of strokes: the mean PSNR of Kodak photographs rises by
3.7 dB from 256 to 1,024 strokes."""

COST = 1.04
"""What the error of the whole may be expected to become, against 1 of no guidance: weights that would cost
more are lowered. Measured, it becomes 1.1 then: real strokes are wider than the law supposes."""

PIXELS = 64
"""Pixels for each stroke on which detail is looked at."""

SCALES = 0.5, 1.0
"""Width of a Gaussian whose difference from the picture is detail, and of one over which it is averaged, in
spacings of the strokes."""


def certainty(confidence: float) -> float:
    """In [0, 1], how much of its weight an object gets that a person would call one with this probability."""
    return min(max((confidence - DOUBT) / (SURE - DOUBT), 0.0), 1.0)


def weight_of(instance: Instance) -> float:
    """What a pixel of an object counts against one of the background, at least 1."""
    greatest = GREATEST * FACE if instance.kind == "face" else GREATEST
    return 1 + (greatest - 1) * certainty(instance.confidence) * instance.salience


def weigh(
    target: Tensor, masks: Tensor, focus: Tensor, instances: tuple[Instance, ...], strokes: int
) -> Tensor:
    """``[h, w]`` weight of each pixel's error, at least 1.

    Objects have their weights, pixels in focus more, and so much of what is beyond 1 that `expected_cost` is
    at most `COST`: a small object may count much, one that fills the frame little, and many faces starve
    nobody.

    Args:
        target: ``[3, h, w]`` the picture.
        masks: ``[M, h, w]`` of its objects.
        focus: ``[h, w]`` in [0, 1].
        instances: the M objects.
        strokes: number of them for the whole picture.
    """
    weight = torch.ones_like(focus)
    for mask, instance in zip(masks, instances, strict=True):
        weight = torch.maximum(weight, 1 + (weight_of(instance) - 1) * mask)
    weight = weight * (1 + FOCUS * focus)
    if not bool((weight > 1).any()):
        return weight
    detail = detail_of(target, strokes)
    small = _small(weight, detail)
    low, high = 0.0, 1.0
    if expected_cost(detail, small) <= COST:
        return weight
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if expected_cost(detail, 1 + middle * (small - 1)) <= COST else (low, middle)
        )
    return 1 + low * (weight - 1)


def expected_cost(detail: Array, weight: Array) -> float:
    """The error of the whole if strokes follow the weighted error, against that if they follow the error."""

    def error(wanted: Array) -> float:
        density = wanted ** (1 / (1 + LAW))
        return float((detail * (density / density.mean(dtype=np.float64)) ** -LAW).mean(dtype=np.float64))

    return error(detail * weight) / error(detail)


def expected_shares(
    target: Tensor, weight: Tensor, masks: Tensor, strokes: int, start: Tensor | None = None
) -> list[float]:
    """Shares of the strokes that the background and then each object may expect; they sum to 1.

    Args:
        target: ``[3, h, w]`` the picture.
        weight: ``[h, w]`` of its pixels' errors.
        masks: ``[M, h, w]`` of its objects; a later one lies on the ones before it.
        strokes: number of them for the whole picture.
        start: ``[3, h, w]`` what is on the canvas: where that is the picture, nothing is to be painted.
    """
    detail = detail_of(target, strokes, start)
    density = (detail * _small(weight, detail)) ** (1 / (1 + LAW))
    left, parts = np.ones_like(density), []
    for mask in reversed(list(masks)):
        parts.append(left * _small(mask, detail))
        left = left - parts[-1]
    sums = [float((density * part).sum(dtype=np.float64)) for part in (left, *reversed(parts))]
    return [each / sum(sums) for each in sums]


def budgets(
    target: Tensor,
    weight: Tensor,
    masks: Tensor,
    strokes: int,
    share: float | None,
    start: Tensor | None = None,
    asked: Sequence[float | None] = (),
) -> tuple[int, ...]:
    """Strokes of the background, then of each object: what they are worth, or by roots of areas.

    Objects for which somebody asks for a share have that; the others share what is left.

    Args:
        target: ``[3, h, w]`` the picture.
        weight: ``[h, w]`` of its pixels' errors.
        masks: ``[M, h, w]`` of its objects.
        strokes: number of them for the whole picture.
        share: of the strokes that the objects get; by what they are worth if None.
        start: see `expected_shares`.
        asked: share of each object; nobody asks for one if None.
    """
    if not len(masks):
        return (strokes,)
    if share is None:
        shares = np.array(expected_shares(target, weight, masks, strokes, start))
    else:
        sizes = np.sqrt(masks.numpy().mean(axis=(1, 2)))
        shares = np.array([1 - share, *(share * sizes / sizes.sum())])
    if any(each is not None for each in asked):
        shares = _with_asked(shares, asked, share)
    foreground = round(strokes * float(shares[1:].sum()))
    within = shares[1:] / max(float(shares[1:].sum()), 1e-12)
    bounds = np.round(np.cumsum(within) * foreground).astype(int)
    return (strokes - foreground, *np.diff(bounds, prepend=0).tolist())


def _with_asked(
    shares: NDArray[np.float64], asked: Sequence[float | None], together: float | None
) -> NDArray[np.float64]:
    """Shares of the background and each object where some of these are asked for.

    Args:
        shares: ``[1 + M]`` if none were.
        asked: ``[M]``.
        together: share of all objects, if that is given; those that are asked for come first.
    """
    fixed = np.array([0.0, *(each or 0.0 for each in asked)])
    free = np.array([True, *(each is None for each in asked)])
    fixed /= max(1.0, fixed.sum())
    left, rest = 1 - fixed.sum(), shares * free
    if together is not None and rest[1:].sum() > 0:
        rest[1:] *= max(0.0, together - fixed.sum()) / rest[1:].sum()
        rest[0] = left - rest[1:].sum()
    elif rest.sum() <= 0 or together is not None:
        rest[0] = 1.0
    return np.asarray(fixed + left * rest / max(rest.sum(), 1e-12))


def detail_of(target: Tensor, strokes: int, start: Tensor | None = None) -> Array:
    """``[h', w']`` above 0: the squared detail around each place that is finer than strokes are wide.

    Where the canvas is like the picture from the `start`, it is at most what they differ.
    """
    height, width = target.shape[-2:]
    scale = min(1.0, math.sqrt(PIXELS * strokes / (height * width)))
    sides = max(1, round(scale * height)), max(1, round(scale * width))
    small = to_array(resize(target, *sides))
    spacing = math.sqrt(small.shape[0] * small.shape[1] / strokes)
    fine, around = (max(0.5, each * spacing) for each in SCALES)
    blurred = cv2.GaussianBlur(small, (0, 0), fine, borderType=cv2.BORDER_REPLICATE)
    squared = ((small - blurred) ** 2).sum(axis=-1)
    if start is not None:
        squared = np.minimum(squared, ((small - to_array(resize(start, *sides))) ** 2).sum(axis=-1))
    return np.asarray(
        cv2.GaussianBlur(squared, (0, 0), around, borderType=cv2.BORDER_REPLICATE) + 1e-6, np.float32
    )


def _small(plane: Tensor, detail: Array) -> Array:
    """A plane ``[h, w]`` of the picture at the size at which detail is known."""
    return np.asarray(resize(plane[None], *detail.shape)[0].numpy(), np.float32)
