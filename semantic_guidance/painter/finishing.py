"""What a hand does to its strokes last: colours as they are mixed, and how much paint is on the brush."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.packed import COLOR
from semantic_guidance.images.color import LUMA
from semantic_guidance.painter.hand import Hand
from semantic_guidance.painter.seeing import WARM

Array = NDArray[np.float32]

LIVELY = (0.3, 0.7, 1.0, 0.8, 0.4)
"""Factor of jitter from the first layer to the last: wide strokes calm, those in the middle lively."""

LIGHTNESS, TEMPERATURE, HUE = 0.22, 0.22, 0.25
"""Standard deviation of finished colours at a dial of 1."""

EXACT = 0.7
"""How much of the jitter is gone where everybody looks."""

PURE = 1.5
"""Factor of the chroma of the colours among which few are chosen, so that their mixture is not grey."""

THIN_DARKS = 0.4
"""Load of black against white: darks are painted thin."""


def lively(hand: Hand, levels: NDArray[np.intp], calm: Array) -> Array:
    """How much of the jitter each stroke gets ``[N]``: little in wide and fine ones, and where one looks.

    Args:
        hand: that paints.
        levels: ``[N]`` layers.
        calm: ``[N]`` in [0, 1], 1 where nobody looks.
    """
    return np.asarray(_by_layer(LIVELY, hand, levels) * (1 - EXACT * (1 - calm)), np.float32)


def finished(vectors: Array, hand: Hand, own: Array, rng: np.random.Generator) -> Array:
    """Packed strokes ``[N, 13]`` with colours as this hand mixes them.

    Args:
        vectors: ``[N, 13]``.
        hand: that paints.
        own: ``[N]`` share of the jitter that each stroke gets.
        rng: of all random choices.
    """
    count = len(vectors)
    if not count:
        return vectors
    color = vectors[:, COLOR]
    grey = color @ LUMA[:, None]
    mixed: NDArray[np.floating] = saturated(color, hand) + departures(hand, own, rng)
    if hand.colors:
        mixed = _chosen(mixed, grey + PURE * (color - grey), min(hand.colors, count))
    vectors[:, COLOR] = np.clip(mixed, 0, 1)
    return vectors


def saturated(color: NDArray[np.floating], hand: Hand) -> NDArray[np.floating]:
    """Colours ``[N, 3]`` with the chroma that a hand gives them."""
    grey = color @ LUMA[:, None]
    return np.asarray(grey + hand.saturation * (color - grey))


def departures(hand: Hand, own: Array, rng: np.random.Generator) -> NDArray[np.float64]:
    """``[N, 3]`` by how much finished colours differ from what they show; see `finished`."""
    count = len(own)
    lighter = (hand.jitter * LIGHTNESS * own * rng.standard_normal(count))[:, None]
    warmer = (hand.temperature * TEMPERATURE * own * rng.standard_normal(count))[:, None] * WARM
    turn = hand.hue * HUE * own[:, None] * rng.standard_normal((count, 3))
    return np.asarray(lighter + warmer + turn - turn @ LUMA[:, None])


def _chosen(mixed: NDArray[np.floating], pure: NDArray[np.floating], count: int) -> NDArray[np.floating]:
    """Each colour ``[N, 3]`` as the nearest of `count` pure ones."""
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 30, 0)
    pure = np.ascontiguousarray(np.clip(pure, 0, 1), np.float32)
    _, _, tubes = cv2.kmeans(pure, count, None, stop, 3, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    nearest = ((mixed[:, None] - tubes) ** 2).sum(-1).argmin(1)
    return np.asarray(tubes[nearest])


def loads(vectors: Array, hand: Hand, levels: NDArray[np.intp]) -> Array:
    """``[N]`` in [0, 1] how much paint each stroke carries: little in wide strokes and in darks."""
    load = np.array(hand.between("load"), np.float32)[levels]
    light = vectors[:, COLOR] @ LUMA
    return np.asarray(np.clip(load * (THIN_DARKS + (1 - THIN_DARKS) * light), 0, 1), np.float32)


def _by_layer(values: tuple[float, ...], hand: Hand, levels: NDArray[np.intp]) -> Array:
    """Of values from the first layer to the last, that of each stroke ``[N]``."""
    steps = np.linspace(0, 1, len(hand.radii))
    return np.asarray(np.interp(steps, np.linspace(0, 1, len(values)), values), np.float32)[levels]
