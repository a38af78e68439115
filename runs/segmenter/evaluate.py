"""Measures the segmenter: IoU on held-out composites and on photographs with masks, seconds a picture.

Photographs: a folder with NAME.jpg or NAME.png beside NAME_mask.png, or NAME__target.* beside NAME__mask.png.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from semantic_guidance.core.shown import printable
from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter
from semantic_guidance.images.files import load_image
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose


def iou(mask: torch.Tensor, truth: np.ndarray) -> float:
    found = mask[0].numpy() > 0.5
    return float((found & truth).sum() / max((found | truth).sum(), 1))


def composites(segmenter: Segmenter, pack: CutoutPack, count: int, least_area: float) -> list[float]:
    scores: list[float] = []
    index = 0
    while len(scores) < count:
        made = compose(np.random.default_rng([20_000_003, index]), pack, 320, 384)
        index += 1
        if made.masks and made.mask.mean() >= least_area:
            image = torch.from_numpy(made.image).permute(2, 0, 1)
            scores.append(iou(segmenter(image)[0], made.mask > 0.5))
    return scores


def photographs(segmenter: Segmenter, folder: Path) -> dict[str, tuple[float, float]]:
    results = {}
    for path in sorted(folder.glob("*_mask.png")):
        stem = path.name.removesuffix("_mask.png")
        candidates = [
            *folder.glob(f"{stem}_target.*"),
            *folder.glob(f"{stem}.jpg"),
            *folder.glob(f"{stem}.png"),
        ]
        image = load_image(candidates[0])
        truth = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
        began = time.perf_counter()
        mask, _ = segmenter(image)
        results[stem.rstrip("_")] = (iou(mask, truth), time.perf_counter() - began)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=150)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    segmenter = Segmenter.load(args.weights)
    segmenter(torch.rand(3, 64, 64))
    if args.pack:
        pack = CutoutPack.load(args.pack, "held_out")
        for least in (0.0, 0.03):
            scores = composites(segmenter, pack, args.count, least)
            row = {"objects_at_least": least, "mean_iou": np.mean(scores), "median_iou": np.median(scores)}
            print(json.dumps({"composites": args.count, **{k: round(float(v), 3) for k, v in row.items()}}))
    if args.photos:
        results = photographs(segmenter, args.photos)
        for name, (score, seconds) in results.items():
            print(f"{printable(name):24s} {score:.3f} {seconds:.2f} s")
        print(f"{'mean':24s} {np.mean([score for score, _ in results.values()]):.3f}")


if __name__ == "__main__":
    main()
