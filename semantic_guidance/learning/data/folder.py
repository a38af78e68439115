"""What a data set has to offer, and pictures on disk.

A new data set is a sequence of `Example` and a function that opens it:

    from semantic_guidance.learning.data.folder import PictureFolder

    def open_dataset(folder, request):
        return PictureFolder(folder / "pictures")

An entry point of ``semantic_guidance.datasets`` makes it known to ``semantic-guidance train --dataset NAME``,
or ``DATASETS.register(name, open_dataset)``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
import torch.utils.data
from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import PACKED, contents, files_below
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.images.files import load_image
from semantic_guidance.learning.data.made import FOCUS, MASKS, is_made, made_for, read_made
from semantic_guidance.learning.data.made import read_plane as read_plane

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif"})


@dataclass(frozen=True, eq=False)
class Example:
    """One picture of a dataset.

    Attributes:
        image: ``[3, H, W]`` RGB in [0, 1].
        guidance: what the dataset says of its objects; None where it says nothing.
        name: relative path of the picture, or what else tells it from the others.
        label: class name, or None.
        box: where the dataset says that the object is (x, y, width, height, in pixels), if that is all that
            it says: what fills it is to be found.
    """

    image: Tensor
    guidance: Guidance | None
    name: str
    label: str | None = None
    box: Box | None = None


@dataclass(frozen=True)
class DataRequest:
    """What a training run asks of a data set; each makes use of what concerns it.

    Attributes:
        guided: whether the run makes anything of guidance. What a data set does not know, a `Guide` finds.
        side: pixels of the square to which pictures are squashed.
        count: number of pictures, for data sets that make them.
        photographs: folder of photographs with masks, for data sets that mix them in.
        masks: one of `sources.MASK_KINDS`.
        split: one of `sources.SPLITS`.
        variation: of data sets that have the same pictures in several.
    """

    guided: bool = False
    side: int = 128
    count: int = 10_000
    photographs: Path | None = None
    masks: str = "auto"
    split: str = "random"
    variation: str = "clone"


class Dataset(Protocol):
    """Pictures to learn from. `PictureDataset` is a beginning for those that are files.

    A callable ``(folder, request) -> Dataset`` in `DATASETS` opens it; it raises ValueError, which names the
    file and what is wanted, if there is no such data set in the folder.
    """

    def __len__(self) -> int:
        """Number of pictures."""

    def __getitem__(self, index: int) -> Example:
        """The picture of that number, from 0.

        Raises:
            IndexError: there are not so many.
            ValueError: it cannot be read; a run goes on without it.
        """


@runtime_checkable
class Divided(Dataset, Protocol):
    """A data set that knows better than chance which pictures to hold out for validation."""

    def split(self, held_out: int) -> tuple[Dataset, Dataset]:
        """The pictures to learn from, and `held_out` others that show nothing of the same."""


Opener = Callable[[Path, DataRequest], Dataset]
"""What `DATASETS` holds."""

Segmentation = Callable[[int, int], Guidance]
"""The dataset's own masks of a picture of that height and width."""


class PictureDataset(torch.utils.data.Dataset[Example]):
    """A sequence of pictures with what is known of them. Subclasses fill `names` and `guidance_of`.

    Attributes:
        root: folder of the data set, for messages and for what ``semantic-guidance preprocess`` makes.
        names: relative paths of the pictures.
        note: what a run should say of it, in a line, or nothing.
    """

    root: Path
    names: Sequence[str]
    note: str = ""

    def path(self, index: int) -> Path:
        """Where the picture lies.

        Raises:
            InputError: its name leads elsewhere, see `core.names.inside`.
        """
        raise KeyError(index)

    def label(self, index: int) -> str | None:
        """Name of the picture's class, if the dataset has classes."""
        return None

    def guidance_of(self, index: int, height: int, width: int) -> Guidance | None:
        """What the dataset says of the objects in a picture of this size."""
        return None

    def hint(self, index: int) -> Box | None:
        """The box (x, y, width, height, in pixels) in which a `Guide` should look for the object, if any."""
        return None

    def source(self, index: int) -> str:
        """Who says what is known of a picture, for messages."""
        return f"{self.root}: {self.names[index]}"

    def segmentation(self, index: int) -> Segmentation | None:
        """What reads the dataset's own masks of a picture, if it has some; it can be sent to a process."""
        return None

    def made_name(self, index: int) -> str:
        """The name of what ``semantic-guidance preprocess`` makes of a picture, see `made`."""
        return made_for(self.names[index])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Example:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index is {index}, wanted less than {len(self)}")
        index %= len(self)
        image = load_image(self.path(index))
        size = image.shape[1], image.shape[2]
        guidance = self.guidance_of(index, *size)
        box = self.hint(index) if guidance is None else None
        if box is not None:
            box_inside(box, *size, self.source(index))
        return Example(image, guidance, self.names[index], self.label(index), box)


class PictureFolder(PictureDataset):
    """All pictures below a folder and the folders that are linked there, sorted by path.

    What is hidden or a tool's is left out, as are the folders of ``semantic-guidance preprocess`` and
    NAME_mask.* beside a picture NAME.*.

    Args:
        root: the folder.
        guidance: `predicted`, what ``semantic-guidance preprocess`` made of those that it did not skip, or
            `none`.
        part: a folder in it, whose pictures alone are taken.

    Raises:
        ValueError: there is no such folder, it may not be read, there is no picture in it, or nothing was
            made.
    """

    def __init__(self, root: str | Path, guidance: str = "none", part: str = "") -> None:
        if guidance not in ("predicted", "none"):
            raise ValueError(f"guidance is {guidance!r}, wanted 'predicted' or 'none'")
        self.root, self.guidance = need_folder(Path(root), "a folder of pictures"), guidance
        found = files_below(self.root, SUFFIXES, (MASKS, FOCUS))
        found = [name for name in found if not part or name.startswith(f"{part}/")]
        stems = {os.path.splitext(name)[0] for name in found}
        self.names = [name for name in found if not _is_mask(name, stems)]
        if not self.names:
            place = self.root / part
            wanted = ", ".join(sorted(SUFFIXES))
            raise InputError(f"{place} holds no pictures, wanted {wanted}; {contents(place)}")
        need_pictures(self)
        if guidance == "predicted":
            need_made(self.root)

    def path(self, index: int) -> Path:
        """Where the picture lies; it may be a link, since the folder is the user's and no list names it."""
        return self.root / self.names[index]

    def guidance_of(self, index: int, height: int, width: int) -> Guidance | None:
        """What was made of it; None where the preprocessing skipped it.

        Raises:
            ValueError: a file is unreadable or of another size than the picture.
        """
        name = self.made_name(index)
        if self.guidance == "none" or not (self.root / MASKS / name).is_file():
            return None
        return read_made(self.root, name, height, width, self.root)


def _is_mask(name: str, stems: set[str]) -> bool:
    stem = os.path.splitext(name)[0]
    return stem.endswith("_mask") and stem.removesuffix("_mask") in stems


@dataclass(frozen=True)
class Halves:
    """A data set that says itself what to hold out.

    Attributes:
        train: to learn from.
        held_out: all others.
    """

    train: Dataset
    held_out: Dataset

    def __len__(self) -> int:
        return len(self.train) + len(self.held_out)

    def __getitem__(self, index: int) -> Example:
        if index < len(self.train):
            return self.train[index]
        return self.held_out[index - len(self.train)]

    def split(self, held_out: int) -> tuple[Dataset, Dataset]:
        """See `Divided`: all that are held out, however many are wanted.

        Raises:
            ValueError: one of the halves is empty.
        """
        for half, what in ((self.train, "learn from"), (self.held_out, "hold out")):
            if not len(half):
                raise ValueError(f"the official split has no picture to {what}, wanted --split random")
        return self.train, self.held_out


_TRAIN, _HELD_OUT = ("train", "training"), ("val", "valid", "validation", "test", "testing", "held_out")


def open_dataset(folder: Path, request: DataRequest) -> Dataset:
    """See `Dataset`: all pictures, or those of the folders `train` and `val` apart."""
    if request.masks == "real":
        raise InputError(f"{folder}: a folder has no masks of its own, wanted --masks predicted or found")
    need_folder(folder, "a folder of pictures")
    made = request.masks == "predicted" or (request.masks == "auto" and is_made(folder))
    guidance = "predicted" if request.guided and made else "none"
    if request.split == "random":
        return PictureFolder(folder, guidance)
    train, rest = (
        next((name for name in names if (folder / name).is_dir()), None) for names in (_TRAIN, _HELD_OUT)
    )
    if train is None or rest is None:
        raise InputError(
            f"{folder} has no split of its own, wanted --split random, or folders train and val; "
            f"{contents(folder)}"
        )
    return Halves(PictureFolder(folder, guidance, train), PictureFolder(folder, guidance, rest))


def need_folder(path: Path, what: str) -> Path:
    """`path`, if it is a folder that can be read.

    Raises:
        ValueError: it is not a folder; the message says that it should be `what`.
    """
    if not path.is_dir():
        packed = path.is_file() and path.name.lower().endswith(PACKED)
        raise InputError(f"{path} is not a folder, wanted {what}{'; it is packed: unpack it' * packed}")
    try:
        os.listdir(path)  # `Path.rglob` finds nothing where it may not look, and says nothing
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), wanted {what}") from None
    return path


def need_pictures(dataset: PictureDataset) -> None:
    """See that some picture of a data set is there; which ones are not shows when they are read.

    Raises:
        InputError: none is.
    """
    need_one("pictures", dataset.path, len(dataset))


def need_one(what: str, path: Callable[[int], Path], count: int, hint: str = "") -> None:
    """See that one of so many files is there: if none is, the whole is laid out wrongly.

    Args:
        what: they are, for the message.
        path: of each, by number.
        count: of them.
        hint: what to do if none is.

    Raises:
        InputError: none is there, or all lead elsewhere.
    """
    refusal = None
    for index in range(count):
        try:
            if path(index).exists():
                return
        except InputError as error:
            refusal = refusal or error
    if refusal is not None:
        raise InputError(f"none of the {count:,} {what} can be read, the first: {refusal}")
    if count:
        first = path(0)
        near = next(place for place in first.parents if place.is_dir())
        there = f"wanted {first}; in {near} {contents(near)}{hint}"
        raise InputError(f"none of the {count:,} {what} is there, {there}")


def need_made(root: Path) -> None:
    """See that ``semantic-guidance preprocess`` was here.

    Raises:
        InputError: a folder of its masks or focus maps is missing, or empty.
    """
    for folder, what in ((root / MASKS, "masks"), (root / FOCUS, "focus maps")):
        need_folder(folder, f"{what} written by `semantic-guidance preprocess`")
        if not any(folder.iterdir()):
            raise InputError(f"{folder} is empty, wanted {what} written by `semantic-guidance preprocess`")


def box_inside(box: Box, height: int, width: int, source: object) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box (x, y, width, height) in whole pixels of a picture.

    Args:
        box: finite numbers, in pixels.
        height: of the picture.
        width: of the picture.
        source: who says so, for the message: a file.

    Raises:
        InputError: the box lies outside the picture.
    """
    x, y, w, h = box
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + w)), min(height, round(y + h))
    if right <= left or bottom <= top:
        raise InputError(f"{source}: the box is {box}, wanted a part of a {width} x {height} picture")
    return left, top, right, bottom


def box_guidance(box: Box, height: int, width: int, source: object) -> Guidance:
    """Guidance that knows only the box (x, y, width, height) of an object: the mask is the box.

    Args:
        box: finite numbers, in pixels.
        height: of the picture.
        width: of the picture.
        source: who says so, for the message: a file.

    Raises:
        InputError: the box lies outside the picture.
    """
    left, top, right, bottom = box_inside(box, height, width, source)
    mask = torch.zeros(1, height, width, dtype=torch.float32)
    mask[:, top:bottom, left:right] = 1
    return Guidance(mask, torch.zeros_like(mask), (Instance(mask, box),))
