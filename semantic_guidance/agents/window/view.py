"""Windows: square parts of a picture, seen alone, and the strokes made in them.

Zooming to an object's box is the paper's neural alignment (section 3.2) at painting time: the same network
paints the whole picture, an object, or a detail, whatever its place and size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from semantic_guidance.core.guidance import box_of
from semantic_guidance.core.strokes import COLOR, CONTROL, END, OPACITY, RADIUS, START, Strokes

Array = NDArray[np.float32]

SIDE = 64
"""Pixels of a window as the network sees it."""

CHANNELS = 10
"""Of an observation: canvas 3, target 3, where strokes show 1, what counts 1, coordinates 2."""

MARGIN = 0.12  # of an object's window, in units of its box
REACH = 0.22  # farthest that an anchor lies from its cell's centre, in windows
HALF_LENGTH = 0.5  # greatest, in windows
BEND = 0.25  # greatest, in windows
RADII = (0.006, 0.2)  # least and greatest, in windows
ANCHOR, HALF, BENT = START, CONTROL, END  # what a network's answer has where strokes have their points
RESIDUAL = 0.5  # greatest difference of a stroke's colour from the target's mean at its anchor


@dataclass(frozen=True)
class Window:
    """A square of the picture, in pixels; parts of it may lie outside.

    Attributes:
        left: of its left edge.
        top: of its upper edge.
        side: above 0.
    """

    left: int
    top: int
    side: int

    def look(self, plane: Array, border: float | None = None, size: int = SIDE) -> Array:
        """This part of ``[H, W, C]`` (at most 4 channels), resized to ``[size, size, C]``.

        Args:
            plane: the picture.
            border: what lies outside; the nearest pixel if None.
            size: side in pixels of what is seen.
        """
        height, width = plane.shape[:2]
        top, left = max(0, self.top), max(0, self.left)
        bottom, right = min(height, self.top + self.side), min(width, self.left + self.side)
        part = plane[top:bottom, left:right]
        around = (
            top - self.top,
            self.top + self.side - bottom,
            left - self.left,
            self.left + self.side - right,
        )
        if any(around):
            mode = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
            value = [0.0 if border is None else border] * 4
            framed = cv2.copyMakeBorder(np.ascontiguousarray(part), *around, mode, value=value)
            part = np.asarray(framed, np.float32)
        shrinking = self.side > size
        method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        resized = cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=method)
        return np.asarray(resized, np.float32).reshape(size, size, -1)

    def overlap(self, other: Window) -> float:
        """Share of the smaller of both windows that lies in the other one."""
        across = min(self.left + self.side, other.left + other.side) - max(self.left, other.left)
        down = min(self.top + self.side, other.top + other.side) - max(self.top, other.top)
        return max(0, across) * max(0, down) / min(self.side, other.side) ** 2

    def to_picture(self, strokes: Strokes, longer: int) -> Strokes:
        """Strokes of this window in units of a picture whose longer side has `longer` pixels."""
        scale = self.side / longer
        corner = torch.tensor([self.left / longer, self.top / longer], dtype=torch.float32)
        return replace(strokes, points=strokes.points * scale + corner, radius=strokes.radius * scale)


def object_window(mask: Tensor) -> Window:
    """The window round the object in `mask` ``[H, W]``; the whole of it if there is none."""
    if (box := box_of(mask)) is None:
        return Window(0, 0, max(mask.shape))
    left, top, across, down = box
    right, bottom = left + across, top + down
    side = max(8, math.ceil(max(bottom - top, right - left) * (1 + 2 * MARGIN)))
    return Window(round((left + right - side) / 2), round((top + bottom - side) / 2), side)


def observe(canvas: Tensor, target: Tensor, show: Tensor, weight: Tensor) -> Tensor:
    """What the network sees, ``[B, CHANNELS, S, S]``.

    Args:
        canvas: ``[B, 3, S, S]`` in [0, 1].
        target: ``[B, 3, S, S]`` in [0, 1].
        show: ``[B, 1, S, S]`` in [0, 1], where strokes show.
        weight: ``[B, 1, S, S]`` in [0, 1], how much a pixel's error counts.
    """
    batch, _, height, width = canvas.shape
    rows = (
        torch.linspace(-1, 1, height, device=canvas.device, dtype=torch.float32)
        .view(1, 1, -1, 1)
        .expand(batch, 1, -1, width)
    )
    columns = (
        torch.linspace(-1, 1, width, device=canvas.device, dtype=torch.float32)
        .view(1, 1, 1, -1)
        .expand(batch, 1, height, -1)
    )
    planes = torch.cat([canvas - 0.5, target - 0.5, show, weight, rows, columns], dim=1)
    return planes.contiguous(memory_format=torch.channels_last)


def strokes_of(raw: Tensor, target: Tensor) -> Strokes:
    """Strokes of a network's answer, each anchored at its cell, in units of the window.

    Args:
        raw: ``[B, cells, 13]``: anchor 2, half of the way from start to end 2, bend 2, radii 2, opacities 2,
            colour 3; the cells form a square grid, row by row.
        target: ``[B, 3, S, S]``, whose mean at the anchor is what the colour starts from.
    """
    cells = raw.shape[1]
    grid = round(cells**0.5)
    centres = (torch.arange(grid, device=raw.device, dtype=raw.dtype) + 0.5) / grid
    home = torch.stack([centres.repeat(grid), centres.repeat_interleave(grid)], dim=-1)  # [cells, 2] (x, y)
    anchor = home + REACH * torch.tanh(raw[..., ANCHOR])
    half = HALF_LENGTH * torch.tanh(0.5 * raw[..., HALF])
    control = anchor + BEND * torch.tanh(raw[..., BENT])
    points = torch.stack([anchor - half, control, anchor + half], dim=2)
    radius = RADII[0] + (RADII[1] - RADII[0]) * torch.sigmoid(raw[..., RADIUS] - 1)
    opacity = torch.sigmoid(raw[..., OPACITY] + 2)
    blurred = F.avg_pool2d(target, (9, 1), 1, (4, 0), count_include_pad=False)
    blurred = F.avg_pool2d(blurred, (1, 9), 1, (0, 4), count_include_pad=False)
    local = F.grid_sample(blurred, (2 * anchor - 1)[:, None], align_corners=False, padding_mode="border")
    color = local[:, :, 0].transpose(1, 2) + RESIDUAL * torch.tanh(raw[..., COLOR])
    return Strokes(points, radius, opacity, color.clamp(0, 1))
