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

import numpy as np
import torch
import torch.utils.data
from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.images.files import load_image, load_pixels

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, eq=False)
class Example:
    """One picture of a dataset.

    Attributes:
        image: ``[3, H, W]`` RGB in [0, 1].
        guidance: what the dataset says of its objects; None where it says nothing.
        name: relative path of the picture, or what else tells it from the others.
        label: class name, or None.
    """

    image: Tensor
    guidance: Guidance | None
    name: str
    label: str | None = None


@dataclass(frozen=True)
class DataRequest:
    """What a training run asks of a data set; each makes use of what concerns it.

    Attributes:
        guided: whether the run makes anything of guidance. What a data set does not know, a `Guide` finds.
        side: pixels of the square to which pictures are squashed.
        count: number of pictures, for data sets that make them.
        photographs: folder of photographs with masks, for data sets that mix them in.
    """

    guided: bool = False
    side: int = 128
    count: int = 10_000
    photographs: Path | None = None


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


class PictureDataset(torch.utils.data.Dataset[Example]):
    """A sequence of pictures with what is known of them. Subclasses fill `names` and `guidance_of`.

    Attributes:
        names: relative paths of the pictures.
    """

    names: Sequence[str]

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

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Example:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index is {index}, wanted less than {len(self)}")
        index %= len(self)
        image = load_image(self.path(index))
        guidance = self.guidance_of(index, image.shape[1], image.shape[2])
        return Example(image, guidance, self.names[index], self.label(index))


class PictureFolder(PictureDataset):
    """All pictures below a folder, sorted by path, without guidance.

    Args:
        root: the folder.

    Raises:
        ValueError: there is no such folder, it may not be read, or there is no picture in it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = need_folder(Path(root), "a folder of pictures")
        found = (path for path in self.root.rglob("*") if path.suffix.lower() in SUFFIXES)
        self.names = sorted(path.relative_to(self.root).as_posix() for path in found if path.is_file())
        if not self.names:
            raise InputError(f"{self.root} holds no pictures, wanted {', '.join(sorted(SUFFIXES))}")

    def path(self, index: int) -> Path:
        """Where the picture lies; it may be a link, since the folder is the user's and no list names it."""
        return self.root / self.names[index]


def open_dataset(folder: Path, request: DataRequest) -> PictureFolder:
    """See `Dataset`."""
    return PictureFolder(folder)


def need_folder(path: Path, what: str) -> Path:
    """`path`, if it is a folder that can be read.

    Raises:
        ValueError: it is not a folder; the message says that it should be `what`.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder, wanted {what}")
    try:
        os.listdir(path)  # `Path.rglob` finds nothing where it may not look, and says nothing
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), wanted {what}") from None
    return path


def read_plane(path: Path, height: int, width: int, what: str) -> Tensor:
    """A grey picture as ``[1, H, W]`` in [0, 1].

    Raises:
        ValueError: it is missing, unreadable, broken or of another size; the message names it.
    """
    plane = load_pixels(path, "L").astype(np.float32) / 255
    if plane.shape != (height, width):
        raise InputError(f"{path} is {plane.shape[1]} x {plane.shape[0]}, wanted {width} x {height} ({what})")
    return torch.from_numpy(plane)[None]


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
    x, y, w, h = box
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + w)), min(height, round(y + h))
    if right <= left or bottom <= top:
        raise InputError(f"{source}: the box is {box}, wanted a part of a {width} x {height} picture")
    mask = torch.zeros(1, height, width)
    mask[:, top:bottom, left:right] = 1
    return Guidance(mask, torch.zeros_like(mask), (Instance(mask, box),))
