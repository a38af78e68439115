"""The pictures of a data set that training holds out."""

from __future__ import annotations

import os
from pathlib import Path

from semantic_guidance.apps.evaluate.subjects import Subject, make_slugs, shown
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import inside
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.bank import halves
from semantic_guidance.learning.config import DataConfig
from semantic_guidance.learning.data.cub200 import CUB200
from semantic_guidance.learning.data.folder import DataRequest, PictureDataset
from semantic_guidance.learning.data.made import MASKS


def held_out_subjects(
    folder: Path, dataset: str, limit: int | None = None, split: str = "random", masks: str = "found"
) -> list[Subject]:
    """The pictures that ``semantic-guidance train`` does not learn from.

    Args:
        folder: of the data set, as ``train --data`` takes it.
        dataset: its name, as for ``train --dataset``.
        limit: take at most this many.
        split: as for ``train --split``.
        masks: ``real``, the data set's own; ``predicted``, those of ``preprocess``; or ``found``, if objects
            are to be found.

    Raises:
        InputError: the data set cannot be read, its pictures are no files, or it has no such masks.
    """
    try:
        config = DataConfig(dataset=dataset, data=str(folder))
        request = DataRequest(guided=masks != "found", masks=masks, split=split)
        _, (rest, numbers) = halves(DATASETS.get(dataset)(folder, request), config)
    except ValueError as error:
        reason = str(error).replace("--masks", "--dataset-masks")  # as the flag is called here
        raise InputError(f"--dataset {dataset}: {reason}") from None
    if masks == "real" and not isinstance(rest, CUB200):
        raise InputError(f"--dataset {dataset}: none of its masks is a file, wanted predicted ones, or none")
    if not isinstance(rest, PictureDataset):
        raise InputError(f"--dataset {dataset}: its pictures are not files, wanted a data set of photographs")
    chosen = numbers.tolist()[:limit]
    names = [shown(rest.names[number]) for number in chosen]
    slugs = make_slugs(names)
    return [
        _subject(rest, number, name, slugs[name], folder, masks)
        for name, number in zip(names, chosen, strict=True)
    ]


def _subject(
    pictures: PictureDataset, number: int, name: str, slug: str, folder: Path, masks: str
) -> Subject:
    """A picture; if it leads elsewhere, with the reason why it is skipped, in which `folder` is not named."""
    try:
        return Subject(name, slug, pictures.path(number), _mask(pictures, number, masks))
    except InputError as error:
        reason = str(error).replace(f"{printable(folder)}{os.sep}", "")
        return Subject(name, slug, folder / pictures.names[number], None, reason)


def _mask(pictures: PictureDataset, number: int, masks: str) -> Path | None:
    """The file of a picture's mask, if there is one of that kind.

    Raises:
        InputError: it leads elsewhere.
    """
    if masks == "found":
        return None
    if isinstance(pictures, CUB200):
        return pictures.mask_path(number)
    path = inside(pictures.root / MASKS, pictures.made_name(number), pictures.root)
    return path if path.is_file() else None
