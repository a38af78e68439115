"""Collects the photographs that the segmenter is trained and measured on, from Debian packages.

    python runs/segmenter/real_photos.py OUT

writes OUT/train and OUT/held_out with NAME.jpg, NAME_mask.png and photographs.csv, as `train-segmenter` wants
them; scenes without a subject have no mask.
The masks lie in `masks` beside this file, the photographs' packages and paths in `real_photos.csv`. Downloads
1.0 GB; needs `dpkg`.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from semantic_guidance.learning.data.photographs import LIST

MIRROR = "http://deb.debian.org/debian"  # later: http://snapshot.debian.org/archive/debian/20261101T000000Z
HERE = Path(__file__).parent
SIDE = 512  # longer side of a photograph and its mask, at most


@cache
def rcc_files(path: Path) -> dict[str, bytes]:
    """The uncompressed files in a Qt binary resource (https://doc.qt.io/qt-5/resources.html), by name."""
    data = path.read_bytes()
    magic, version, tree, blobs, names = struct.unpack_from(">4sIIII", data)
    if magic != b"qres":
        raise ValueError(f"{path} is not a Qt resource, wanted one that begins with 'qres'")
    node = 14 if version == 1 else 22
    out: dict[str, bytes] = {}

    def walk(index: int, prefix: str) -> None:
        at = tree + index * node
        name, flags = struct.unpack_from(">IH", data, at)
        label = ""
        if index:
            length = struct.unpack_from(">H", data, names + name)[0]
            label = data[names + name + 6 : names + name + 6 + 2 * length].decode("utf-16-be")
        if flags & 2:
            count, first = struct.unpack_from(">II", data, at + 6)
            for child in range(first, first + count):
                walk(child, f"{prefix}{label}/" if label else prefix)
        elif not flags & 5:
            start = blobs + struct.unpack_from(">I", data, at + 10)[0]
            size = struct.unpack_from(">I", data, start)[0]
            out[prefix + label] = data[start + 4 : start + 4 + size]

    walk(0, "")
    return out


def read(unpacked: Path, row: dict[str, str], side: int = SIDE) -> np.ndarray:
    """A row's photograph, BGR bytes, at most `side` long."""
    container = unpacked / row["path"]
    data = rcc_files(container)[row["entry"]] if row["entry"] else container.read_bytes()
    photo = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    scale = min(1.0, side / max(photo.shape[:2]))
    return photo if scale == 1 else cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def fetch(mirror: str, pools: list[str], folder: Path) -> None:
    """Download Debian packages and unpack their files below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "package.deb"
    for pool in tqdm(pools, desc="packages"):
        try:
            with urllib.request.urlopen(f"{mirror}/{pool}") as answer, archive.open("wb") as file:
                shutil.copyfileobj(answer, file)
        except urllib.error.URLError as error:
            sys.exit(f"{mirror}/{pool} cannot be read ({error}), wanted a mirror that has it, see --mirror")
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)
    archive.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--unpacked", type=Path, help="folder where the packages are unpacked already")
    parser.add_argument("--mirror", default=MIRROR, help=f"of Debian (default: {MIRROR})")
    args = parser.parse_args()
    with (HERE / "real_photos.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        unpacked = args.unpacked or Path(folder)
        if not args.unpacked:
            fetch(args.mirror, sorted({row["pool"] for row in rows}), unpacked)
        for row in rows:
            target = args.out / row["split"]
            target.mkdir(parents=True, exist_ok=True)
            jpeg = [cv2.IMWRITE_JPEG_QUALITY, 95]
            cv2.imwrite(str(target / f"{row['name']}.jpg"), read(unpacked, row), jpeg)
            if row["kind"] != "scene":
                shutil.copyfile(HERE / "masks" / f"{row['name']}.png", target / f"{row['name']}_mask.png")
    for split in sorted({row["split"] for row in rows}):
        with (args.out / split / LIST).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["name", "kind"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in rows if row["split"] == split)
    print(f"{len(rows)} photographs in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
