"""Pictures of several of a kind that touch and hide one another: flowers in a vase, boats in a harbour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from semantic_guidance.learning.data.cutouts.backgrounds import make_background
from semantic_guidance.learning.data.cutouts.compose import Composite, Part, add, beat_wing, finished
from semantic_guidance.learning.data.cutouts.objects import dress, harmonise, place
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.cutouts.photometry import Pixels, Plane, blur

_MOST = 6  # of a group


def _shifted(layer: Pixels, by: tuple[float, float]) -> Pixels:
    height, width = layer.shape[:2]
    move = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    return np.asarray(cv2.warpAffine(layer, move, (width, height)), np.float32)


def _middle_and_reach(alpha: Plane) -> tuple[np.ndarray, float]:
    """Centre (x, y) and mean radius in pixels of what is more than half there."""
    ys, xs = np.nonzero(alpha > 0.5)
    if not len(ys):
        return np.array([alpha.shape[1] / 2, alpha.shape[0] / 2]), 1.0
    return np.array([xs.mean(), ys.mean()]), float(np.sqrt(len(ys) / np.pi))


def _beside(rng: Generator, layer: Pixels, other: Plane) -> Pixels:
    """An object moved so that it touches, or partly hides, the one with the mask `other`."""
    there, reach = _middle_and_reach(other)
    here, own = _middle_and_reach(layer[..., 3])
    for _ in range(8):
        angle = rng.uniform(0, 2 * np.pi)
        away = (reach + own) * rng.uniform(0.6, 1.15)
        wanted = there + away * np.array([np.cos(angle), np.sin(angle)])
        if 0 < wanted[0] < layer.shape[1] and 0 < wanted[1] < layer.shape[0]:
            break
    return _shifted(layer, (float(wanted[0] - here[0]), float(wanted[1] - here[1])))


def compose_group(rng: Generator, pack: CutoutPack, height: int, width: int) -> Composite:
    """One random picture of two to six objects of a kind, most of which touch another.

    Args:
        rng: all randomness comes from it: the same state gives the same picture.
        pack: objects and photographs.
        height: in pixels.
        width: in pixels.
    """
    canvas = make_background(rng, pack.scenes, pack.others, height, width)
    first = int(rng.integers(len(pack.cutouts)))
    category = pack.categories[first]
    kin = [n for n, name in enumerate(pack.categories) if name == category]
    same, dressed = rng.random() < 0.6, rng.random() < 0.5
    count = int(rng.integers(2, _MOST + 1))
    scale = rng.uniform(0.25, 0.7) / np.sqrt(count / 2)
    look = dress(rng, pack, pack.cutouts[first].astype(np.float32) / 255)
    parts: list[Part] = []
    for _ in range(count):
        index = first if same else int(rng.choice(kin))
        if not (same and dressed):
            look = dress(rng, pack, pack.cutouts[index].astype(np.float32) / 255)
        layer = place(rng, look, height, width, float(scale * np.exp(rng.normal(0, 0.15))))
        before = [part for part in parts if part.wanted]
        if before and rng.random() < 0.85:
            layer = _beside(rng, layer, before[rng.integers(len(before))].mask)
        if rng.random() < 0.4:
            layer = harmonise(rng, layer, canvas)
        if rng.random() < 0.2:
            layer = blur(layer, rng.uniform(0.3, 1.2))
        if rng.random() < 0.15:
            canvas, parts = add(rng, pack, canvas, parts, layer, category)
            continue
        cover = np.clip(layer[..., 3], 0, 1)
        canvas = canvas * (1 - cover[..., None]) + layer[..., :3]
        parts = [*(part.behind(cover) for part in parts), Part(cover)]
    return finished(rng, np.asarray(canvas, np.float32), parts)


def flutter(rng: Generator, image: Pixels, mask: Plane) -> Pixels:
    """A photograph whose object moves a part of itself, which blurs and lets what is behind shine through.

    Args:
        rng: all randomness comes from it.
        image: ``[H, W, 3]`` in [0, 1].
        mask: ``[H, W]`` in [0, 1], the object, of which the blurred part is still one.
    """
    spread = 0.08 * max(mask.shape)
    ground = 1 - np.clip(cv2.dilate(mask, np.ones((5, 5), np.uint8)), 0, 1)[..., None]
    weight = blur(ground[..., 0], spread)[..., None]
    filled = blur(image * ground, spread) / np.maximum(weight, 1e-3)
    behind = image * ground + np.clip(filled, 0, 1) * (1 - ground)
    layer = np.concatenate([image * mask[..., None], mask[..., None]], 2).astype(np.float32)
    moved = beat_wing(rng, layer)
    return np.asarray(np.clip(behind * (1 - moved[..., 3:]) + moved[..., :3], 0, 1), np.float32)
