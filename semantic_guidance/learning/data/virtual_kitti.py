"""Virtual KITTI 1.3.1 (Gaidon et al. 2016) and 2 (Cabon et al. 2020): street scenes with car masks.

Version 2, its archives unpacked into one folder, or into one each (`vkitti_2.0.3_rgb` and
`vkitti_2.0.3_instanceSegmentation`) side by side::

    Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg
                         instanceSegmentation/Camera_0/instancegt_00000.png   palette: track id + 1, 0 nothing

Version 1.3.1 (`vkitti_1.3.1_rgb` and `vkitti_1.3.1_scenegt` in one folder)::

    vkitti_1.3.1_rgb/0001/clone/00000.png
    vkitti_1.3.1_scenegt/0001/clone/00000.png                  colours, see the next file
    vkitti_1.3.1_scenegt/0001_clone_scenegt_rgb_encoding.txt   `Category[:id] r g b`, a header line first

The frames alone do for runs without guidance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import contents, is_tools, places_of
from semantic_guidance.core.guidance import Guidance, Instance
from semantic_guidance.core.names import inside
from semantic_guidance.images.files import load_labels, load_pixels
from semantic_guidance.learning.data.folder import (
    DataRequest,
    PictureDataset,
    need_folder,
    need_made,
    need_one,
)
from semantic_guidance.learning.data.lists import read_table
from semantic_guidance.learning.data.made import FOCUS, MASKS, is_made, read_focus, read_made

_VEHICLES = ("Car", "Van", "Truck")
_SIGNS = ("vkitti_2.0.3_rgb", "vkitti_1.3.1_rgb", "Scene01")
GUIDANCE = ("real", "predicted", "none")
TREE = (
    "DIR/Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg, the same in DIR/vkitti_2.0.3_rgb, or "
    "DIR/vkitti_1.3.1_rgb/0001/clone/00000.png"
)


@dataclass(frozen=True)
class Archive:
    """An unpacked archive of frames or masks.

    Attributes:
        version: 1 or 2.
        folder: that holds its scenes.
        kind: as in names: `rgb`, `instanceSegmentation` or `scenegt`.
    """

    version: int
    folder: Path
    kind: str

    def frames(self, variation: str) -> list[tuple[Path, str]]:
        """The folder and name of each file of a variation (`*`: of all), sorted."""
        inner = f"frames/{self.kind}/*/*_*.*" if self.version == 2 else "*.png"
        scenes = "Scene*" if self.version == 2 else "[0-9]*"
        found = sorted(self.folder.glob(f"{scenes}/{variation}/{inner}"))
        named = (path for path in found if path.suffix in (".jpg", ".png") and not is_tools(path.name))
        return [(path.parent, path.name) for path in named]

    def variations(self) -> list[str]:
        """Those that are there."""
        scenes = "Scene*" if self.version == 2 else "[0-9]*"
        inner = f"/frames/{self.kind}" if self.version == 2 else ""
        found = self.folder.glob(f"{scenes}/*{inner}")
        folders = (path.parents[1] if self.version == 2 else path for path in found if path.is_dir())
        return sorted({folder.name for folder in folders if not is_tools(folder.name)})


def find_archive(root: Path, kind: str, version: int) -> Archive | None:
    """Where an archive of that version was unpacked: into a folder of its name, that twice, or the root."""
    named = sorted(root.glob(f"*vkitti_{version}.*_{kind}"), reverse=True)
    places = [place for name in named for place in (name, name / name.name)]
    if version == 2:
        places += [root, root / kind]
    made = (Archive(version, place, kind) for place in places)
    return next((archive for archive in made if archive.variations()), None)


def _find_frames(root: Path) -> Archive | None:
    return find_archive(root, "rgb", 1) or find_archive(root, "rgb", 2)


@dataclass(frozen=True)
class VehicleMasks:
    """The data set's own masks of a frame, see `Segmentation`.

    Attributes:
        version: of Virtual KITTI.
        path: of the masks.
        table: of their colours, in version 1.
        min_area: vehicles under this share of the frame are left out.
        frame: for messages.
    """

    version: int
    path: Path
    table: Path
    min_area: float
    frame: str

    def __call__(self, height: int, width: int) -> Guidance:
        """One instance per vehicle, largest first.

        Raises:
            ValueError: the segmentation is missing, malformed or of another size.
        """
        ids = load_labels(self.path) if self.version == 2 else self._coloured()
        if ids.shape != (height, width):
            got = f"{ids.shape[1]} x {ids.shape[0]}"
            raise InputError(f"segmentation of {self.frame} is {got}, wanted {width} x {height}")
        numbers, areas = np.unique(ids[ids > 0], return_counts=True)
        floor = max(1.0, self.min_area * height * width)
        order = [int(numbers[i]) for i in np.argsort(-areas, kind="stable") if areas[i] >= floor]
        masks = [torch.from_numpy((ids == number).astype(np.float32))[None] for number in order]
        union = torch.zeros(1, height, width, dtype=torch.float32)
        for mask in masks:
            union = torch.maximum(union, mask)
        return Guidance(union, torch.zeros_like(union), tuple(Instance.from_mask(mask) for mask in masks))

    def _coloured(self) -> NDArray[np.int32]:
        rgb = load_pixels(self.path, "RGB").astype(np.int32)
        codes = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
        ids = np.zeros_like(codes)
        changed = self.table.stat().st_mtime_ns if self.table.exists() else 0
        for number, code in enumerate(_vehicle_colours(self.table, changed), 1):
            ids[codes == code] = number
        return ids


class VirtualKITTI(PictureDataset):
    """The frames with one mask per vehicle.

    Args:
        root: folder that holds the unpacked archives; which version it is shows in their names.
        variation: weather or camera, as in `clone`, `fog`, `15-deg-left`, or several with commas, or `all`.
        min_area: vehicles under this share of the frame are left out.
        guidance: `real`, the data set's own masks, with focus maps of ``semantic-guidance preprocess`` if
            there are some; `predicted`, what that made; or `none`, for which frames alone will do.

    Raises:
        ValueError: a folder or file is missing or malformed.
    """

    names: list[str]

    def __init__(
        self, root: str | Path, variation: str = "clone", min_area: float = 0.002, guidance: str = "real"
    ) -> None:
        if guidance not in GUIDANCE:
            raise ValueError(f"guidance is {guidance!r}, wanted one of {', '.join(GUIDANCE)}")
        self.root = need_folder(Path(root), f"Virtual KITTI: {TREE}")
        self.min_area, self.guidance = min_area, guidance
        rgb = _find_frames(self.root)
        if rgb is None:
            near = [place for name in _SIGNS for place in places_of(self.root, name, 2)]
            # Of a scene, the folder of its archive, or the one that holds all archives.
            near = near or [place for place in self.root.absolute().parents[3::-1] if _find_frames(place)]
            hint = f"; {near[0]} looks like it" if near else ""
            there = f"{TREE}; {contents(self.root)}{hint}"
            raise InputError(f"{self.root} holds no frames, wanted Virtual KITTI 1.3.1 or 2: {there}")
        self._rgb, self.version = rgb, rgb.version
        wanted = dict.fromkeys(name.strip() for name in variation.split(","))
        self._frames = list(dict.fromkeys(frame for name in wanted for frame in self._of(name)))
        self.names = [(folder / name).relative_to(self.root).as_posix() for folder, name in self._frames]
        kind = "scenegt" if self.version == 1 else "instanceSegmentation"
        self._masks = find_archive(self.root, kind, self.version)
        if guidance == "predicted":
            need_made(self.root)

    def _of(self, variation: str) -> list[tuple[Path, str]]:
        """The frames of a variation.

        Raises:
            InputError: there is no such one.
        """
        there = self._rgb.variations()
        found = self._rgb.frames("*") if variation == "all" else []
        if variation in there:
            found = self._rgb.frames(variation)
        if not found:
            raise InputError(
                f"{self._rgb.folder} has no frames of {variation!r}, wanted all or some of {', '.join(there)}"
            )
        return found

    @property
    def has_masks(self) -> bool:
        """Whether the data set's own masks are there, too."""
        return self._masks is not None

    def path(self, index: int) -> Path:
        """Where the picture lies; folders may be links.

        Raises:
            InputError: it is a link that leads out of its folder.
        """
        folder, name = self._frames[index]
        return inside(folder, name, self.root)

    def mask_path(self, index: int) -> Path:
        """Where the data set's own masks of a frame lie.

        Raises:
            InputError: there are none, or it is a link that leads out of its folder.
        """
        if self._masks is None:
            name = "vkitti_1.3.1_scenegt" if self.version == 1 else "vkitti_2.0.3_instanceSegmentation"
            beside = (self.root.absolute().parent / name).is_dir()
            there = f"{self.root.absolute().parent} has it" if beside else contents(self.root)
            raise InputError(
                f"{self.root} holds no masks, wanted the archive {name}, unpacked beside the frames, or "
                f"--masks predicted or found; {there}"
            )
        folder, name = self._frames[index]
        place = folder.relative_to(self._rgb.folder)
        if self.version == 2:
            scene, variation, frames, _, camera = place.parts
            place = Path(scene, variation, frames, self._masks.kind, camera)
            name = f"{Path(name).stem.replace('rgb_', 'instancegt_')}.png"
        return inside(self._masks.folder / place, name, self.root)

    def segmentation(self, index: int) -> VehicleMasks | None:
        """What reads the masks of a frame, if there are masks."""
        return self._masks_of(index) if self.has_masks else None

    def _masks_of(self, index: int) -> VehicleMasks:
        path, folder = self.mask_path(index), self._frames[index][0]
        scene, variation = folder.relative_to(self._rgb.folder).parts[:2]
        # The tables of version 1 lie beside the scenes.
        back = 3 if self.version == 1 else 5
        table = path.parents[back - 1] / f"{scene}_{variation}_scenegt_rgb_encoding.txt"
        return VehicleMasks(self.version, path, table, self.min_area, self.names[index])

    def guidance_of(self, index: int, height: int, width: int) -> Guidance | None:
        """What `guidance` asks for; None for `none`, and where the preprocessing skipped the frame.

        Raises:
            ValueError: a file is missing, malformed or of another size.
        """
        name = self.made_name(index)
        if self.guidance == "real":
            found = self._masks_of(index)(height, width)
            if not (self.root / FOCUS / name).is_file():
                return found
            return Guidance(found.mask, read_focus(self.root, name, found.mask, self.root), found.instances)
        if self.guidance == "none" or not (self.root / MASKS / name).is_file():
            return None
        return read_made(self.root, name, height, width, self.root)


@lru_cache(maxsize=64)
def _vehicle_colours(path: Path, changed: int) -> tuple[int, ...]:
    """Colour codes of the vehicles in a file that was `changed` then."""
    rows = read_table(path, (str, _byte, _byte, _byte), "a header and lines of `Category:id r g b`", head=1)
    codes = {(r << 16) | (g << 8) | b: name for name, r, g, b in rows}
    return tuple(code for code, name in codes.items() if name.split(":")[0] in _VEHICLES)


def _byte(cell: str) -> int:
    """A number from 0 to 255.

    Raises:
        ValueError: it is none.
    """
    return bytes([int(cell)])[0]


def open_dataset(folder: Path, request: DataRequest) -> VirtualKITTI:
    """See `Dataset`: the frames of a variation; those in clear weather if nothing else is wanted.

    Raises:
        InputError: as `VirtualKITTI` says, or masks are wanted, and there are none.
    """
    if request.split == "official":
        raise InputError(f"{folder}: Virtual KITTI has no split of its own, wanted --split random")
    kinds = {"auto": "real", "found": "none"}
    guidance = kinds.get(request.masks, request.masks) if request.guided else "none"
    frames = VirtualKITTI(folder, request.variation, guidance=guidance)
    if guidance == "real" and request.masks == "auto" and not frames.has_masks and is_made(frames.root):
        return VirtualKITTI(folder, request.variation, guidance="predicted")
    need_one("frames", frames.path, len(frames))
    if guidance == "real":
        need_one("masks", frames.mask_path, len(frames))
    return frames
