"""How many faces are found, and how many things that are none, in pictures with counted faces.

    python runs/faces/evaluate.py FOLDER [--show FOLDER]

FOLDER is what `pictures.py` wrote; `faces.csv` says where faces are and how they look: from the front, in
profile (more than about 45 degrees), tilted (more than about 20), drawn or painted. At what says "maybe"
people would differ: neither finding nor missing it counts. Each picture with faces is looked at as it is, at
a half and at a quarter of its size, for faces of all sizes; false alarms are counted at its own size.
"""

from __future__ import annotations

import argparse
import collections
import csv
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from semantic_guidance.guidance.faces import Face, find_faces
from semantic_guidance.guidance.yunet import overlaps

HERE = Path(__file__).parent
SCALES = (1.0, 0.5, 0.25)
SIZES = ((12, 20), (20, 40), (40, 100), (100, 1000))  # widths of faces in pixels
SAME = 0.3  # overlap from which what is found is what was counted

Label = tuple[np.ndarray, str]  # box, look


def labels() -> dict[str, list[Label]]:
    """Counted faces of each picture."""
    out: dict[str, list[Label]] = collections.defaultdict(list)
    with (HERE / "faces.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            numbers = [float(row[side]) for side in ("x", "y", "width", "height")]
            out[row["name"]].append((np.array(numbers, np.float32), row["look"]))
    return out


def match(found: list[Face], counted: list[Label]) -> tuple[list[bool], list[Face]]:
    """Whether each counted face was found, and what else was."""
    boxes = np.array([face.box for face in found], np.float32).reshape(-1, 4)
    free = np.ones(len(found), bool)
    hits = []
    for box, _ in counted:
        near = overlaps(box, boxes) * free if len(boxes) else np.zeros(0)
        hits.append(bool(len(near)) and float(near.max()) > SAME)
        free &= ~(near > SAME) if len(near) else free
    return hits, [face for face, left in zip(found, free, strict=True) if left]


def shown(picture: np.ndarray, found: list[Face], counted: list[Label]) -> np.ndarray:
    """The picture with what was counted in yellow and what was found in green, with its confidence."""
    picture = picture.copy()
    for box, look in counted:
        x, y, w, h = box.astype(int).tolist()
        if look != "maybe":
            cv2.rectangle(picture, (x, y), (x + w, y + h), (0, 220, 255), 1)
    for face in found:
        x, y, w, h = (round(number) for number in face.box)
        cv2.rectangle(picture, (x, y), (x + w, y + h), (0, 255, 0), 1)
        cv2.putText(picture, f"{face.confidence:.2f}", (x, y - 2), 0, 0.35, (0, 255, 0), 1)
        for px, py in face.points:
            cv2.circle(picture, (round(float(px)), round(float(py))), 1, (0, 0, 255), -1)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--show", type=Path, help="folder for pictures with what was found")
    args = parser.parse_args()
    counted = labels()
    by_size: dict[tuple[int, int], list[bool]] = collections.defaultdict(list)
    by_look: dict[str, list[bool]] = collections.defaultdict(list)
    alarms: dict[str, list[int]] = {"with faces": [], "without": []}
    seconds, pixels = 0.0, 0
    for path in tqdm(sorted(args.pictures.glob("*.png"))):
        full = cv2.imread(str(path))
        faces = counted.get(path.stem, [])
        for scale in SCALES if faces else SCALES[:1]:
            small = (
                full
                if scale == 1
                else cv2.resize(full, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            )
            image = torch.from_numpy(small[..., ::-1] / np.float32(255)).permute(2, 0, 1)
            start = time.process_time()
            found = find_faces(image)
            if scale == 1:
                seconds, pixels = seconds + time.process_time() - start, pixels + small[..., 0].size
            here = [(box * np.float32(scale), look) for box, look in faces]
            hits, others = match(found, here)
            for (box, look), hit in zip(here, hits, strict=True):
                size = next((s for s in SIZES if s[0] <= box[2] < s[1]), None)
                if look != "maybe" and size is not None:
                    by_size[size].append(hit)
                    by_look[look].append(hit)
            if scale == 1:
                alarms["with faces" if faces else "without"].append(len(others))
                if args.show:
                    args.show.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(args.show / path.name), shown(small, found, here))
    for size in SIZES:
        print(f"{size[0]:4d} to {size[1]:4d} pixels: {np.mean(by_size[size]):.3f} of {len(by_size[size])}")
    for look, all_hits in sorted(by_look.items()):
        print(f"{look:19s}: {np.mean(all_hits):.3f} of {len(all_hits)}")
    for kind, counts in alarms.items():
        print(f"false alarms in {len(counts)} pictures {kind}: {sum(counts)}, {np.mean(counts):.3f} each")
    print(f"{seconds / pixels * 1e6:.2f} s of a core for a million pixels")


if __name__ == "__main__":
    main()
