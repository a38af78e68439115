"""Where the files of a job go and what they are called, and whether others are there already."""

from __future__ import annotations

import contextlib
import logging
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semantic_guidance.apps.options import OutputOptions
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.inputs import STDIN
from semantic_guidance.core.options import OptionError
from semantic_guidance.core.plugins import EXPORTERS
from semantic_guidance.core.shown import printable
from semantic_guidance.export.image import source_of, write
from semantic_guidance.export.numbered import FIRST, is_numbered
from semantic_guidance.export.numbered import FOLDER as NUMBERED
from semantic_guidance.export.options import SETS

Options = TypeVar("Options", bound=OutputOptions)

UNNAMED = "painting"
"""What is made of standard input."""

PIPE = "standard input"

FOREIGN = frozenset(SETS) | frozenset(
    re.findall(
        r"\w+",
        "ai avi avif bmp cdr dxf emf eps exr gcode heic heif hpgl htm ico j2k jfif jp2 jxl kra m4v"
        " mpeg mpg ogv ora pdf plt ppm ps psd tga tif tiff txt wmf wmv xcf",
    )
)
"""Ends of files' names that nobody means by the name of a folder."""


def settled(options: Options, usual: tuple[str, ...] = OutputOptions.formats) -> Options:
    """The options with a folder, and perhaps a name, in place of a file that ``out`` or ``output`` names.

    The file's format is the only one, unless others are given.

    Args:
        options: as given.
        usual: the very tuple of formats that is there if none are given.

    Raises:
        OptionError: they contradict each other, or the file's format cannot be written.
    """
    word, name = options.out.name, options.output
    if options.out == STDIN:
        raise OptionError("out", "files do not go to standard output, wanted a folder, or a file's name")
    if not options.out.is_dir() or is_numbered(word):
        if _format(word) is not None:
            if name is not None:
                raise OptionError("output", f"--out {options.out} names the file, wanted only one of the two")
            options, name = replace(options, out=options.out.parent, output=word), word
        elif options.out.suffix.lower().removeprefix(".") in FOREIGN:
            fitting = ", ".join(EXPORTERS.names())
            raise OptionError("out", f"{options.out} is of no format that can be written, wanted {fitting}")
    asked = _format(name or "")
    if asked is None or (options.formats is not usual and asked in options.formats):
        return options
    if options.formats is usual:
        return replace(options, formats=(asked,))
    raise OptionError("formats", f"{','.join(options.formats)} is without {asked}, as which {name} is named")


def job_files(options: OutputOptions, source: Path, word: str = "", mark: str = "") -> dict[str, Path]:
    """The file for each format.

    Args:
        options: as `settled` returns them.
        source: what they are made of.
        word: what is added to its name, if none is given.
        mark: goes before the ends of the names.
    """
    stem = _stem(options, source, word)
    joints = {format: "_" if format == NUMBERED else "." for format in options.formats}
    files = {format: options.out / f"{stem}{mark}{joint}{format}" for format, joint in joints.items()}
    name = options.output
    if name is not None and not mark and (asked := _format(name)) is not None:
        files[asked] = options.out / name  # as it is spelled
    return files


def sibling(options: OutputOptions, source: Path, word: str) -> Path:
    """A picture beside these files that tells of them."""
    return options.out / f"{_stem(options, source)}_{word}.png"


def _stem(options: OutputOptions, source: Path, word: str = "") -> str:
    """The files' names without their ends."""
    name = options.output
    if name is None:
        return UNNAMED if source == STDIN else f"{source.stem}{word}"
    asked = _format(name)
    return name if asked is None else name[: -len(asked) - 1]


def source_note(source: Path, pixels: NDArray[np.float32]) -> str:
    """What pictures tell of the photograph that they are made of: its name and a checksum.

    Args:
        source: the file, or a pipe.
        pixels: of the photograph, whose checksum tells where there is no file.
    """
    if not source.is_file():
        return f"{PIPE} {zlib.crc32(np.ascontiguousarray(pixels).data):08x}"
    checksum = 0
    with source.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    name = printable(source.name).encode("ascii", "backslashreplace").decode()  # EXIF has no other letters
    return f"{name} {checksum:08x}"


def check_replaced(files: Iterable[Mapping[str, Path]], note: str, options: OutputOptions) -> None:
    """See that no file is replaced that was made of another source; tell of those that may have been.

    Pictures say of what they were made; those of another file of the same name are replaced, since that one
    may have been changed. Where the person chose the name, a picture that does not say it may be anything.

    Args:
        files: to be written, by format, or as ``guidance``.
        note: `source_note` of what they are to be made of.
        options: whether they are named by the person, and whether any file may be replaced.

    Raises:
        InputError: such a picture is among them.
    """
    there = {path: name for each in files for name, path in each.items() if _is_there(path, name)}
    if options.overwrite or not there:
        return
    known = {
        path: source_of(path / FIRST if name == NUMBERED else path)
        for path, name in there.items()
        if _tells(name)
    }
    name = _name(note)
    for path, found in known.items():
        if found and _name(found) != name and found != note:
            reason = f"was made of {printable(_name(found))}, not of {name}"
        elif not found and options.output is not None:
            reason = "is there already, and is no painting that is known"
        else:
            continue
        raise InputError(f"{path}: {reason}, wanted another --output or --out, or --overwrite")
    if note not in known.values():
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        logging.getLogger(__name__).warning(
            "%s%s may be of another source, and will be replaced", next(iter(there)), more
        )


def _is_there(path: Path, format: str) -> bool:
    """Whether there is such a file, or such a folder that is not empty."""
    return path.is_dir() and any(path.iterdir()) if format == NUMBERED else path.is_file()


def _tells(format: str) -> bool:
    """Whether files of a format say of what they were made."""
    return format in ("guidance", NUMBERED) or EXPORTERS.get(format).function is write


def _name(note: str) -> str:
    return note.rpartition(" ")[0]


def _format(name: str) -> str | None:
    """The format that the end of a name asks for."""
    with contextlib.suppress(InputError):
        return EXPORTERS.of(name)
    return None
