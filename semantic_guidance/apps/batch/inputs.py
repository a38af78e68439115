"""Which pictures are meant: files, folders, patterns such as ``photos/**/*.jpg``, addresses, lists of them.

Where their paintings go follows from the folder that holds them all: what lies in folders below it goes into
folders of the same names.
"""

from __future__ import annotations

import glob
import importlib
import itertools
import logging
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import contents, files_below
from semantic_guidance.core.inputs import STDIN, no_such_file, standard_input
from semantic_guidance.core.shown import printable
from semantic_guidance.images.film_names import VIDEOS

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
    | {".bmp", ".gif", ".jp2", ".tga", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""Of files that are taken out of folders, in small letters."""

FILMS = frozenset(f".{end}" for end in VIDEOS)
"""Of those in folders that are passed over."""

WEB = frozenset({"file", "http", "https"})
"""Addresses of what people are told to download first, or to name by its path."""

LIST = "@"
"""Goes before the name of a list."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A picture to be painted.

    Attributes:
        path: its file, from the root, or its address.
        relative: the same from the folder that holds all pictures.
    """

    path: str
    relative: PurePosixPath


def many(words: Sequence[str]) -> bool:
    """Whether the words of a command line mean many pictures, be they one: all but the name of a single file.

    What is the name of a file is that file, even if it looks like a pattern or a list.
    """
    if len(words) != 1:
        return True
    word = words[0]
    return os.path.isdir(word) or (not os.path.lexists(word) and (_is_list(word) or _is_other(word)))


Made = Callable[[], Collection[str]]
"""Tells the files that are paintings, and folders of their frames: none of the pictures in a folder."""


def sources(words: Iterable[str], out: str = "", made: Made = frozenset) -> list[Source]:
    """The pictures that are meant, each once, sorted by where they lie.

    Args:
        words: files, folders, patterns, addresses, and names of lists behind an ``@``; ``@-`` is a list
            from standard input. Lists hold a file, a folder or an address a line, or between NULs, as
            ``find -print0`` writes them; relative ones are relative to the current folder.
        out: where paintings go: what lies there is none of the pictures in a folder around it.
        made: asked, maybe several times, if words mean folders or patterns.

    Raises:
        InputError: a folder or a pattern holds no picture, or a list cannot be read.
        FileNotFoundError: words name files that are not there; those of lists are left to who paints them.
    """
    words = list(words)
    _check_there(words)
    found: dict[str, str] = {}  # and the folder by which each was found
    for word in words:
        for path, base in _meant(word, out, made):
            found.setdefault(path, base)
    roots: dict[str, list[str]] = {}
    for base in dict.fromkeys(found.values()):
        roots.setdefault(_root(base), []).append(base)
    common = {root: _common(bases) for root, bases in roots.items()}
    named = (Source(path, _relative(path, common[_root(base)])) for path, base in found.items())
    return sorted(named, key=lambda source: (source.relative.parts, source.path))


def _check_there(words: Sequence[str]) -> None:
    """See that words which are names of files are those of some: others are mistakes in the command itself.

    Raises:
        FileNotFoundError: they are not there.
    """
    named = (word for word in words if word != str(STDIN) and not (_is_list(word) or _is_other(word)))
    missing = [word for word in named if not os.path.lexists(word)]
    if missing:
        others = ", ".join(printable(word) for word in missing[1:4])
        raise no_such_file(Path(missing[0]), f"a picture{others and f'; nor is there {others}'}")


def _is_list(word: str) -> bool:
    return word.startswith(LIST) and len(word) > 1


def _is_other(word: str) -> bool:
    """Whether a word that is no file is a pattern or an address."""
    return glob.has_magic(word) or is_url(word)


def is_url(word: str) -> bool:
    """Whether a word is an address that is read by itself: not of the web, from which a person downloads.

    >>> is_url("s3://bucket/cat.jpg"), is_url("https://example.org/cat.jpg"), is_url("cat.jpg")
    (True, False, False)
    """
    found = _ADDRESS.match(word)
    return found is not None and found[1].lower() not in WEB


def _meant(word: str, out: str, made: Made) -> Iterator[tuple[str, str]]:
    """The pictures that a word of the command line means, and the folder by which each was found."""
    if os.path.lexists(word):
        yield from _entry(word, out, made)
    elif _is_list(word):
        for entry in _entries(word[len(LIST) :]):
            yield from _entry(entry, out, made)
    elif is_url(word):
        yield from _below_url(word, out, made)
    elif glob.has_magic(word):
        yield from _matching(word, out, made)
    else:
        yield from _entry(word, out, made)


def _entry(word: str, out: str, made: Made) -> Iterator[tuple[str, str]]:
    """The pictures that a file or a folder is, or holds; whether a file is there is not looked at."""
    if word == str(STDIN):
        raise InputError("-: standard input is a single picture, wanted it alone, or @- for a list of files")
    if is_url(word):
        picture = _suffix(word) in SUFFIXES and not glob.has_magic(word)
        yield from [(word, os.path.dirname(word))] if picture else _below_url(word, out, made)
        return
    path = os.path.abspath(word)
    if not os.path.isdir(path):
        yield path, os.path.dirname(path)
        return
    without, own = _inside(out, path), made()
    there = (os.path.join(path, name) for name in files_below(Path(path), SUFFIXES | FILMS, without))
    found = [name for name in there if not _is_made(name, own)]
    pictures = [name for name in found if _suffix(name) in SUFFIXES]
    if not pictures:
        kinds = ", ".join(sorted(SUFFIXES)[:6])
        raise InputError(
            f"{word}: this is a directory without pictures, {contents(Path(path))}; wanted such as {kinds}"
        )
    _tell_films(word, "in it", [os.path.relpath(name, path) for name in found if _suffix(name) in FILMS])
    yield from ((name, path) for name in pictures)


def _is_made(path: str, made: Collection[str]) -> bool:
    """Whether a file is a painting, or a frame in a folder of its."""
    return path in made or os.path.dirname(path) in made


def _tell_films(word: str, where: str, films: Sequence[str]) -> None:
    """Say that films beside the pictures that a word means are none of them."""
    if films:
        told = "%s: films %s, such as %s, are passed over (%d), wanted each by its own name"
        logging.getLogger(__name__).warning(told, printable(word), where, printable(films[0]), len(films))


def _inside(out: str, folder: str) -> tuple[str, ...]:
    """The folder for paintings, as it is called in another folder, if it lies there, however deep."""
    if not out or is_url(out):
        return ()
    real, home = os.path.realpath(out), os.path.realpath(folder)
    return (os.path.relpath(real, home),) if real.startswith(home.rstrip(os.sep) + os.sep) else ()


def _matching(pattern: str, out: str, made: Made) -> Iterator[tuple[str, str]]:
    """The files that match a pattern: pictures by their suffix, unless it names one."""
    base, found = os.path.abspath(_fixed(pattern)), list(matches(pattern, out, made))
    named = _named_suffix(pattern)
    pictures = [path for path in found if named or _suffix(path) in SUFFIXES]
    films = [path for path in found if not named and _suffix(path) in FILMS]
    _tell_films(pattern, "that match", [os.path.relpath(path, base) for path in films])
    if not pictures:
        raise InputError(f"{pattern}: no picture matches this, wanted a file, a folder, or a pattern of some")
    yield from ((path, base) for path in pictures)


def matches(pattern: str, out: str = "", made: Made = frozenset) -> Iterator[str]:
    """The files that match a pattern, sorted, but for those that are made or lie where paintings go."""
    base, known = os.path.abspath(_fixed(pattern)), made()
    without = [os.path.join(os.path.realpath(base), name, "") for name in _inside(out, base)]
    for name in sorted(glob.iglob(pattern, recursive=True)):
        path = os.path.abspath(name)
        own = _is_made(path, known) or any(os.path.realpath(path).startswith(folder) for folder in without)
        if not own and not os.path.isdir(path):
            yield path


def _named_suffix(pattern: str) -> bool:
    """Whether a pattern says how names end."""
    suffix = os.path.splitext(pattern)[1]
    return bool(suffix) and not glob.has_magic(suffix)


def _fixed(pattern: str) -> str:
    """The folder in which all that matches a pattern lies.

    >>> _fixed("photos/2024/**/*.jpg"), _fixed("*.png")
    ('photos/2024', '.')
    """
    head, tail = os.path.split(pattern)
    while glob.has_magic(head) and tail:
        head, tail = os.path.split(head)
    return head or "."


def _entries(name: str) -> list[str]:
    """What a list holds, line by line, or between NULs.

    Raises:
        InputError: it holds nothing, or is no list.
        OSError: it cannot be read.
    """
    if name == str(STDIN):
        data = standard_input("a list of pictures").read()
    elif is_url(name):
        data = _places().read_text(name).encode()
    else:
        try:
            data = Path(name).read_bytes()
        except FileNotFoundError:
            raise no_such_file(Path(name), "a list of pictures") from None
        except OSError as error:
            raise InputError(
                f"{name}: cannot be read ({error.strerror}), wanted a list of pictures"
            ) from None
    entries = parse_list(data)
    if not entries:
        raise InputError(f"{LIST}{name}: the list is empty, wanted a picture a line")
    return entries


def parse_list(data: bytes) -> list[str]:
    r"""The entries of a list: lines, or what is between NULs if there are any. Empty ones are left out.

    >>> parse_list(b"a.jpg\r\nb c.png\n\n"), parse_list(b"a\nb.jpg\0c.jpg\0")
    (['a.jpg', 'b c.png'], ['a\nb.jpg', 'c.jpg'])
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    parts = data.split(b"\0") if b"\0" in data else [line.rstrip(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(part) for part in parts if part.strip()]


def _below_url(url: str, out: str, made: Made) -> Iterator[tuple[str, str]]:
    """The pictures at an address: itself, or what lies below it, or matches it."""
    base = _fixed(url) if glob.has_magic(url) else url.rstrip("/")
    there = _places().listed(url)
    if there != [url]:
        own, home = made(), f"{out.rstrip('/')}/"
        inside = home.startswith(f"{base}/") and home != f"{base}/"
        there = [each for each in there if not (_is_made(each, own) or (inside and each.startswith(home)))]
    pictures = [each for each in there if each == url or _suffix(each) in SUFFIXES]
    if not pictures:
        raise InputError(f"{url}: no picture is there, wanted a picture, a folder, or a pattern of some")
    for each in pictures:
        yield each, os.path.dirname(each) if each == url else base


def _places() -> Any:
    return importlib.import_module("semantic_guidance.apps.batch.places")


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _root(base: str) -> str:
    """What folders share that are in one tree: the drive, or the place of an address."""
    if "://" in base:
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    return os.path.splitdrive(base)[0]


def _common(bases: Sequence[str]) -> str:
    """The folder in which all these are, or which they all are.

    >>> _common(["s3://bucket/a/b", "s3://bucket/a/c/d"])
    's3://bucket/a'
    """
    slash = "/" if "://" in bases[0] else os.sep
    levels = zip(*(base.split(slash) for base in (min(bases), max(bases))), strict=False)
    return slash.join(one for one, other in itertools.takewhile(lambda pair: pair[0] == pair[1], levels))


def _relative(path: str, common: str) -> PurePosixPath:
    """A path from a folder above it."""
    return PurePosixPath(path[len(common) :].replace(os.sep, "/").lstrip("/"))
