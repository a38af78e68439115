"""Strokes of textured brushes, by the compiled kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.renderer.backends.cpu.bands import band_count
from semantic_guidance.renderer.backends.cpu.layout import (
    GOUACHE,
    INK,
    KNIFE,
    OIL,
    PENCIL,
    PICTURE,
    WATERCOLOR,
)
from semantic_guidance.renderer.backends.cpu.native import entry
from semantic_guidance.renderer.backends.cpu.pool import NOTHING, POOL, arguments, memory
from semantic_guidance.renderer.definition import ENDS

Array = NDArray[np.float32]

NO_KEYS = memory(np.zeros(0, np.int64))

CODES = {
    "oil": OIL,
    "knife": KNIFE,
    "gouache": GOUACHE,
    "watercolor": WATERCOLOR,
    "ink": INK,
    "pencil": PENCIL,
    "picture": PICTURE,
}
"""The brushes by name."""


def paint_textured(
    canvas: Array,
    strokes: Array,
    style: str,
    *,
    seed: int,
    ends: str = "round",
    unit: float,
    bristle: float,
    dry: float,
    load: Array | None,
    mask: Array | None,
    grain: Array | None,
    levels: Array | None,
    keys: NDArray[np.int64] | None = None,
) -> None:
    """Paint with a textured brush, in place; equal for any number of threads.

    Args:
        canvas: ``[4, H, W]`` red, green, blue, and height of the paint.
        strokes: packed, ``[N, 13]``.
        style: one of `CODES`.
        seed: of all texture; each stroke's own also depends on where it lies, or on its key.
        unit: pixels of a fine detail.
        bristle: strength of streaks and grains, 0 to 1.
        dry: how early long strokes run dry, 0 to 1.
        load: ``[N]`` in [0, 1], how much paint each stroke carries; 1 for all if None.
        mask: ``[H, W]`` in [0, 1] where the strokes show, None for everywhere.
        grain: ``[H, W]`` the paper's tooth in [0, 1], for brushes that have one.
        levels: ``[L, h, w]`` the brush picture, each level smoother than the one before, for ``picture``.
        keys: ``[N]`` of the strokes' textures, which then move with them; they belong to places if None.

    Raises:
        InputError: there are no compiled kernels on this machine.
    """
    if entry() is None:
        raise InputError(f"brush {style!r} needs the compiled kernels, wanted the flat brush on this machine")
    _, height, wide = canvas.shape
    bands = 4 * band_count(1, height)
    count, rows, columns = (0, 0, 0) if levels is None else levels.shape
    head = arguments(
        "brush",
        first=0,
        step=1,
        bands=bands,
        count=len(strokes),
        height=height,
        wide=wide,
        style=CODES[style],
        ends=0 if style == "picture" else ENDS.index(ends),
        seed=seed,
        levels_count=count,
        levels_height=rows,
        levels_wide=columns,
        unit=unit,
        bristle=bristle,
        dry=dry,
        load=NOTHING if load is None else memory(load),
        strokes=memory(strokes),
        canvas=memory(canvas),
        masks=NOTHING if mask is None else memory(mask),
        grain=NOTHING if grain is None else memory(grain),
        levels=NOTHING if levels is None else memory(levels),
        keys=NO_KEYS if keys is None else memory(keys),
    )
    POOL.run(lambda first, step: _call(wide, [first, step, *head[2:]]), bands)


def _call(wide: int, head: list[int]) -> None:
    POOL.scratch(wide).call("brush", head)
