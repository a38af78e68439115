"""Project files: a zip of the photograph, what is known of it, the settings, and the strokes.

Written by the server, which copies files alone; read by a worker, for nothing in them is trusted.
"""

from __future__ import annotations

import errno
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semantic_guidance.apps.serve.records import VALUES, Limits, Refused, values_in
from semantic_guidance.core.files import replacing

FORMAT, VERSION = "semantic-guidance/project", 1

PICTURES = ("photo", "palette_from", "background", "start_canvas")
"""Pictures by what they are for, each with the end of its own name."""

DOCUMENTS = {
    "project.json": 64 << 10,
    "job.json": 64 << 10,
    "guidance.json": 64 << 20,
    "strokes.json": 128 << 20,
}
"""The other members, and how many bytes each may have."""

MEMBER = re.compile(rf"({'|'.join(PICTURES)})(\.[a-z0-9]{{1,5}})?")

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
"""What reading a broken zip ends in; among those of the system, that there is no such place in the file."""

BLOCK = 1 << 20

BROKEN = "This is no project file, or it is broken: wanted one that was saved here."


def write_project(
    path: Path, name: str, frame: int | None, job: Mapping[str, Any], files: Mapping[str, Path]
) -> None:
    """Write a project.

    Args:
        path: of the zip.
        name: of the photograph.
        frame: which of several pictures in its file.
        job: the settings.
        files: ``photo`` and other pictures, ``guidance.json``, ``strokes.json``.
    """
    about = {"format": FORMAT, "version": VERSION, "name": name, "frame": frame}
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", json.dumps(about))
        archive.writestr("job.json", json.dumps(dict(job)))
        for member, source in files.items():
            if member in PICTURES:
                archive.write(source, f"{member}{source.suffix}", zipfile.ZIP_STORED)
            else:
                archive.write(source, member)


def extract(path: Path, folder: Path, limits: Limits) -> dict[str, str]:
    """Unpack a project into an empty folder.

    Args:
        path: of what should be a project.
        folder: for its files.
        limits: of their sizes.

    Returns:
        The names of the files by what they are: ``photo``, ``job.json`` and so on.

    Raises:
        Refused: it is no project.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            found = {}
            for kind, member in members.items():
                most = DOCUMENTS.get(kind, limits.upload_bytes)
                _unpack(archive, member, folder / member.filename, most)
                found[kind] = member.filename
    except DAMAGED as error:
        if isinstance(error, Refused) or (isinstance(error, OSError) and error.errno != errno.EINVAL):
            raise
        raise Refused(BROKEN, 415) from None
    about = read_json(folder / "project.json")
    version = about.get("version")
    if about.get("format") != FORMAT or isinstance(version, bool) or version != VERSION:
        raise Refused("This project is of another kind, or of a newer version than this program's.", 415)
    return found


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by what they are.

    Raises:
        Refused: something is missing, or there is something else.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > len(PICTURES) + len(DOCUMENTS):
        raise Refused(BROKEN, 415)
    for info in infos:
        match = MEMBER.fullmatch(info.filename)
        kind = info.filename if info.filename in DOCUMENTS else match[1] if match else None
        usable = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 1
        if kind is None or kind in found or not usable or "\0" in info.orig_filename:
            raise Refused(BROKEN, 415)
        found[kind] = info
    if not {"project.json", "job.json", "photo"} <= found.keys():
        raise Refused(BROKEN, 415)
    return found


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, most: int) -> None:
    """Write a member to a file; what its head says of its size is not trusted.

    Raises:
        Refused: it is too large.
    """
    left = most
    too_large = Refused(f"{path.name} in the project is larger than {most >> 20 or 1} MB.", 413)
    if info.file_size > most:
        raise too_large
    with archive.open(info) as source, path.open("xb") as target:
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise too_large
            target.write(block)


def read_json(path: Path) -> dict[str, Any]:
    """An object of a project's.

    Raises:
        Refused: it is none, or has too many values.
    """
    text = path.read_bytes()
    if values_in(text) > VALUES:
        raise Refused(f"{path.name} in the project has more than {VALUES} values.", 413)
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Refused(BROKEN, 415) from None
    if not isinstance(found, dict):
        raise Refused(BROKEN, 415)
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")
