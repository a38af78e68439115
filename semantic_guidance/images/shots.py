"""A film as it is read: frames on an even beat, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

MAX_RATE = 240
"""Frames per second of a film at most."""

MAX_FRAME = 50_000_000
"""Pixels of a frame at most; 8K has 33 million."""


@dataclass
class Trouble:
    """What was wrong with a film, as far as it has been read.

    Attributes:
        broken: pieces that could not be decoded.
        cut: why it ended before its end; empty if it did not.
        jumps: places at which its times leap.
    """

    broken: int = 0
    cut: str = ""
    jumps: int = 0

    def words(self) -> str:
        """It in words; nothing if nothing was wrong."""
        parts = []
        if self.broken:
            parts.append(f"{self.broken} pieces of it are broken, and the frames before them stand in")
        if self.jumps:
            parts.append(f"its times leap {self.jumps} times, which is ignored")
        if self.cut:
            parts.append(f"it ends early ({self.cut}), and what could be read is painted")
        return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame, and how long it stays.

    Attributes:
        length: number of beats, 1 or more.
        pixels: makes its pixels ``[H, W, 3]``; to be called before the next one is read.
    """

    length: int
    pixels: Callable[[], Pixels]


@dataclass(frozen=True, eq=False)
class Clip:
    """A film that can be read as often as one wants.

    Attributes:
        path: of its file, of its folder, or the pattern of its frames.
        rate: frames per second.
        width: of the upright frames, in pixels.
        height: the same.
        shots: reads it from its start, and notes what is wrong with it.
        files: whose bytes it is made of, in order.
        count: of frames, as far as the file tells; None if it does not.
        start: seconds on the file's clock at which the first frame is seen.
        sound: whether there is any.
        notes: what a person should be told.
    """

    path: Path
    rate: Fraction
    width: int
    height: int
    shots: Callable[[Trouble], Iterator[Shot]]
    files: tuple[Path, ...]
    count: int | None = None
    start: Fraction = Fraction(0)
    sound: bool = False
    notes: tuple[str, ...] = ()

    def pictures(
        self, every: int = 1, first: int = 0, trouble: Trouble | None = None
    ) -> Iterator[Pixels | None]:
        """Every n-th frame ``[H, W, 3]``; None in place of one that is the same as the one before.

        Args:
            every: n.
            first: how many of these are left out at the beginning, as they are known.
            trouble: is told what is wrong with it.

        Raises:
            InputError: it cannot be read.
            OSError: a file has gone.
        """
        begin, index, seen = 0, 0, -1  # of the shot, of what is told, and the last shot that was told of
        for number, shot in enumerate(self.shots(trouble or Trouble())):
            end = begin + shot.length
            while index * every < end:
                if index >= first:
                    yield shot.pixels() if seen != number else None
                seen, index = number, index + 1
            begin = end

    def told(self, every: int = 1) -> int | None:
        """How many pictures there will be, as far as the file tells."""
        return None if self.count is None else -(-self.count // every)
