"""Cut-out objects composed over backgrounds on the fly, with exact masks.

A pack is a folder with `manifest.csv` (columns name, kind, category; kind is `cutout` or `background`),
cut-outs with an alpha channel and photographs.
`python -m semantic_guidance.learning.data.cutouts.rebuild_pack` makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.utils.data

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.learning.data.cutouts.compose import Composite, compose
from semantic_guidance.learning.data.cutouts.pack import CutoutPack, read_manifest
from semantic_guidance.learning.data.folder import DataRequest, Example
from semantic_guidance.learning.data.photographs import Photographs

__all__ = ["Composite", "CutoutDataset", "CutoutPack", "Cutouts", "compose"]


PHOTO_SHARE = 0.4
"""Share of crops of photographs among the pictures, where there are photographs."""


class CutoutDataset(torch.utils.data.Dataset[Example]):
    """Composites, with guidance that has no focus map.

    Args:
        pack: a folder, or a pack already loaded.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        length: number of pictures.
        seed: with the index, decides the picture.
        split: see `CutoutPack.load`; unused with a loaded pack.
        photographs: of which some pictures are crops instead, and others composed.
    """

    def __init__(
        self,
        pack: CutoutPack | str | Path,
        height: int = 128,
        width: int = 128,
        length: int = 10_000,
        seed: int = 0,
        split: str = "all",
        photographs: Photographs | None = None,
    ) -> None:
        self.photographs = photographs
        self.pack = pack if isinstance(pack, CutoutPack) else CutoutPack.load(pack, split)
        if photographs is not None:
            self.pack = photographs.added_to(self.pack)
        self.height, self.width, self.length, self.seed = height, width, length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.length:
            raise IndexError(f"index is {index}, wanted 0 to {self.length - 1}")
        rng = np.random.default_rng([self.seed, index])
        if self.photographs is not None and rng.random() < PHOTO_SHARE:
            made = self.photographs.sample(rng, self.pack, self.height, self.width)
        else:
            made = compose(rng, self.pack, self.height, self.width)
        image = torch.from_numpy(made.image).permute(2, 0, 1).contiguous()
        mask = torch.from_numpy(made.mask)[None]
        planes = [torch.from_numpy(plane)[None] for plane in made.masks]
        instances = tuple(Instance.from_mask(plane) for plane in planes if bool((plane > 0.5).any()))
        guidance = Guidance(mask, torch.zeros_like(mask), instances)
        return Example(image, guidance, f"composite {self.seed}.{index}")


@dataclass(frozen=True)
class Cutouts:
    """A pack's composites for training. It is read when the first of them is asked for.

    Attributes:
        folder: of the pack.
        side: of the pictures, in pixels.
        length: number of pictures.
        photographs: folder with the photographs to learn from in ``train``, and others in ``held_out``.
    """

    folder: Path
    side: int
    length: int
    photographs: Path | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        return self._all[index]

    @cached_property
    def _all(self) -> CutoutDataset:
        return CutoutDataset(
            self.folder, self.side, self.side, self.length, photographs=self._photographs("train")
        )

    def _photographs(self, split: str) -> Photographs | None:
        return None if self.photographs is None else Photographs.load(self.photographs / split)

    def split(self, held_out: int) -> tuple[CutoutDataset, CutoutDataset]:
        """See `Divided`: all `length` pictures of some objects and backgrounds, then `held_out` of others."""
        parts = (("train", self.length), ("held_out", held_out))
        train, rest = (
            CutoutDataset(
                self.folder, self.side, self.side, count, split=split, photographs=self._photographs(split)
            )
            for split, count in parts
        )
        return train, rest


def open_dataset(folder: Path, request: DataRequest) -> Cutouts:
    """See `Dataset`: as many composites as are asked for.

    Raises:
        InputError: there is no pack in the folder, or other masks are wanted than those of the cut-outs.
    """
    if request.masks not in ("auto", "real"):
        raise InputError("cut-outs have masks of their own, wanted --masks auto or real")
    read_manifest(folder)
    return Cutouts(folder, request.side, request.count, request.photographs)
