"""Files that others made, before their content is looked at: what kind they are, and how large they get."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

MOST_ENTRIES = 100_000
"""Of an archive."""

_END, _LOCATOR, _LARGE_END = 22, 20, 56
"""Bytes of a ZIP archive's last records: its end, where the larger end is, and that (APPNOTE 4.3.14-16)."""


def regular_size(path: str | Path, most: int | None = None) -> int:
    """The size in bytes of an ordinary file that is not empty.

    Args:
        path: of the file, or of a link to it.
        most: greatest size in bytes.

    Raises:
        OSError: there is none.
        ValueError: it is a folder, a pipe or a device, empty, or larger.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not an ordinary file")
    if status.st_size == 0:
        raise ValueError("it is empty")
    if most is not None and status.st_size > most:
        raise ValueError(f"it has {status.st_size} bytes, wanted at most {most}")
    return status.st_size


def check_stored(path: str | Path) -> list[str]:
    """See that a ZIP archive takes no more room when it is read than it does on the disk.

    PyTorch and NumPy store what they write; compressed zeros would take a thousand times their room. The
    directory has to be at the archive's end, where all readers look for it.

    Args:
        path: of an ordinary file.

    Returns:
        The names of its entries.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such archive.
    """
    size = os.stat(path).st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if archive.start_dir != _directory(path, size):
                raise ValueError("the archive's directory is not where it is said to be")
    except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise ValueError(f"the archive is damaged: {error}") from None
    if len(entries) > MOST_ENTRIES:
        raise ValueError(f"the archive has {len(entries)} entries, wanted at most {MOST_ENTRIES}")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise ValueError("the archive is compressed, wanted one whose entries are stored")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("the archive's entries are larger than the file")
    names = [entry.filename for entry in entries]
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("the archive has two entries of one name")
    return names


def _directory(path: str | Path, size: int) -> int:
    """Where an archive's last bytes say that its directory is; -1 if they are not its end."""
    with open(path, "rb") as file:
        file.seek(max(0, size - _END - _LOCATOR - _LARGE_END))
        tail = file.read()
    if tail[-_END:][:4] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
        return -1
    locator = tail[-_END - _LOCATOR : -_END]
    if locator[:4] != b"PK\x06\x07":
        return int(struct.unpack("<L", tail[-6:-2])[0])
    large = tail[: -_END - _LOCATOR]
    if struct.unpack("<Q", locator[8:16])[0] != size - len(tail) or large[:4] != b"PK\x06\x06":
        return -1
    return int(struct.unpack("<Q", large[48:56])[0])
