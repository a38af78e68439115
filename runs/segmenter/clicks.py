"""Measures clicks: mean IoU after 1, 2, 3 and 5 of them, and in a box, by kind of picture; seconds a click.

The first click is deepest in what is meant, each further one where the mask is most deeply wrong. Meant
is one object; in a photograph the largest part of its mask, or all of it where that is most of it.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semantic_guidance.core.box import box_of
from semantic_guidance.core.guidance import Point
from semantic_guidance.guidance.clicks import ClickSegmenter
from semantic_guidance.guidance.segmenter import WEIGHTS
from semantic_guidance.images.files import load_image
from semantic_guidance.learning.data.cutouts.compose import Composite, compose
from semantic_guidance.learning.data.cutouts.groups import compose_group
from semantic_guidance.learning.data.cutouts.pack import CutoutPack
from semantic_guidance.learning.segmenter.clicks import centre, next_click

CLICKS = (1, 2, 3, 5)
SIZE = (320, 384)  # of composites
LEAST = 0.002  # of the frame

Mask = NDArray[np.bool_]


def composites(pack: CutoutPack, kind: str, count: int) -> Iterator[tuple[Tensor, Mask]]:
    """Pictures ``[3, H, W]`` of the kind, each with what is meant ``[H, W]``."""
    index = given = 0
    while given < count:
        rng = np.random.default_rng([30_000_001, index])
        index += 1
        made = (compose_group if kind == "touching copies" else compose)(rng, pack, *SIZE)
        chosen = chosen_of(rng, made, kind)
        if chosen is not None:
            given += 1
            yield torch.from_numpy(made.image).permute(2, 0, 1), chosen > 0.5


def chosen_of(rng: np.random.Generator, made: Composite, kind: str) -> NDArray[np.float32] | None:
    """What is meant in a composite, None if it is of another kind."""
    pool = made.others if kind == "plants by objects" else made.masks
    several = len(made.masks) > 1
    if not made.masks or (kind == "one object" and several) or (kind == "several objects" and not several):
        return None
    pool = tuple(mask for mask in pool if (mask > 0.5).mean() >= LEAST)
    return pool[rng.integers(len(pool))] if pool else None


def photographs(folder: Path, names: set[str] | None = None) -> Iterator[tuple[Tensor, Mask]]:
    """The pictures of a folder with masks, or those of some names, each with what is meant."""
    for path in sorted(folder.glob("*_mask.png")):
        stem = path.name.removesuffix("_mask.png")
        if names is not None and stem not in names:
            continue
        found = [*folder.glob(f"{stem}_target.*"), *folder.glob(f"{stem}.jpg"), *folder.glob(f"{stem}.png")]
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is not None:
            yield load_image(found[0]), main_part(mask > 127)


def main_part(mask: Mask) -> Mask:
    """The largest connected part of a mask, or all of it if that is more than .85 of it."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 3:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    return mask if areas.max() > 0.85 * areas.sum() else labels == 1 + int(areas.argmax())


def iou(found: Mask, meant: Mask) -> float:
    return float((found & meant).sum() / max((found | meant).sum(), 1))


def curve(clicks: ClickSegmenter, image: Tensor, meant: Mask) -> dict[str, float]:
    """IoU after each number of clicks and in a box, the error of the IoU predicted, seconds."""
    began = time.perf_counter()
    features = clicks.encode(image)
    row = {"encode_s": time.perf_counter() - began}
    points = [Point(*centre(meant))]
    previous, seconds = None, []
    for number in range(1, CLICKS[-1] + 1):
        began = time.perf_counter()
        previous, quality = clicks(features, points, previous)
        seconds.append(time.perf_counter() - began)
        found = previous[0].numpy() > 0.5
        if number in CLICKS:
            row[f"iou_{number}"] = iou(found, meant)
        if number == 1:
            row["quality_off"] = abs(quality - row["iou_1"])
        click = next_click(found, meant)
        if click is not None:
            points.append(Point(click[0], click[1], click[2] > 0))
    box = box_of(torch.from_numpy(meant.astype(np.float32)))
    row["iou_box"] = iou(clicks(features, box=box)[0][0].numpy() > 0.5, meant) if box else 1.0
    return row | {"click_s": float(np.mean(seconds)), "click_s_worst": max(seconds)}


def measured(clicks: ClickSegmenter, name: str, pictures: Iterator[tuple[Tensor, Mask]], each: bool) -> None:
    """Print the means of one kind of picture, as JSON."""
    rows = [curve(clicks, image, meant) for image, meant in pictures]
    if each:
        for row in rows:
            print(json.dumps({name: {key: round(value, 3) for key, value in row.items()}}))
    means = {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
    print(json.dumps({"pictures": name, "count": len(rows), **means}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--pack", type=Path, help="cut-out pack")
    parser.add_argument("--photos", type=Path, help="photographs with masks and photographs.csv")
    parser.add_argument("--published", type=Path, help="other pictures with masks")
    parser.add_argument("--count", type=int, default=60, help="composites of each kind")
    parser.add_argument("--each", action="store_true", help="print each picture's figures, too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clicks = ClickSegmenter.load(args.weights)
    clicks(clicks.encode(torch.rand(3, 64, 64)), [Point(32, 32)])  # warms up
    if args.pack:
        pack = CutoutPack.load(args.pack, "held_out")
        for kind in ("one object", "several objects", "touching copies", "plants by objects"):
            measured(clicks, kind, composites(pack, kind, args.count), args.each)
    if args.photos:
        with (args.photos / "photographs.csv").open(newline="") as file:
            kinds = {row["name"]: row["kind"] for row in csv.DictReader(file)}
        for kind in ("animal", "thing"):
            names = {name for name, its in kinds.items() if its == kind}
            measured(clicks, f"photographs: {kind}", photographs(args.photos, names), args.each)
    if args.published:
        measured(clicks, "published", photographs(args.published), args.each)


if __name__ == "__main__":
    main()
