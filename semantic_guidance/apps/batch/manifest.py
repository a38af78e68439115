"""What has been done of a batch: ``manifest.jsonl``, one record a line, and the journal of what is not there.

Whoever has painted a picture writes its record, whole, as a small file of the journal, as the last thing it
does for it; the driver moves these records into the manifest. So whoever is killed at whatever moment, what
is finished is known, and is not done twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from semantic_guidance.apps.batch.naming import alike
from semantic_guidance.core.files import replacing, sweep
from semantic_guidance.core.locks import only_one

JOURNAL = ".manifest"
"""The folder of the journal, in that of the files."""

BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What became of a picture.

    Attributes:
        key: tells the picture, by its path, and the settings from all others.
        input: the picture's file or address.
        hash: SHA-256 of the file; empty if it could not be read.
        look: its size in bytes and when it was changed, in nanoseconds, as ``1234:1700000000000000000``:
            what is the same needs no other look.
        settings: hash of all options that tell how it is painted.
        name: of the files, from the folder for all, without their formats' ends.
        outputs: the file for each format, from the folder for all.
        error: why there is no painting; empty if there is.
        notes: what a person should be told.
        seconds: that it took.
        strokes: of the painting.
        mse: squared error of the painting, at 128 x 128.
        version: of the program.
        finished: when, in seconds since 1970.
    """

    key: str
    input: str
    hash: str = ""
    look: str = ""
    settings: str = ""
    name: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    strokes: int = 0
    mse: float | None = None
    version: str = ""
    finished: float = 0.0

    def to_json(self) -> str:
        """As a line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> Record | None:
        """From a line; None if it is torn, or somebody else's."""
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            values: dict[str, Any] = json.loads(text)
            known = {item.name for item in fields(Record)}
            if not isinstance(values, dict):
                return None
            values = {name: value for name, value in values.items() if name in known}
            for name in {"settings", "version"} & values.keys():
                values[name] = sys.intern(values[name])  # all have the same
            record = Record(**{**values, "notes": tuple(values.get("notes", ()))})
            texts = [record.key, record.input, record.error, *record.outputs.values()]
            sound = all(isinstance(text, str) for text in texts)
            return record if sound and isinstance(record.finished, int | float) else None
        return None


class Manifest:
    """The records of a folder: those of all its manifests are read, one is written.

    Args:
        out: the folder for the files.
        part: of the batch, as ``2-of-8``, if others do the rest: it has a manifest of its own.
    """

    def __init__(self, out: Path, part: str = "") -> None:
        self.out = out
        self.path = out / (f"manifest.{part}.jsonl" if part else "manifest.jsonl")
        self.journal = out / journal_of(part)
        self._last: dict[str, Record] = {}
        self._owners: dict[str, str] = {}  # of each file, the key of the record that wrote it last
        self._file: Any = None

    def read(self) -> None:
        """Take note of all that is there.

        Raises:
            OSError: it cannot be read.
        """
        records = [record for path in sorted(self.out.glob("manifest*.jsonl")) for record in _lines(path)]
        for record in sorted(records, key=lambda record: record.finished):
            self._note(record)

    def take_up(self) -> list[Record]:
        """Move the records of the journal into the manifest, of one who was killed before it could.

        Returns:
            Those that were not there yet.

        Raises:
            OSError: the manifest cannot be written.
        """
        there = [(path, Record.from_json(path.read_bytes())) for path in self.journal.glob("*.json")]
        found = [record for _, record in there if record and self._last.get(record.key) != record]
        found.sort(key=lambda record: record.finished)
        for record in found:
            self.add(record)
        for path, _ in there:
            path.unlink(missing_ok=True)
        return found

    def add(self, record: Record) -> None:
        """Append a record, for good, and remove it from the journal.

        Raises:
            OSError: the manifest cannot be written.
        """
        if self._file is None:
            self._file = _appending(self.path)
        line = record.to_json().encode() + b"\n"
        try:
            while line:  # unbuffered, so that who is interrupted knows whether it is there
                line = line[self._file.write(line) :]
            self._note(record)
            os.fsync(self._file.fileno())
        except OSError as error:  # of a full disk: it does not name the file, where half a line may be now
            self.close()  # opened again, it is without that
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        (self.journal / f"{record.key}.json").unlink(missing_ok=True)

    @property
    def name(self) -> str:
        """The file, or its address."""
        return str(self.path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who writes it.

        Raises:
            InputError: another process does.
            OSError: the folder cannot be written to.
        """
        try:
            with only_one(self.journal, "another --out, or to wait until it has ended"):
                yield
        finally:
            self.tidy()

    def sweep(self, folders: Iterable[str]) -> None:
        """Remove what workers that were ended have left half written in these folders, and in the journal."""
        for folder in folders:
            sweep(self.out / folder)
        sweep(self.journal)

    def close(self) -> None:
        """Close the manifest."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def tidy(self) -> None:
        """Remove the journal's folder, if it is empty."""
        with contextlib.suppress(OSError):
            self.journal.rmdir()
            (self.out / JOURNAL).rmdir()

    def done(self, key: str) -> Record | None:
        """The record of a painting whose files are all there and its own still; None if there is none."""
        record = self._last.get(key)
        if record is None or record.error or not record.outputs:
            return None
        own = (self._owners.get(alike(file)) == key for file in record.outputs.values())
        return record if all(own) and all(map(self._is_there, record.outputs.values())) else None

    def taken(self) -> dict[str, str]:
        """From which picture each file was made, by `alike` of the file's name."""
        return {file: self._last[key].input for file, key in self._owners.items() if key in self._last}

    def files(self) -> set[str]:
        """All files of paintings, from the root."""
        home = os.path.abspath(self.out)
        return {
            os.path.join(home, *file.split("/"))
            for record in self._last.values()
            for file in record.outputs.values()
        }

    def _is_there(self, file: str) -> bool:
        return os.path.exists(self.out / file)

    def _note(self, record: Record) -> None:
        self._last[record.key] = record
        for file in record.outputs.values():
            self._owners[alike(file)] = record.key


def journal_of(part: str) -> str:
    """The folder of a journal, from that for the files: each part of a batch has its own."""
    return f"{JOURNAL}/{part}" if part else JOURNAL


class Journal:
    """Where workers write down what they have done, one small file for each picture.

    Args:
        folder: of these files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, record: Record) -> None:
        """Write a record, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._folder / f"{record.key}.json") as draft:
            draft.write_text(record.to_json(), encoding="utf-8")

    def record(self, key: str) -> Record | None:
        """The record of that key; None if there is none."""
        try:
            return Record.from_json((self._folder / f"{key}.json").read_bytes())
        except OSError:
            return None


def key_of(path: str, settings: str) -> str:
    """What tells a picture's file and its settings from all others."""
    return hashlib.sha256(f"{path}\0{settings}".encode(errors="surrogateescape")).hexdigest()[:32]


def look_at(path: str) -> str:
    """Size and time of a file; empty if it is not there."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{state.st_size}:{state.st_mtime_ns}"


def hash_of(path: str) -> str:
    """SHA-256 of a file; empty if it cannot be read.

    What is no file, such as a pipe, is not read: it could be read only once.
    """
    known = hashlib.sha256()
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                known.update(block)
    except (OSError, ValueError):
        return ""
    return known.hexdigest()


def _lines(path: Path) -> Iterable[Record]:
    with path.open("rb") as file:
        for line in file:
            record = Record.from_json(line)
            if record is not None:
                yield record


def _appending(path: Path) -> Any:
    """The manifest, open at its end, without a last line that was torn when its writer was killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b", buffering=0)
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        line = file.read(end - start).rfind(b"\n")
        if line >= 0 or start == 0:
            file.truncate(start + line + 1)
            break
        end = start
    return file
