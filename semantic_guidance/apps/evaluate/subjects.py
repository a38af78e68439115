"""The pictures of a folder and their masks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import PACKED, contents, is_tools

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif")
MASK = "_mask"


@dataclass(frozen=True)
class Subject:
    """A picture to paint.

    Attributes:
        name: for people; unique in its folder.
        slug: for folders and addresses: letters, digits, dots, dashes and underscores; unique, too.
        image: the file.
        mask: the file of its object's mask; None if there is none.
        problem: why the picture is skipped, if that is known before it is read.
    """

    name: str
    slug: str
    image: Path
    mask: Path | None
    problem: str | None = None


def find_subjects(folder: Path, masks: Path | None = None, limit: int | None = None) -> list[Subject]:
    """The pictures of a folder, by name.

    A file NAME_mask.* beside a picture NAME.* is a mask, not a picture.

    Args:
        folder: of the pictures.
        masks: folder of their masks, NAME.png or NAME_mask.png (or of another format); some may lack one.
        limit: take at most this many, the first by name.

    Raises:
        InputError: a path is not a folder, there are no pictures, or no picture has a mask among the masks.
        OSError: a folder cannot be read.
    """
    files = _pictures(folder)
    stems = Counter(path.stem.casefold() for path in files)
    files = [
        path
        for path in files
        if not (path.stem.endswith(MASK) and path.stem.removesuffix(MASK).casefold() in stems)
    ]
    if not files:
        wanted = f"wanted some files like {', '.join(SUFFIXES[:4])}"
        raise InputError(f"{folder}: no pictures, {wanted}; {contents(folder)}")
    alone = Counter(path.stem.casefold() for path in files)
    names = [shown(path.stem if alone[path.stem.casefold()] == 1 else path.name) for path in files]
    slugs = make_slugs(names)
    found = _find_masks(masks, files) if masks is not None else {}
    subjects = [
        Subject(name, slugs[name], path, found.get(path)) for name, path in zip(names, files, strict=True)
    ]
    return subjects[:limit]


def _pictures(folder: Path, flag: str = "") -> list[Path]:
    if not folder.is_dir():
        is_what = "not a folder" if folder.exists() else "no such folder"
        packed = folder.is_file() and folder.name.lower().endswith(PACKED)
        hint = "; it is packed: unpack it" if packed else ""
        raise InputError(f"{flag}{folder}: {is_what}, wanted a folder of pictures{hint}")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not is_tools(path.name) and not path.is_dir()
    )


def _find_masks(folder: Path, pictures: list[Path]) -> dict[Path, Path]:
    """The mask of each picture that has one."""
    files = _pictures(folder, "--masks: ")
    by_stem = {path.stem: path for path in reversed(files)}
    found = {}
    for picture in pictures:
        for stem in (f"{picture.stem}{MASK}", picture.stem):
            mask = by_stem.get(stem)
            if mask is not None and mask.resolve() != picture.resolve():
                found[picture] = mask
                break
    if not found:
        raise InputError(
            f"--masks: {folder} has no mask of any picture, wanted files like {pictures[0].stem}.png or "
            f"{pictures[0].stem}{MASK}.png"
        )
    return found


def shown(name: str) -> str:
    """A file's name as text that can be written, whatever bytes it is made of."""
    return name.encode("utf-8", "backslashreplace").decode()


def make_slugs(names: Iterable[str]) -> dict[str, str]:
    """For each name a distinct one that is safe in paths and addresses, even where case does not count."""
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".")[:80] or "_"
        slug, count = plain, 1
        while slug.casefold() in taken:
            count += 1
            slug = f"{plain}_{count}"
        taken.add(slug.casefold())
        slugs[name] = slug
    return slugs
