"""Arrays ``[H, W, C]``, as in OpenCV and Pillow, and tensors ``[C, H, W]``, as everywhere else.

Torch is imported where a tensor is made: what is drawn from a file of strokes needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def resize_array(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """``[H, W]`` or ``[H, W, C]`` at another size: averaged over areas where it shrinks, else linear."""
    import cv2

    resized: Any = values
    least = min(height, values.shape[0]), min(width, values.shape[1])
    for (rows, columns), method in ((least, cv2.INTER_AREA), ((height, width), cv2.INTER_LINEAR)):
        if resized.shape[:2] != (rows, columns):
            resized = cv2.resize(resized, (columns, rows), interpolation=method)
    return np.asarray(resized, np.float32)


def resample_array(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """`core.resample.resample` of an array ``[C, H, W]``, up to rounding: bilinear, antialiased."""
    for axis, size in ((2, width), (1, height)):
        if values.shape[axis] != size:
            places, weights = _triangles(values.shape[axis], size)
            weights = weights[..., None] if axis == 1 else weights
            old, values = values, np.take(values, places[0], axis) * weights[0]
            for place, weight in zip(places[1:], weights[1:], strict=True):
                values += np.take(old, place, axis) * weight
    return values


def _triangles(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Which of `old` pixels make each of `new` ones, and with which weights, ``[K, new]`` both."""
    scale = np.float32(old / new)
    reach = max(scale, np.float32(1))
    center = scale * (np.arange(new, dtype=np.float32) + np.float32(0.5))
    first = np.maximum((center - reach + np.float32(0.5)).astype(np.intp), 0)
    end = np.minimum((center + reach + np.float32(0.5)).astype(np.intp), old)
    places = first + np.arange((end - first).max())[:, None]
    away = np.abs(places.astype(np.float32) + np.float32(0.5) - center) / reach
    weights = np.where(places < end, np.maximum(1 - away, 0), 0).astype(np.float32)
    return np.minimum(places, old - 1), weights / weights.sum(axis=0)


def to_bytes(image: Tensor | NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture ``[C, H, W]`` in [0, 1] as an array ``[H, W, C]`` of uint8."""
    values = image if isinstance(image, np.ndarray) else image.detach().cpu().float().numpy()
    levels = np.empty((*values.shape[1:], len(values)), np.uint8)
    for channel, plane in enumerate(values):  # all at once takes three times the memory of the picture
        levels[..., channel] = np.rint(plane.clip(0, 1) * 255)
    return levels


def check_range(image: Tensor | NDArray[np.float32], name: str = "image") -> None:
    """Check that a picture is in [0, 1], but for rounding.

    Args:
        image: of any shape, with at least one pixel.
        name: for the message.

    Raises:
        ValueError: it is not, or holds NaN.
    """
    low, high = float(image.min()), float(image.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # also false for NaN
        raise ValueError(f"{name} has values from {low:g} to {high:g}, wanted 0 to 1")


def check_unit(values: Tensor, name: str) -> None:
    """Check that a tensor is of floating-point numbers in [0, 1], but for rounding, or of booleans.

    Args:
        values: of any shape.
        name: for the message.

    Raises:
        ValueError: it is not, or holds NaN.
    """
    kind = str(values.dtype).removeprefix("torch.")
    if kind == "bool" or 0 in values.shape:
        return
    if not values.is_floating_point():
        raise ValueError(f"{name} is of {kind}, wanted floating-point numbers from 0 to 1")
    check_range(values.detach(), name)


def to_array(image: Tensor) -> NDArray[np.float32]:
    """A picture ``[C, H, W]`` as a contiguous array ``[H, W, C]``."""
    return np.ascontiguousarray(image.detach().cpu().float().permute(1, 2, 0).numpy())


def to_tensor(array: NDArray[np.float32]) -> Tensor:
    """An array ``[H, W, C]`` as a contiguous picture ``[C, H, W]``."""
    import torch

    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """`image` ``[C, H, W]`` as ``[C, height, width]``, averaged over areas where it shrinks, else linear."""
    return to_tensor(resize_array(to_array(image), height, width).reshape(height, width, len(image)))
