"""A scene of flat colours, and stand-ins for the networks: one sees things, one fills what is clicked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from semantic_guidance import Guidance, Guide, Instance
from semantic_guidance.core.guidance import Box

HEIGHT, WIDTH = 60, 90
SKY, SUN, BARN, DOOR, CAR = (
    (0.3, 0.5, 0.9),
    (1.0, 0.9, 0.2),
    (0.7, 0.1, 0.1),
    (0.2, 0.1, 0.0),
    (0.1, 0.6, 0.1),
)
PARTS = {"sun": (5, 5, 12, 12), "barn": (30, 20, 30, 30), "door": (40, 38, 8, 12), "car": (70, 40, 14, 10)}
COLORS = {"sun": SUN, "barn": BARN, "door": DOOR, "car": CAR}


def scene(scale: int = 1) -> Tensor:
    """A sun, a barn with a door of its own colour, and a car: flat colours, ``[3, H, W]``."""
    picture = torch.tensor(SKY)[:, None, None].repeat(1, HEIGHT, WIDTH)
    for name, (x, y, w, h) in PARTS.items():
        picture[:, y : y + h, x : x + w] = torch.tensor(COLORS[name])[:, None, None]
    return picture.repeat_interleave(scale, 1).repeat_interleave(scale, 2)


def part(*names: str, without: str = "") -> Tensor:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    for name in names:
        x, y, w, h = PARTS[name]
        mask[:, y : y + h, x : x + w] = 1
    if without:
        x, y, w, h = PARTS[without]
        mask[:, y : y + h, x : x + w] = 0
    return mask


def middle(name: str, dx: float = 0.0, dy: float = 0.0) -> tuple[float, float]:
    x, y, w, h = PARTS[name]
    return x + w / 2 + dx, y + h / 2 + dy


BARN_AT = (34.0, 24.0)
"""In the barn, and not in its door."""


class Fill:
    """Stands in for the network: what is clicked is the area of one colour; negative ones are left out."""

    def __init__(self) -> None:
        self.encoded = self.asked = 0

    def encode(self, image: Tensor) -> np.ndarray:
        self.encoded += 1
        known = torch.tensor([SKY, *COLORS.values()])
        nearest = (image.permute(1, 2, 0)[:, :, None] - known).abs().sum(-1).argmin(-1).numpy()
        labels, count = np.zeros(nearest.shape, int), 0
        for color in range(len(known)):
            found, n = ndimage.label(nearest == color)
            labels[found > 0], count = found[found > 0] + count, count + n
        return labels

    def __call__(self, features: np.ndarray, points, previous=None) -> tuple[Tensor, float]:
        self.asked += 1
        at = {positive: {int(features[int(p.y), int(p.x)]) for p in points if p.positive is positive}
              for positive in (True, False)}  # fmt: skip
        mask = np.isin(features, list(at[True] - at[False]))
        return torch.from_numpy(mask.astype(np.float32))[None], 1.0


class Seeing(Guide):
    """Sees the barn and the sun without a network, and in a box what there is of them."""

    def __init__(self, clicks: Fill | None = None, **more: object) -> None:
        more = {"focus": False, "faces": False, **more}
        super().__init__(lambda image: (image[2:].lt(0.5).float(), 1.0), clicks=clicks or Fill(), **more)
        self.looks = 0

    def see(self, image: Tensor) -> None:
        self.looks += 1

    def found(self, image: Tensor, sight: None, faces: Sequence[Box] = (), whole: bool = True) -> Guidance:
        size = (image.shape[-2], image.shape[-1])
        planes = [torch.nn.functional.interpolate(part(name)[None], size)[0] for name in ("barn", "sun")]
        return self._finish(image, tuple(Instance.from_mask(plane) for plane in planes))
