"""Canvases on which a drawing appears, as frames of a video."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from semantic_guidance.export.kinds import BT709, LIMITED, Kind
from semantic_guidance.painting.clear_replay import ClearReplay
from semantic_guidance.painting.cover import Rectangle
from semantic_guidance.painting.drawing import Drawing, Replay

LOSSY = frozenset({"libvpx-vp9", "prores_ks"})
"""Encoders that mix the colours of pixels that do not show with those beside them."""


def screen(drawing: Drawing, size: int, kind: Kind) -> Screen | ClearScreen:
    """A canvas for a drawing, with alpha if it is transparent and the kind has that."""
    clear = drawing.transparent is not None and bool(kind.clear)
    return ClearScreen(drawing, size, kind) if clear else Screen(drawing, size, kind)


class Screen:
    """A canvas on which a drawing appears, in the colours of a video.

    Args:
        drawing: what appears.
        size: pixels of the longer side.
        kind: of the video.
    """

    def __init__(self, drawing: Drawing, size: int, kind: Kind) -> None:
        self.replay = Replay(drawing, size)
        height, width = drawing.sides(size)
        self.width, self.height = width, height = kind.size(width, height)
        # What has no form here is made of RGB by the encoder; a palette's pixels come later.
        forms = {"yuv420p": "yuv420p", "bgra": "bgra", "pal8": "bgra"}
        self.form = forms.get(kind.pixels, "rgb24")
        self.blank = True
        shape = {"yuv420p": (height * 3 // 2, width), "rgb24": (height, width, 3), "bgra": (height, width, 4)}
        self.pixels = np.full(shape[self.form], 255, np.uint8)

    def frame(self, count: int) -> av.VideoFrame:
        """The canvas with `count` strokes, its last row and column repeated where the video is larger."""
        changed = self.replay.paint(count)
        if self.blank:
            changed, self.blank = (0, self.replay.height, 0, self.replay.width), False
        if changed is not None:
            self._convert(*self._widened(changed))
        frame: Any = av.VideoFrame.from_ndarray(self.pixels, format=self.form)
        if self.form == "yuv420p":
            frame.colorspace, frame.color_range = BT709, LIMITED
        return frame

    def _widened(self, rectangle: Rectangle) -> Rectangle:
        """A rectangle of the canvas with even sides, and what of the video lies beyond the canvas there."""
        top, bottom, left, right = rectangle
        return (
            top // 2 * 2,
            self.height if bottom == self.replay.height else -(-bottom // 2) * 2,
            left // 2 * 2,
            self.width if right == self.replay.width else -(-right // 2) * 2,
        )

    def _convert(self, top: int, bottom: int, left: int, right: int) -> None:
        easel = self.replay.easel()
        if self.form == "rgb24":
            easel.rgb(self.pixels, top, bottom, left, right)
        elif self.form == "bgra":
            easel.rgb(self.pixels[..., 2::-1], top, bottom, left, right)
        else:
            width, height = self.width, self.height
            luma, rest = self.pixels[:height], self.pixels[height:].reshape(2, height // 2, width // 2)
            easel.yuv420((luma, rest[0], rest[1]), top, bottom, left, right)


class ClearScreen:
    """Nothing, on which a drawing appears, in colours and alpha; arguments as those of `Screen`."""

    def __init__(self, drawing: Drawing, size: int, kind: Kind) -> None:
        self.replay = ClearReplay(drawing, size, filled=kind.codec in LOSSY)
        self.width, self.height = kind.size(self.replay.width, self.replay.height)
        self.pixels = np.zeros((self.height, self.width, 4), np.uint8)
        self.blank = True

    def frame(self, count: int) -> av.VideoFrame:
        """What `count` strokes cover, its last row and column repeated where the video is larger."""
        height, width = self.replay.height, self.replay.width
        changed = self.replay.paint(count)
        if self.blank:
            changed, self.blank = (0, height, 0, width), False
        if changed is not None:
            self.replay.put(self.pixels, changed)
            self.pixels[height:] = self.pixels[height - 1 : height]
            self.pixels[:, width:] = self.pixels[:, width - 1 : width]
        return av.VideoFrame.from_ndarray(self.pixels, format="rgba")
