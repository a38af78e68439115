"""What lies in a folder as people keep it: links are followed, and what tools put there is none of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.shown import printable

_TOOLS = frozenset(
    {"__macosx", "__pycache__", "$recycle.bin", "recycler", "lost+found", "system volume information"}
    | {"@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "thumbs.db"}
)
"""Names, in small letters, that systems, network drives and programs give to what is their own."""

PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz", ".7z", ".rar", ".gz")
"""How the names of archives end."""

_SHOWN = 5  # names in a message, at most

Identity = tuple[int, int]


def is_tools(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or a tool's own: thumbnails, snapshots, waste.

    Among them are `._NAME`, which macOS writes beside NAME on other systems' disks, and Lightroom's previews.
    """
    return name.startswith((".", "~$")) or name.casefold() in _TOOLS or name.casefold().endswith(".lrdata")


def files_below(folder: Path, suffixes: Collection[str], without: Collection[str] = ()) -> list[str]:
    """The files below a folder with one of these suffixes, whatever their case.

    Links to folders are followed, but for those that lead to a folder in which they are, and each folder
    counts once, by its own name if it has one here. What `is_tools` knows is left out. A link to a file is a
    file, and so is a broken one, since who reads it then tells of it.

    Args:
        folder: where to look.
        suffixes: in small letters, with their dot.
        without: names of folders in it that are left out.

    Returns:
        Paths relative to the folder, with ``/`` between their parts, sorted.

    Raises:
        InputError: a folder cannot be read.
    """
    found: list[str] = []
    for place, entries in _walk(folder, without):
        named = (each for each in entries if os.path.splitext(each.name)[1].lower() in suffixes)
        found += [place + each.name for each in named if _is_picture(each)]
    return sorted(found)


def _walk(folder: Path, without: Collection[str]) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Each folder once, as a prefix of names, with what lies in it; those behind links after all others."""
    home = os.path.realpath(folder)
    seen = {identity for name in without if (identity := _identity(os.path.join(home, name)))}
    own, linked = deque([("", home)]), deque[tuple[str, str]]()
    while own or linked:
        place, real = own.popleft() if own else linked.popleft()
        identity = _identity(real)
        if identity is None or identity in seen:
            continue
        seen.add(identity)
        try:
            with os.scandir(real) as listed:
                entries = sorted((each for each in listed if not is_tools(each.name)), key=lambda e: e.name)
        except OSError as error:
            raise InputError(
                f"{printable(folder / place)} cannot be read ({error.strerror}), wanted a folder of pictures"
            ) from None
        for entry in entries:
            if not _is_folder(entry):
                continue
            if not entry.is_symlink():
                own.append((f"{place}{entry.name}/", os.path.join(real, entry.name)))
            elif not _is_around(target := os.path.realpath(entry.path), real, home):
                linked.append((f"{place}{entry.name}/", target))
        yield place, entries


def _is_around(target: str, *places: str) -> bool:
    """Whether one of the places is the target or below it, so that a walk would come back."""
    return any(f"{place}{os.sep}".startswith(target.rstrip(os.sep) + os.sep) for place in places)


def _identity(path: str) -> Identity | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link that leads nowhere."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True


def contents(folder: Path) -> str:
    """What lies in a folder, in a few words, for messages; archives are said to be packed."""
    try:
        names = sorted(each for each in os.listdir(folder) if not is_tools(each))
    except OSError:
        return "nothing that can be read is there"
    if not names:
        return "it is empty"
    packed = [name for name in names if name.lower().endswith(PACKED)]
    shown = [f"{name}/" if (folder / name).is_dir() else name for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    hint = f"; {packed[0]} is still packed: unpack it" if packed else ""
    return printable(f"there are {', '.join(shown)}{more}{hint}")


def places_of(folder: Path, name: str, depth: int = 3, most: int = 1000) -> list[Path]:
    """The folders at most `depth` levels below a folder that hold `name`, the nearest ones alone.

    Links are followed, since no level is below the last one; of many folders only the first `most` are seen.
    """
    level = [folder]
    for _ in range(depth + 1):
        if here := {os.path.realpath(place): place for place in level if (place / name).exists()}:
            return list(here.values())
        level = [inner for place in level for inner in _folders_in(place)][:most]
    return []


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(each.path) for each in entries if not is_tools(each.name) and _is_folder(each))
    except OSError:
        return []
