"""Fits the confidence of instances on pictures that nothing was trained on. See README.md.

    python runs/segmenter/calibrate.py --pictures held_out=PHOTOS/held_out --pictures kodak=KODAK ... \\
        --pack PACK --held-out PHOTOS/held_out --write

`objects.csv` beside this file tells what a person sees in each picture: boxes (left, top, right, bottom, in
hundredths of the sides), or `mask` for the file NAME_mask.png beside the picture. Prints how well confidences
are kept, each picture's by a fit to the others', and with --write writes the fit to all into the package.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from cuts import fitted
from torch import Tensor
from tqdm import tqdm

from semantic_guidance.core.guidance import Box
from semantic_guidance.core.resample import resample
from semantic_guidance.guidance import logistic
from semantic_guidance.guidance.asked import Glances
from semantic_guidance.guidance.clicks import ClickSegmenter
from semantic_guidance.guidance.confidence import FEATURES, Evidence, confidence, features
from semantic_guidance.guidance.faces import find_faces
from semantic_guidance.guidance.instances import told
from semantic_guidance.guidance.parts import View
from semantic_guidance.guidance.segmenter import WEIGHTS, Segmenter, Sight
from semantic_guidance.images.arrays import to_bytes
from semantic_guidance.images.files import load_image
from semantic_guidance.learning.data.cutouts.dataset import CutoutPack, compose

HERE = Path(__file__).parent
LONGEST = 1024  # pixels, as the guide looks at them
FOLDS = 10


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and what a person sees in it.

    Attributes:
        name: of the picture.
        image: ``[3, H, W]``.
        objects: ``[h, w]`` bool each, of any one size.
        boxes: whether they are boxes, not outlines.
    """

    name: str
    image: Tensor
    objects: list[np.ndarray]
    boxes: list[bool]


def photographs(folders: dict[str, Path]) -> Iterator[Picture]:
    with (HERE / "objects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["folder"] not in folders:
            continue
        path = folders[row["folder"]] / row["path"]
        image = load_image(path)
        scale = LONGEST / max(image.shape[1:])
        if scale < 1:
            image = resample(image, *(max(1, round(side * scale)) for side in image.shape[1:]))
        objects, boxes = [], []
        for text in filter(None, (part.strip() for part in row["objects"].split(";"))):
            if text == "mask":
                name = path.stem.replace("__target", "_") + "_mask.png"
                grey = cv2.imread(str(path.with_name(name)), cv2.IMREAD_GRAYSCALE)
                whole = cv2.resize(grey, (400, 400), interpolation=cv2.INTER_AREA) > 127
                _, parts = cv2.connectedComponents(whole.astype(np.uint8))
                each = [parts == n for n in range(1, int(parts.max()) + 1)]
                objects += [whole, *(part for part in each if part.sum() > 0.05 * whole.sum())]
            else:
                left, top, right, bottom = (round(4 * float(number)) for number in text.split())
                box = np.zeros((400, 400), bool)
                box[top:bottom, left:right] = True
                objects.append(box)
            boxes += [text != "mask"] * (len(objects) - len(boxes))
        yield Picture(f"{row['folder']}/{path.stem.replace(' ', '_')}", image, objects, boxes)


def composites(pack: CutoutPack, count: int) -> Iterator[Picture]:
    for index in range(count):
        made = compose(np.random.default_rng([20_000_007, index]), pack, 320, 384)
        image = torch.from_numpy(made.image).permute(2, 0, 1)
        yield Picture(
            f"composite/{index}", image, [mask > 0.5 for mask in made.masks], [False] * len(made.masks)
        )


def is_right(shape: np.ndarray, picture: Picture) -> bool:
    """Whether an instance ``[h, w]`` overlaps (IoU) an object by half, or several by 0.6 of their union."""
    if not picture.objects:
        return False
    height, width = picture.objects[0].shape
    shape = cv2.resize(shape.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    box = np.zeros_like(shape)
    x, y, w, h = cv2.boundingRect(shape.astype(np.uint8))
    box[y : y + h, x : x + w] = True
    ours = [box if boxed else shape for boxed in picture.boxes]
    if any(iou(mine, theirs) >= 0.5 for mine, theirs in zip(ours, picture.objects, strict=True)):
        return True
    inside = [
        theirs
        for mine, theirs in zip(ours, picture.objects, strict=True)
        if (mine & theirs).sum() > 0.6 * theirs.sum()
    ]
    return bool(inside) and iou(ours[0], np.any(inside, axis=0)) >= 0.6


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def seen_of(picture: Picture, segmenter: Segmenter, folder: Path | None) -> Sight:
    """What the segmenter sees, kept in a folder for the next time."""
    path = folder / (picture.name.replace("/", "_") + ".pt") if folder else None
    if path and path.exists():
        return Sight(**torch.load(path))
    seen = segmenter.see(picture.image)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(vars(seen), path)
    return seen


def boxes_of(picture: Picture) -> list[Box]:
    return [face.box for face in find_faces(picture.image)]


def measured(
    picture: Picture, seen: Sight, clicks: ClickSegmenter | None
) -> list[tuple[dict[str, float], bool]]:
    """The features of each instance in a picture, and whether it is right."""
    view = View.of(to_bytes(picture.image), seen.mask[0].numpy())
    ask = None if clicks is None else Glances(clicks, picture.image, seen.mask)
    scale = view.soft.shape[1] / picture.image.shape[2]
    faces = [(x * scale, y * scale, w * scale, h * scale) for x, y, w, h in boxes_of(picture)]
    labels = told(view, ask, faces)
    shapes = [labels == n for n in range(1, int(labels.max()) + 1)]
    if not shapes:
        return []
    rows = features(Evidence.of(picture.image, view, seen), shapes, ask)
    return [(row, is_right(shape, picture)) for row, shape in zip(rows, shapes, strict=True)]


def crossed(rows: list[dict[str, float]], yes: np.ndarray, group: np.ndarray, ridge: float) -> np.ndarray:
    """Each one's confidence by a fit to the other folds; a picture's instances are in one fold."""
    x = matrix(rows)
    fold = np.random.default_rng(0).permutation(int(group.max()) + 1)[group] % FOLDS
    out = np.zeros(len(yes))
    for n in range(FOLDS):
        model = logistic.fit(FEATURES, x[fold != n], yes[fold != n], ridge)
        out[fold == n] = confidence([rows[i] for i in np.flatnonzero(fold == n)], model)
    return out


def matrix(rows: list[dict[str, float]]) -> np.ndarray:
    return np.array([[row[name] for name in FEATURES] for row in rows])


def report(name: str, said: np.ndarray, yes: np.ndarray) -> None:
    table, error = logistic.reliability(said, yes)
    brier = float(((said - yes) ** 2).mean())
    print(f"{name}: {int(yes.sum())} of {len(yes)} right; calibration error {error:.3f}, Brier {brier:.3f}")
    for mean, share, count in table:
        print(f"  said {mean:.2f}  is so {share:.2f}  ({count})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--pack", type=Path, help="of cut-outs, for composites of those held out")
    parser.add_argument("--composites", type=int, default=80)
    parser.add_argument("--cuts", type=int, default=50, help="composites of things that touch")
    parser.add_argument("--seen", type=Path, help="folder that keeps what was seen, for one segmenter")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="of the segmenter")
    parser.add_argument("--held-out", type=Path, help="photographs of one thing, to fit cuts by clicks, too")
    parser.add_argument("--ridge", type=float, default=3.0)
    parser.add_argument("--write", action="store_true", help="into the package")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pictures = list(photographs({k: Path(v) for k, _, v in (text.partition("=") for text in args.pictures)}))
    if args.pack:
        pictures += composites(CutoutPack.load(args.pack, "held_out"), args.composites)
    segmenter = Segmenter.load(args.weights)
    clicks = ClickSegmenter.of(segmenter) if segmenter.network.clicks is not None else None
    models = dict(logistic.read())
    if clicks is not None and args.pack and args.held_out:
        models["asked"] = fitted(CutoutPack.load(args.pack, "held_out"), args.cuts, args.held_out, clicks)
        if args.write:
            logistic.write(models)
            logistic.read.cache_clear()
    rows: list[dict[str, float]] = []
    right, group = [], []
    for n, picture in enumerate(tqdm(pictures)):
        for row, is_so in measured(picture, seen_of(picture, segmenter, args.seen), clicks):
            rows.append(row)
            right.append(is_so)
            group.append(n)
    yes, groups = np.array(right, float), np.array(group)
    said = crossed(rows, yes, groups, args.ridge)
    made = np.array([pictures[n].name.startswith("composite") for n in group])
    report("all", said, yes)
    if made.any():
        report("photographs", said[~made], yes[~made])
    bare = np.array([not pictures[n].objects for n in group])
    if bare.any():
        print(f"nothing to see: {int(bare.sum())} instances, mean confidence {said[bare].mean():.2f}")
    model = logistic.fit(FEATURES, matrix(rows), yes, args.ridge)
    print(
        {name: round(weight, 2) for name, weight in zip(FEATURES, model.weights, strict=True)},
        round(model.bias, 2),
    )
    if args.write:
        logistic.write({**models, "object": model})


if __name__ == "__main__":
    main()
