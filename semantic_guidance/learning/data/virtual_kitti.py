"""Virtual KITTI 1.3.1 (Gaidon et al. 2016) and 2 (Cabon et al. 2020): street scenes with car masks.

Version 2 (`vkitti_2.0.3_rgb` and `vkitti_2.0.3_instanceSegmentation` unpacked into one folder)::

    Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg
                         instanceSegmentation/Camera_0/instancegt_00000.png   palette: track id + 1, 0 nothing

Version 1.3.1 (`vkitti_1.3.1_rgb` and `vkitti_1.3.1_scenegt` in one folder)::

    vkitti_1.3.1_rgb/0001/clone/00000.png
    vkitti_1.3.1_scenegt/0001/clone/00000.png                  colours, see the next file
    vkitti_1.3.1_scenegt/0001_clone_scenegt_rgb_encoding.txt   `Category[:id] r g b`, a header line first
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.names import inside
from semantic_guidance.images.files import load_labels, load_pixels
from semantic_guidance.learning.data.folder import DataRequest, PictureDataset, need_folder
from semantic_guidance.learning.data.lists import read_table

_VEHICLES = ("Car", "Van", "Truck")


class VirtualKITTI(PictureDataset):
    """The frames with one mask per vehicle.

    Args:
        root: folder that holds the unpacked archives; which version it is shows in their names.
        variation: weather or camera, as in `clone`, `fog`, `15-deg-left`.
        min_area: vehicles under this share of the frame are left out.

    Raises:
        ValueError: a folder or file is missing or malformed.
    """

    names: list[str]

    def __init__(self, root: str | Path, variation: str = "clone", min_area: float = 0.002) -> None:
        self.root = need_folder(Path(root), "Virtual KITTI")
        self.min_area = min_area
        first = self.root / "vkitti_1.3.1_rgb"
        self.version = 1 if first.is_dir() else 2
        pattern = (
            f"*/{variation}/*.png" if self.version == 1 else f"Scene*/{variation}/frames/rgb/*/rgb_*.jpg"
        )
        base = first if self.version == 1 else self.root
        self.names = sorted(path.relative_to(self.root).as_posix() for path in base.glob(pattern))
        if not self.names:
            raise InputError(f"{base} holds no {pattern}, wanted Virtual KITTI 1.3.1 or 2")
        self._colours: dict[Path, dict[int, int]] = {}

    def path(self, index: int) -> Path:
        """Where the picture lies.

        Raises:
            InputError: it is a link that leads out of the data set.
        """
        first, _, rest = self.names[index].partition("/")
        return inside(self.root / first, rest, self.root)

    def guidance_of(self, index: int, height: int, width: int) -> Guidance:
        """One instance per vehicle, largest first.

        Raises:
            ValueError: the segmentation is missing, malformed or of another size.
        """
        ids = self._ids_1(index) if self.version == 1 else self._ids_2(index)
        if ids.shape != (height, width):
            got = f"{ids.shape[1]} x {ids.shape[0]}"
            raise InputError(f"segmentation of {self.names[index]} is {got}, wanted {width} x {height}")
        numbers, areas = np.unique(ids[ids > 0], return_counts=True)
        floor = max(1.0, self.min_area * height * width)
        order = [int(numbers[i]) for i in np.argsort(-areas, kind="stable") if areas[i] >= floor]
        masks = [torch.from_numpy((ids == number).astype(np.float32))[None] for number in order]
        union = torch.zeros(1, height, width)
        for mask in masks:
            union = torch.maximum(union, mask)
        return Guidance(union, torch.zeros_like(union), tuple(Instance.from_mask(mask) for mask in masks))

    def _ids_2(self, index: int) -> NDArray[np.int32]:
        rgb = Path(self.names[index])
        frames, camera = rgb.parents[2], rgb.parent.name
        name = rgb.stem.replace("rgb_", "instancegt_") + ".png"
        scene, *rest = (frames / "instanceSegmentation" / camera / name).parts
        return load_labels(inside(self.root / scene, "/".join(rest), self.root))

    def _ids_1(self, index: int) -> NDArray[np.int32]:
        _, scene, variation, name = Path(self.names[index]).parts
        folder = self.root / "vkitti_1.3.1_scenegt"
        table = self._table(folder / f"{scene}_{variation}_scenegt_rgb_encoding.txt")
        rgb = load_pixels(inside(folder, f"{scene}/{variation}/{name}", self.root), "RGB").astype(np.int32)
        codes = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
        ids = np.zeros_like(codes)
        for code, number in table.items():
            ids[codes == code] = number
        return ids

    def _table(self, path: Path) -> dict[int, int]:
        """Colour code of each vehicle -> a number from 1."""
        if path not in self._colours:
            rows = read_table(
                path, (str, _byte, _byte, _byte), "a header and lines of `Category:id r g b`", head=1
            )
            codes = {(r << 16) | (g << 8) | b: name for name, r, g, b in rows}
            vehicles = [code for code, name in codes.items() if name.split(":")[0] in _VEHICLES]
            self._colours[path] = {code: number for number, code in enumerate(vehicles, 1)}
        return self._colours[path]


def _byte(cell: str) -> int:
    """A number from 0 to 255.

    Raises:
        ValueError: it is none.
    """
    return bytes([int(cell)])[0]


def open_dataset(folder: Path, request: DataRequest) -> VirtualKITTI:
    """See `Dataset`: the frames in clear weather."""
    return VirtualKITTI(folder)
