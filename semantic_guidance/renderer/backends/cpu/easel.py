"""The compiled renderer without torch: a canvas that is painted in place, and its bytes for files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.renderer.backends.cpu import geometry, kernel

Bytes = NDArray[np.uint8]
Planes = tuple[Bytes, Bytes, Bytes]

RED, GREEN, BLUE = 0.2126, 0.7152, 0.0722
"""Shares of luma, BT.709."""

NOTHING = np.zeros((1, 0, 0), np.float32)  # instead of a mask


class Easel:
    """A canvas that is painted in place.

    Rectangles of it, for `rgb` and `yuv420`, have at least one pixel of the canvas, and may go beyond its
    last row and column: these are repeated.

    Args:
        canvas: ``[3, H, W]``, which is copied.
    """

    def __init__(self, canvas: NDArray[np.float32]) -> None:
        self._canvas = np.array(canvas, np.float32, order="C")

    def paint(
        self, strokes: NDArray[np.float32], mask: NDArray[np.float32] | None = None, softness: float = 1.0
    ) -> None:
        """Paint strokes on the canvas, exactly as `renderer.render` does.

        Args:
            strokes: ``[N, 13]`` packed, finite and contiguous.
            mask: ``[H, W]`` in [0, 1], contiguous, where the strokes show; everywhere if None.
            softness: width of the soft edge in pixels.
        """
        kernel.paint(
            strokes[None],
            self._canvas[None],
            NOTHING if mask is None else mask[None],
            softness,
            geometry.band_count(1, self._canvas.shape[1]),
            geometry.NO_TAPE,
            geometry.NO_STARTS,
            False,
        )

    def picture(self) -> NDArray[np.float32]:
        """The canvas as it looks now, ``[3, H, W]``, a copy."""
        return self._canvas.copy()

    def rgb(self, out: Bytes, top: int, bottom: int, left: int, right: int) -> None:
        """Write a rectangle of the canvas to the same place of `out` ``[h, w, 3]``, of any strides."""
        part = self._part(top, bottom, left, right)
        part *= 255
        target = out[top:bottom, left:right]
        np.rint(part.transpose(1, 2, 0), out=target, casting="unsafe")

    def yuv420(self, planes: Planes, top: int, bottom: int, left: int, right: int) -> None:
        """Write a rectangle to the same place of a video's planes: BT.709, limited range.

        Args:
            planes: luma ``[h, w]`` and two of colour ``[h / 2, w / 2]``, each pixel the mean of four.
            top: first row, even.
            bottom: row after the last, even.
            left: first column, even.
            right: column after the last, even.
        """
        part = self._part(top, bottom, left, right)
        luma = _luma(part, 219.0, 16.5)
        planes[0][top:bottom, left:right] = luma
        part = part[:, ::2] + part[:, 1::2]
        part = part[:, :, ::2] + part[:, :, 1::2]
        luma = _luma(part, 0.25)
        place = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
        for plane, channel, share in zip(planes[1:], (2, 0), (BLUE, RED), strict=True):
            color = part[channel]
            color *= 0.25
            color -= luma
            color *= 112 / (1 - share)
            color += 128.5
            plane[place] = color

    def _part(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
        """A rectangle ``[3, h, w]`` of the canvas, clipped to [0, 1]; a copy."""
        height, width = self._canvas.shape[1:]
        part = self._canvas[:, top : min(bottom, height), left : min(right, width)].clip(0, 1)
        if bottom > height or right > width:
            margins = (0, 0), (0, max(0, bottom - height)), (0, max(0, right - width))
            part = np.pad(part, margins, mode="edge")
        return part


def _luma(part: NDArray[np.float32], scale: float, shift: float = 0.0) -> NDArray[np.float32]:
    """Weighted sum of red, green and blue ``[3, h, w]``."""
    luma = part[0] * np.float32(RED * scale)
    luma += part[1] * np.float32(GREEN * scale)
    luma += part[2] * np.float32(BLUE * scale)
    luma += np.float32(shift)
    return luma
