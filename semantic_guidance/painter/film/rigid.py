"""Motions that many pixels share, the camera's first: more exact than optical flow is at each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painter.film.fields import grid, inside, looked_up, total

Array = NDArray[np.float32]
Similarity = NDArray[np.float64]
"""``[2, 3]``, from places in pixels to places."""

EVERY = 6
"""Every how many pixels the camera's motion is asked for."""

FEWEST = 20
"""Places whose motion can be trusted, from which on the camera's can be found."""

ON_COURSE = 0.7
"""Pixels by which these may move otherwise than the camera makes them."""

STANDING = 0.25
"""Pixels: a camera that moves no corner farther stands still."""

ALIKE, BETTER, NOISE, ABOUT = 1.0, 1.2, 0.01, 5
"""A pixel whose flow leads by at most so many pixels elsewhere than a rigid motion moves with that if it
misses at most so many times as much, squared, and so much more, over a square of so many pixels."""

STANDS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The motion of a camera that stands still."""

OTHERS = 3
"""Motions that are looked for beside the camera's."""


def rigid_motions(flow: Array, trust: Array) -> list[Similarity]:
    """The similarity by which most of a picture moved, and those of other parts.

    Args:
        flow: ``[h, w, 2]``.
        trust: ``[h, w]`` in [0, 1] in it.

    Returns:
        The camera's motion, none if that cannot be said; then others.
    """
    height, width = trust.shape
    x, y = (plane[::EVERY, ::EVERY].ravel() for plane in grid(height, width))
    rows, columns = y.astype(np.intp), x.astype(np.intp)
    good = trust[rows, columns] > 0.5
    places = np.stack([x, y], axis=1)[good] + np.float32(0.5)
    ways = flow[rows, columns][good]
    found: list[Similarity] = []
    while len(places) > FEWEST and len(found) <= OTHERS:
        likely, _ = cv2.estimateAffinePartial2D(places, places + ways, ransacReprojThreshold=ON_COURSE)
        if likely is None:
            break
        motion = np.asarray(likely, np.float64)
        off = np.square(places @ motion[:, :2].T + motion[:, 2] - places - ways).sum(axis=1) > ON_COURSE**2
        if (~off).sum() <= FEWEST:
            break
        places, ways = places[off], ways[off]
        found.append(motion)
    if not found or _stands(found[0], height, width):
        found[:1] = [STANDS.copy()]
    return found


def _stands(motion: Similarity, height: int, width: int) -> bool:
    """Whether no corner of a picture moves."""
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    return bool(np.abs(corners @ motion[:, :2].T + motion[:, 2] - corners).max() < STANDING)


def inverse(motion: Similarity) -> Similarity:
    """The way back."""
    turn = np.linalg.inv(motion[:, :2])
    return np.column_stack([turn, -turn @ motion[:, 2]])


def with_motions(flow: Array, start: Array, end: Array, motions: Sequence[Similarity]) -> Array:
    """A flow from one frame to another, that of a rigid motion wherever this explains as much.

    The flow may have missed the first motion, as it does where there is little texture: there it stays
    behind, and what leaves the picture leads nowhere.

    Args:
        flow: ``[h, w, 2]``.
        start: ``[h, w]`` lightness of a frame.
        end: ``[h, w]`` lightness of the frame to which it leads.
        motions: between them, the camera's first.
    """

    def miss(way: Array) -> Array:
        return np.asarray(cv2.blur((looked_up(end, way) - start) ** 2, (ABOUT, ABOUT)), np.float32)

    x, y = grid(*start.shape)
    places = np.stack([x, y], axis=-1) + np.float32(0.5)
    limit = np.float32(BETTER) * miss(flow) + np.float32(NOISE**2)
    found = flow
    for number, motion in enumerate(motions):
        turn, shift = motion[:, :2].T.astype(np.float32), motion[:, 2].astype(np.float32)
        whole = places @ turn + shift - places
        part = whole
        if number == 0:
            share = total(flow * whole) / np.maximum(total(whole**2), np.float32(1e-6))
            part = share.clip(0, 1)[..., None] * whole
        theirs = (total((flow - part) ** 2) < ALIKE**2) & (miss(whole) <= limit)
        if number == 0:
            theirs |= ~inside(whole)
        found = np.where(theirs[..., None], whole, found)
    return found
