"""Backgrounds for composites: crops of photographs, blurred ones, and procedural textures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from semantic_guidance.learning.data.cutouts.photometry import (
    Pixels,
    blur,
    jitter_colour,
    noise_field,
    ramp,
    relight,
)

Bytes = NDArray[np.uint8]


def crop_photo(rng: Generator, photo: Bytes, height: int, width: int, min_side: float = 0.2) -> Pixels:
    """A random crop of `photo` ``[H, W, 3]``, mirrored at random, resized to height x width.

    Args:
        rng: randomness.
        photo: RGB bytes.
        height: of the result, in pixels.
        width: of the result, in pixels.
        min_side: smallest side of the crop, as a part of the largest possible.
    """
    rows, columns = photo.shape[:2]
    fit = min(rows / height, columns / width) * rng.uniform(min_side, 1)
    ch, cw = max(1, int(height * fit)), max(1, int(width * fit))
    y, x = int(rng.integers(0, rows - ch + 1)), int(rng.integers(0, columns - cw + 1))
    crop = photo[y : y + ch, x : x + cw]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.06:
        crop = crop[::-1]
    interpolation = cv2.INTER_AREA if fit > 1 else cv2.INTER_CUBIC
    out = cv2.resize(np.ascontiguousarray(crop), (width, height), interpolation=interpolation)
    return out.astype(np.float32) / 255


def _colour(rng: Generator) -> NDArray[np.float32]:
    """A random colour, dull ones likelier than vivid ones."""
    grey = rng.uniform(0.05, 0.95)
    return np.clip(grey + rng.normal(0, rng.choice([0.03, 0.1, 0.25]), 3), 0, 1).astype(np.float32)


def _studio(rng: Generator, height: int, width: int) -> Pixels:
    """A plain wall or sheet of paper, lit from one side."""
    base = _colour(rng) if rng.random() < 0.6 else np.full(3, rng.uniform(0.75, 1.0), np.float32)
    out: Pixels = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    mix = (ramp(rng, height, width)[..., None] + 1) / 2
    if rng.random() < 0.6:
        out = out * (1 - mix) + _colour(rng) * mix * 0.5 + base * mix * 0.5
    return relight(rng, out)


def _clouds(rng: Generator, height: int, width: int) -> Pixels:
    """Noise of several octaves between two or three colours: leaves, walls, water, sky, from afar."""
    field = np.zeros((height, width, 1), np.float32)
    cells, weight, total = rng.uniform(2, 8), 1.0, 0.0
    fade = rng.uniform(0.5, 0.95)
    for _ in range(int(rng.integers(2, 6))):
        field += weight * noise_field(rng, height, width, cells)
        total += weight
        cells, weight = min(cells * 2, max(height, width) / 2), weight * fade
    field = np.clip((field / total - 0.5) * rng.uniform(1, 3) + 0.5, 0, 1)
    out = _colour(rng) * (1 - field) + _colour(rng) * field
    if rng.random() < 0.5:
        other = noise_field(rng, height, width, rng.uniform(2, 20))
        out = out * (1 - 0.6 * other) + _colour(rng) * 0.6 * other
    return out


def _stripes(rng: Generator, height: int, width: int) -> Pixels:
    """Stripes or checks, slightly bent: planks, blinds, tiles, cloth."""
    bend = noise_field(rng, height, width, 3)[..., 0] * rng.uniform(0, 0.3)
    count = rng.uniform(3, 30)
    field = np.sin((ramp(rng, height, width) + bend) * np.pi * count)
    if rng.random() < 0.4:
        field = field * np.sin((ramp(rng, height, width) + bend) * np.pi * count)
    field = np.clip(field * rng.uniform(0.6, 6) * 0.5 + 0.5, 0, 1)[..., None]
    grain = 0.1 * (noise_field(rng, height, width, max(height, width) / 3, 3) - 0.5)
    return _colour(rng) * (1 - field) + _colour(rng) * field + grain


def _clutter(rng: Generator, height: int, width: int) -> Pixels:
    """Many small polygons and discs: leaves on the ground, pebbles, a crowd far away, city lights."""
    canvas = np.ascontiguousarray(_studio(rng, height, width))
    palette = [_colour(rng) for _ in range(int(rng.integers(2, 6)))]
    size = max(height, width) * rng.uniform(0.02, 0.09)
    for _ in range(int(rng.integers(40, 220))):
        colour = palette[rng.integers(len(palette))] * rng.uniform(0.6, 1.3)
        centre = rng.uniform(0, 1, 2) * (width, height)
        if rng.random() < 0.5:
            axes = (int(size * rng.uniform(0.3, 1.2)) + 1, int(size * rng.uniform(0.3, 1.2)) + 1)
            middle = (int(centre[0]), int(centre[1]))
            cv2.ellipse(canvas, middle, axes, rng.uniform(0, 180), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
        else:
            points = (centre + rng.normal(0, size, (int(rng.integers(3, 6)), 2))).astype(np.int32)
            cv2.fillPoly(canvas, [points], colour.tolist(), cv2.LINE_AA)
    return blur(canvas, rng.choice([0.0, 0.8, 2.0, 5.0]))


def draw_stems(rng: Generator, canvas: Pixels, count: int) -> None:
    """Draw `count` branches, stalks or wires across `canvas` ``[H, W, C]``, in place.

    A fourth channel, if there is one, is set where something was drawn.
    """
    height, width = canvas.shape[:2]
    base = _colour(rng) if rng.random() < 0.4 else np.array([0.35, 0.27, 0.2], np.float32)
    thickness = max(height, width) * np.exp(rng.uniform(np.log(0.004), np.log(0.05)))
    for _ in range(count):
        start = rng.uniform(-0.1, 1.1, 2) * (width, height)
        angle, steps = rng.uniform(0, 2 * np.pi), int(rng.integers(4, 12))
        angles = angle + np.cumsum(rng.normal(0, 0.18, steps))
        reach = max(height, width) * rng.uniform(0.04, 0.14)
        path = start + np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1) * reach, 0)
        shade = float(rng.uniform(0.6, 1.5))
        for i in range(steps - 1):
            wide = max(1, round(thickness * (1 - 0.7 * i / steps)))
            p, q = tuple(path[i].astype(int).tolist()), tuple(path[i + 1].astype(int).tolist())
            colour = [*(np.clip(base * shade, 0, 1) * 0.7).tolist(), 1.0][: canvas.shape[2]]
            cv2.line(canvas, p, q, colour, wide, cv2.LINE_AA)
            if wide > 2:
                light = [*np.clip(base * shade * 1.2, 0, 1).tolist(), 1.0][: canvas.shape[2]]
                cv2.line(canvas, (p[0], p[1] - wide // 5), (q[0], q[1] - wide // 5), light, wide // 2)


def draw_limb(rng: Generator, texture: Pixels, through: tuple[float, float], thickness: float) -> Pixels:
    """A branch, trunk, pole or cable ``[H, W, 4]``, round and textured, colour premultiplied by alpha.

    Args:
        rng: randomness.
        texture: ``[H, W, 3]`` what it is made of.
        through: (x, y) in pixels, a point on it.
        thickness: in pixels, where it is thickest.
    """
    height, width = texture.shape[:2]
    reach = max(height, width) * rng.uniform(0.5, 1.3)
    angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.15)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    ts = np.linspace(-1 if rng.random() < 0.7 else -0.05, 1, 20)
    line = np.array(through) + reach * (ts[:, None] * along + bend * (ts**2)[:, None] * across)
    line += rng.normal(0, 0.15 * thickness, line.shape)
    widths = thickness * (1 - rng.uniform(0, 0.8) * (ts - ts[0]) / (ts[-1] - ts[0]))
    cover, shade = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    side = across * np.sign(-across[1] or 1.0)  # the lit side is the upper one
    for layer in range(4):
        for i in range(len(ts) - 1):
            wide = max(1, round(widths[i] * (1 - 0.28 * layer)))
            p, q = (line[i + k] + side * widths[i] * 0.08 * layer for k in (0, 1))
            ends = tuple(p.astype(int).tolist()), tuple(q.astype(int).tolist())
            if layer == 0:
                cv2.line(cover, *ends, 1.0, wide, cv2.LINE_AA)
            cv2.line(shade, *ends, 0.45 + 0.2 * layer, wide, cv2.LINE_AA)
    colour = texture * blur(shade, max(thickness / 12, 0.4))[..., None] * rng.uniform(0.7, 1.3)
    return np.concatenate([np.clip(colour, 0, 1) * cover[..., None], cover[..., None]], 2)


def _split(rng: Generator, above: Pixels, below: Pixels) -> Pixels:
    """Two backgrounds, one above the other, as sky over ground or a wall behind a table."""
    height, width = above.shape[:2]
    line = rng.uniform(0.25, 0.8) + ramp(rng, 1, width)[0] * rng.uniform(0, 0.05)
    wobble = (noise_field(rng, 1, width, rng.uniform(2, 12))[0, :, 0] - 0.5) * rng.choice([0.0, 0.05, 0.2])
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    softness = rng.choice([0.005, 0.02, 0.1])
    mix = np.clip((y - (line + wobble)[None]) / softness + 0.5, 0, 1)[..., None]
    return np.asarray(above * (1 - mix) + below * mix, np.float32)


def make_background(
    rng: Generator, scenes: Sequence[Bytes], others: Sequence[Bytes], height: int, width: int
) -> Pixels:
    """One background ``[height, width, 3]`` without an object in focus.

    Args:
        rng: randomness.
        scenes: photographs without a dominant object, RGB bytes.
        others: photographs used only where too blurred to show an object.
        height: in pixels.
        width: in pixels.
    """
    longer = max(height, width)

    def scene() -> Pixels:
        chance = rng.random()
        if chance < 0.50 and scenes:
            return crop_photo(rng, scenes[int(rng.integers(len(scenes)))], height, width)
        if chance < 0.65 and (others or scenes):
            pool = others or scenes
            photo = crop_photo(rng, pool[int(rng.integers(len(pool)))], height, width)
            return blur(photo, longer * rng.uniform(0.04, 0.12))
        makers = (_studio, _clouds, _clouds, _stripes, _clutter)
        return makers[rng.integers(len(makers))](rng, height, width)

    out = scene()
    if rng.random() < 0.15:
        out = _split(rng, out, scene())
    if rng.random() < 0.8:
        out = jitter_colour(rng, out)
    if rng.random() < 0.18:
        out = np.ascontiguousarray(out)
        draw_stems(rng, out, int(rng.integers(1, 9)))
    if rng.random() < 0.4:
        out = blur(out, longer * np.exp(rng.uniform(np.log(0.004), np.log(0.05))))
    if rng.random() < 0.3:
        out = relight(rng, out)
    return np.asarray(out, np.float32)
