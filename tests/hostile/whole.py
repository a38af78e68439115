"""Whether a file is whole: another program than the one that wrote it reads it to its end."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import torch
from PIL import Image
from safetensors import safe_open


def _picture(path: Path) -> None:
    with Image.open(path) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()


def _film(path: Path) -> None:
    with av.open(str(path)) as film:
        frames = sum(1 for _ in film.decode(video=0))
        wanted = film.streams.video[0].frames
    if frames == 0 or wanted not in (0, frames):
        raise ValueError(f"{frames} frames of {wanted}")


def _tensors(path: Path) -> None:
    with safe_open(str(path), framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 (no mapping)
            file.get_tensor(name)


def _page(path: Path) -> None:
    if not path.read_text().rstrip().endswith("</html>"):
        raise ValueError("no </html>")


def _table(path: Path) -> None:
    text = path.read_text()
    if len({len(row) for row in csv.reader(text.splitlines())}) != 1 or not text.endswith("\n"):
        raise ValueError("a row is not whole")


def _lines(path: Path) -> None:
    for line in path.read_text().splitlines():
        json.loads(line)


def _boxes(path: Path) -> None:
    if not re.fullmatch(r"( x y w h|\d+ .*\w)\n(\d+ .*\w\n)*", path.read_text()):
        raise ValueError("a line is not whole")


def _arrays(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            arrays[name]


def _checkpoint(path: Path) -> None:
    torch.load(path, weights_only=True)


READERS: dict[str, Callable[[Path], object]] = {
    **dict.fromkeys((".png", ".jpg", ".webp", ".gif", ".apng"), _picture),
    **dict.fromkeys((".mp4", ".webm"), _film),
    **dict.fromkeys((".pt", ".pkl"), _checkpoint),
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": _lines,
    ".svg": ElementTree.parse,
    ".html": _page,
    ".csv": _table,
    ".safetensors": _tensors,
    ".npz": _arrays,
    ".toml": lambda path: tomllib.loads(path.read_text()),
    ".txt": _boxes,
}


def is_draft(path: Path) -> bool:
    """Whether a file's name, or its folder's, says that it is not finished."""
    return any(".part" in part for part in path.parts)


def half_files(folder: Path) -> list[str]:
    """Files below the folder under final names that are not whole, each with the reason."""
    found = []
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
        reader = READERS.get(path.suffix)
        if path.is_file() and reader is not None and not is_draft(path.relative_to(folder)):
            try:
                reader(path)
            except Exception as error:  # readers raise nearly anything on broken files
                found.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
    return found
