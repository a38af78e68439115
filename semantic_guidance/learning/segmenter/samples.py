"""The pictures that a segmenter learns from: composites and photographs, with exact masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from semantic_guidance.core.options import OptionError
from semantic_guidance.learning.data.cutouts.compose import Composite
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose
from semantic_guidance.learning.data.cutouts.groups import compose_group, flutter
from semantic_guidance.learning.data.cutouts.photometry import Plane
from semantic_guidance.learning.data.photographs import Photographs
from semantic_guidance.learning.segmenter.config import STRIDE, SegmenterTrainingConfig

SHAPES = ((0, 0), (0, 0), (0, 0), (-1, 1), (1, -1), (1, 1), (-1, -1))
"""By how many strides a batch's height and width differ from the mean side; one is drawn for each batch."""

_FLUTTER = 0.08  # of the photographs get a part that moves
_LEAST = 0.002  # of the frame; smaller things are not clicked on


class Batch(NamedTuple):
    """B pictures, and T things in them that a person may click on.

    Attributes:
        images: ``[B, 3, H, W]`` in [0, 1].
        masks: ``[B, 1, H, W]`` in [0, 1], of their objects.
        targets: ``[T, 1, H, W]`` in [0, 1], each one thing, an object or not.
        owners: ``[T]``, the number of the picture that each is in.
    """

    images: Tensor
    masks: Tensor
    targets: Tensor
    owners: Tensor


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


class Batches(Dataset[Batch]):
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

    def __getitem__(self, index: int) -> Batch:
        """The pictures with this number, counted from the first."""
        config = self.config
        cv2.setNumThreads(1)  # in the processes that make pictures, each of which has one core
        rng = np.random.default_rng([config.seed, self.start + index])
        taller, wider = SHAPES[rng.integers(len(SHAPES))]
        height, width = config.size + taller * STRIDE, config.size + wider * STRIDE
        made = [self._picture(rng, height, width) for _ in range(config.batch_size)]
        chosen = [(n, plane) for n, each in enumerate(made) for plane in targets_of(rng, each)]
        targets = np.stack([plane for _, plane in chosen]) if chosen else np.zeros((0, height, width))
        return Batch(
            torch.from_numpy(np.stack([each.image for each in made])).permute(0, 3, 1, 2),  # channels last
            torch.from_numpy(np.stack([each.mask for each in made]))[:, None],
            torch.from_numpy(targets.astype(np.float32))[:, None],
            torch.tensor([n for n, _ in chosen], dtype=torch.int64),
        )

    def _picture(self, rng: Generator, height: int, width: int) -> Composite:
        config, sources = self.config, self.sources
        if sources.photographs is not None and rng.random() < config.real_share:
            made = sources.photographs.sample(rng, sources.pack, height, width)
            if rng.random() < _FLUTTER and not _cut(made.mask):
                return Composite(flutter(rng, made.image, made.mask), made.masks, made.others)
            return made
        if rng.random() < config.group_share:
            return compose_group(rng, sources.pack, height, width)
        return compose(rng, sources.pack, height, width)


def _cut(mask: Plane) -> bool:
    """Whether the frame cuts the object of a mask ``[H, W]``."""
    return max(float(edge.max()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) > 0.5


def targets_of(rng: Generator, made: Composite) -> list[Plane]:
    """Two things in a picture that a person may click on, mostly objects, or twice the same one; none if it
    has none.

    A mask of several objects apart, as that of a photograph may be, gives one of them.
    """
    objects = [part for mask in made.masks for part in _apart(rng, mask)]
    others = [mask for mask in made.others if (mask > 0.5).mean() >= _LEAST]
    chosen: list[Plane] = []
    for _ in range(2):
        pool = others if others and (not objects or rng.random() < 0.3) else objects
        if pool:
            chosen.append(pool.pop(int(rng.integers(len(pool)))))
    return chosen * 2 if len(chosen) == 1 else chosen


def _apart(rng: Generator, mask: Plane) -> list[Plane]:
    """The large parts of a mask ``[H, W]`` that do not touch; all of it, if one is most of it."""
    solid = (mask > 0.5).astype(np.uint8)
    if solid.mean() < _LEAST:
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = [n + 1 for n in range(count - 1) if areas[n] >= max(0.08 * areas.sum(), _LEAST * solid.size)]
    if len(large) < 2 or areas.max() > 0.85 * areas.sum() or rng.random() < 0.3:
        return [mask]
    # What is soft belongs to the part that it surrounds.
    near = [cv2.dilate((labels == n).astype(np.uint8), np.ones((5, 5), np.uint8)) for n in large]
    return [mask * each for each in near]
