"""Published paintings beside ours: the papers' comparison.

A folder holds, for each picture NAME, the target NAME__target.png, if wanted its mask NAME__mask.png (bright
where the object is), and published paintings of it, NAME__METHOD.png; all may be .jpg, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from semantic_guidance.apps.evaluate.measure import Known
from semantic_guidance.apps.evaluate.subjects import Subject, make_slugs
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import is_tools
from semantic_guidance.images.files import load_image
from semantic_guidance.images.metrics import SIDE, painting_errors

SUFFIXES = (".png", ".jpg", ".jpeg")
TARGET, MASK = "target", "mask"
MEAN = "mean"
MOST_STROKES = 300
"""Of the papers' paintings."""


@dataclass
class Published:
    """A picture's files.

    Attributes:
        name: of the picture.
        target: the picture.
        mask: of its object, if there is one.
        paintings: published ones of it, by method.
    """

    name: str
    target: Path
    mask: Path | None = None
    paintings: dict[str, Path] = field(default_factory=dict)


def read_published(folder: Path) -> list[Published]:
    """The pictures of a folder, by name.

    Raises:
        InputError: it does not have the form described above.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    files: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        name, separator, role = path.stem.partition("__")
        if path.suffix.lower() not in SUFFIXES or is_tools(path.name) or not (name and separator and role):
            continue
        roles = files.setdefault(name, {})
        if role in roles:
            raise InputError(f"{path}: {roles[role].name} is there, too, wanted one of them")
        roles[role] = path
    if not files:
        raise InputError(f"{folder}: no pictures, wanted NAME__target.png or .jpg")
    for roles in files.values():
        if TARGET not in roles:
            path = next(iter(roles.values()))
            name = path.stem.partition("__")[0]
            raise InputError(f"{path}: no target beside it, wanted {name}__target.png")
    return [
        Published(name, roles.pop(TARGET), roles.pop(MASK, None), roles)
        for name, roles in sorted(files.items())
    ]


def published_subjects(pictures: Sequence[Published]) -> list[Subject]:
    """The targets, to be painted."""
    slugs = make_slugs(picture.name for picture in pictures)
    return [Subject(picture.name, slugs[picture.name], picture.target, picture.mask) for picture in pictures]


def check_paintings(subjects: Iterable[Subject], published: Iterable[Published]) -> None:
    """See that the published paintings of the subjects can be read, before anything is painted.

    Raises:
        InputError: one cannot.
        OSError: as before.
    """
    names = {subject.name for subject in subjects}
    for picture in published:
        if picture.name in names:
            for path in picture.paintings.values():
                load_image(path)


@dataclass(frozen=True)
class Row:
    """The errors of a painting, at 128 x 128 in [0, 1], or their mean over several pictures.

    Attributes:
        picture: its name, or ``mean``.
        painting: who painted.
        pictures: how many the mean is of; 1 for a painting.
        ours: whether it was painted here.
        errors: of the whole, of the object, and of the background; None where there is none.
        sparse_object: the object's where the photograph is shrunk as in the papers' code.
    """

    picture: str
    painting: str
    pictures: int
    ours: bool
    errors: tuple[float | None, float | None, float | None]
    sparse_object: float | None


def compare(
    subjects: Sequence[Subject], published: Sequence[Published], results: dict[str, Any], out: Path
) -> list[Row]:
    """The rows of all paintings, ours and published ones, and their means.

    Args:
        subjects: what was painted.
        published: paintings of them, where there are any.
        results: of `Evaluation.run`.
        out: folder of the results.

    Raises:
        InputError: a published painting cannot be read.
        OSError: as before.
    """
    others = {picture.name: picture.paintings for picture in published}
    by_name = {subject.name: subject for subject in subjects}
    rows = []
    for picture in results["pictures"]:
        name = picture["name"]
        known = Known.of(by_name[name])
        image, mask = known.image, known.guidance.mask
        sparse = _every_few_pixels(image)
        for method, path in others.get(name, {}).items():
            rows.append(_row(name, method, load_image(path), image, sparse, mask))
        for method, figures in picture["results"].items():
            ours = _row(name, method, load_image(out / figures["painting"]), image, sparse, mask)
            exact = (figures["mse"], figures["mse_foreground"], figures["mse_background"])
            rows.append(replace(ours, ours=True, errors=exact))
    return rows + means(rows)


def means(rows: Iterable[Row]) -> list[Row]:
    """For each painter, the mean over his paintings."""
    by_painting: dict[str, list[Row]] = {}
    for row in rows:
        by_painting.setdefault(row.painting, []).append(row)
    return [
        Row(
            MEAN,
            painting,
            len(group),
            group[0].ours,
            (
                _mean(row.errors[0] for row in group),
                _mean(row.errors[1] for row in group),
                _mean(row.errors[2] for row in group),
            ),
            _mean(row.sparse_object for row in group),
        )
        for painting, group in by_painting.items()
    ]


def about_shrinking(rows: Sequence[Row]) -> str:
    """A line that says how shrinking moves errors of objects, measured on these paintings."""
    line = "Mean squared errors at 128 x 128, pictures shrunk by averaging over areas."
    spans = [span for span in (_span(rows, False), _span(rows, True)) if span]
    if not spans:
        return line
    return (
        f"{line} Where photographs are shrunk as in the papers' code (bilinear, between four pixels), errors "
        f"of objects are {' and '.join(spans)} times these."
    )


def _span(rows: Sequence[Row], ours: bool) -> str:
    """The least and the greatest ratio of an object's errors, in words; nothing if there is none."""
    ratios = [
        row.sparse_object / row.errors[1]
        for row in rows
        if row.ours == ours and row.picture != MEAN and row.sparse_object is not None and row.errors[1]
    ]
    whose = "of ours" if ours else "of published paintings"
    return f"{min(ratios):.1f} to {max(ratios):.1f} ({whose})" if ratios else ""


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


def _row(name: str, method: str, painted: Tensor, image: Tensor, sparse: Tensor, mask: Tensor) -> Row:
    errors = painting_errors(painted, image, mask)
    moved = painting_errors(painted, sparse, mask).foreground
    return Row(name, method, 1, False, (errors.everywhere, errors.foreground, errors.background), moved)


def _every_few_pixels(image: Tensor) -> Tensor:
    """A picture as ``[3, 128, 128]``, each pixel between four of the picture's: OpenCV's `resize`."""
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return torch.from_numpy(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)).permute(2, 0, 1)
