"""Colour, light, blur and camera effects on float pictures ``[H, W, 3]`` in [0, 1], as numpy arrays.

Every function takes a generator first and gives a new array; the values may leave [0, 1] a little until the
caller clips them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

# float32, [H, W, 3] and [H, W]; the element type is loose because cv2's stubs are.
Pixels: TypeAlias = NDArray[Any]
Plane: TypeAlias = NDArray[Any]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def blur(picture: Pixels, sigma: float) -> Pixels:
    """Gaussian blur; wide ones at a lower resolution, which looks the same and is quicker."""
    if sigma < 0.3:
        return picture
    height, width = picture.shape[:2]
    shrink = min(sigma / 2.5, min(height, width) / 4)
    if shrink <= 1.5:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma))
    small = cv2.resize(picture, (round(width / shrink), round(height / shrink)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def noise_field(rng: Generator, height: int, width: int, cells: float, channels: int = 1) -> Pixels:
    """Smooth noise ``[H, W, channels]`` in [0, 1] with about `cells` blobs along the longer side."""
    step = max(height, width) / cells
    grid = rng.random((int(height / step) + 3, int(width / step) + 3, channels), dtype=np.float32)
    field = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(field.reshape(height, width, channels), 0, 1)


def ramp(rng: Generator, height: int, width: int) -> Plane:
    """A linear ramp ``[H, W]`` from -1 to 1 in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    return np.asarray((x * np.cos(angle) + y * np.sin(angle)) / 1.4, np.float32)


def jitter_colour(rng: Generator, picture: Pixels, amount: float = 1.0) -> Pixels:
    """Random gamma, contrast, brightness, saturation, channel gains and (seldom) hue."""
    out = np.clip(picture, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25 * amount)))
    mean = out.mean((0, 1), keepdims=True)
    out = (out - mean) * np.float32(np.exp(rng.normal(0, 0.2 * amount))) + mean
    gains = np.exp(rng.normal(0, 0.15 * amount) + rng.normal(0, 0.08 * amount, 3)).astype(np.float32)
    out = out * gains
    grey = (out @ _LUMA)[..., None]
    out = grey + (out - grey) * np.float32(np.clip(np.exp(rng.normal(0, 0.35 * amount)), 0, 2))
    if rng.random() < 0.12 * amount:
        hsv = cv2.cvtColor(np.clip(out, 0, 1).astype(np.float32), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 360)) % 360
        out = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.asarray(out, np.float32)


def relight(rng: Generator, picture: Pixels) -> Pixels:
    """Light falling off in one direction, and a smooth patchy shade."""
    height, width = picture.shape[:2]
    light = 1 + rng.uniform(0, 0.5) * ramp(rng, height, width)
    if rng.random() < 0.4:
        light = light * (1 + rng.uniform(0, 0.8) * (noise_field(rng, height, width, 3)[..., 0] - 0.5))
    return np.asarray(picture * light[..., None], np.float32)


def jpeg(picture: Pixels, quality: int) -> Pixels:
    """The picture after a round trip through JPEG."""
    data = cv2.imencode(".jpg", (picture * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32) / 255


def _motion_blur(rng: Generator, picture: Pixels) -> Pixels:
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    centre, reach = (length - 1) / 2, (length - 1) / 2
    for t in np.linspace(-reach, reach, 2 * length):
        kernel[round(centre + t * np.sin(angle)), round(centre + t * np.cos(angle))] = 1
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def camera(rng: Generator, picture: Pixels) -> Pixels:
    """What a camera and a web page do to a picture: exposure, softness, vignette, noise, JPEG; in [0, 1]."""
    height, width = picture.shape[:2]
    out = jitter_colour(rng, picture, 0.6)
    chance = rng.random(7)
    if chance[0] < 0.06:
        out = np.repeat((out @ _LUMA)[..., None], 3, axis=2)
    if chance[1] < 0.25:
        out = blur(out, rng.uniform(0.3, 1.3))
    elif chance[1] < 0.30:
        out = _motion_blur(rng, out)
    elif chance[1] < 0.45:
        out = out + rng.uniform(0.3, 1.0) * (out - blur(out, 1.2))
    if chance[2] < 0.12:
        factor = rng.uniform(1.3, 2.5)
        small = cv2.resize(out, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if chance[3] < 0.15:
        y, x = np.linspace(-1, 1, height)[:, None] ** 2, np.linspace(-1, 1, width)[None] ** 2
        out = out * (1 - rng.uniform(0.1, 0.5) * (x + y) / 2).astype(np.float32)[..., None]
    if chance[4] < 0.4:
        channels = 3 if chance[5] < 0.6 else 1
        grain = rng.standard_normal((height, width, channels), dtype=np.float32)
        out = out + np.float32(rng.uniform(0.004, 0.06)) * grain
    out = np.clip(out, 0, 1)
    if chance[6] < 0.45:
        out = jpeg(out, int(rng.integers(25, 95)))
    return np.asarray(out, np.float32)
