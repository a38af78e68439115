"""Rebuilds the training pack of cut-outs and backgrounds from the Debian packages that its manifest names.

    python -m semantic_guidance.learning.data.cutouts.rebuild_pack OUT_FOLDER

needs `apt-get` and `dpkg` (any Debian or Ubuntu, no root) and downloads about 355 MB. The pictures' licences
stand in the manifest's column `licence`. Packages already unpacked are taken with `--unpacked FOLDER`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.names import inside
from semantic_guidance.core.shown import printable
from semantic_guidance.images.files import load_pixels
from semantic_guidance.learning.data.cutouts.pack import CUTOUT_SIDE
from semantic_guidance.learning.data.lists import read_csv

MANIFEST = Path(__file__).with_name("pack_manifest.csv")
_STAMPS = "usr/share/tuxpaint/stamps"
_PHOTO_SIDE = 512
_FAINT = 16  # alpha up to this is no part of the object


def fetch(packages: Sequence[str], folder: Path) -> None:
    """Download Debian packages and unpack their files below `folder`, without installing anything.

    Raises:
        ValueError: apt-get or dpkg is missing or fails.
    """
    if odd := [name for name in packages if not re.fullmatch("[a-z0-9][a-z0-9+.-]+", name)]:
        raise InputError(f"{printable(odd[0])!r} is no package of Debian")
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise ValueError(f"{tool} is missing, wanted a Debian or Ubuntu system (or --unpacked)")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", *packages], cwd=folder, check=True)
        for archive in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)
    except subprocess.CalledProcessError as error:
        raise ValueError(
            f"{error.cmd[0]} failed with status {error.returncode}, wanted {packages}"
        ) from error


def convert(source: Path, target: Path, kind: str) -> None:
    """One picture as the pack wants it.

    Cut-outs become WebP with alpha, cropped to the object, longest side at most 256; photographs become JPEG,
    shortest side at most 512.

    Raises:
        ValueError: `source` is missing or no picture.
    """
    picture = Image.fromarray(load_pixels(source, "RGBA" if kind == "cutout" else "RGB"))
    if kind == "cutout":
        solid = picture.getchannel("A").point(lambda alpha: 255 if alpha > _FAINT else 0)
        picture = picture.crop(solid.getbbox())
    limit = CUTOUT_SIDE / max(picture.size) if kind == "cutout" else _PHOTO_SIDE / min(picture.size)
    if limit < 1:
        size = (max(1, round(picture.width * limit)), max(1, round(picture.height * limit)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "cutout":
        picture.save(target, quality=90, method=6)
    else:
        picture.save(target, quality=90)


def find_source(unpacked: Path, row: dict[str, str]) -> Path:
    """Where a manifest row's picture lies among unpacked packages; paths of stamps begin at their folder."""
    direct = inside(unpacked, row["source_path"], MANIFEST)
    return direct if direct.exists() else inside(unpacked / _STAMPS, row["source_path"], MANIFEST)


def rebuild(out: Path, unpacked: Path, manifest: Path = MANIFEST) -> int:
    """Write the pack and its manifest to `out`; returns the number of pictures.

    Raises:
        ValueError: the manifest or a picture that it names is missing or malformed.
    """
    rows = _rows(manifest)
    listed = out / "manifest.csv"
    targets = [inside(out, row["name"], manifest) for row in rows]
    if not listed.is_file() and (there := [path for path in targets if path.exists()]):
        raise InputError(f"{there[0]} is there, but {listed} is not, wanted a new folder or that of a pack")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(manifest, listed)
    for row, target in zip(tqdm(rows, unit="picture", file=sys.stderr), targets, strict=True):
        convert(find_source(unpacked, row), target, row["kind"])
    return len(rows)


def _rows(manifest: Path) -> list[dict[str, str]]:
    columns = ("name", "kind", "source_package", "source_path")
    return read_csv(manifest, columns, "a pack's manifest", files=("name", "source_path"))


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="rebuild the training pack from Debian packages")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    parser.add_argument("--unpacked", type=Path, help="folder where the packages are unpacked already")
    args = parser.parse_args(argv)
    try:
        if args.unpacked:
            count = rebuild(args.out, args.unpacked, args.manifest)
        else:
            with tempfile.TemporaryDirectory() as folder:
                packages = sorted({row["source_package"] for row in _rows(args.manifest)})
                fetch(packages, Path(folder))
                count = rebuild(args.out, Path(folder), args.manifest)
    except (ValueError, OSError) as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return 2
    print(f"{count} pictures in {printable(args.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
