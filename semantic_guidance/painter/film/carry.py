"""Strokes carried along by the motion that is seen through them: by a similarity each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.packed import POINTS, RADIUS
from semantic_guidance.core.strokes import COLOR, Strokes
from semantic_guidance.painter.film.flow import Motion
from semantic_guidance.renderer import render
from semantic_guidance.renderer.objective import Objective

Array = NDArray[np.float32]

UNSEEN = 0.02
"""Weight of a pixel whose motion cannot be trusted, so that strokes of such pixels alone are carried, too."""

RIDGE, RIDGE_PIXELS = 4.0, 30.0
"""Squared pixels of spread that pull a stroke's turn and growth to the camera's, and what is added to them
for a stroke of one pixel."""

FEW = 1.5
"""Pixels that a stroke shows, at which it moves half as they do and half as the camera makes it."""

SNAP = 0.2
"""Pixels: strokes that move by less than this otherwise than the camera makes them move with it."""


def visible_sums(task: Objective, strokes: Tensor, planes: Array, softness: float) -> NDArray[np.float64]:
    """Sums of planes over the pixels of each stroke, as far as it shows in the finished painting.

    The finished canvas is linear in a stroke's colour, with the stroke's visibility as its slope: so a
    gradient in the colours is such a sum, of one plane for each channel.

    Args:
        task: of the painting: its segments and masks.
        strokes: ``[N, 13]`` packed.
        planes: ``[K, h, w]`` to be summed.
        softness: width of the strokes' edge in pixels.

    Returns:
        ``[N, K]`` sums of visibility times plane.
    """
    count, (height, width) = len(planes), planes.shape[1:]
    slopes = torch.zeros(-(-count // 3) * 3, height, width, dtype=torch.float32)
    slopes[:count] = torch.from_numpy(planes)
    device = task.target.device
    tracked = strokes.to(device).detach().clone().requires_grad_()
    with torch.enable_grad():
        canvas, start = torch.zeros_like(task.target)[None], 0
        for segment in task.segments:
            part = Strokes.unpack(tracked[None, start : start + segment.count])
            mask = None if segment.mask is None else task.masks[segment.mask][None, None]
            canvas = render(part, canvas, mask, softness, task.backend)
            start += segment.count
        sums = [  # of a number: given slopes, torch would import sympy, which takes half a second
            torch.autograd.grad((canvas * slope.to(device)).sum(), tracked, retain_graph=True)[0][:, COLOR]
            for slope in slopes.split(3)
        ]
    return np.asarray(torch.cat(sums, dim=1)[:, :count].cpu().numpy(), np.float64)


@dataclass(frozen=True, eq=False)
class Shown:
    """What is seen of each stroke, and how that moves; lengths in units of the longer side.

    Attributes:
        area: ``[N]`` in pixels, as far as its motion can be trusted.
        centre: ``[N, 2]`` of what is seen, (x, y).
        motion: ``[N, 2]`` of that.
        spread: ``[N]`` mean squared distance from the centre.
        stretch: ``[N]`` mean product of motion and place, about the centre.
        turn: ``[N]`` the same of motion across the place.
        still: ``[N]`` whether nothing has changed in all that is seen of it.
    """

    area: NDArray[np.float64]
    centre: NDArray[np.float64]
    motion: NDArray[np.float64]
    spread: NDArray[np.float64]
    stretch: NDArray[np.float64]
    turn: NDArray[np.float64]
    still: NDArray[np.bool_]


def shown(task: Objective, strokes: Tensor, motion: Motion, softness: float) -> Shown:
    """What is seen of packed strokes ``[N, 13]``, and how it moves."""
    height, width = motion.onward.shape
    size = max(height, width)
    y, x = (np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)) / np.float32(size)
    x, y = x - np.float32(width / size / 2), y - np.float32(height / size / 2)  # small numbers round less
    u, v = motion.forth[..., 0] / size, motion.forth[..., 1] / size
    trust = motion.onward + np.float32(UNSEEN)
    moved = (~motion.still).astype(np.float32)
    planes = [trust * each for each in (1, x, y, x * x + y * y, u, v, x * u + y * v, x * v - y * u)]
    sums = visible_sums(task, strokes, np.stack([*planes, moved]), softness).T
    area = np.maximum(sums[0], 1e-6)
    mx, my, square, mu, mv, along, across = sums[1:8] / area
    middle = np.array([width, height]) / size / 2
    return Shown(
        area,
        np.stack([mx, my], axis=1) + middle,
        np.stack([mu, mv], axis=1),
        np.maximum(square - mx * mx - my * my, 0),
        along - mx * mu - my * mv,
        across - (mx * mv - my * mu),
        (sums[8] <= 0) & motion.standing,
    )


def carried(strokes: Array, seen: Shown, motion: Motion) -> Array:
    """Strokes ``[N, 13]``, packed, each moved, turned and scaled as what is seen of it."""
    size = max(motion.onward.shape)
    camera = motion.camera.copy()
    camera[:, 2] /= size
    points = strokes[:, POINTS].reshape(-1, 3, 2).astype(np.float64)
    middle = (points[:, 0] + 2 * points[:, 1] + points[:, 2]) / 4  # of the curve, by its parameter, nearly
    ridge = (RIDGE + RIDGE_PIXELS / seen.area) / size**2
    grows, turns = camera[0, 0] - 1, camera[1, 0]
    a = (seen.stretch + ridge * grows) / (seen.spread + ridge)
    b = (seen.turn + ridge * turns) / (seen.spread + ridge)
    known = (seen.area / (seen.area + FEW))[:, None]
    anchor = known * seen.centre + (1 - known) * middle
    drift = middle @ camera[:, :2].T + camera[:, 2] - middle
    move = known * seen.motion + (1 - known) * drift
    x, y = np.moveaxis(points - anchor[:, None], -1, 0)
    a_, b_ = a[:, None], b[:, None]
    own = points + move[:, None] + np.stack([a_ * x - b_ * y, b_ * x + a_ * y], axis=-1)
    common = points @ camera[:, :2].T + camera[:, 2]
    apart = ((own - common) ** 2).sum(-1).mean(1) * size**2
    share = apart**2 / (apart**2 + SNAP**4)
    moved = strokes.copy()
    places = common + share[:, None, None] * (own - common)
    moved[:, POINTS] = places.reshape(-1, 6)
    moved[:, RADIUS] *= (1 + grows + share * (a - grows))[:, None].clip(0.5, 2)
    moved[seen.still] = strokes[seen.still]
    return moved
