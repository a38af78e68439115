"""The pictures that a segmenter learns from: composites and photographs, with exact masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from semantic_guidance.core.options import OptionError
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose
from semantic_guidance.learning.data.photographs import Photographs
from semantic_guidance.learning.segmenter.config import STRIDE, SegmenterTrainingConfig

SHAPES = ((0, 0), (0, 0), (0, 0), (-1, 1), (1, -1), (1, 1), (-1, -1))
"""By how many strides a batch's height and width differ from the mean side; one is drawn for each batch."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What pictures are made of.

    Attributes:
        pack: to learn from; with photographs, their objects and scenes are in it.
        photographs: to learn from, if there are any.
        held_out: to measure on, if it is measured.
    """

    pack: CutoutPack
    photographs: Photographs | None
    held_out: CutoutPack | None

    @staticmethod
    def load(config: SegmenterTrainingConfig) -> Sources:
        """Read them.

        Raises:
            OptionError: the pack or the folder of photographs is missing or malformed.
        """
        if config.pack is None:
            raise OptionError("pack", "not given, wanted the folder of a cut-out pack")
        try:
            pack = CutoutPack.load(config.pack, config.split)
            held_out = CutoutPack.load(config.pack, "held_out") if config.held_out else None
        except ValueError as error:
            raise OptionError("pack", str(error)) from None
        if config.real is None:
            return Sources(pack, None, held_out)
        try:
            photographs = Photographs.load(config.real)
        except ValueError as error:
            raise OptionError("real", str(error)) from None
        return Sources(photographs.added_to(pack), photographs, held_out)


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """The batches of a run, each decided by the seed and its number alone.

    Args:
        config: of the run.
        sources: of the pictures.
        start: number of the first batch.
    """

    def __init__(self, config: SegmenterTrainingConfig, sources: Sources, start: int = 0) -> None:
        self.config, self.sources, self.start = config, sources, start

    def __len__(self) -> int:
        return max(0, self.config.steps - self.start)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Pictures ``[B, 3, H, W]`` and the masks of their objects ``[B, 1, H, W]``, both in [0, 1]."""
        config, sources = self.config, self.sources
        cv2.setNumThreads(1)  # in the processes that make pictures, each of which has one core
        rng = np.random.default_rng([config.seed, self.start + index])
        taller, wider = SHAPES[rng.integers(len(SHAPES))]
        height, width = config.size + taller * STRIDE, config.size + wider * STRIDE
        images, masks = [], []
        for _ in range(config.batch_size):
            if sources.photographs is not None and rng.random() < config.real_share:
                image, mask = sources.photographs.sample(rng, sources.pack, height, width)
            else:
                made = compose(rng, sources.pack, height, width)
                image, mask = made.image, made.mask
            images.append(image)
            masks.append(mask)
        pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)  # channels last already
        return pictures, torch.from_numpy(np.stack(masks))[:, None]
