"""What ``semantic-guidance preprocess`` writes beside the pictures of a data set, and how it is read.

Below the data set's root, NAME being a picture's path there (or below `images/`)::

    segmentations_pred/NAME.jpg     mask, 0-255
    gbp_global/NAME.jpg             focus map, 0-255
    bounding_boxes_pred.txt         header ` x y w h`, then index from 0, x y w h in pixels
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Box, Guidance, Instance
from semantic_guidance.core.names import inside
from semantic_guidance.images.files import load_pixels
from semantic_guidance.learning.data.lists import finite, read_lines, read_table

MASKS, FOCUS, BOXES = "segmentations_pred", "gbp_global", "bounding_boxes_pred.txt"


def read_plane(path: Path, height: int, width: int, what: str) -> Tensor:
    """A grey picture as ``[1, H, W]`` in [0, 1].

    Raises:
        ValueError: it is missing, unreadable, broken or of another size; the message names it.
    """
    plane = torch.from_numpy(load_pixels(path, "L").copy())[None].float() / 255
    if plane.shape[1:] != (height, width):
        raise InputError(f"{path} is {plane.shape[2]} x {plane.shape[1]}, wanted {width} x {height} ({what})")
    return plane


def made_for(name: str) -> str:
    """The name of a picture's results: its own, and `.jpg` after any other suffix."""
    return name if name.endswith(".jpg") else f"{name}.jpg"


def is_made(root: Path) -> bool:
    """Whether there are masks and focus maps of the preprocessing."""
    return (root / MASKS).is_dir() and (root / FOCUS).is_dir()


def read_focus(root: Path, name: str, mask: Tensor, source: object) -> Tensor:
    """The focus map of the results `name`, zero off the mask ``[1, H, W]``, since JPEG rings across its edge.

    Raises:
        ValueError: it is missing, unreadable or of another size, or leads elsewhere, as `source` says.
    """
    height, width = mask.shape[1:]
    focus = read_plane(inside(root / FOCUS, name, source), height, width, "a focus map")
    return focus * (mask > 0.5)


def read_made(
    root: Path, name: str, height: int, width: int, source: object, box: Box | None = None
) -> Guidance:
    """The guidance of the results `name`; a picture in which nothing was found has no instance.

    Args:
        root: of the data set.
        name: as `made_for` says.
        height: of the picture.
        width: of the picture.
        source: who says so, for messages.
        box: of the object; None for that of the mask.

    Raises:
        ValueError: a file is missing, unreadable or of another size than the picture, or leads elsewhere.
    """
    mask = read_plane(inside(root / MASKS, name, source), height, width, "a mask")
    focus = read_focus(root, name, mask, source)
    if not bool((mask > 0.5).any()):
        return Guidance(mask, focus, ())
    return Guidance(mask, focus, (Instance.from_mask(mask) if box is None else Instance(mask, box),))


def read_predicted_boxes(path: Path, count: int) -> list[Box]:
    """Boxes as the papers' preprocessing writes them: header ` x y w h`, then index x y w h in pixels.

    Returns:
        The box of each picture, by its index, in whatever order the rows are.

    Raises:
        InputError: the file is missing or malformed, or has not one row for each index from 0 to `count` - 1.
    """
    what = f"a header ` x y w h` and {count} rows of index x y w h, as `preprocess` writes them"
    header = read_lines(path, what)[0]
    if header.split() != ["x", "y", "w", "h"]:
        raise InputError(f"{path} begins with {header[:80]!r}, wanted {what}")
    boxes: dict[int, Box] = {}
    for index, x, y, w, h in read_table(path, (_whole, *(finite,) * 4), what, head=1):
        if index in boxes:
            raise InputError(f"{path} has two rows for index {index}, wanted one for each picture")
        if not 0 <= index < count:
            raise InputError(f"{path} has a row for index {index}, wanted 0 to {count - 1}")
        boxes[index] = (x, y, w, h)
    if len(boxes) < count:
        missing = next(index for index in range(count) if index not in boxes)
        raise InputError(f"{path} has {len(boxes)} rows, wanted {count}: none is for index {missing}")
    return [boxes[index] for index in range(count)]


def _whole(cell: str) -> int:
    """A whole number, which spreadsheets may write as `7.0`.

    Raises:
        ValueError: it is none.
    """
    number = finite(cell)
    if number != int(number):
        raise ValueError(f"got {cell!r}, wanted a whole number")
    return int(number)
