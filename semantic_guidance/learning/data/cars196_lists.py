"""The lists of Cars-196 in the forms in which people have them: the devkit's, the full set's, CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import contents, files_below, places_of
from semantic_guidance.core.guidance import Box
from semantic_guidance.core.names import plain_name
from semantic_guidance.learning.data.folder import need_folder
from semantic_guidance.learning.data.lists import read_lines
from semantic_guidance.learning.data.matlab import Value, read_mat
from semantic_guidance.learning.data.sources import CARS196

WANTED = "wanted records with bbox_x1, bbox_y1, bbox_x2, bbox_y2, class, fname"
TREE = (
    "DIR/cars_train/NAME.jpg (or cars_train/cars_train) and DIR/devkit/cars_train_annos.mat (or car_devkit), "
    "DIR/car_ims/NAME.jpg and DIR/cars_annos.mat, or DIR/car_data/train/CLASS/NAME.jpg, anno_train.csv and "
    "names.csv"
)
DEVKITS = ("devkit", "car_devkit/devkit", "car_devkit", ".")
FULL = ("cars_annos.mat", "devkit/cars_annos.mat", "car_devkit/cars_annos.mat")


@dataclass(frozen=True)
class Car:
    """A line of a list.

    Attributes:
        folder: of the picture.
        name: of the picture in that folder, with ``/`` between its parts.
        prefix: the folder's name, as in names of the data set.
        box: of the car (x, y, width, height), in pixels.
        label: its model, as in `AM General Hummer SUV 2000`; the unlabelled test split has none.
        source: who says so.
    """

    folder: Path
    name: str
    prefix: str
    box: Box
    label: str | None
    source: Path


def cars_root(data: Path) -> Path:
    """The folder of the data set: DIR, a usual one in it, or the only one below that looks like it.

    Raises:
        InputError: there is none.
    """
    need_folder(data, f"Cars-196: {TREE}")
    above = [place for place in data.absolute().parents[:3] if _is_root(place)]
    whole = _is_root(data) and any((data / name).is_dir() for name in _PICTURES)
    for name in () if above and not whole and data.absolute().name in _PARTS else CARS196.roots:
        if any((data / name / marker).exists() for marker in _MARKERS):
            return data if name == "." else data / name
    for marker in () if above else CARS196.signs:
        if len(found := places_of(data, marker)) == 1:
            return found[0]
    if above:
        raise InputError(f"{data} is a part of Cars-196, wanted the folder above: {above[-1]}")
    raise InputError(f"{data} holds no list of Cars-196, wanted {TREE}; {contents(data)}")


def _is_root(place: Path) -> bool:
    return any((place / marker).is_file() for marker in _MARKERS if "." in marker)


_PICTURES = ("cars_train", "cars_test", "car_ims", "car_data")
_PARTS = (*_PICTURES, "car_devkit", "devkit", "train", "test")
_MARKERS = (
    *(f"{place}/cars_train_annos.mat" for place in DEVKITS),
    *FULL,
    "anno_train.csv",
    "cars_train",
    "devkit",
    "car_devkit",
    "car_ims",
)


def read_cars(root: Path, split: str) -> list[Car]:
    """The pictures of `train` or `test`, as the list says that is there.

    Raises:
        InputError: a list or the folder of the pictures is missing, or a list is malformed or names a picture
            elsewhere.
    """
    devkit = next((root / place for place in DEVKITS if _annotations(root / place, split, root)), None)
    full = next((root / name for name in FULL if (root / name).is_file()), None)
    table = root / f"anno_{split}.csv"
    if full is not None and (devkit is None or not (root / f"cars_{split}").is_dir()):
        return _full(root, full, split)
    if devkit is None and table.is_file():
        return _table(root, table, split)
    devkit = devkit or next((root / place for place in DEVKITS if (root / place).is_dir()), root / "devkit")
    path = _annotations(devkit, split, root) or devkit / f"cars_{split}_annos.mat"
    folder = need_folder(_nested(root / f"cars_{split}"), f"the pictures of the {split} split: {TREE}")
    classes = _classes(devkit / "cars_meta.mat")
    return [
        Car(folder, plain_name(name, source), f"cars_{split}", box, label, path)
        for source, name, box, label, _ in _records(path, classes, "fname")
    ]


def _annotations(devkit: Path, split: str, root: Path) -> Path | None:
    """The devkit's list of a split; the test split's may have labels, and may lie beside the devkit."""
    plain, labelled = f"cars_{split}_annos.mat", f"cars_{split}_annos_withlabels.mat"
    places = (devkit / labelled, root / labelled, devkit / plain)
    return next((path for path in places if path.is_file()), None)


def _nested(folder: Path) -> Path:
    """The folder, or the one of its name in it, as some archives have it."""
    return folder / folder.name if (folder / folder.name).is_dir() else folder


def _full(root: Path, path: Path, split: str) -> list[Car]:
    """All pictures are in one folder, and the list says which are of the test split."""
    classes = _classes(path)
    folder = _nested(root / "car_ims")
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder, wanted the pictures that {path} names; those of cars_train and "
            f"cars_test have other names, for which devkit/cars_train_annos.mat is wanted; {contents(root)}"
        )
    found = []
    for source, name, box, label, test in _records(path, classes, "relative_im_path"):
        name = plain_name(name.replace("\\", "/"), source).removeprefix("car_ims/")
        if test == (split == "test"):
            found.append(Car(folder, plain_name(name, source), "car_ims", box, label, path))
    return found


Record = tuple[str, str, Box, str | None, bool]
"""Source, name, box, class, and whether it is of the test split."""


def _records(path: Path, classes: list[str], field: str) -> list[Record]:
    """The records of a MATLAB file.

    Raises:
        InputError: it is malformed, or a record is, which is named.
    """
    records = read_mat(path, "annotations")
    wanted = WANTED.replace("fname", field)
    if not isinstance(records, list):
        raise InputError(f"{path} is malformed, {wanted}")
    found = []
    for number, record in enumerate(records, 1):
        source = f"{path} record {number}"
        try:
            found.append(_record(record, classes, field, source))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{source} is malformed, {wanted} ({error})") from None
    return found


def _record(record: Value, classes: list[str], field: str, source: str) -> Record:
    """A record's values.

    Raises:
        KeyError, IndexError, TypeError, ValueError: it is malformed.
    """
    sides = [_whole(record[f"bbox_{side}"]) for side in ("x1", "y1", "x2", "y2")]
    kind = _whole(record["class"]) if "class" in record else None
    test = bool(_whole(record["test"])) if "test" in record else False
    name = record[field]
    if not isinstance(name, str):
        raise ValueError(f"{field} is no text")
    return source, name, _box(*sides), _label(kind, classes), test


def _box(x0: int, y0: int, x1: int, y1: int) -> Box:
    """Corners are counted from 1 and belong to the box."""
    return float(x0 - 1), float(y0 - 1), float(x1 - x0 + 1), float(y1 - y0 + 1)


def _label(kind: int | None, classes: list[str]) -> str | None:
    if kind is None:
        return None
    if not 0 < kind <= len(classes):
        raise ValueError(f"class {kind} of {len(classes)}")
    return classes[kind - 1]


def _classes(path: Path) -> list[str]:
    classes = read_mat(path, "class_names")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise InputError(f"{path} is malformed, wanted class_names, a cell of texts")
    return classes


def _whole(value: Value) -> int:
    """A number that stands alone, without its fraction.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, np.ndarray) or value.size != 1 or not np.isfinite(value).all():
        raise ValueError("not a number")
    return int(value.item())


def _table(root: Path, path: Path, split: str) -> list[Car]:
    """Rows `NAME,x1,y1,x2,y2,class` without a header; the pictures lie in a folder for each class."""
    what = "rows of NAME.jpg,x1,y1,x2,y2,class"
    place = next((root / name / split for name in ("car_data/car_data", "car_data", ".")
                  if (root / name / split).is_dir()), root / "car_data" / split)  # fmt: skip
    folder = need_folder(place, f"the pictures that {path} names: {TREE}")
    names = root / "names.csv"
    classes = [line.strip().strip('"') for line in read_lines(names, "a class in each line")]
    places = {PurePosixPath(name).name: name for name in files_below(folder, {".jpg", ".jpeg"})}
    found = []
    for number, cells in enumerate(csv.reader(read_lines(path, what)), 1):
        source = f"{path} line {number}"
        if not any(cells):
            continue
        try:
            name, x0, y0, x1, y1, kind = cells
            box, label = _box(int(x0), int(y0), int(x1), int(y1)), _label(int(kind), classes)
        except (ValueError, OverflowError):
            raise InputError(f"{source} is {','.join(cells)[:120]!r}, wanted {what}") from None
        name = plain_name(name, source)
        found.append(Car(folder, places.get(name, name), f"car_data/{split}", box, label, path))
    return found
