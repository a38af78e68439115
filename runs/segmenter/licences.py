"""Lists the licences of the packages that the segmenter's photographs come from.

    python runs/segmenter/licences.py

writes `photo_licences.csv` beside this file: a package, its version, how many photographs are from it, and
the licences that its copyright file names, the most frequent first. Downloads 1.0 GB; needs `dpkg`.
"""

from __future__ import annotations

import collections
import csv
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from tqdm import tqdm

from semantic_guidance.core.shown import table_cell

HERE = Path(__file__).parent
MIRROR = "http://deb.debian.org/debian"  # later: http://snapshot.debian.org/archive/debian/20261101T000000Z
COPYRIGHT = "./usr/share/doc/*/copyright"


def main() -> None:
    mirror = sys.argv[1] if len(sys.argv) > 1 else MIRROR
    with (HERE / "real_photos.csv").open(newline="", encoding="utf-8") as file:
        packages = collections.Counter(
            (row["package"], row["version"], row["pool"]) for row in csv.DictReader(file)
        )
    with (HERE / "photo_licences.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["package", "version", "photographs", "licences"])
        for (package, version, pool), count in tqdm(sorted(packages.items()), desc="packages"):
            found = "; ".join(licences(f"{mirror}/{pool}"))
            writer.writerow([package, version, count, table_cell(found)])


def licences(address: str) -> list[str]:
    """The licences that a Debian package's copyright file names; none if it is not machine-readable."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "package.deb"
        urllib.request.urlretrieve(address, archive)
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True).stdout
        command = ["tar", "--extract", "--to-stdout", "--wildcards", COPYRIGHT]
        text = subprocess.run(command, input=tar, capture_output=True).stdout.decode("utf-8", "replace")
    names = re.findall(r"^License:[ \t]*(\S.*?)[ \t,.:]*$", text, re.MULTILINE)
    return [name for name, _ in collections.Counter(names).most_common()]


if __name__ == "__main__":
    main()
