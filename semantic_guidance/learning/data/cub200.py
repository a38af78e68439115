"""CUB-200-2011: 11,788 photographs of 200 kinds of birds (Wah et al. 2011), with predicted masks.

Layout, below the data folder::

    cub200/CUB_200_2011/images.txt                          index, CLASS/NAME.jpg
                        images/CLASS/NAME.jpg
                        bounding_boxes.txt                  index, x y w h (optional)
                        segmentations_pred/CLASS/NAME.jpg   predicted mask, 0-255 (optional)
                        gbp_global/CLASS/NAME.jpg           focus map, 0-255 (optional)
                        bounding_boxes_pred.txt             header ` x y w h`, index from 0 (optional)
    cub200/segmentations/CLASS/NAME.png                     real masks (optional; also beside images/)
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import torch

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.core.names import inside
from semantic_guidance.learning.data.folder import (
    DataRequest,
    PictureDataset,
    box_guidance,
    need_folder,
    read_plane,
)
from semantic_guidance.learning.data.lists import finite, read_lines, read_table

MASKS, FOCUS, BOXES = "segmentations_pred", "gbp_global", "bounding_boxes_pred.txt"


def cub_root(data: Path) -> Path:
    """The folder CUB_200_2011 of a data folder; the folder itself or its parent will do, too.

    Raises:
        ValueError: none of them holds images.txt.
    """
    for root in (data / "cub200" / "CUB_200_2011", data / "CUB_200_2011", data):
        if (root / "images.txt").is_file():
            return root
    raise InputError(f"{data / 'cub200' / 'CUB_200_2011' / 'images.txt'} is missing, wanted CUB-200-2011")


def read_predicted_boxes(path: Path, count: int) -> list[Box]:
    """Boxes as the papers' preprocessing writes them: header ` x y w h`, then index x y w h in pixels.

    Raises:
        InputError: the file is missing or malformed, or has not `count` rows.
    """
    what = f"a header ` x y w h` and {count} rows of index x y w h"
    header = read_lines(path, what)[0]
    if header.split() != ["x", "y", "w", "h"]:
        raise InputError(f"{path} begins with {header[:80]!r}, wanted {what}")
    rows = read_table(path, (finite,) * 5, what, head=1)
    boxes: list[Box] = [(x, y, w, h) for _, x, y, w, h in rows]
    if len(boxes) != count:
        raise InputError(f"{path} has {len(boxes)} rows, wanted {count}")
    return boxes


class CUB200(PictureDataset):
    """The photographs with masks, boxes and focus maps.

    Args:
        data: folder that holds `cub200/CUB_200_2011`.
        guidance: `predicted` (masks, focus maps and boxes of the preprocessing; pictures that it had to skip
            are left out), `real` (the dataset's own
            masks and boxes), `box` (its boxes alone) or `none`.

    Raises:
        InputError: a file that `guidance` needs is missing or malformed, or a list names a picture elsewhere.
    """

    def __init__(self, data: str | Path, guidance: str = "none") -> None:
        if guidance not in ("predicted", "real", "box", "none"):
            raise ValueError(f"guidance is {guidance!r}, wanted 'predicted', 'real', 'box' or 'none'")
        self.root = cub_root(Path(data))
        self.guidance = guidance
        rows = read_table(self.root / "images.txt", (int, str), "index and CLASS/NAME.jpg", files=(1,))
        self.names = [name for _, name in rows]
        self._boxes: list[Box] = []
        if guidance == "predicted":
            need_folder(self.root / MASKS, "masks written by `semantic-guidance preprocess`")
            need_folder(self.root / FOCUS, "focus maps written by `semantic-guidance preprocess`")
            boxes = read_predicted_boxes(self.root / BOXES, len(self.names))
            # The preprocessing gives pictures that it could not read an empty box.
            usable = [(name, box) for name, box in zip(self.names, boxes, strict=True) if box[2] * box[3] > 0]
            self.names, self._boxes = [name for name, _ in usable], [box for _, box in usable]
        elif guidance in ("real", "box"):
            self._boxes = self._read_boxes([row[0] for row in rows])
        if guidance == "real":
            beside = self.root / "segmentations"
            outside = self.root.parent / "segmentations"
            self._masks = need_folder(beside if beside.is_dir() else outside, "CUB-200-2011's segmentations")

    def _read_boxes(self, indices: list[int]) -> list[Box]:
        path = self.root / "bounding_boxes.txt"
        rows = read_table(path, (int, finite, finite, finite, finite), "index x y width height")
        boxes: dict[int, Box] = {index: (x, y, w, h) for index, x, y, w, h in rows}
        missing = [index for index in indices if index not in boxes]
        if missing:
            raise InputError(f"{path} has no box for picture {missing[0]}, wanted one for each")
        return [boxes[index] for index in indices]

    def path(self, index: int) -> Path:
        """Where the picture lies.

        Raises:
            InputError: its name leads out of the pictures' folder through a link.
        """
        return inside(self.root / "images", self.names[index], self.root / "images.txt")

    def label(self, index: int) -> str:
        """The class, as in `001.Black_footed_Albatross`."""
        return self.names[index].split("/")[0]

    def guidance_of(self, index: int, height: int, width: int) -> Guidance | None:
        """What `guidance` asks for; a picture in which nothing was found has no instance.

        Raises:
            ValueError: a file is missing, unreadable or of another size than the picture.
        """
        if self.guidance == "none":
            return None
        box, name = self._boxes[index], PurePosixPath(self.names[index])
        if self.guidance == "box":
            return box_guidance(box, height, width, f"{self.root / 'bounding_boxes.txt'}: {name}")
        if self.guidance == "real":
            path = inside(self._masks, str(name.with_suffix(".png")), self.root / "images.txt")
            mask = read_plane(path, height, width, "a mask")
            return Guidance(mask, torch.zeros_like(mask), (Instance(mask, box),))
        where, source = str(name.with_suffix(".jpg")), self.root / "images.txt"
        mask = read_plane(inside(self.root / MASKS, where, source), height, width, "a mask")
        # JPEG rings a little across the mask's edge.
        focus = read_plane(inside(self.root / FOCUS, where, source), height, width, "a focus map")
        focus = focus * (mask > 0.5)
        found = bool((mask > 0.5).any())
        return Guidance(mask, focus, (Instance(mask, box),) if found else ())


def open_dataset(folder: Path, request: DataRequest) -> CUB200:
    """See `Dataset`: with the guidance that ``semantic-guidance preprocess`` found, or without any."""
    return CUB200(folder, "predicted" if request.guided else "none")
