"""Cars-196 (Krause et al. 2013): photographs of 196 models of cars with one box each.

Layouts, below the data folder (or `stanford_cars` in it, as torchvision has it)::

    cars_train/NAME.jpg, cars_test/NAME.jpg      or cars_train/cars_train, cars_test/cars_test
    devkit/cars_meta.mat, cars_train_annos.mat, cars_test_annos.mat     or car_devkit, or car_devkit/devkit
    cars_test_annos_withlabels.mat               optional, there or beside `devkit`

    car_ims/NAME.jpg, cars_annos.mat             the full set, whose list says what is of which split

    car_data/train/CLASS/NAME.jpg, anno_train.csv, names.csv            the same for `test`

The boxes are no masks: those come from ``semantic-guidance preprocess`` (see `made`), or a `Guide` finds them
inside the boxes.
"""

from __future__ import annotations

from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance
from semantic_guidance.core.names import inside
from semantic_guidance.learning.data.cars196_lists import Car, cars_root, read_cars
from semantic_guidance.learning.data.folder import (
    DataRequest,
    Dataset,
    Halves,
    PictureDataset,
    box_guidance,
    box_inside,
    need_made,
    need_pictures,
)
from semantic_guidance.learning.data.made import MASKS, is_made, read_made

GUIDANCE = ("predicted", "box", "none")
SPLITS = ("train", "test", "all")
FOUND_ON_THE_WAY = (
    "no masks: they are found inside the boxes when a picture is first needed, and where nothing is found, "
    "the box is the mask; `semantic-guidance preprocess --dataset cars196 --data DIR` finds them for all runs"
)


class Cars196(PictureDataset):
    """The photographs with their boxes.

    Args:
        root: folder that holds one of the layouts.
        split: `train`, `test`, or `all`, which is `train` alone where there is no test split.
        guidance: `predicted`, what ``semantic-guidance preprocess`` made of those that it did not skip;
            `box`, the boxes as rectangular masks; `none`, in which case examples have boxes for a `Guide`.

    Raises:
        InputError: a file is missing or malformed, or names a picture elsewhere.
    """

    def __init__(self, root: str | Path, split: str = "train", guidance: str = "none") -> None:
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, wanted 'train', 'test' or 'all'")
        if guidance not in GUIDANCE:
            raise ValueError(f"guidance is {guidance!r}, wanted 'predicted', 'box' or 'none'")
        self.root, self.guidance = cars_root(Path(root)), guidance
        self._cars = _both(self.root) if split == "all" else read_cars(self.root, split)
        self.names = [f"{car.prefix}/{car.name}" for car in self._cars]
        if guidance == "predicted":
            need_made(self.root)

    names: list[str]
    _cars: list[Car]

    def path(self, index: int) -> Path:
        """Where the picture lies.

        Raises:
            InputError: its name leads out of the folder of its split through a link.
        """
        car = self._cars[index]
        return inside(car.folder, car.name, self.root)

    def label(self, index: int) -> str | None:
        """The car's model, as in `AM General Hummer SUV 2000`; the unlabelled test split has none."""
        return self._cars[index].label

    def hint(self, index: int) -> Box | None:
        """The box."""
        return self._cars[index].box

    def source(self, index: int) -> str:
        """The list that has the box, and the picture's name."""
        return f"{self._cars[index].source}: {self.names[index]}"

    def guidance_of(self, index: int, height: int, width: int) -> Guidance | None:
        """What `guidance` asks for; None where the preprocessing skipped the picture.

        Raises:
            ValueError: the box lies outside the picture, or a file is unreadable or of another size.
        """
        if self.guidance == "box":
            return box_guidance(self._cars[index].box, height, width, self.source(index))
        name = self.made_name(index)
        if self.guidance == "none" or not (self.root / MASKS / name).is_file():
            return None
        box = self._cars[index].box
        box_inside(box, height, width, self.source(index))
        return read_made(self.root, name, height, width, self.root, box)


def _both(root: Path) -> list[Car]:
    """The cars of both splits, or of the first one alone if there are no pictures of the other."""
    train = read_cars(root, "train")
    try:
        return [*train, *read_cars(root, "test")]
    except InputError:
        if (root / "cars_test").exists():
            raise
        return train


def open_dataset(folder: Path, request: DataRequest) -> Dataset:
    """See `Dataset`: the pictures of the training split, with the preprocessing's masks if there are any.

    Raises:
        InputError: as `Cars196` says, or there are no such masks.
    """
    if request.masks == "real":
        raise InputError(f"{folder}: Cars-196 has boxes, but no masks, wanted --masks predicted or found")
    made = request.masks == "predicted" or (request.masks == "auto" and is_made(cars_root(folder)))
    guidance = "predicted" if request.guided and made else "none"
    splits = ("train",) if request.split == "random" else ("train", "test")
    parts = [Cars196(folder, split, guidance) for split in splits]
    for part in parts:
        need_pictures(part)
        if request.guided and not made:
            part.note = FOUND_ON_THE_WAY
    return parts[0] if len(parts) == 1 else Halves(*parts)
