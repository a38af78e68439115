"""How a painting is divided among threads, and its tape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.renderer.backends.cpu.layout import ROUND
from semantic_guidance.renderer.backends.cpu.pool import (
    CHUNKS,
    LARGE,
    POOL,
    SMALL,
    Chunk,
    Memory,
    arguments,
    memory,
    padded,
)

WORTH_SHARING = 300_000
"""Strokes times pixels from which more than one thread pays."""


def band_count(batch: int, height: int) -> int:
    """Bands of each canvas: a function of the shapes alone, so results do not depend on the machine."""
    return max(1, min(height // 8, -(-16 // max(1, batch))))


@dataclass(frozen=True)
class Shape:
    """What is painted on: so many canvases, in bands, and so many strokes on each."""

    batch: int
    count: int
    height: int
    wide: int

    @property
    def bands(self) -> int:
        """Bands of each canvas."""
        return band_count(self.batch, self.height)

    @property
    def stride(self) -> int:
        """Columns of a band's rows in whole vectors."""
        return padded(self.wide)

    @property
    def floats(self) -> int:
        """Floats of the largest band."""
        return (-(-self.height // self.bands) + 1) * 3 * self.stride + 64

    @property
    def numbers(self) -> dict[str, int]:
        """The kernels' arguments that say all this."""
        return {
            "first": 0,
            "step": 1,
            "batch": self.batch,
            "bands": self.bands,
            "count": self.count,
            "height": self.height,
            "wide": self.wide,
            "stride": self.stride,
        }

    def run(self, task: Callable[[int, int], None]) -> None:
        """Run `task(first, step)` for all bands of all canvases."""
        work = self.batch * self.count * self.height * self.wide
        POOL.run(task, self.batch * self.bands, work > WORTH_SHARING)


@dataclass(eq=False)
class _Piece:
    """What a call of `paint` put on the tape: the bands from `first`, stroke `begin`, to `last`, `end`."""

    first: int
    begin: int
    last: int
    end: int
    step: int
    reached: NDArray[np.int64]
    chunk: Chunk


@dataclass(eq=False)
class Tape:
    """What `unpaint` needs of a painting; a list for each thread that painted it."""

    parts: list[list[_Piece]] = field(default_factory=list)

    def __del__(self) -> None:
        CHUNKS.give([piece.chunk for part in self.parts for piece in part])


def paint(
    shape: Shape,
    strokes: Memory,
    source: Memory,
    canvas: Memory,
    masks: Memory,
    softness: float,
    tape: Tape | None,
    ends: int = ROUND,
) -> None:
    """Paint packed strokes ``[B, N, 13]`` on pictures ``[B, 3, H, W]``.

    Args:
        shape: of all that.
        strokes: packed.
        source: the pictures.
        canvas: where the painted ones go.
        masks: ``[B, H, W]`` or nothing.
        softness: width of the edge in pixels.
        tape: to be filled for `unpaint`, if it is wanted.
        ends: how the strokes end, `layout.ROUND` if a tape is wanted.
    """
    tasks = shape.batch * shape.bands

    def work(first: int, step: int) -> None:
        own = POOL.scratch(shape.wide).room(shape.floats)
        part: list[_Piece] = []
        if tape is not None:
            tape.parts.append(part)
        begin, size = 0, SMALL
        while first < tasks:
            reached = np.zeros(5, np.int64)
            numbers = shape.numbers | {"first": first, "step": step, "begin": begin, "ends": ends}
            head = arguments(
                "paint", **numbers, keep=tape is not None, softness=softness, strokes=strokes, source=source,
                canvas=canvas, masks=masks, reached=memory(reached)
            )  # fmt: skip
            if tape is None:
                own.call("paint", head)
                return
            chunk = CHUNKS.take(size)
            stopped = own.call("paint", head, chunk)
            last, end = _last(first, step, tasks), shape.count
            if stopped < tasks:
                last, end = stopped, int(reached[0])
            part.append(_Piece(first, begin, last, end, step, reached, chunk))
            first, begin, size = stopped, end, max(LARGE, int(reached[4]))

    shape.run(work)


def _last(first: int, step: int, tasks: int) -> int:
    """The last of the bands `first`, `first + step` ... below `tasks`."""
    return first + (tasks - 1 - first) // step * step


def unpaint(
    shape: Shape,
    strokes: Memory,
    grads: Memory,
    source: Memory,
    canvas: Memory,
    masks: Memory,
    softness: float,
    tape: Tape,
) -> None:
    """Backward of `paint`.

    Args:
        shape: as in `paint`, as `strokes`, `masks` and `softness`.
        strokes: packed.
        grads: ``[B, bands, N, 13]`` to be added to.
        source: gradient of the painted pictures.
        canvas: where that of the pictures before goes, or nothing.
        masks: of `paint`.
        softness: of `paint`.
        tape: what `paint` has written; it can be used again.
    """

    def work(first: int, step: int) -> None:
        own = POOL.scratch(shape.wide).room(shape.floats)
        for part in tape.parts[first::step]:
            for piece in reversed(part):
                numbers = shape.numbers | {
                    "first": piece.first,
                    "step": piece.step,
                    "last_task": piece.last,
                    "begin": piece.begin,
                    "end": piece.end,
                }
                head = arguments(
                    "unpaint", **numbers, softness=softness, strokes=strokes, grads=grads, source=source,
                    canvas=canvas, masks=masks, reached=memory(piece.reached)
                )  # fmt: skip
                own.call("unpaint", head, piece.chunk)

    POOL.run(work, len(tape.parts), len(tape.parts) > 1)
