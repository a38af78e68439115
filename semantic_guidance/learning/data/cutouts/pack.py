"""A pack of cut-outs and backgrounds on disk."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import inside
from semantic_guidance.images.files import load_pixels
from semantic_guidance.learning.data.lists import read_csv

CUTOUT_SIDE = 256  # longer side of a cut-out, at most


@dataclass(frozen=True, eq=False)
class CutoutPack:
    """A pack's pictures, in memory, RGB(A) bytes.

    Attributes:
        cutouts: ``[h, w, 4]`` objects, cropped to their alpha.
        categories: one name per cut-out.
        scenes: ``[H, W, 3]`` photographs without a dominant object.
        others: photographs with an object somewhere, not cut out.
    """

    cutouts: tuple[NDArray[np.uint8], ...]
    categories: tuple[str, ...]
    scenes: tuple[NDArray[np.uint8], ...]
    others: tuple[NDArray[np.uint8], ...]

    @staticmethod
    def load(folder: str | Path, split: str = "all") -> CutoutPack:
        """Read a pack.

        Args:
            folder: holds `manifest.csv` and the pictures that it names.
            split: `all`, `train`, or `held_out` (a tenth of the pictures, chosen by a hash of the name).

        Raises:
            ValueError: a file is missing or malformed, or `split` is none of the three.
        """
        folder = Path(folder)
        if split not in ("all", "train", "held_out"):
            raise ValueError(f"split is {split!r}, wanted 'all', 'train' or 'held_out'")
        cutouts, categories, scenes, others = [], [], [], []
        for row in read_manifest(folder):
            held_out = zlib.crc32(row["name"].encode()) % 10 == 0
            if split != "all" and held_out != (split == "held_out"):
                continue
            path = inside(folder, row["name"], folder / "manifest.csv")
            picture = load_pixels(path, "RGBA" if row["kind"] == "cutout" else "RGB")
            if row["kind"] == "cutout":
                cutouts.append(_trim(picture, path))
                categories.append(row["category"])
            elif row["category"] == "with_object":
                others.append(picture)
            else:
                scenes.append(picture)
        if not cutouts:
            which = "" if split == "all" else f" of the split {split!r}"
            raise InputError(f"{folder / 'manifest.csv'} lists no cut-outs{which}, wanted at least one")
        return CutoutPack(tuple(cutouts), tuple(categories), tuple(scenes), tuple(others))


def read_manifest(folder: Path) -> list[dict[str, str]]:
    """The rows of a pack's `manifest.csv`.

    Raises:
        ValueError: it is missing or malformed.
    """
    columns = ("name", "kind", "category")
    return read_csv(folder / "manifest.csv", columns, "a cut-out pack", files=("name",))


def _trim(cutout: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    rows, columns = np.nonzero(cutout[..., 3] > 20)
    if not len(rows):
        raise InputError(f"{path} is fully transparent, wanted an object")
    return cutout[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def photo_cutout(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The object of a photograph as a cut-out, or None where the frame cuts it or next to nothing is left.

    Args:
        image: ``[H, W, 3]`` RGB bytes.
        mask: ``[H, W]``, 255 on the object.

    Returns:
        ``[h, w, 4]``, at most `CUTOUT_SIDE` long. A pixel of the edge is omitted: it shows the background.
    """
    solid = cv2.erode((mask > 127).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    rim = np.concatenate([solid[0], solid[-1], solid[:, 0], solid[:, -1]])
    if solid.sum() < 2000 or rim.sum() > 0.05 * len(rim):
        return None
    rows, columns = np.nonzero(solid)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    alpha = cv2.GaussianBlur(solid[box] * 255, (0, 0), 0.6)
    cutout = np.dstack([image[box], alpha])
    scale = min(1.0, CUTOUT_SIDE / max(cutout.shape[:2]))
    if scale < 1:
        cutout = cv2.resize(cutout, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cutout, np.uint8)
