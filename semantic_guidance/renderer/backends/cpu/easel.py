"""The compiled renderer without torch: a canvas that is painted in place, and its bytes for files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.renderer.backends.cpu.native import entry
from semantic_guidance.renderer.backends.cpu.pool import NOTHING, POOL, arguments, memory, padded
from semantic_guidance.renderer.definition import ENDS

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Planes = tuple[Bytes, Bytes, Bytes]

SPARE = 16
"""Rows and columns of the smallest rectangle for which there is room."""


class Easel:
    """A canvas that is painted in place.

    Rectangles of it, for `rgb` and `yuv420`, have at least one pixel of the canvas, and may go beyond its
    last row and column by one pixel, or up to 16 of them: these are repeated.

    Args:
        canvas: ``[3, H, W]``, which is copied.
    """

    def __init__(self, canvas: Array) -> None:
        _, self.height, self.wide = canvas.shape
        self.stride = padded(self.wide + 1)
        # In rows of three colours, each of whole blocks of columns, as kernels walk it.
        self._rows = np.zeros((max(SPARE, self.height + 1), 3, self.stride), np.float32)
        self._rows[: self.height, :, : self.wide] = canvas.transpose(1, 0, 2)
        self._memory = memory(self._rows)
        self._shape = {"height": self.height, "wide": self.wide, "stride": self.stride}

    def paint(
        self, strokes: Array, mask: Array | None = None, softness: float = 1.0, ends: str = "round"
    ) -> None:
        """Paint strokes on the canvas, exactly as `renderer.render` does.

        Args:
            strokes: ``[N, 13]`` packed, finite and contiguous.
            mask: ``[H, W]`` in [0, 1], contiguous, where the strokes show; everywhere if None.
            softness: width of the soft edge in pixels.
            ends: how the strokes end, one of `renderer.definition.ENDS`.
        """
        if entry() is None:
            self._picture[:] = _rendered(self.picture(), strokes, mask, softness, ends)
            return
        head = arguments(
            "easel",
            begin=0,
            end=len(strokes),
            **self._shape,
            ends=ENDS.index(ends),
            softness=softness,
            strokes=memory(strokes),
            canvas=self._memory,
            masks=NOTHING if mask is None else memory(mask),
        )
        POOL.scratch(self.wide).call("easel", head)

    @property
    def _picture(self) -> Array:
        """``[3, H, W]``, not a copy."""
        return self._rows[: self.height, :, : self.wide].transpose(1, 0, 2)

    def picture(self) -> Array:
        """The canvas as it looks now, ``[3, H, W]``, a copy."""
        return np.ascontiguousarray(self._picture)

    def rgb(self, out: Bytes, top: int, bottom: int, left: int, right: int) -> None:
        """Write a rectangle of the canvas to the same place of `out` ``[h, w, 3]``, of any strides."""
        part = self.part(top, bottom, left, right)
        part *= 255
        np.rint(part.transpose(1, 2, 0), out=out[top:bottom, left:right], casting="unsafe")

    def yuv420(self, planes: Planes, top: int, bottom: int, left: int, right: int) -> None:
        """Write a rectangle to the same place of a video's planes: BT.709, limited range.

        Args:
            planes: luma ``[h, w]`` and two of colour ``[h / 2, w / 2]``, each pixel the mean of four; rows
                may be longer, all are.
            top: first row, even.
            bottom: row after the last, even.
            left: first column, even.
            right: column after the last, even.
        """
        luma, blue, red = planes
        if entry() is None:
            part = self.part(top, bottom, left, right)
            place = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
            luma[top:bottom, left:right] = 16.5 + 219 * _luma(part)
            part = part.reshape(3, len(part[0]) // 2, 2, -1, 2).mean(axis=(2, 4))
            blue[place] = 128.5 + 224 / 1.8556 * (part[2] - _luma(part))
            red[place] = 128.5 + 224 / 1.5748 * (part[0] - _luma(part))
            return
        head = arguments(
            "yuv",
            top=top,
            bottom=bottom,
            left=left,
            right=right,
            **self._shape,
            luma_stride=luma.shape[1],
            chroma_stride=blue.shape[1],
            canvas=self._memory,
            luma=memory(luma),
            blue=memory(blue),
            red=memory(red),
        )
        POOL.scratch(self.wide).call("yuv", head)

    def put(self, part: Array, top: int, bottom: int, left: int, right: int) -> None:
        """Replace a rectangle of the canvas, which must not go beyond it, by ``[3, h, w]``."""
        self._picture[:, top:bottom, left:right] = part

    def part(self, top: int, bottom: int, left: int, right: int) -> Array:
        """A rectangle ``[3, h, w]``, clipped to [0, 1]; a copy."""
        part = self._picture[:, top:bottom, left:right].clip(0, 1)
        margins = (0, 0), (0, bottom - top - part.shape[1]), (0, right - left - part.shape[2])
        return np.pad(part, margins, mode="edge") if any(after for _, after in margins) else part


def _luma(part: Array) -> Array:
    """Of red, green and blue ``[3, h, w]``, BT.709."""
    luma: Array = 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]
    return luma


def _rendered(canvas: Array, strokes: Array, mask: Array | None, softness: float, ends: str) -> Array:
    """What the plain renderer, which needs torch, makes of it: for machines without compiled kernels."""
    import torch

    from semantic_guidance.core.strokes import Strokes
    from semantic_guidance.renderer.rendering import render

    under = None if mask is None else torch.from_numpy(mask)[None, None]
    vectors = Strokes.unpack(torch.from_numpy(strokes)[None])
    backend = "auto" if ends == "round" else "reference"
    painted = render(vectors, torch.from_numpy(canvas)[None], under, softness, backend, ends)
    picture: Array = painted[0].numpy()
    return picture
