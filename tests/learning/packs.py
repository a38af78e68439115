"""Tiny cut-out packs and photographs with masks, in the real formats."""

from __future__ import annotations

import csv

import cv2
import numpy as np


def write_pack(folder, cutouts=12, photos=4):
    """A pack of striped ellipses and gradients, in the real format."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(cutouts):
        rgba = np.zeros((60, 80, 4), np.uint8)
        rgba[..., :3] = rng.integers(0, 255, 3)
        rgba[::6, :, :3] = rng.integers(0, 255, 3)
        cv2.ellipse(rgba[..., 3:].copy(), (40, 30), (1, 1), 0, 0, 360, 255, -1)
        alpha = np.zeros((60, 80), np.uint8)
        cv2.ellipse(alpha, (40, 30), (30, 20), 0, 0, 360, 255, -1)
        rgba[..., 3] = alpha
        category = ["birds", "flowers", "vehicles"][i % 3]
        name = f"cutouts/{category}/{i}.webp"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), rgba, [cv2.IMWRITE_WEBP_QUALITY, 101])
        rows.append({"name": name, "kind": "cutout", "category": category})
    for i in range(photos):
        photo = cv2.resize(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8), (150, 120))
        name = f"backgrounds/{i}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), photo)
        rows.append(
            {"name": name, "kind": "background", "category": ["scene_or_texture", "with_object"][i % 2]}
        )
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["name", "kind", "category"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def write_photographs(folder, kinds=("animal", "thing", "scene")):
    """A photograph of each kind: a disc on a blurred ground."""
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    for n, kind in enumerate(kinds):
        photo = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (200, 150))
        if kind != "scene":
            mask = np.zeros((150, 200), np.uint8)
            cv2.circle(mask, (100, 75), 45, 255, -1)
            photo[mask > 0] = rng.integers(0, 255, 3)
            cv2.imwrite(str(folder / f"{n}_mask.png"), mask)
        cv2.imwrite(str(folder / f"{n}.jpg"), photo)
    rows = "".join(f"{n},{kind}\n" for n, kind in enumerate(kinds))
    (folder / "photographs.csv").write_text("name,kind\n" + rows)
    return folder
