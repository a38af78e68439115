"""What moved where between two frames, and how far that can be trusted."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.painter.film.fields import inside, looked_up, total
from semantic_guidance.painter.film.rigid import STANDS, inverse, rigid_motions, with_motions

Array = NDArray[np.float32]

LEAST_SIDE = 16
"""Pixels that the optical flow needs; smaller pictures are enlarged for it."""

AWAY_SHARE, AWAY = 0.02, 0.15
"""A pixel that goes forth and back may end so far from where it began that the squared distance is this share
of that of the way, and so many squared pixels."""

MISS = 0.06
"""Mean difference of the channels from what was seen there before, from which on it is another thing."""

CUT_MISS, CUT_SHARE, CUT_AT = 0.12, 0.6, 0.1
"""Mean difference from the frame before, as it would have moved, from which on there was a cut; or the share
of the pixels that differ by so much."""


@dataclass(frozen=True, eq=False)
class Motion:
    """How a frame came of the one before. Lengths are in pixels.

    Attributes:
        back: ``[h, w, 2]`` from each pixel of the frame to where it was before.
        forth: ``[h, w, 2]`` from each pixel of the frame before to where it is now.
        miss: ``[h, w]`` difference of each pixel from what was there before.
        trust: ``[h, w]`` in [0, 1] of the frame's pixels, that they are what was seen there before.
        familiar: ``[h, w]`` in [0, 1], how long places have been in view; of two frames alone, the same.
        onward: ``[h, w]`` in [0, 1] of those of the frame before, that they are where `forth` says.
        still: ``[h, w]`` pixels in which nothing has changed; none if the camera moves.
        camera: ``[2, 3]`` how the whole picture moved: a similarity.
    """

    back: Array
    forth: Array
    miss: Array
    trust: Array
    familiar: Array
    onward: Array
    still: NDArray[np.bool_]
    camera: NDArray[np.float64]

    @property
    def standing(self) -> bool:
        """Whether the camera stands still."""
        return np.array_equal(self.camera, STANDS)

    @property
    def cut(self) -> bool:
        """Whether the frame shows something else than the one before."""
        return bool(self.miss.mean() > CUT_MISS or (self.miss > CUT_AT).mean() > CUT_SHARE)

    def carried(self, values: Array) -> Array:
        """Values ``[h, w]`` or ``[h, w, C]`` of the frame before as they moved, at the frame's pixels."""
        return looked_up(values, self.back)


@dataclass(frozen=True, eq=False)
class Ways:
    """Where the pixels of two frames lead, whether or not some of them rest. Lengths are in pixels.

    Attributes:
        before: ``[h, w, 3]`` the first frame.
        now: ``[h, w, 3]`` the second one.
        back: ``[h, w, 2]`` from each pixel of the second one to where it was before.
        forth: ``[h, w, 2]`` from each pixel of the first one to where it is now.
        camera: ``[2, 3]`` how the whole picture moved: a similarity.
    """

    before: Array
    now: Array
    back: Array
    forth: Array
    camera: NDArray[np.float64]

    @property
    def standing(self) -> bool:
        """Whether the camera stands still."""
        return np.array_equal(self.camera, STANDS)

    @cached_property
    def _moving(self) -> Motion:
        """The motion, if nothing rests."""
        return self._motion(self.back, self.forth, np.zeros(self.back.shape[:2], bool))

    def worked_out(self) -> Ways:
        """The same; if all moves, as all does where the camera moves, its motion is known now."""
        if not self.standing:
            _ = self._moving
        return self

    def motion(self, still: NDArray[np.bool_]) -> Motion:
        """The motion, where nothing has changed in the pixels `still` ``[h, w]``."""
        if not self.standing:
            return self._moving  # what has no texture looks the same where it moves
        back, forth = self.back.copy(), self.forth.copy()
        back[still] = 0
        forth[still] = 0
        return self._motion(back, forth, still)

    def _motion(self, back: Array, forth: Array, still: NDArray[np.bool_]) -> Motion:
        miss = total(np.abs(looked_up(self.before, back) - self.now)) / np.float32(3)
        likely = np.exp(-_astray(back, forth)) * np.exp(-((miss / MISS) ** 2)) * inside(back)
        trust = np.where(still, 1, likely).astype(np.float32)
        onward = np.exp(-_astray(forth, back)).astype(np.float32)
        return Motion(back, forth, miss, trust, trust, onward, still, self.camera)


def find_ways(before: Array, now: Array) -> Ways:
    """Where the pixels of two frames lead.

    Args:
        before: ``[h, w, 3]`` RGB in [0, 1].
        now: the next one, likewise.
    """
    back, forth = (_fitted(flow, *now.shape[:2]) for flow in _flows(_grey(now), _grey(before)))
    camera, *others = rigid_motions(forth, np.exp(-_astray(forth, back)))
    first, then = (np.asarray(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), np.float32) for each in (before, now))
    forth = with_motions(forth, first, then, [camera, *others])
    back = with_motions(back, then, first, [inverse(each) for each in (camera, *others)])
    return Ways(before, now, back, forth, camera)


def find_motion(before: Array, now: Array, still: NDArray[np.bool_]) -> Motion:
    """The motion between two frames.

    Args:
        before: ``[h, w, 3]`` RGB in [0, 1].
        now: the next one, likewise.
        still: ``[h, w]`` where nothing has changed.
    """
    return find_ways(before, now).motion(still)


def _grey(frame: Array) -> NDArray[np.uint8]:
    """``[h, w]`` bytes of a frame, enlarged if it is too small."""
    height, width = frame.shape[:2]
    grey = cv2.cvtColor(np.rint(frame * 255).clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    larger = math.ceil(LEAST_SIDE / min(height, width))
    if larger > 1:
        grey = cv2.resize(grey, (width * larger, height * larger), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grey, np.uint8)


def _flows(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[Array, Array]:
    """From one frame to the other, and the other way, at the same time."""

    def flow(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> Array:
        eye = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return np.asarray(eye.calc(*pair, None), np.float32)  # type: ignore[call-overload]

    with ThreadPoolExecutor(2) as both:
        there, back = both.map(flow, ((one, other), (other, one)))
    return there, back


def _fitted(flow: Array, height: int, width: int) -> Array:
    """A flow between enlarged frames as one between frames ``[height, width]``."""
    if flow.shape[:2] == (height, width):
        return flow
    smaller = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller * np.float32(width / flow.shape[1]), np.float32)


def _astray(flow: Array, reverse: Array) -> Array:
    """``[h, w]`` how far pixels end from where they began, against what is usual."""
    gap = flow + looked_up(reverse, flow)
    return np.asarray(total(gap**2) / (AWAY_SHARE * total(flow**2) + AWAY), np.float32)
