"""Pictures composed of cut-outs: placing, dressing, lighting, occluding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from semantic_guidance.learning.data.cutouts.backgrounds import draw_limb, draw_stems, make_background
from semantic_guidance.learning.data.cutouts.objects import dress, harmonise, members, place, texture, warp
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.cutouts.photometry import (
    Pixels,
    Plane,
    blur,
    camera,
    jitter_colour,
    noise_field,
)

# Categories that also serve, out of focus, as things behind the subject.
_SCENERY = frozenset({"flowers", "plants", "town", "stones_graves", "vehicles", "people"})
# Where one of these is, flowers and plants round it are not the subject.
_ACTORS = frozenset(
    {"birds", "mammals", "insects", "reptiles_amphibians", "fish_shellfish", "people", "vehicles"}
)
_PLANTS = frozenset({"flowers", "plants"})
_NEIGHBOURS = frozenset(
    {"flowers", "plants", "stones_graves"}
)  # what an actor sits on, feeds from, hides behind
_WINGED = frozenset({"birds", "insects"})
_MIN_AREA = 0.0015  # of the frame; smaller objects do not count


@dataclass(frozen=True, eq=False)
class Composite:
    """A composed picture.

    Attributes:
        image: ``[H, W, 3]`` RGB in [0, 1].
        masks: ``[H, W]`` in [0, 1], visible part of each object, largest first.
        others: ``[H, W]`` in [0, 1], visible part of each branch, plant and stone that stands by an object.
    """

    image: Pixels
    masks: tuple[Plane, ...]
    others: tuple[Plane, ...] = ()

    @property
    def mask(self) -> Plane:
        """Union of the objects ``[H, W]`` in [0, 1]."""
        total = np.zeros(self.image.shape[:2], np.float32)
        for mask in self.masks:
            total += mask
        return np.clip(total, 0, 1)


class Part(NamedTuple):
    """Something in a picture in the making.

    Attributes:
        mask: ``[H, W]`` in [0, 1], what is visible of it.
        wanted: whether it is an object, or what stands by one.
    """

    mask: Plane
    wanted: bool = True

    def behind(self, cover: Plane) -> Part:
        """What is visible of it behind something ``[H, W]`` in [0, 1]."""
        return Part(self.mask * (1 - cover), self.wanted)


def _cast_shadow(rng: Generator, canvas: Pixels, alpha: Plane) -> Pixels:
    height, width = alpha.shape
    squash = rng.uniform(0.15, 1.0)
    rows = np.nonzero(alpha.max(1) > 0.5)[0]
    foot = float(rows.max()) if len(rows) else height / 2
    move = np.array(
        [[1, rng.uniform(-0.5, 0.5), 0], [0, squash, foot * (1 - squash) + rng.uniform(-0.01, 0.04) * height]]
    )
    move[0, 2] = -move[0, 1] * foot + rng.normal(0, 0.02) * width
    shadow = blur(cv2.warpAffine(alpha, move, (width, height)), max(height, width) * rng.uniform(0.005, 0.04))
    return np.asarray(canvas * (1 - rng.uniform(0.15, 0.7) * np.clip(shadow, 0, 1))[..., None], np.float32)


def _mirror_below(rng: Generator, canvas: Pixels, layer: Pixels) -> Pixels:
    """The object's reflection in water or a polished table, which is no part of the object."""
    height, width = layer.shape[:2]
    rows = np.nonzero(layer[..., 3].max(1) > 0.5)[0]
    if not len(rows):
        return canvas
    foot = float(rows.max()) * 2 + rng.uniform(-0.02, 0.02) * height
    image = cv2.warpAffine(layer, np.array([[1, 0, 0], [0, -1, foot]]), (width, height))
    if rng.random() < 0.6:  # ripples
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        wave = np.sin(ys * rng.uniform(0.2, 1.2)) * rng.uniform(0.3, 2.5)
        image = cv2.remap(image, xs + wave.astype(np.float32), ys, cv2.INTER_LINEAR)
    image = blur(image, rng.choice([0.0, 0.7, 2.0])) * rng.uniform(0.2, 0.8)
    return np.asarray(canvas * (1 - image[..., 3:]) + image[..., :3], np.float32)


def _draw_scale(rng: Generator, count: int) -> float:
    """Longer side of an object relative to the frame, 0.1 to 1 (seldom beyond: only a part is seen)."""
    if count == 1:
        return float(rng.uniform(1, 1.5) if rng.random() < 0.12 else rng.beta(1.6, 1.3) * 0.9 + 0.1)
    return float(np.exp(rng.uniform(np.log(0.1), np.log(0.75 if count < 4 else 0.4))))


def _behind(rng: Generator, pack: CutoutPack, canvas: Pixels) -> Pixels:
    """Things out of focus behind the subject."""
    height, width = canvas.shape[:2]
    pool = members(pack, _SCENERY) or list(range(len(pack.cutouts)))
    for _ in range(int(rng.integers(1, 5))):
        rgba = pack.cutouts[pool[rng.integers(len(pool))]].astype(np.float32) / 255
        layer = place(rng, dress(rng, pack, rgba), height, width, rng.uniform(0.15, 1.2))
        layer = blur(harmonise(rng, layer, canvas), max(height, width) * rng.uniform(0.025, 0.08))
        canvas = canvas * (1 - layer[..., 3:]) + layer[..., :3]
    return np.asarray(canvas, np.float32)


def _among_plants(rng: Generator, pack: CutoutPack, canvas: Pixels) -> Pixels:
    """Flowers and plants, mostly in focus, that the subject will stand before."""
    height, width = canvas.shape[:2]
    pool = members(pack, _PLANTS)
    size = rng.uniform(0.15, 0.8)
    for _ in range(int(rng.integers(1, 4 if size > 0.4 else 10)) if pool else 0):
        rgba = pack.cutouts[pool[rng.integers(len(pool))]].astype(np.float32) / 255
        layer = place(rng, dress(rng, pack, rgba), height, width, size * rng.uniform(0.6, 1.4))
        if rng.random() < 0.5:
            layer = harmonise(rng, layer, canvas)
        layer = blur(layer, rng.choice([0.0, 0.7, 1.5, 3.0]))
        canvas = canvas * (1 - layer[..., 3:]) + layer[..., :3]
    return np.asarray(canvas, np.float32)


def _limb(rng: Generator, pack: CutoutPack, alpha: Plane, thin: bool) -> Pixels | None:
    """A branch through a place of the object `alpha` ``[H, W]``, mostly its lower half, as ``[H, W, 4]``."""
    ys, xs = np.nonzero(alpha > 0.5)
    if not len(ys):
        return None
    height, width = alpha.shape
    pick = int(len(ys) * rng.uniform(0.5 if rng.random() < 0.7 else 0, 1))  # rows come in order
    pick = min(pick, len(ys) - 1)
    size = np.sqrt(len(ys))
    thickness = max(2.0, size * (rng.uniform(0.03, 0.2) if thin else rng.uniform(0.06, 0.45)))
    if rng.random() < 0.5:
        bark = jitter_colour(rng, texture(rng, pack, height, width))
    else:
        grain = noise_field(rng, height, width, max(height, width) / rng.uniform(2, 8))
        base = np.array([0.45, 0.36, 0.28], np.float32) if rng.random() < 0.6 else rng.random(3)
        bark = np.clip(base * rng.uniform(0.5, 1.6) * (0.6 + 0.8 * grain), 0, 1)
    point = (float(xs[pick]), float(ys[pick]))
    layer = draw_limb(rng, np.asarray(bark, np.float32), point, thickness)
    if rng.random() < 0.3:  # a fork
        other = draw_limb(rng, np.asarray(bark, np.float32), point, thickness * rng.uniform(0.3, 0.8))
        layer = layer * (1 - other[..., 3:]) + other
    return blur(layer, rng.choice([0.0, 0.5, 1.0]))


def _neighbour(rng: Generator, pack: CutoutPack, canvas: Pixels, alpha: Plane) -> Pixels | None:
    """A flower, plant or stone that touches the object `alpha` ``[H, W]`` from outside, as ``[H, W, 4]``."""
    solid = (alpha > 0.5).astype(np.uint8)
    rim = np.argwhere(solid - cv2.erode(solid, np.ones((3, 3), np.uint8)))
    pool = members(pack, _NEIGHBOURS)
    if not len(rim) or not pool:
        return None
    rgba = dress(rng, pack, pack.cutouts[pool[rng.integers(len(pool))]].astype(np.float32) / 255)
    h, w = rgba.shape[:2]
    size = np.sqrt(solid.sum()) * np.exp(rng.uniform(np.log(0.25), np.log(1.4)))
    zoom, angle = float(size / max(h, w)), rng.normal(0, 0.6)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turned @ np.diag([zoom * rng.choice([-1.0, 1.0]), zoom])
    # Rows come in order: the lower half of the rim is likelier.
    touch = rim[int(len(rim) * (rng.uniform(0.5, 1) if rng.random() < 0.4 else rng.random()))][::-1]
    outward = touch - np.argwhere(solid).mean(0)[::-1]
    outward = outward / (np.linalg.norm(outward) + 1e-6)
    half = np.abs(linear @ (outward @ linear / zoom**2 * np.array([w, h]) / 2)) @ np.abs(outward)
    centre = touch + outward * half * rng.uniform(0.2, 0.9)
    offset = centre - linear @ np.array([w / 2, h / 2])
    layer = warp(rgba, np.concatenate([linear, offset[:, None]], 1), zoom, *alpha.shape)
    if rng.random() < 0.5:
        layer = harmonise(rng, layer, canvas)
    return blur(layer, rng.choice([0.0, 0.5, 1.0, 2.0]))


def _in_front(rng: Generator, canvas: Pixels, parts: list[Part]) -> tuple[Pixels, list[Part]]:
    """Twigs or blades of grass before the objects, which they hide."""
    layer = np.zeros((*canvas.shape[:2], 4), np.float32)
    draw_stems(rng, layer, int(rng.integers(1, 4)))
    layer = blur(layer, rng.choice([0.5, 1.0, 3.0]))
    cover = np.clip(layer[..., 3:], 0, 1)
    return canvas * (1 - cover) + layer[..., :3], [part.behind(cover[..., 0]) for part in parts]


def _fade_part(rng: Generator, layer: Pixels) -> Pixels:
    """Make a part of the object smeared and translucent, as a beating wing or a turning wheel is."""
    height, width = layer.shape[:2]
    part = np.clip((noise_field(rng, height, width, rng.uniform(2, 5)) - 0.55) * 10, 0, 1)
    smeared = blur(layer, max(height, width) * rng.uniform(0.005, 0.025))
    return np.asarray((layer * (1 - part) + smeared * part) * (1 - part * rng.uniform(0.2, 0.6)), np.float32)


def beat_wing(rng: Generator, layer: Pixels) -> Pixels:
    """Smear an outer part of the object and let what is behind shine through, as with a beating wing."""
    height, width = layer.shape[:2]
    ys, xs = np.nonzero(layer[..., 3] > 0.5)
    if len(ys) < 50:
        return layer
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)], np.float32)
    inside = xs * along[0] + ys * along[1]
    edge = np.quantile(inside, rng.uniform(0.55, 0.85))
    grid = (
        np.arange(width, dtype=np.float32) * along[0]
        + np.arange(height, dtype=np.float32)[:, None] * along[1]
    )
    part = np.clip((grid - edge) / (0.1 * np.ptp(inside) + 1) + 0.5, 0, 1)[..., None]
    sigma = np.sqrt(len(ys)) * rng.uniform(0.02, 0.1)
    smeared = cv2.GaussianBlur(layer, (0, 0), sigma * 0.3 + 0.3, sigmaY=sigma + 0.3)
    if rng.random() < 0.5:
        smeared = cv2.GaussianBlur(layer, (0, 0), sigma + 0.3, sigmaY=sigma * 0.3 + 0.3)
    return np.asarray((layer * (1 - part) + smeared * part) * (1 - part * rng.uniform(0.2, 0.75)), np.float32)


def _over(canvas: Pixels, parts: list[Part], layer: Pixels | None) -> tuple[Pixels, list[Part]]:
    """Put something that is no object on the canvas; it hides what is there."""
    if layer is None:
        return canvas, parts
    cover = np.clip(layer[..., 3], 0, 1)
    hidden = [part.behind(cover) for part in parts]
    return canvas * (1 - cover[..., None]) + layer[..., :3], [*hidden, Part(cover, wanted=False)]


def add(
    rng: Generator, pack: CutoutPack, canvas: Pixels, parts: list[Part], layer: Pixels, category: str
) -> tuple[Pixels, list[Part]]:
    """Put an object on the canvas, sometimes with a branch or plants behind or before it.

    Args:
        rng: all randomness comes from it.
        pack: what the plants are taken from.
        canvas: ``[H, W, 3]`` in [0, 1].
        parts: of the picture so far.
        layer: ``[H, W, 4]``, the object.
        category: of the object.

    Returns:
        The picture and its parts.
    """
    # What is faded still belongs to the object.
    whole = np.clip(layer[..., 3], 0, 1)
    fade = rng.random()
    if category in _WINGED and fade < 0.3:
        layer = beat_wing(rng, layer)
    elif fade < 0.13:
        layer = _fade_part(rng, layer)
    alpha = np.clip(layer[..., 3], 0, 1)
    where = rng.random()
    limb = _limb(rng, pack, alpha, thin=where < 0.15) if where < 0.33 else None
    if where >= 0.15:
        canvas, parts = _over(canvas, parts, limb)
    count = int(rng.integers(1, 4)) if category in _ACTORS and rng.random() < 0.35 else 0
    near = [(_neighbour(rng, pack, canvas, alpha), rng.random() < 0.4) for _ in range(count)]
    for plant, before in near:
        if not before:
            canvas, parts = _over(canvas, parts, plant)
    canvas = canvas * (1 - alpha[..., None]) + layer[..., :3]
    parts = [*(part.behind(whole) for part in parts), Part(whole)]
    for plant, before in near:
        if before:
            canvas, parts = _over(canvas, parts, plant)
    if where < 0.15:
        canvas, parts = _over(canvas, parts, limb)
    return np.asarray(canvas, np.float32), parts


def surround(
    rng: Generator, pack: CutoutPack, image: Pixels, mask: Plane
) -> tuple[Pixels, Plane, tuple[Plane, ...]]:
    """Put branches and plants behind or before the animal or person of a photograph.

    Args:
        rng: all randomness comes from it.
        pack: what the plants are taken from.
        image: ``[H, W, 3]`` in [0, 1].
        mask: ``[H, W]`` in [0, 1], the object.

    Returns:
        The picture, what is visible of the object, and of each branch and plant.
    """
    parts = [Part(np.asarray(mask, np.float32))]
    for _ in range(int(rng.integers(1, 4))):
        before = rng.random() < 0.4
        kind = rng.random()
        layer = _limb(rng, pack, mask, before) if kind < 0.3 else _neighbour(rng, pack, image, mask)
        if layer is not None and not before:
            layer = layer * (1 - mask[..., None])
        image, covered = _over(image, parts, layer)
        parts = [covered[0] if before else parts[0], *covered[1:]]
        mask = parts[0].mask
    return np.asarray(image, np.float32), mask, tuple(part.mask for part in parts[1:])


def compose(rng: Generator, pack: CutoutPack, height: int, width: int) -> Composite:
    """One random picture of no, one or several objects.

    Args:
        rng: all randomness comes from it: the same state gives the same picture.
        pack: objects and photographs.
        height: in pixels.
        width: in pixels.
    """
    canvas = make_background(rng, pack.scenes, pack.others, height, width)
    pool = np.arange(len(pack.cutouts))
    count = int(rng.choice([0, 1, 2, 3, 5], p=[0.06, 0.70, 0.14, 0.06, 0.04]))
    if count and rng.random() < 0.18:
        canvas = _behind(rng, pack, canvas)
    scene = rng.random()
    if count and scene < 0.18 and (actors := members(pack, _ACTORS)):
        pool = np.array(actors)
        canvas = _among_plants(rng, pack, canvas)
    elif scene > 0.92 and (plants := members(pack, _PLANTS)):
        pool = np.array(plants)  # so that plants alone stay a subject
    parts: list[Part] = []
    same = int(rng.choice(pool)) if rng.random() < 0.4 else None
    for _ in range(count):
        index = int(rng.choice(pool)) if same is None else same
        rgba = pack.cutouts[index].astype(np.float32) / 255
        layer = place(rng, dress(rng, pack, rgba), height, width, _draw_scale(rng, count))
        if rng.random() < 0.5:
            layer = harmonise(rng, layer, canvas)
        if rng.random() < 0.2:
            layer = blur(layer, rng.uniform(0.3, 1.2))
        alpha = np.clip(layer[..., 3], 0, 1)
        if rng.random() < 0.3:
            canvas = _cast_shadow(rng, canvas, alpha)
        elif rng.random() < 0.07:
            canvas = _mirror_below(rng, canvas, layer)
        canvas, parts = add(rng, pack, canvas, parts, layer, pack.categories[index])
    if parts and rng.random() < 0.08:
        canvas, parts = _in_front(rng, canvas, parts)
    return finished(rng, canvas, parts)


def finished(rng: Generator, canvas: Pixels, parts: list[Part]) -> Composite:
    """The picture of these parts, as a camera would have seen it; what is next to nothing does not count."""
    parts = sorted(
        (part for part in parts if part.mask.mean() >= _MIN_AREA), key=lambda part: -float(part.mask.sum())
    )
    masks, others = (tuple(part.mask for part in parts if part.wanted is kind) for kind in (True, False))
    return Composite(camera(rng, canvas), masks, others)
