"""Cut-out objects composed over backgrounds on the fly, with exact masks.

A pack is a folder with `manifest.csv` (columns name, kind, category; kind is `cutout` or `background`),
cut-outs with an alpha channel and photographs.
`python -m semantic_guidance.learning.data.cutouts.rebuild_pack` makes one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.learning.data.cutouts.compose import Composite, compose
from semantic_guidance.learning.data.cutouts.pack import CutoutPack

__all__ = ["Composite", "CutoutDataset", "CutoutPack", "compose"]


class CutoutDataset(Dataset[tuple[Tensor, Guidance]]):
    """Composites as (image ``[3, H, W]`` in [0, 1], guidance without focus).

    Args:
        pack: a folder, or a pack already loaded.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        length: number of pictures.
        seed: with the index, decides the picture.
        split: see `CutoutPack.load`; unused with a loaded pack.
    """

    def __init__(
        self,
        pack: CutoutPack | str | Path,
        height: int = 128,
        width: int = 128,
        length: int = 10_000,
        seed: int = 0,
        split: str = "all",
    ) -> None:
        self.pack = pack if isinstance(pack, CutoutPack) else CutoutPack.load(pack, split)
        self.height, self.width, self.length, self.seed = height, width, length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Guidance]:
        if not 0 <= index < self.length:
            raise IndexError(f"index is {index}, wanted 0 to {self.length - 1}")
        made = compose(np.random.default_rng([self.seed, index]), self.pack, self.height, self.width)
        image = torch.from_numpy(made.image).permute(2, 0, 1).contiguous()
        mask = torch.from_numpy(made.mask)[None]
        planes = [torch.from_numpy(plane)[None] for plane in made.masks]
        instances = tuple(Instance.from_mask(plane) for plane in planes if bool((plane > 0.5).any()))
        return image, Guidance(mask, torch.zeros_like(mask), instances)
