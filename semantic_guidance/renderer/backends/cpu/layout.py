"""What kernels and their callers agree on: memory layouts, and each kernel's arguments.

A kernel is called with one table of 64-bit numbers: address and length of each array of the calling thread's
`SCRATCH`; then, in the order of `KERNELS`, its whole numbers, its real numbers (their bits), and address and
length of each of its arrays. All arrays are flat. A kernel takes every so many bands of a computation, from
`first` on by `step`, so threads share them without talking to each other, and a band is computed the same on
whichever thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semantic_guidance.renderer.definition import ENDS, MAX_SEGMENTS

NUMBERS = 13
"""Numbers of a packed stroke."""

BLOCK = 8
"""Columns: rows are walked in whole blocks."""

STRIDE = MAX_SEGMENTS + 32
"""Numbers by segment of each field of a polyline."""

FIELDS, SPAN_FIELDS = 21, 6
"""Fields of a polyline, and of its spans."""

HEADS = 4
"""Numbers of a row's span on the tape."""

GRADIENT, REMOVAL = 0, 1
"""What `objective` is for: the error and its gradient, or what it rises by without each stroke."""

OIL, WATERCOLOR, PENCIL, PICTURE, GOUACHE, INK, KNIFE = range(7)
"""Brushes of `brush`."""

ROUND, SQUARE, FILBERT = range(len(ENDS))
"""How the strokes of `paint` and `easel` end."""

F32, F64, I32, I64, U8 = np.float32, np.float64, np.int32, np.int64, np.uint8


@dataclass(frozen=True)
class Kernel:
    """A kernel's arguments, in the order of its table.

    Attributes:
        whole: names of whole numbers; a kernel that works in bands begins with ``first`` and ``step``.
        real: names of real numbers.
        arrays: type of each array by name.
    """

    whole: tuple[str, ...]
    real: tuple[str, ...]
    arrays: dict[str, type]

    @property
    def slots(self) -> int:
        """Numbers of the table after the scratch."""
        return len(self.whole) + len(self.real) + 2 * len(self.arrays)


_BANDS = ("first", "step", "batch", "bands", "count", "height", "wide", "stride")

KERNELS = {
    "paint": Kernel(
        (*_BANDS, "keep", "begin", "ends"),
        ("softness",),
        {"strokes": F32, "source": F32, "canvas": F32, "masks": F32, "reached": I64},
    ),
    "unpaint": Kernel(
        (*_BANDS, "last_task", "begin", "end"),
        ("softness",),
        {"strokes": F32, "grads": F32, "source": F32, "canvas": F32, "masks": F32, "reached": I64},
    ),
    "objective": Kernel(
        (*_BANDS, "mode"),
        ("softness",),
        {
            "strokes": F32,
            "ends": I64,
            "chosen": I64,
            "masks": F32,
            "weights": F32,
            "source": F32,
            "target": F32,
            "weight": F32,
            "out": F32,
            "errors": F64,
            "canvas": F32,
        },
    ),
    "easel": Kernel(
        ("begin", "end", "height", "wide", "stride", "ends"),
        ("softness",),
        {"strokes": F32, "canvas": F32, "masks": F32},
    ),
    "yuv": Kernel(
        ("top", "bottom", "left", "right", "height", "wide", "stride", "luma_stride", "chroma_stride"),
        (),
        {"canvas": F32, "luma": U8, "blue": U8, "red": U8},
    ),
    "brush": Kernel(
        (
            *("first", "step", "bands", "count", "height", "wide", "style", "ends", "seed"),
            *("levels_count", "levels_height", "levels_wide"),
        ),
        ("unit", "bristle", "dry"),
        {
            **{"strokes": F32, "load": F32, "canvas": F32, "masks": F32, "grain": F32, "levels": F32},
            "keys": I64,
        },
    ),
}

ROWS = (
    *("last", "alpha", "column", "distance", "place", "edge_last", "edge_alpha"),
    *("t", "through", "slope", "sum0", "sum1", "sum2", "sum3", "sum4"),
)
"""Buffers of one row."""

SCRATCH = {
    "seg": F32,
    "spans": I32,
    "found": I64,
    "state": I64,
    "slopes": F32,
    **dict.fromkeys(ROWS, F32),
    "work": F32,
    "pulls": F32,
    "tape": F32,
    "steps": U8,
    "heads": I32,
}
"""Type of each array of a thread's scratch; `kernels.strokes` and `kernels.objective` say what they hold."""

TAPE = ("tape", "steps", "heads")
"""The last of them: a piece of the tape."""

SLOTS = 2 * len(SCRATCH) + max(kernel.slots for kernel in KERNELS.values())
"""Numbers of the longest table."""
