"""The box of a mask, whether it is a tensor or an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def box_of(mask: Tensor | NDArray[Any], threshold: float = 0.5) -> tuple[int, int, int, int] | None:
    """The tight box of a mask ``[H, W]`` above a threshold in whole pixels; None if no pixel is.

    >>> box_of(np.array([[0.0, 0.0, 0.0], [0.0, 0.9, 0.8]]))
    (1, 1, 2, 1)
    """
    inside = mask > threshold
    inside = inside if isinstance(inside, np.ndarray) else inside.cpu().numpy()
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) == 0:
        return None
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y
