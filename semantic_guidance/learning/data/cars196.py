"""Cars-196 (Krause et al. 2013): photographs of 196 models of cars with one box each.

Layout: `cars_train/NAME.jpg`, `cars_test/NAME.jpg` and `devkit/` with `cars_meta.mat`, `cars_train_annos.mat`
and `cars_test_annos.mat` (or `cars_test_annos_withlabels.mat`, there or beside `devkit`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semantic_guidance.core.guidance import Box, Guidance
from semantic_guidance.learning.data.folder import DataRequest, PictureDataset, box_guidance, need_folder


def _load_mat(path: Path, key: str) -> Any:
    """One variable of a MATLAB file.

    Raises:
        ValueError: scipy is not installed, or the file is missing, malformed or lacks the variable.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise ValueError("Cars-196 needs scipy, wanted: pip install 'semantic-guidance[datasets]'") from error
    try:
        return loadmat(str(path), squeeze_me=True, struct_as_record=False)[key]
    except (OSError, ValueError, KeyError, TypeError, MatReadError) as error:
        raise ValueError(f"{path} cannot be read, wanted a .mat file with {key} ({error})") from error


class Cars196(PictureDataset):
    """The photographs with their boxes.

    Args:
        root: folder that holds `cars_train`, `cars_test` and `devkit`.
        split: `train` or `test`.

    Raises:
        ValueError: a file is missing or malformed.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        if split not in ("train", "test"):
            raise ValueError(f"split is {split!r}, wanted 'train' or 'test'")
        self.root = need_folder(Path(root), "Cars-196")
        need_folder(self.root / f"cars_{split}", f"the pictures of the {split} split")
        path = self._annotations(split)
        records = _load_mat(path, "annotations")
        self._classes = [
            str(name) for name in _load_mat(self.root / "devkit" / "cars_meta.mat", "class_names")
        ]
        self.names, self._boxes, self._labels = [], [], []
        try:
            for record in [records] if not hasattr(records, "__len__") else records:
                x0, y0, x1, y1 = (int(getattr(record, f"bbox_{side}")) for side in ("x1", "y1", "x2", "y2"))
                self.names.append(f"cars_{split}/{record.fname}")
                # Corners are counted from 1 and belong to the box.
                self._boxes.append((float(x0 - 1), float(y0 - 1), float(x1 - x0 + 1), float(y1 - y0 + 1)))
                number = getattr(record, "class", None)
                self._labels.append(None if number is None else self._classes[int(number) - 1])
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            wanted = "wanted records with bbox_x1, bbox_y1, bbox_x2, bbox_y2, class, fname"
            raise ValueError(f"{path} is malformed, {wanted} ({error})") from error

    names: list[str]
    _boxes: list[Box]
    _labels: list[str | None]

    def _annotations(self, split: str) -> Path:
        plain = self.root / "devkit" / f"cars_{split}_annos.mat"
        labelled = f"cars_{split}_annos_withlabels.mat"
        candidates = (self.root / "devkit" / labelled, self.root / labelled, plain)
        return next((path for path in candidates if path.is_file()), plain)

    def path(self, index: int) -> Path:
        """Where the picture lies."""
        return self.root / self.names[index]

    def label(self, index: int) -> str | None:
        """The car's model, as in `AM General Hummer SUV 2000`; the unlabelled test split has none."""
        return self._labels[index]

    def guidance_of(self, index: int, height: int, width: int) -> Guidance:
        """The box.

        Raises:
            ValueError: it lies outside the picture.
        """
        return box_guidance(self._boxes[index], height, width)


def open_dataset(folder: Path, request: DataRequest) -> Cars196:
    """See `Dataset`: the pictures of the training split."""
    return Cars196(folder)
