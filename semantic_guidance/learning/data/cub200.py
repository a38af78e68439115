"""CUB-200-2011: 11,788 photographs of 200 kinds of birds (Wah et al. 2011), with predicted masks.

Layout, below the data folder::

    cub200/CUB_200_2011/images.txt                          index, CLASS/NAME.jpg
                        images/CLASS/NAME.jpg
                        train_test_split.txt                    index, 1 (training) or 0 (optional)
                        bounding_boxes.txt                  index, x y w h (optional)
                        segmentations_pred/CLASS/NAME.jpg   predicted mask, 0-255 (optional)
                        gbp_global/CLASS/NAME.jpg           focus map, 0-255 (optional)
                        bounding_boxes_pred.txt             header ` x y w h`, index from 0 (optional)
    cub200/segmentations/CLASS/NAME.png                     real masks (optional; also beside images/)
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import contents, places_of
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.core.names import inside
from semantic_guidance.learning.data.folder import (
    DataRequest,
    Dataset,
    Halves,
    PictureDataset,
    box_guidance,
    need_folder,
    need_made,
    need_one,
    need_pictures,
)
from semantic_guidance.learning.data.lists import finite, read_table
from semantic_guidance.learning.data.made import (
    BOXES,
    FOCUS,
    MASKS,
    read_focus,
    read_made,
    read_plane,
    read_predicted_boxes,
)

__all__ = ["BOXES", "CUB200", "FOCUS", "MASKS", "cub_root", "open_dataset", "read_predicted_boxes"]

TREE = "DIR/cub200/CUB_200_2011/images.txt and DIR/cub200/CUB_200_2011/images/CLASS/NAME.jpg"
GUIDANCE = ("predicted", "real", "box", "found", "none")
SPLITS = ("all", "train", "test")


def cub_root(data: Path) -> Path:
    """The folder CUB_200_2011 of a data folder; the folder itself, its parent, or one above will do, too.

    Raises:
        InputError: there is none that holds images.txt, or several.
    """
    if data.exists():
        need_folder(data, f"the folder of CUB-200-2011: {TREE}")
    for root in (data / "cub200" / "CUB_200_2011", data / "CUB_200_2011", data):
        if (root / "images.txt").is_file():
            return root
    found = places_of(data, "images.txt")
    if len(found) == 1:
        return found[0]
    wanted = data / "cub200" / "CUB_200_2011" / "images.txt"
    if found:
        raise InputError(f"{wanted} is missing, and {found[0]} and {found[1]} have one, wanted one of them")
    above = next((place for place in list(data.absolute().parents)[:2] if _is_root(place)), None)
    if above is not None:
        raise InputError(f"{data} is a part of CUB-200-2011, wanted the folder above: {above}")
    near = next((place for place in (wanted.parent, data / "cub200") if place.is_dir()), data)
    raise InputError(f"{wanted} is missing, wanted CUB-200-2011: {TREE}; in {near} {contents(near)}")


def _is_root(place: Path) -> bool:
    return (place / "images.txt").is_file() and (place / "images").is_dir()


class CUB200(PictureDataset):
    """The photographs with masks, boxes and focus maps.

    Args:
        data: folder that holds `cub200/CUB_200_2011`.
        guidance: `predicted` (masks, focus maps and boxes of the preprocessing; pictures that it had to skip
            are left out), `real` (the dataset's own masks, and boxes and focus maps of the preprocessing, if
            there are some), `box` (its boxes, as rectangular masks), `found` (its boxes, if there are some,
            in which a `Guide` is to look) or `none`.
        split: `train` or `test`, as train_test_split.txt says, or `all`.

    Raises:
        InputError: a file that is needed is missing or malformed, or a list names a picture elsewhere.
    """

    def __init__(self, data: str | Path, guidance: str = "none", split: str = "all") -> None:
        if guidance not in GUIDANCE:
            raise ValueError(f"guidance is {guidance!r}, wanted one of {', '.join(GUIDANCE)}")
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, wanted one of {', '.join(SPLITS)}")
        self.root = cub_root(Path(data))
        self.guidance = guidance
        rows = read_table(self.root / "images.txt", (int, str), "index and CLASS/NAME.jpg", files=(1,))
        numbers, names = [row[0] for row in rows], _from_images([row[1] for row in rows])
        boxes: list[Box] | None = None
        taken = list(range(len(names))) if split == "all" else self._half(numbers, split)
        if guidance == "predicted":
            need_made(self.root)
            boxes = read_predicted_boxes(self.root / BOXES, len(names))
            # The preprocessing gives pictures that it could not read an empty box.
            taken = [place for place in taken if boxes[place][2] * boxes[place][3] > 0]
        elif guidance == "box" or (guidance != "none" and (self.root / "bounding_boxes.txt").exists()):
            boxes = self._read_boxes(numbers)
        self.names = [names[place] for place in taken]
        self._boxes = None if boxes is None else [boxes[place] for place in taken]
        if guidance == "real":
            places = [place / "segmentations" for place in (self.root, self.root.parent)]
            linked = self.root.resolve().parent / "segmentations"
            found = next((place for place in (*places, linked) if place.is_dir()), places[1])
            self._masks = need_folder(found, "CUB-200-2011's segmentations")

    names: list[str]
    _boxes: list[Box] | None

    def _half(self, numbers: list[int], split: str) -> list[int]:
        """Places of the pictures of the official split."""
        path, what = self.root / "train_test_split.txt", "index and 1 (training) or 0 (test)"
        halves = _by_index(path, read_table(path, (int, _bit), what))
        wanted = int(split == "train")
        return [place for place, (half,) in enumerate(_each(path, halves, numbers, "half")) if half == wanted]

    def _read_boxes(self, indices: list[int]) -> list[Box]:
        path = self.root / "bounding_boxes.txt"
        rows = read_table(path, (int, finite, finite, finite, finite), "index x y width height")
        return [(x, y, w, h) for x, y, w, h in _each(path, _by_index(path, rows), indices, "box")]

    def path(self, index: int) -> Path:
        """Where the picture lies.

        Raises:
            InputError: its name leads out of the pictures' folder through a link.
        """
        return inside(self.root / "images", self.names[index], self.root / "images.txt")

    def label(self, index: int) -> str:
        """The class, as in `001.Black_footed_Albatross`."""
        return self.names[index].split("/")[0]

    def mask_path(self, index: int) -> Path:
        """Where the mask of the guidance `predicted` or `real` lies.

        Raises:
            InputError: it leads out of its folder through a link.
        """
        made, source = self.made_name(index), self.root / "images.txt"
        if self.guidance == "predicted":
            return inside(self.root / MASKS, made, source)
        return inside(self._masks, str(PurePosixPath(made).with_suffix(".png")), source)

    def made_name(self, index: int) -> str:
        """As the papers' code has it: with the suffix `.jpg`, whatever the picture's is."""
        return str(PurePosixPath(self.names[index]).with_suffix(".jpg"))

    def hint(self, index: int) -> Box | None:
        """The dataset's box, if a `Guide` is to look there."""
        return None if self.guidance != "found" or self._boxes is None else self._boxes[index]

    def source(self, index: int) -> str:
        """The list of the boxes and the picture's name."""
        return f"{self.root / 'bounding_boxes.txt'}: {self.names[index]}"

    def guidance_of(self, index: int, height: int, width: int) -> Guidance | None:
        """What `guidance` asks for; a picture in which nothing was found has no instance.

        Raises:
            ValueError: a file is missing, unreadable or of another size than the picture.
        """
        if self.guidance in ("none", "found"):
            return None
        box = None if self._boxes is None else self._boxes[index]
        source = self.root / "images.txt"
        if self.guidance == "box" and box is not None:
            return box_guidance(box, height, width, self.source(index))
        made = self.made_name(index)
        if self.guidance == "predicted":
            return read_made(self.root, made, height, width, source, box)
        mask = read_plane(self.mask_path(index), height, width, "a mask")
        focus = torch.zeros_like(mask)
        if (self.root / FOCUS / made).is_file():
            focus = read_focus(self.root, made, mask, source)
        return Guidance(mask, focus, (Instance.from_mask(mask) if box is None else Instance(mask, box),))


def _bit(cell: str) -> int:
    """0 or 1.

    Raises:
        ValueError: it is neither.
    """
    return ("0", "1").index(cell)


def _from_images(names: list[str]) -> list[str]:
    """The names as they are below `images`, where all begin with that folder."""
    inner = [name.removeprefix("images/") for name in names]
    return inner if all(len(short) < len(name) for short, name in zip(inner, names, strict=True)) else names


def _by_index(path: Path, rows: list[list[Any]]) -> dict[int, list[Any]]:
    """The rows of a list by the index that they begin with.

    Raises:
        InputError: two have one.
    """
    found: dict[int, list[Any]] = {}
    for index, *values in rows:
        if index in found:
            raise InputError(f"{path} has two rows for picture {index}, wanted one for each")
        found[index] = values
    return found


def _each(path: Path, values: dict[int, list[Any]], indices: list[int], what: str) -> list[list[Any]]:
    """The values of each picture.

    Raises:
        InputError: a picture has none.
    """
    missing = [index for index in indices if index not in values]
    if missing:
        raise InputError(f"{path} has no {what} for picture {missing[0]}, wanted one for each")
    return [values[index] for index in indices]


def open_dataset(folder: Path, request: DataRequest) -> Dataset:
    """See `Dataset`: with the guidance that `request` asks for.

    The official split is 5,994 photographs to learn from and 5,794 others.
    """
    guidance = {"auto": "predicted"}.get(request.masks, request.masks) if request.guided else "none"
    splits = ("all",) if request.split == "random" else ("train", "test")
    parts = [CUB200(folder, guidance, split) for split in splits]
    for part in parts:
        need_pictures(part)
        if guidance in ("predicted", "real"):
            hint = "; `semantic-guidance preprocess` makes them" if guidance == "predicted" else ""
            need_one("masks", part.mask_path, len(part), hint)
    return parts[0] if len(parts) == 1 else Halves(*parts)
