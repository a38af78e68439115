"""Photographs with masks of their objects: crops of them, varied, some with plants put round the object.

A folder holds NAME.jpg, NAME_mask.png for those with an object, and ``photographs.csv`` with the columns
name and kind: ``animal`` (people, too), ``thing``, or ``scene`` without a dominant object, which has no mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import is_tools
from semantic_guidance.core.names import inside
from semantic_guidance.images.files import load_pixels
from semantic_guidance.learning.data.cutouts.compose import Composite, surround
from semantic_guidance.learning.data.cutouts.pack import CutoutPack, photo_cutout
from semantic_guidance.learning.data.cutouts.photometry import Pixels, Plane, camera
from semantic_guidance.learning.data.lists import read_csv

LIST = "photographs.csv"
KINDS = ("animal", "thing", "scene")


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph of something.

    Attributes:
        image: ``[H, W, 3]`` RGB bytes.
        mask: ``[H, W]`` bytes, 255 on the object.
        kind: ``animal`` or ``thing``.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    kind: str


@dataclass(frozen=True, eq=False)
class Photographs:
    """A folder's pictures, in memory.

    Attributes:
        objects: those with an object, by name.
        scenes: ``[H, W, 3]`` RGB bytes, those without.
    """

    objects: tuple[Photograph, ...]
    scenes: tuple[NDArray[np.uint8], ...]

    @staticmethod
    def load(folder: str | Path) -> Photographs:
        """Read a folder.

        Raises:
            ValueError: a file is missing or malformed, or no photograph shows an object.
        """
        folder = Path(folder)
        kinds = _read_kinds(folder / LIST)
        objects, scenes = [], []
        found = folder.iterdir()
        for path in sorted(each for each in found if _is_photograph(each)):
            kind = kinds.get(path.stem)
            if kind is None:
                raise InputError(f"{path} is not in {folder / LIST}, wanted the kind of each photograph")
            image = load_pixels(inside(folder, path.name, folder), "RGB")
            if kind == "scene":
                scenes.append(image)
                continue
            place = inside(folder, f"{path.stem}_mask.png", folder)
            mask = load_pixels(place, "L")
            if mask.shape != image.shape[:2]:
                raise InputError(f"{place} is of another size than {path.name}, wanted the same")
            if not mask.any():
                raise InputError(f"{place} is empty, wanted an object, or the kind 'scene' and no mask")
            objects.append(Photograph(image, mask, kind))
        if not objects:
            raise InputError(f"{folder} holds no photographs with masks, wanted NAME.jpg and NAME_mask.png")
        return Photographs(tuple(objects), tuple(scenes))

    def added_to(self, pack: CutoutPack) -> CutoutPack:
        """The pack, with the objects that no frame cuts as cut-outs, and the scenes as backgrounds."""
        found = [(photo_cutout(photo.image, photo.mask), photo.kind) for photo in self.objects]
        cutouts = [(cutout, kind) for cutout, kind in found if cutout is not None]
        return CutoutPack(
            (*pack.cutouts, *(cutout for cutout, _ in cutouts)),
            (*pack.categories, *("mammals" if kind == "animal" else "photo" for _, kind in cutouts)),
            (*pack.scenes, *self.scenes),
            pack.others,
        )

    def sample(self, rng: np.random.Generator, pack: CutoutPack, height: int, width: int) -> Composite:
        """A crop of one of them, or all of it, mirrored or turned, as a camera would have seen it.

        Args:
            rng: all randomness comes from it.
            pack: of the plants that some animals get.
            height: in pixels.
            width: in pixels.

        Returns:
            The picture with the object's mask, and those of the plants.
        """
        photo = self.objects[rng.integers(len(self.objects))]
        image, mask = _crop(rng, photo, height, width)
        if rng.random() < 0.3:  # turned a little
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 12), rng.uniform(1, 1.25))
            image = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
            mask = cv2.warpAffine(mask, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        others: tuple[Plane, ...] = ()
        if photo.kind == "animal" and rng.random() < 0.35:
            image, mask, others = surround(rng, pack, image, mask)
        return Composite(camera(rng, image), (mask,), others)


def _crop(rng: np.random.Generator, photo: Photograph, height: int, width: int) -> tuple[Pixels, Plane]:
    """All of a photograph, squeezed, or a part with more than half of the object, if one is soon found."""
    rows, columns = photo.mask.shape
    whole = rng.random() < 0.3  # the photograph as it is, but for its sides' ratio
    for _ in range(20):
        if whole:
            ch, cw = rows, columns
        else:
            fit = min(rows / height, columns / width) * rng.uniform(0.4, 1)
            ch, cw = max(1, int(height * fit)), max(1, int(width * fit))
        y, x = int(rng.integers(0, rows - ch + 1)), int(rng.integers(0, columns - cw + 1))
        part = photo.mask[y : y + ch, x : x + cw]
        if part.sum() > 0.5 * photo.mask.sum():
            break
    flip = slice(None, None, int(rng.choice([-1, 1])))
    image, mask = (
        cv2.resize(np.ascontiguousarray(plane[:, flip]), (width, height), interpolation=cv2.INTER_AREA)
        for plane in (photo.image[y : y + ch, x : x + cw], part)
    )
    return image.astype(np.float32) / 255, mask.astype(np.float32) / 255


def _is_photograph(path: Path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg") and not is_tools(path.name)


def _read_kinds(path: Path) -> dict[str, str]:
    """Kind by name."""
    rows = read_csv(path, ("name", "kind"), "a list of the photographs")
    for row in rows:
        if row["kind"] not in KINDS:
            raise InputError(
                f"{path}: the kind of {row['name']} is {row['kind']!r}, wanted one of {', '.join(KINDS)}"
            )
    return {row["name"]: row["kind"] for row in rows}
