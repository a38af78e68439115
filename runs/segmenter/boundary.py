"""Measures the masks' edges: boundary F-scores, IoU, and errors of alpha where an edge is soft.

    python runs/segmenter/boundary.py --photos FOLDER --pack PACK

Photographs: a folder with NAME.jpg or NAME.png beside NAME_mask.png, or NAME__target.* beside NAME__mask.png.
Composites: 1,024 px, held-out cut-outs of the pack enlarged before held-out backgrounds, their alpha known
exactly; every other one with a coat of hairs, and every fourth on thin legs.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter
from semantic_guidance.images.files import load_image
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.data.photographs import LIST

Plane: TypeAlias = NDArray[np.float32]
SIDE = 1024  # of composites, longer side
TOLERANCE = 0.0075  # of the diagonal: DAVIS (Perazzi et al. 2016), after Martin et al. 2004


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture ``[3, H, W]`` in [0, 1] and its true alpha ``[H, W]`` in [0, 1]."""

    name: str
    kind: str
    image: Tensor
    alpha: Plane


def edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask's pixels that have a neighbour (of four) outside it; the frame is no edge."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return mask & (inner == 0)


def near(points: NDArray[np.bool_], others: NDArray[np.bool_], reach: float) -> float:
    """Share of the points that have one of the others within `reach` pixels."""
    if not points.any():
        return float(not others.any())
    if not others.any():
        return 0.0
    away = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((away[points] <= reach).mean())


def boundary_f(found: NDArray[np.bool_], truth: NDArray[np.bool_], reach: float) -> float:
    """F-score of two masks' boundaries ``[H, W]``: pixels within `reach` pixels of the other's count."""
    ours, theirs = edge(found), edge(truth)
    precision, recall = near(ours, theirs, reach), near(theirs, ours, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def scores(found: Plane, truth: Plane) -> dict[str, float]:
    """What is measured of a mask, both ``[H, W]`` in [0, 1]."""
    ours, theirs = found > 0.5, truth > 0.5
    diagonal = float(np.hypot(*truth.shape))
    unsure = ((truth > 0.02) & (truth < 0.98)).astype(np.uint8)
    unsure |= edge(theirs)
    reach = max(1, round(TOLERANCE * diagonal))
    band = cv2.dilate(unsure, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)) > 0
    off = np.abs(found - truth)[band]
    return {
        "iou": float((ours & theirs).sum() / max((ours | theirs).sum(), 1)),
        "f": boundary_f(ours, theirs, TOLERANCE * diagonal),
        "f2": boundary_f(ours, theirs, 2.0),
        "f1": boundary_f(ours, theirs, 1.0),
        "mad": float(off.mean()) if off.size else 0.0,
        "mse": float((off**2).mean()) if off.size else 0.0,
    }


def photographs(folder: Path) -> Iterator[Picture]:
    """The folder's pictures with masks; kinds as in its list, where it has one."""
    kinds: dict[str, str] = {}
    if (folder / LIST).exists():
        with (folder / LIST).open(newline="", encoding="utf-8") as file:
            kinds = {row["name"]: row["kind"] for row in csv.DictReader(file)}
    for path in sorted(folder.glob("*_mask.png")):
        stem = path.name.removesuffix("_mask.png")
        names = [*folder.glob(f"{stem}_target.*"), *folder.glob(f"{stem}.jpg"), *folder.glob(f"{stem}.png")]
        alpha = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        yield Picture(stem.rstrip("_"), kinds.get(stem, folder.name), load_image(names[0]), alpha)


def strands(rng: Generator, layer: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """A coat of hairs on the rim of a layer ``[H, W, 4]`` RGBA in [0, 1], each of the rim's colour."""
    solid = (layer[..., 3] > 0.5).astype(np.uint8)
    away = cv2.blur(solid.astype(np.float32), (31, 31))
    down, right = cv2.Sobel(away, cv2.CV_32F, 0, 1), cv2.Sobel(away, cv2.CV_32F, 1, 0)
    rim = np.argwhere(solid - cv2.erode(solid, np.ones((3, 3), np.uint8)))
    fine = 4  # times finer, for exact coverage
    height, width = solid.shape
    for y, x in rim[rng.permutation(len(rim))[: 2 * len(rim) // 3]]:
        outward = -np.array([right[y, x], down[y, x]])
        angle = np.arctan2(outward[1], outward[0]) + rng.normal(0, 0.4)
        length, bend = size * rng.uniform(0.02, 0.09), rng.normal(0, 0.5)
        steps = np.linspace(-0.3, 1, 12)
        turned = angle + bend * steps
        path = np.stack([x + length * steps * np.cos(turned), y + length * steps * np.sin(turned)], 1)
        low = np.maximum(np.floor(path.min(0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(path.max(0)).astype(int) + 3, [width, height])
        if (high - low < 2).any():
            continue
        drawn = np.zeros((*(fine * (high - low))[::-1],), np.uint8)
        points = ((path - low + 0.5) * fine).astype(np.int32)[None]
        cv2.polylines(drawn, points, False, 255, int(rng.integers(3, 7)))
        cover = cv2.resize(drawn, tuple(high - low), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        part = layer[low[1] : high[1], low[0] : high[0]]
        colour = layer[y, x, :3] / layer[y, x, 3] * rng.uniform(0.75, 1.2)
        paint = np.append(np.clip(colour, 0, 1), 1).astype(np.float32)
        part[:] = part * (1 - cover[..., None]) + paint * cover[..., None]
    return layer


def legs(rng: Generator, layer: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """A layer ``[H, W, 4]`` RGBA with two or three thin legs below, of one dark or bright colour."""
    height, width = layer.shape[:2]
    fine = 4
    drawn = np.zeros((height * fine, width * fine), np.uint8)
    for _ in range(int(rng.integers(2, 4))):
        column = int(rng.choice(np.flatnonzero((layer[..., 3] > 0.5).any(0))))
        foot = int(np.flatnonzero(layer[:, column, 3] > 0.5).max())
        knee = np.array([column + rng.normal(0, 0.06) * size, foot + rng.uniform(0.1, 0.18) * size])
        toe = knee + np.array([rng.normal(0, 0.06) * size, rng.uniform(0.08, 0.15) * size])
        points = np.array([[column, foot - 4], knee, toe]) * fine
        cv2.polylines(
            drawn, points.astype(np.int32)[None], False, 255, int(fine * size * rng.uniform(0.005, 0.014))
        )
    cover = (
        cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    )
    shade = np.append(rng.uniform(0.05, 0.3, 3) if rng.random() < 0.6 else rng.uniform(0.6, 0.95, 3), 1)
    under = shade.astype(np.float32) * cover * (1 - layer[..., 3:])
    return np.asarray(layer + under, np.float32)


def composites(folder: Path, count: int, side: int = SIDE) -> Iterator[Picture]:
    """Held-out cut-outs before held-out backgrounds, `side` pixels, with their exact alpha."""
    pack = CutoutPack.load(folder, "held_out")
    scenes = [*pack.scenes, *pack.others]
    height, width = round(side * 0.75), side
    for n in range(count):
        rng = np.random.default_rng([30_000_001, n])
        scene = scenes[int(rng.integers(len(scenes)))]
        zoom = max(height / scene.shape[0], width / scene.shape[1])
        size = (max(width, round(scene.shape[1] * zoom)), max(height, round(scene.shape[0] * zoom)))
        canvas = (
            cv2.resize(scene, size, interpolation=cv2.INTER_CUBIC)[:height, :width].astype(np.float32) / 255
        )
        cutout = pack.cutouts[n % len(pack.cutouts)].astype(np.float32) / 255
        cutout[..., :3] *= cutout[..., 3:]
        big = min(0.62 * height / cutout.shape[0], 0.7 * width / cutout.shape[1])
        shape = (round(cutout.shape[1] * big), round(cutout.shape[0] * big))
        object_ = np.clip(cv2.resize(cutout, shape, interpolation=cv2.INTER_CUBIC), 0, 1)
        # Enlarged, the edge is as wide as a pixel of the cut-out; as a camera would see it, it is of two.
        sharp = np.clip((object_[..., 3:] - 0.5) * big / 2 + 0.5, 0, 1)
        object_ = np.concatenate(
            [object_[..., :3] / np.maximum(object_[..., 3:], 0.02) * sharp, sharp], 2
        ).clip(0, 1)
        layer = np.zeros((height, width, 4), np.float32)
        x, y = (
            int((width - shape[0]) * rng.uniform(0.2, 0.8)),
            int((height - shape[1]) * rng.uniform(0.15, 0.4)),
        )
        layer[y : y + shape[1], x : x + shape[0]] = object_
        kind = "hard"
        if n % 2:
            layer, kind = strands(rng, layer, float(max(shape))), "hair"
        elif n % 4 == 2:
            layer, kind = legs(rng, layer, float(max(shape))), "legs"
        image = canvas * (1 - layer[..., 3:]) + layer[..., :3] + rng.normal(0, 0.01, canvas.shape)
        pixels = np.clip(image, 0, 1).astype(np.float32)
        yield Picture(
            f"composite{n}", kind, torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), layer[..., 3]
        )


def measured(answer: Callable[[Tensor], Tensor], pictures: Iterator[Picture]) -> dict[str, dict[str, float]]:
    """Scores and seconds by name of the picture, which begins with its kind."""
    rows = {}
    for picture in pictures:
        began = time.process_time()
        mask = answer(picture.image)
        took = time.process_time() - began
        rows[f"{picture.kind}/{picture.name}"] = {**scores(mask[0].numpy(), picture.alpha), "s": took}
    return rows


def table(rows: dict[str, dict[str, float]]) -> None:
    """Print the means by kind, and of all."""
    kinds = defaultdict(list)
    for name, row in rows.items():
        kinds[name.split("/")[0]].append(row)
        kinds["all"].append(row)
    names = list(next(iter(rows.values())))
    print(f"{'kind':12s} {'n':>4s} " + " ".join(f"{name:>7s}" for name in names))
    for kind, members in sorted(kinds.items(), key=lambda pair: pair[0] == "all"):
        means = " ".join(f"{np.mean([row[name] for row in members]):7.3f}" for name in names)
        print(f"{kind:12s} {len(members):4d} {means}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--count", type=int, default=60, help="of composites")
    parser.add_argument("--each", action="store_true", help="print each picture, too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    segmenter = Segmenter.load(args.weights)
    segmenter(torch.rand(3, 64, 64))
    rows: dict[str, dict[str, float]] = {}
    for folder in args.photos:
        rows |= measured(lambda image: segmenter(image)[0], photographs(folder))
    if args.pack:
        rows |= measured(lambda image: segmenter(image)[0], composites(args.pack, args.count))
    if args.each:
        for name, row in rows.items():
            print(f"{name:40s} " + " ".join(f"{value:.3f}" for value in row.values()))
    table(rows)


if __name__ == "__main__":
    main()
