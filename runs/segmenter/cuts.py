"""Fits what tells touching things apart: the probability of a cut by shape and colour, and by clicks.

    python runs/segmenter/cuts.py --pack PACK --photos PHOTOS/train --write

Things that touch are made of cut-outs, with their masks known; photographs of one thing tell what must not be
cut. The model without clicks learns from those for training, the one with clicks from those held out, which
the decoder of clicks has not seen: for other weights, `calibrate.py` fits it again. See README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from semantic_guidance.guidance import logistic
from semantic_guidance.guidance.asked import Ask, Glances
from semantic_guidance.guidance.clicks import ClickSegmenter
from semantic_guidance.guidance.parts import (
    ASKED_FEATURES,
    CUT_FEATURES,
    View,
    asked,
    cross,
    cut_features,
    neighbours,
    swellings,
)
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack

SIZE = (384, 512)
LEAST = 0.004  # of the frame: smaller parts are never cut off
SEVERAL = (  # photographs whose mask is of several touching things
    "krank", "odoo-14-1044326", "th_salmon", "php-tcpdf", "job_image", "maki", "tomatoes", "darknet-horses",
    "fish10", "fish5", "spoons", "matrioshka", "qt_logo", "cupcakes", "texlive-xetex-go", "stim2",
    "driven_pendulum", "lesson_08", "pancakes",
)  # fmt: skip

Example = tuple[dict[str, float], float]


def touching(rng: np.random.Generator, pack: CutoutPack) -> tuple[np.ndarray, np.ndarray]:
    """Two to five cut-outs of a category that touch: RGB bytes and each pixel's owner, from 1 on."""
    height, width = SIZE
    scene = pack.scenes[rng.integers(len(pack.scenes))][..., :3]
    canvas = cv2.resize(scene, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    owner = np.zeros(SIZE, np.int32)
    categories = np.array(pack.categories)
    first, same = int(rng.integers(len(pack.cutouts))), rng.random() < 0.5
    longer = rng.uniform(80, 180)
    for n in range(int(rng.integers(2, 6))):
        index = first if same else int(rng.choice(np.flatnonzero(categories == categories[first])))
        layer = pack.cutouts[index].astype(np.float32) / 255
        h, w = layer.shape[:2]
        turn = cv2.getRotationMatrix2D(
            (w / 2, h / 2), rng.uniform(-20, 20), longer * rng.uniform(0.8, 1.25) / max(h, w)
        )
        turn[:, 2] += (width / 2 - w / 2, height / 2 - h / 2)
        layer = cv2.warpAffine(layer, turn, (width, height), flags=cv2.INTER_LINEAR)
        tint = rng.uniform(0.85, 1.15, 3) * rng.uniform(0.8, 1.2)
        layer[..., :3] = np.clip(layer[..., :3] * tint, 0, 1)
        placed = _beside(rng, layer, owner)
        if placed is None:
            continue
        alpha = placed[..., 3:]
        canvas = canvas * (1 - alpha) + placed[..., :3] * alpha
        owner[alpha[..., 0] > 0.5] = n + 1
    return (np.clip(canvas, 0, 1) * 255).astype(np.uint8), owner


def _beside(rng: np.random.Generator, layer: np.ndarray, owner: np.ndarray) -> np.ndarray | None:
    """A layer moved to where it touches what is there, or overlaps it a little."""
    height, width = owner.shape
    area = (layer[..., 3] > 0.5).sum()
    if area < 800:
        return None
    for _ in range(60):
        shift = np.array([[1, 0, rng.integers(-200, 200)], [0, 1, rng.integers(-150, 150)]], np.float32)
        alpha = cv2.warpAffine(layer[..., 3], shift, (width, height)) > 0.5
        if alpha.sum() < 0.8 * area:
            continue
        near = cv2.dilate(alpha.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        touches = (near & (owner > 0)).any() and (alpha & (owner > 0)).sum() < 0.3 * area
        if touches or not owner.any():
            return cv2.warpAffine(layer, shift, (width, height))
    return None


def examples(view: View, owner: np.ndarray, ask: Ask | None, rng: np.random.Generator) -> list[Example]:
    """Every cut that comes up while the parts of each thing are joined, and whether it is right.

    Args:
        view: of the picture.
        owner: ``[H, W]`` number of the thing that a pixel belongs to, 0 for none.
        ask: tells what lies under a place.
        rng: decides the order.
    """
    out: list[Example] = []
    count, pieces = cv2.connectedComponents((owner > 0).astype(np.uint8), connectivity=8)
    for piece in range(1, count):
        solid = pieces == piece
        if solid.sum() < LEAST * solid.size:
            continue
        labels, distance = swellings(solid)
        answers = {} if ask is None else asked(labels, distance, (0, 0), solid.shape, ask)
        while pairs := neighbours(labels):
            owners = {n: np.bincount(owner[labels == n]) for pair in pairs for n in pair}
            whose = {n: int(counts.argmax()) for n, counts in owners.items()}
            pure = {n: counts.max() / counts.sum() > 0.75 for n, counts in owners.items()}
            for one, other in pairs:
                a, b = labels == one, labels == other
                if min(a.sum(), b.sum()) < LEAST * a.size or not (pure[one] and pure[other]):
                    continue
                row = cut_features(view, a, b, distance)
                if one in answers and other in answers:
                    row |= cross(answers[one], answers[other], a, b)
                elif ask is not None:
                    continue
                out.append((row, float(whose[one] != whose[other])))
            same = [pair for pair in pairs if whose[pair[0]] == whose[pair[1]]]
            if not same:
                break
            one, other = same[rng.integers(len(same))]
            peaks = [distance[labels == n].max() for n in (one, other)]
            if other in answers and (peaks[1] > peaks[0] or one not in answers):
                answers[one] = answers[other]
            labels[labels == other] = one
    return out


def pictures(
    pack: CutoutPack, count: int, photos: Path
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pictures, masks and owners: things that touch, then photographs of one thing."""
    for index in range(count):
        pixels, owner = touching(np.random.default_rng([99, index]), pack)
        yield pixels, (owner > 0).astype(np.float32), owner
    for path in sorted(photos.glob("*_mask.png")):
        if any(name in path.name for name in SEVERAL):
            continue
        photo = cv2.imread(str(path.with_name(path.name.replace("_mask.png", ".jpg"))))
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        yield np.ascontiguousarray(photo[..., ::-1]), mask, (mask > 0.5).astype(np.int32)


def fitted(
    pack: CutoutPack, count: int, photos: Path, clicks: ClickSegmenter | None, weight: int = 3
) -> logistic.Logistic:
    """The probability of a cut; photographs of one thing count `weight` times."""
    names = CUT_FEATURES if clicks is None else ASKED_FEATURES
    rows: list[dict[str, float]] = []
    right: list[float] = []
    whole: list[bool] = []
    rng = np.random.default_rng(0)
    for index, (pixels, soft, owner) in enumerate(tqdm(pictures(pack, count, photos), desc="cuts")):
        view = View.of(pixels, soft)
        size = (view.soft.shape[1], view.soft.shape[0])
        small = cv2.resize(owner.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
        image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        ask = None if clicks is None else Glances(clicks, image, torch.from_numpy(soft)[None])
        for row, yes in examples(view, small, ask, rng):
            rows.append(row)
            right.append(yes)
            whole.append(index >= count)
    x, yes, one = np.array([[row[name] for name in names] for row in rows]), np.array(right), np.array(whole)
    repeated = np.repeat(np.arange(len(yes)), np.where(one, weight, 1))
    model = logistic.fit(names, x[repeated], yes[repeated], 3.0)
    said = model(x) > 0.5
    print(
        f"{'with clicks' if clicks else 'shape and colour'}: {said[yes == 1].mean():.2f} of {int(yes.sum())} "
        f"right cuts made, {said[(yes == 0) & ~one].mean():.3f} of the wrong ones in composites, "
        f"{said[one].mean():.3f} of {one.sum()} in photographs"
    )
    weights = {name: round(value, 2) for name, value in zip(names, model.weights, strict=True)}
    print(weights, round(model.bias, 2))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--write", action="store_true", help="into the package")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = fitted(CutoutPack.load(args.pack, "train"), args.count, args.photos, None)
    if args.write:
        logistic.write({**logistic.read(), "cut": model})


if __name__ == "__main__":
    main()
