"""Cut-out objects composed over backgrounds on the fly, with exact masks.

A pack is a folder with `manifest.csv` (columns name, kind, category; kind is `cutout` or `background`),
cut-outs with an alpha channel and photographs. `python -m semantic_guidance.data.rebuild_pack` makes one.
"""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from semantic_guidance.data.backgrounds import crop_photo, draw_stems, make_background
from semantic_guidance.data.photometry import (
    Picture,
    Plane,
    blur,
    camera,
    jitter_colour,
    noise_field,
    relight,
)
from semantic_guidance.types import Guidance, Instance

# Categories that also serve, out of focus, as things behind the subject.
_SCENERY = frozenset({"flowers", "plants", "town", "stones_graves", "vehicles", "people"})
_LEAST_AREA = 0.0015  # of the frame; smaller objects do not count


@dataclass(frozen=True)
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
        for row in _read_manifest(folder / "manifest.csv"):
            held_out = zlib.crc32(row["name"].encode()) % 10 == 0
            if split != "all" and held_out != (split == "held_out"):
                continue
            picture = _read_picture(folder / row["name"], alpha=row["kind"] == "cutout")
            if row["kind"] == "cutout":
                cutouts.append(_trim(picture, folder / row["name"]))
                categories.append(row["category"])
            elif row["category"] == "with_object":
                others.append(picture)
            else:
                scenes.append(picture)
        if not cutouts:
            raise ValueError(f"{folder / 'manifest.csv'} lists no cut-outs, wanted at least one")
        return CutoutPack(tuple(cutouts), tuple(categories), tuple(scenes), tuple(others))


def _read_manifest(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}), wanted a cut-out pack") from error
    if not rows or not {"name", "kind", "category"} <= rows[0].keys():
        raise ValueError(f"{path} is malformed, wanted CSV with columns name, kind, category")
    return rows


def _read_picture(path: Path, alpha: bool) -> NDArray[np.uint8]:
    data = cv2.imread(str(path), cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR)
    if data is None or (alpha and (data.ndim != 3 or data.shape[2] != 4)):
        wanted = "a picture with alpha" if alpha else "a picture"
        raise ValueError(f"{path} is missing or unreadable, wanted {wanted}")
    return np.asarray(cv2.cvtColor(data, cv2.COLOR_BGRA2RGBA if alpha else cv2.COLOR_BGR2RGB), np.uint8)


def _trim(cutout: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    rows, columns = np.nonzero(cutout[..., 3] > 20)
    if not len(rows):
        raise ValueError(f"{path} is fully transparent, wanted an object")
    return cutout[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@dataclass(frozen=True)
class Composite:
    """A composed picture.

    Attributes:
        image: ``[H, W, 3]`` RGB in [0, 1].
        masks: ``[H, W]`` in [0, 1], visible part of each object, largest first.
    """

    image: Picture
    masks: tuple[Plane, ...]

    @property
    def mask(self) -> Plane:
        """Union of the objects ``[H, W]`` in [0, 1]."""
        total = np.zeros(self.image.shape[:2], np.float32)
        for mask in self.masks:
            total += mask
        return np.clip(total, 0, 1)


def _texture(rng: Generator, pack: CutoutPack, height: int, width: int) -> Picture:
    """A texture to dress an object in: a piece of a photograph or of another cut-out's inside."""
    photos = pack.scenes + pack.others
    if photos and rng.random() < 0.6:
        return crop_photo(rng, photos[rng.integers(len(photos))], height, width, least=0.1)
    other = pack.cutouts[rng.integers(len(pack.cutouts))]
    h, w = other.shape[:2]
    inside = np.ascontiguousarray(other[h // 4 : h - h // 4 or 1, w // 4 : w - w // 4 or 1, :3])
    return cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255


def _dress(rng: Generator, pack: CutoutPack, rgba: Picture) -> Picture:
    """Vary an object's own look: colours, light, sometimes another texture, sometimes a faded part."""
    height, width = rgba.shape[:2]
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if rng.random() < 0.14:
        tex = _texture(rng, pack, height, width)
        shade = rgb.mean(2, keepdims=True)
        shade = shade / (float((shade * alpha).sum() / (alpha.sum() + 1e-6)) + 0.05)
        depth = rng.uniform(0, 0.8)
        mixed = tex * (1 - depth + depth * np.clip(shade, 0, 2))
        keep = rng.uniform(0, 0.5)
        rgb = rgb * keep + mixed * (1 - keep)
    if rng.random() < 0.8:
        rgb = jitter_colour(rng, rgb)
    if rng.random() < 0.5:
        rgb = relight(rng, rgb)
    if rng.random() < 0.12:
        # Two-coloured coats and clothes: another tint on a smooth part of the object.
        part = np.clip((noise_field(rng, height, width, 2.5) - 0.5) * 12 + 0.5, 0, 1)
        rgb = rgb * (1 - part) + jitter_colour(rng, rgb, 2.0) * part
    return np.concatenate([np.clip(rgb, 0, 1), alpha], 2)


def _matrix(
    rng: Generator, h: int, w: int, height: int, width: int, scale: float
) -> tuple[NDArray[np.float64], float]:
    """An affine map from cut-out pixels to frame pixels, and its mean magnification."""
    turn = rng.normal(0, 12) if rng.random() < 0.85 else rng.uniform(-180, 180)
    angle, flip = np.deg2rad(turn), rng.choice([-1.0, 1.0])
    stretch = np.exp(rng.normal(0, 0.12))
    zoom = scale * min(height / h, width / w) if scale <= 1 else scale * max(height / h, width / w)
    shear = rng.normal(0, 0.08)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.array([[flip * stretch, shear], [0, 1 / stretch]]) * zoom
    # Small objects lie anywhere, also partly outside; large ones near the middle.
    half = np.abs(linear) @ np.array([w / 2, h / 2])
    frame = np.array([width, height])
    room = np.maximum(frame / 2 - half, 0)
    slack = 0.5 * half if rng.random() < 0.3 else 0.1 * half
    reach = np.where(rng.random(2) < 0.4, room * 0.4, room + slack)
    centre = frame / 2 + rng.uniform(-1, 1, 2) * reach
    offset = centre - linear @ np.array([w / 2, h / 2])
    return np.concatenate([linear, offset[:, None]], 1), float(zoom)


def _place(rng: Generator, rgba: Picture, height: int, width: int, scale: float) -> Picture:
    """The object somewhere in an empty frame: ``[height, width, 4]``, colour premultiplied by alpha."""
    h, w = rgba.shape[:2]
    matrix, zoom = _matrix(rng, h, w, height, width, scale)
    layer = rgba.copy()
    layer[..., :3] *= layer[..., 3:]
    if zoom < 0.7:  # warping does not average, so shrink before
        size = (max(2, round(w * zoom)), max(2, round(h * zoom)))
        small = cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
        matrix[:, :2] = matrix[:, :2] @ np.diag([w / small.shape[1], h / small.shape[0]])
        layer = small
    out = cv2.warpAffine(layer, matrix, (width, height), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        longer = max(height, width)
        bend = (
            (noise_field(rng, height, width, rng.uniform(2, 5), 2) - 0.5) * longer * rng.uniform(0.02, 0.12)
        )
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        out = cv2.remap(out, xs + bend[..., 0], ys + bend[..., 1], cv2.INTER_LINEAR)
    return np.asarray(out, np.float32)


def _harmonise(rng: Generator, layer: Picture, canvas: Picture) -> Picture:
    """Move the object's mean colour and contrast part of the way to what lies behind and around it."""
    alpha = layer[..., 3:]
    area = float(alpha.sum()) + 1e-6
    mine = layer[..., :3].sum((0, 1)) / area
    around = blur(alpha[..., 0], max(canvas.shape[:2]) * 0.08)[..., None]
    theirs = (canvas * around).sum((0, 1)) / (float(around.sum()) + 1e-6)
    weight = rng.uniform(0, 0.65)
    contrast = rng.uniform(0.75, 1.1)
    rgb = (layer[..., :3] - mine * alpha) * contrast + (mine + weight * (theirs - mine)) * alpha
    return np.concatenate([np.clip(rgb, 0, 1), alpha], 2).astype(np.float32)


def _cast_shadow(rng: Generator, canvas: Picture, alpha: Plane) -> Picture:
    height, width = alpha.shape
    squash = rng.uniform(0.15, 1.0)
    rows = np.nonzero(alpha.max(1) > 0.5)[0]
    foot = float(rows.max()) if len(rows) else height / 2
    move = np.array(
        [[1, rng.uniform(-0.5, 0.5), 0], [0, squash, foot * (1 - squash) + rng.uniform(-0.01, 0.04) * height]]
    )
    move[0, 2] = -move[0, 1] * foot + rng.normal(0, 0.02) * width
    shadow = blur(cv2.warpAffine(alpha, move, (width, height)), max(height, width) * rng.uniform(0.005, 0.04))
    return np.asarray(canvas * (1 - rng.uniform(0.15, 0.7) * np.clip(shadow, 0, 1))[..., None], np.float32)


def _draw_scale(rng: Generator, count: int) -> float:
    """Longer side of an object relative to the frame, 0.1 to 1 (seldom beyond: only a part is seen)."""
    if count == 1:
        return float(rng.uniform(1, 1.5) if rng.random() < 0.08 else rng.beta(1.6, 1.3) * 0.9 + 0.1)
    return float(np.exp(rng.uniform(np.log(0.1), np.log(0.75 if count < 4 else 0.4))))


def _behind(rng: Generator, pack: CutoutPack, canvas: Picture) -> Picture:
    """Things out of focus behind the subject."""
    height, width = canvas.shape[:2]
    pool = [i for i, name in enumerate(pack.categories) if name in _SCENERY] or list(range(len(pack.cutouts)))
    for _ in range(int(rng.integers(1, 5))):
        rgba = pack.cutouts[pool[rng.integers(len(pool))]].astype(np.float32) / 255
        layer = _place(rng, _dress(rng, pack, rgba), height, width, rng.uniform(0.15, 1.2))
        layer = blur(_harmonise(rng, layer, canvas), max(height, width) * rng.uniform(0.025, 0.08))
        canvas = canvas * (1 - layer[..., 3:]) + layer[..., :3]
    return np.asarray(canvas, np.float32)


def _in_front(rng: Generator, canvas: Picture, masks: list[Plane]) -> tuple[Picture, list[Plane]]:
    """Twigs or blades of grass before the objects, which they hide."""
    layer = np.zeros((*canvas.shape[:2], 4), np.float32)
    draw_stems(rng, layer, int(rng.integers(1, 4)))
    layer = blur(layer, rng.choice([0.5, 1.0, 3.0]))
    cover = np.clip(layer[..., 3:], 0, 1)
    return canvas * (1 - cover) + layer[..., :3], [mask * (1 - cover[..., 0]) for mask in masks]


def compose(rng: Generator, pack: CutoutPack, height: int, width: int) -> Composite:
    """One random picture of no, one or several objects.

    Args:
        rng: all randomness comes from it: the same state gives the same picture.
        pack: objects and photographs.
        height: in pixels.
        width: in pixels.
    """
    canvas = make_background(rng, pack.scenes, pack.others, height, width)
    count = int(rng.choice([0, 1, 2, 3, 5], p=[0.06, 0.70, 0.14, 0.06, 0.04]))
    if count and rng.random() < 0.18:
        canvas = _behind(rng, pack, canvas)
    masks: list[Plane] = []
    same = int(rng.integers(len(pack.cutouts))) if rng.random() < 0.4 else None
    for _ in range(count):
        index = int(rng.integers(len(pack.cutouts))) if same is None else same
        rgba = pack.cutouts[index].astype(np.float32) / 255
        layer = _place(rng, _dress(rng, pack, rgba), height, width, _draw_scale(rng, count))
        if rng.random() < 0.5:
            layer = _harmonise(rng, layer, canvas)
        if rng.random() < 0.2:
            layer = blur(layer, rng.uniform(0.3, 1.2))
        alpha = np.clip(layer[..., 3], 0, 1)
        if rng.random() < 0.3:
            canvas = _cast_shadow(rng, canvas, alpha)
        canvas = canvas * (1 - alpha[..., None]) + layer[..., :3]
        masks = [*(mask * (1 - alpha) for mask in masks), alpha]
    if masks and rng.random() < 0.08:
        canvas, masks = _in_front(rng, canvas, masks)
    masks = [mask for mask in masks if mask.mean() >= _LEAST_AREA]
    masks.sort(key=lambda mask: -float(mask.sum()))
    return Composite(camera(rng, canvas), tuple(masks))


class CutoutDataset(Dataset[tuple[Tensor, Guidance]]):
    """Composites as (image ``[3, H, W]`` in [0, 1], guidance without focus).

    Args:
        pack: a folder, or a pack already loaded.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        length: number of pictures.
        seed: with the index, decides the picture.
        split: see `CutoutPack.load`; unused with a loaded pack.
    """

    def __init__(
        self,
        pack: CutoutPack | str | Path,
        height: int = 128,
        width: int = 128,
        length: int = 10_000,
        seed: int = 0,
        split: str = "all",
    ) -> None:
        self.pack = pack if isinstance(pack, CutoutPack) else CutoutPack.load(pack, split)
        self.height, self.width, self.length, self.seed = height, width, length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Guidance]:
        if not 0 <= index < self.length:
            raise IndexError(f"index is {index}, wanted 0 to {self.length - 1}")
        made = compose(np.random.default_rng([self.seed, index]), self.pack, self.height, self.width)
        image = torch.from_numpy(made.image).permute(2, 0, 1).contiguous()
        mask = torch.from_numpy(made.mask)[None]
        planes = [torch.from_numpy(plane)[None] for plane in made.masks]
        instances = tuple(Instance.from_mask(plane) for plane in planes if bool((plane > 0.5).any()))
        return image, Guidance(mask, torch.zeros_like(mask), instances)
