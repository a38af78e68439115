"""Frames of more light or stronger colours than usual screens have, as these show them.

Light is told by ITU-R BT.2100 (PQ, HLG), white paper by BT.2408: it has 203 candelas per square metre, and is
white here, as is all that is brighter. Colours that a screen does not have become the nearest it has.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
"""How light becomes a number, by H.273."""

HDR = {PQ: "PQ", HLG: "HLG"}

PAPER = 203.0
"""Candelas per square metre of white paper."""

PEAK, SYSTEM = 1000.0, 1.2
"""The same of the screen for which HLG is shown, and its exponent."""

SCREEN = 2.4
"""Exponent of usual screens, by BT.1886."""

TO_BT709 = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
"""What makes linear RGB of BT.709 of that of other primaries, by H.273: BT.2020 (BT.2087) and Display P3."""

LEVELS = 4096
"""Steps of light within which it is encoded for the screen."""


def is_wide(transfer: int, primaries: int) -> bool:
    """Whether frames of this transfer and these primaries, by H.273, are more than usual screens show."""
    return transfer in HDR or primaries in TO_BT709


def on_screen(frame: NDArray[np.uint16], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """A frame ``[H, W, 3]`` of 16 bits as a usual screen shows it, ``[H, W, 3]``."""
    light = _light(transfer)[frame]
    if transfer == HLG:  # the screen's exponent goes by the luminance of all three
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light *= (np.maximum(luminance, 1e-6) ** np.float32(SYSTEM - 1))[..., None] * np.float32(PEAK / PAPER)
    if primaries in TO_BT709:
        light = light @ np.array(TO_BT709[primaries], np.float32).T
    # By the square root, whose steps are finest where the eye's are.
    steps = np.sqrt(light.clip(0, 1)) * np.float32(LEVELS - 1)
    return _shown()[(steps + np.float32(0.5)).astype(np.int32)]


@functools.cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Linear light for each of 65,536 numbers, 1 for white paper; of HLG, that of the scene."""
    number = np.arange(65536) / 65535
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = number ** (1 / m2)
        light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / PAPER
    elif transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(number <= 0.5, number**2 / 3, (np.exp((number - c) / a) + b) / 12)
    else:
        light = number**SCREEN
    return light.astype(np.float32)


@functools.cache
def _shown() -> NDArray[np.uint8]:
    """The screen's number for each step of the square root of light."""
    light = (np.arange(LEVELS) / (LEVELS - 1)) ** 2
    return np.rint(255 * light ** (1 / SCREEN)).astype(np.uint8)
