"""Cars-196 (Krause et al. 2013): photographs of 196 models of cars with one box each.

Layout: `cars_train/NAME.jpg`, `cars_test/NAME.jpg` and `devkit/` with `cars_meta.mat`, `cars_train_annos.mat`
and `cars_test_annos.mat` (or `cars_test_annos_withlabels.mat`, there or beside `devkit`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance
from semantic_guidance.core.names import inside, plain_name
from semantic_guidance.learning.data.folder import DataRequest, PictureDataset, box_guidance, need_folder
from semantic_guidance.learning.data.matlab import Value, read_mat

WANTED = "wanted records with bbox_x1, bbox_y1, bbox_x2, bbox_y2, class, fname"


class Cars196(PictureDataset):
    """The photographs with their boxes.

    Args:
        root: folder that holds `cars_train`, `cars_test` and `devkit`.
        split: `train` or `test`.

    Raises:
        InputError: a file is missing or malformed, or names a picture elsewhere.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        if split not in ("train", "test"):
            raise ValueError(f"split is {split!r}, wanted 'train' or 'test'")
        self.root = need_folder(Path(root), "Cars-196")
        need_folder(self.root / f"cars_{split}", f"the pictures of the {split} split")
        self._list = path = self._annotations(split)
        meta = self.root / "devkit" / "cars_meta.mat"
        classes = read_mat(meta, "class_names")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise InputError(f"{meta} is malformed, wanted class_names, a cell of texts")
        records = read_mat(path, "annotations")
        if not isinstance(records, list):
            raise InputError(f"{path} is malformed, {WANTED}")
        found = [_car(record, classes, f"{path} record {number}") for number, record in enumerate(records, 1)]
        self.names = [f"cars_{split}/{name}" for name, _, _ in found]
        self._boxes, self._labels = [box for _, box, _ in found], [label for _, _, label in found]

    names: list[str]
    _list: Path
    _boxes: list[Box]
    _labels: list[str | None]

    def _annotations(self, split: str) -> Path:
        plain = self.root / "devkit" / f"cars_{split}_annos.mat"
        labelled = f"cars_{split}_annos_withlabels.mat"
        candidates = (self.root / "devkit" / labelled, self.root / labelled, plain)
        return next((path for path in candidates if path.is_file()), plain)

    def path(self, index: int) -> Path:
        """Where the picture lies.

        Raises:
            InputError: its name leads out of the folder of its split through a link.
        """
        split, _, name = self.names[index].partition("/")
        return inside(self.root / split, name, self.root)

    def label(self, index: int) -> str | None:
        """The car's model, as in `AM General Hummer SUV 2000`; the unlabelled test split has none."""
        return self._labels[index]

    def guidance_of(self, index: int, height: int, width: int) -> Guidance:
        """The box.

        Raises:
            ValueError: it lies outside the picture.
        """
        return box_guidance(self._boxes[index], height, width, f"{self._list}: {self.names[index]}")


def _car(record: Value, classes: list[str], source: str) -> tuple[str, Box, str | None]:
    """Name, box and class of a picture.

    Raises:
        InputError: the record is malformed, or names a picture elsewhere; the message begins with `source`.
    """
    try:
        x0, y0, x1, y1 = (_whole(record[f"bbox_{side}"]) for side in ("x1", "y1", "x2", "y2"))
        kind = _whole(record["class"]) if "class" in record else None
        name = record["fname"]
        if not isinstance(name, str):
            raise ValueError("fname is no text")
        if kind is not None and not 0 < kind <= len(classes):
            raise ValueError(f"class {kind} of {len(classes)}")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{source} is malformed, {WANTED} ({error})") from None
    # Corners are counted from 1 and belong to the box.
    box = (float(x0 - 1), float(y0 - 1), float(x1 - x0 + 1), float(y1 - y0 + 1))
    return plain_name(name, source), box, None if kind is None else classes[kind - 1]


def _whole(value: Value) -> int:
    """A number that stands alone, without its fraction.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, np.ndarray) or value.size != 1 or not np.isfinite(value).all():
        raise ValueError("not a number")
    return int(value.item())


def open_dataset(folder: Path, request: DataRequest) -> Cars196:
    """See `Dataset`: the pictures of the training split."""
    return Cars196(folder)
