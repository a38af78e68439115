"""Arrays ``[H, W, C]``, as in OpenCV and Pillow, and tensors ``[C, H, W]``, as everywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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


def to_bytes(image: Tensor) -> NDArray[np.uint8]:
    """A picture ``[3, H, W]`` in [0, 1] as an array ``[H, W, 3]`` of uint8."""
    values = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(values.permute(1, 2, 0).numpy())


def to_array(image: Tensor) -> NDArray[np.float32]:
    """A picture ``[C, H, W]`` as a contiguous array ``[H, W, C]``."""
    return np.ascontiguousarray(image.detach().cpu().float().permute(1, 2, 0).numpy())


def to_tensor(array: NDArray[np.float32]) -> Tensor:
    """An array ``[H, W, C]`` as a contiguous picture ``[C, H, W]``."""
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """`image` ``[C, H, W]`` as ``[C, height, width]``, averaged over areas where it shrinks, else linear."""
    return to_tensor(resize_array(to_array(image), height, width).reshape(height, width, len(image)))
