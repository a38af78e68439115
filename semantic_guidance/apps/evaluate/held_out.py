"""The pictures of a data set that training holds out."""

from __future__ import annotations

import os
from pathlib import Path

from semantic_guidance.apps.evaluate.subjects import Subject, make_slugs, shown
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.plugins import DATASETS
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.bank import halves
from semantic_guidance.learning.config import DataConfig
from semantic_guidance.learning.data.folder import DataRequest, PictureDataset


def held_out_subjects(folder: Path, dataset: str, limit: int | None = None) -> list[Subject]:
    """The pictures that ``semantic-guidance train`` does not learn from; their objects are to be found.

    Args:
        folder: of the data set, as ``train --data`` takes it.
        dataset: its name, as for ``train --dataset``.
        limit: take at most this many.

    Raises:
        InputError: the data set cannot be read, or its pictures are no files.
    """
    try:
        config = DataConfig(dataset=dataset, data=str(folder))
        _, (rest, numbers) = halves(DATASETS.get(dataset)(folder, DataRequest()), config)
    except ValueError as error:
        raise InputError(f"--dataset {dataset}: {error}") from None
    if not isinstance(rest, PictureDataset):
        raise InputError(f"--dataset {dataset}: its pictures are not files, wanted a data set of photographs")
    chosen = numbers.tolist()[:limit]
    names = [shown(rest.names[number]) for number in chosen]
    slugs = make_slugs(names)
    return [
        _subject(rest, number, name, slugs[name], folder) for name, number in zip(names, chosen, strict=True)
    ]


def _subject(pictures: PictureDataset, number: int, name: str, slug: str, folder: Path) -> Subject:
    """A picture; if it leads elsewhere, with the reason why it is skipped, in which `folder` is not named."""
    try:
        return Subject(name, slug, pictures.path(number), None)
    except InputError as error:
        reason = str(error).replace(f"{printable(folder)}{os.sep}", "")
        return Subject(name, slug, folder / pictures.names[number], None, reason)
