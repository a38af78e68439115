"""Where fresh strokes go: to the greatest error, along the picture's structure.

Lengths are in pixels until the strokes are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.strokes import Strokes
from semantic_guidance.images.arrays import to_array

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Structure:
    """The target's local colour and orientation at one scale.

    Attributes:
        color: ``[H, W, 3]`` the target, blurred.
        direction: ``[H, W, 2]`` unit vector (x, y) along the structure.
        coherence: ``[H, W]`` 0 where there is no direction, 1 at a straight edge.
    """

    color: Array
    direction: Array
    coherence: Array


def structure(picture: Tensor, scale: float) -> Structure:
    """Colour and structure-tensor orientation of a picture ``[3, H, W]`` at `scale` pixels."""
    target = to_array(picture)
    color = cv2.GaussianBlur(target, (0, 0), max(0.4, 0.5 * scale), borderType=cv2.BORDER_REPLICATE)
    dx = cv2.Sobel(target, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(target, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE)
    tensor = np.stack([(dx * dx).sum(-1), (dx * dy).sum(-1), (dy * dy).sum(-1)], axis=-1)
    xx, xy, yy = np.moveaxis(cv2.GaussianBlur(tensor, (0, 0), max(1.0, scale)), -1, 0)
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2  # across the gradient
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)
    coherence = np.asarray(spread / (xx + yy + 1e-4), np.float32)
    return Structure(np.asarray(color, np.float32), direction, coherence)


def pick_places(error: Tensor, count: int, spacing: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """The `count` places (row, column) of greatest blurred error, each lowering the error around it.

    Args:
        error: ``[H, W]`` error to place strokes in, at least 0.
        count: number of places.
        spacing: radius in pixels within which a placed stroke is expected to remove the error.
        rng: breaks ties.

    Returns:
        ``[count, 2]`` rows and columns.
    """
    sigma = max(0.5, 0.5 * spacing)
    blurred = cv2.GaussianBlur(error.contiguous().numpy(), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    blurred = blurred * (1 + 0.05 * rng.random(blurred.shape, dtype=np.float32)) + 1e-12
    height, width = blurred.shape
    reach = int(np.ceil(2 * spacing))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    bump = 1 - 0.9 * np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (0.7 * spacing) ** 2 + 1e-6))
    places = np.empty((count, 2), np.intp)
    greatest = blurred.max(axis=1)  # of each row
    for k in range(count):
        row = int(greatest.argmax())
        column = int(blurred[row].argmax())
        places[k] = row, column
        top, left = max(0, row - reach), max(0, column - reach)
        bottom, right = min(height, row + reach + 1), min(width, column + reach + 1)
        blurred[top:bottom, left:right] *= bump[
            top - row + reach : bottom - row + reach, left - column + reach : right - column + reach
        ]
        greatest[top:bottom] = blurred[top:bottom].max(axis=1)
    return places


def strokes_at(
    places: NDArray[np.intp], radius: float, field: Structure, rng: np.random.Generator, size: int
) -> Strokes:
    """One stroke through each place, following the direction field for some radii both ways.

    Args:
        places: ``[N, 2]`` rows and columns.
        radius: of the strokes, in pixels.
        field: the target's structure at the strokes' scale.
        rng: varies lengths a little, and directions freely where there is no structure.
        size: the canvas's longer side in pixels.

    Returns:
        ``[1, N]`` strokes.
    """
    height, width = field.coherence.shape
    centre = places[:, ::-1].astype(np.float32) + 0.5
    coherence = field.coherence[places[:, 0], places[:, 1]]
    reach = radius * (0.8 + 2.2 * coherence) * rng.uniform(0.8, 1.2, len(places)).astype(np.float32)
    heading = field.direction[places[:, 0], places[:, 1]]
    free = rng.uniform(0, np.pi, len(places))
    loose = coherence < 0.15
    heading = np.where(loose[:, None], np.stack([np.cos(free), np.sin(free)], -1), heading).astype(np.float32)
    ends = []
    for sign in (-1, 1):
        position, ahead = centre.copy(), sign * heading
        for _ in range(3):
            position = position + ahead * (reach / 3)[:, None]
            rows = np.clip(position[:, 1].astype(int), 0, height - 1)
            columns = np.clip(position[:, 0].astype(int), 0, width - 1)
            turn = field.direction[rows, columns]
            turn = np.where((turn * ahead).sum(-1, keepdims=True) < 0, -turn, turn)
            ahead = np.where(loose[:, None], ahead, turn)
        ends.append(position)
    middle = 2 * centre - 0.5 * (ends[0] + ends[1])  # the curve passes through the centre
    points = np.stack([ends[0], middle, ends[1]], axis=1) / size
    count = len(places)
    return Strokes(
        points=torch.from_numpy(points.astype(np.float32))[None],
        radius=torch.full((1, count, 2), radius / size, dtype=torch.float32),
        opacity=torch.full((1, count, 2), 0.9, dtype=torch.float32),
        color=torch.from_numpy(field.color[places[:, 0], places[:, 1]].astype(np.float32))[None],
    )
