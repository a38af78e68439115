"""Collects the pictures on which guidance is measured, from Debian packages. See README.md.

    python runs/guidance/fetch.py OUT

writes OUT/NAME.jpg or .png, OUT/NAME_mask.png where there is a clear object, and the list OUT/pictures.csv.
The masks lie in `masks` beside this file, the pictures' packages and paths in `pictures.csv`.
Downloads 0.4 GB; needs `dpkg`.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
from pathlib import Path

import cv2

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE.parent / "segmenter"))
from real_photos import MIRROR, fetch, read  # noqa: E402  # another script's functions

SIDE = 1024  # longer side of a picture and its mask, at most
EXAMPLES = {"chelsea", "coffee", "astronaut", "rocket"}  # lie in the project's `examples` with their masks


def copy(row: dict[str, str], unpacked: Path, out: Path) -> None:
    """Write a row's picture and its mask, if it has one, into `out`."""
    if row["name"] in EXAMPLES:
        shutil.copyfile(ROOT / row["path"], out / f"{row['name']}.jpg")
        shutil.copyfile(ROOT / "examples" / f"{row['name']}_mask.png", out / f"{row['name']}_mask.png")
        return
    drawn = row["kind"] in ("drawing", "screenshot")
    name = f"{row['name']}.png" if drawn else f"{row['name']}.jpg"
    cv2.imwrite(str(out / name), read(unpacked, row, SIDE), [] if drawn else [cv2.IMWRITE_JPEG_QUALITY, 95])
    if row["object"] == "yes":
        shutil.copyfile(HERE / "masks" / f"{row['name']}.png", out / f"{row['name']}_mask.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--unpacked", type=Path, help="folder where the packages are unpacked already")
    parser.add_argument("--mirror", default=MIRROR, help=f"of Debian (default: {MIRROR})")
    args = parser.parse_args()
    with (HERE / "pictures.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        unpacked = args.unpacked or Path(folder)
        if not args.unpacked:
            fetch(args.mirror, sorted({row["pool"] for row in rows if row["pool"]}), unpacked)
        for row in rows:
            copy(row, unpacked, args.out)
    shutil.copyfile(HERE / "pictures.csv", args.out / "pictures.csv")
    print(f"{len(rows)} pictures in {args.out}")


if __name__ == "__main__":
    main()
