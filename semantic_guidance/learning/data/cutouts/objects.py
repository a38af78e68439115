"""Cut-outs on their way into a composite: colours, light, place, and fitting them to what is there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from semantic_guidance.learning.data.cutouts.backgrounds import crop_photo
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.cutouts.photometry import (
    Pixels,
    blur,
    jitter_colour,
    noise_field,
    relight,
)


def members(pack: CutoutPack, categories: frozenset[str]) -> list[int]:
    """Indices of the cut-outs of some categories."""
    return [i for i, name in enumerate(pack.categories) if name in categories]


def texture(rng: Generator, pack: CutoutPack, height: int, width: int) -> Pixels:
    """A texture to dress an object in: a piece of a photograph or of another cut-out's inside."""
    photos = pack.scenes + pack.others
    if photos and rng.random() < 0.6:
        return crop_photo(rng, photos[rng.integers(len(photos))], height, width, min_side=0.1)
    other = pack.cutouts[rng.integers(len(pack.cutouts))]
    h, w = other.shape[:2]
    inside = np.ascontiguousarray(other[h // 4 : h - h // 4 or 1, w // 4 : w - w // 4 or 1, :3])
    return cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255


def dress(rng: Generator, pack: CutoutPack, rgba: Pixels) -> Pixels:
    """Vary an object's own look: colours, light, sometimes another texture, sometimes a faded part."""
    height, width = rgba.shape[:2]
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if rng.random() < 0.14:
        tex = texture(rng, pack, height, width)
        shade = rgb.mean(2, keepdims=True)
        shade = shade / (float((shade * alpha).sum() / (alpha.sum() + 1e-6)) + 0.05)
        depth = rng.uniform(0, 0.8)
        mixed = tex * (1 - depth + depth * np.clip(shade, 0, 2))
        keep = rng.uniform(0, 0.5)
        rgb = rgb * keep + mixed * (1 - keep)
    if rng.random() < 0.8:
        rgb = jitter_colour(rng, rgb)
    if rng.random() < 0.5:
        rgb = relight(rng, rgb)
    if rng.random() < 0.12:
        # Two-coloured coats and clothes: another tint on a smooth part of the object.
        part = np.clip((noise_field(rng, height, width, 2.5) - 0.5) * 12 + 0.5, 0, 1)
        rgb = rgb * (1 - part) + jitter_colour(rng, rgb, 2.0) * part
    return np.concatenate([np.clip(rgb, 0, 1), alpha], 2)


def _matrix(
    rng: Generator, h: int, w: int, height: int, width: int, scale: float
) -> tuple[NDArray[np.float64], float]:
    """An affine map from cut-out pixels to frame pixels, and its mean magnification."""
    turn = rng.normal(0, 12) if rng.random() < 0.85 else rng.uniform(-180, 180)
    angle, flip = np.deg2rad(turn), rng.choice([-1.0, 1.0])
    stretch = np.exp(rng.normal(0, 0.12))
    zoom = scale * min(height / h, width / w) if scale <= 1 else scale * max(height / h, width / w)
    shear = rng.normal(0, 0.08)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.array([[flip * stretch, shear], [0, 1 / stretch]]) * zoom
    # Small objects lie anywhere, also partly outside; large ones near the middle.
    half = np.abs(linear) @ np.array([w / 2, h / 2])
    frame = np.array([width, height])
    room = np.maximum(frame / 2 - half, 0)
    slack = 0.5 * half if rng.random() < 0.3 else 0.1 * half
    reach = np.where(rng.random(2) < 0.4, room * 0.4, room + slack)
    centre = frame / 2 + rng.uniform(-1, 1, 2) * reach
    offset = centre - linear @ np.array([w / 2, h / 2])
    return np.concatenate([linear, offset[:, None]], 1), float(zoom)


def warp(rgba: Pixels, matrix: NDArray[np.float64], zoom: float, height: int, width: int) -> Pixels:
    """The object in an empty frame: ``[height, width, 4]``, colour premultiplied by alpha."""
    h, w = rgba.shape[:2]
    layer = rgba.copy()
    layer[..., :3] *= layer[..., 3:]
    if zoom < 0.7:  # warping does not average, so shrink before
        size = (max(2, round(w * zoom)), max(2, round(h * zoom)))
        small = cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
        matrix[:, :2] = matrix[:, :2] @ np.diag([w / small.shape[1], h / small.shape[0]])
        layer = small
    return np.asarray(cv2.warpAffine(layer, matrix, (width, height), flags=cv2.INTER_LINEAR), np.float32)


def place(rng: Generator, rgba: Pixels, height: int, width: int, scale: float) -> Pixels:
    """The object somewhere in an empty frame, sometimes bent, as `warp` gives it."""
    h, w = rgba.shape[:2]
    out = warp(rgba, *_matrix(rng, h, w, height, width, scale), height, width)
    if rng.random() < 0.3:
        longer = max(height, width)
        bend = (
            (noise_field(rng, height, width, rng.uniform(2, 5), 2) - 0.5) * longer * rng.uniform(0.02, 0.12)
        )
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        out = cv2.remap(out, xs + bend[..., 0], ys + bend[..., 1], cv2.INTER_LINEAR)
    return np.asarray(out, np.float32)


def harmonise(rng: Generator, layer: Pixels, canvas: Pixels) -> Pixels:
    """Move the object's mean colour and contrast part of the way to what lies behind and around it."""
    alpha = layer[..., 3:]
    area = float(alpha.sum()) + 1e-6
    mine = layer[..., :3].sum((0, 1)) / area
    around = blur(alpha[..., 0], max(canvas.shape[:2]) * 0.08)[..., None]
    theirs = (canvas * around).sum((0, 1)) / (float(around.sum()) + 1e-6)
    weight = rng.uniform(0, 0.65)
    contrast = rng.uniform(0.75, 1.1)
    rgb = (layer[..., :3] - mine * alpha) * contrast + (mine + weight * (theirs - mine)) * alpha
    return np.concatenate([np.clip(rgb, 0, 1), alpha], 2).astype(np.float32)
