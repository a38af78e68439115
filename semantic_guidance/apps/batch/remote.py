"""The manifest and the journal of a batch whose files go to an address.

Nothing can be appended to an object of a store. So a manifest is several of them: ``manifest.jsonl``,
``manifest.2.jsonl`` and so on, each of `SEGMENT` records at most, of which the last is written anew now and
then. What it does not have yet is in the journal still.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from semantic_guidance.apps.batch.manifest import Journal, Manifest, Record, journal_of
from semantic_guidance.apps.batch.places import exists, joined, listed, read_text, remove_all, write_text

SEGMENT = 1000
"""Records of an object, at most."""

PAUSE = 20.0
"""Seconds between two times that one is written."""


class RemoteJournal(Journal):
    """A `Journal` at an address.

    Args:
        url: of its folder.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Path())
        self._url = url

    def write(self, record: Record) -> None:
        """See `Journal`.

        Raises:
            InputError: it cannot be written.
        """
        write_text(joined(self._url, f"{record.key}.json"), record.to_json())

    def record(self, key: str) -> Record | None:
        """See `Journal`.

        Raises:
            InputError: the place cannot be reached.
        """
        url = joined(self._url, f"{key}.json")
        return Record.from_json(read_text(url)) if exists(url) else None


class RemoteManifest(Manifest):
    """A `Manifest` at an address. Nothing keeps two processes from writing the same one.

    Args:
        url: of the folder for the files.
        part: of the batch, see `Manifest`.
    """

    def __init__(self, url: str, part: str = "") -> None:
        super().__init__(Path(), part)
        self.url = url.rstrip("/")
        self._records = joined(self.url, journal_of(part))
        self._stem = f"manifest.{part}" if part else "manifest"
        self._number, self._lines = 1, list[str]()  # of the last object
        self._noted: list[str] = []  # keys of records that are only in the journal yet
        self._there: set[str] = set()
        self._folders: set[str] = set()  # of frames, which are several files
        self._written = time.monotonic()

    @property
    def name(self) -> str:
        """See `Manifest`."""
        return self._address(1)

    def read(self) -> None:
        """See `Manifest`.

        Raises:
            InputError: it cannot be read.
        """
        own, found = re.compile(rf"{re.escape(self._stem)}(?:\.(\d+))?\.jsonl"), list[Record]()
        self._there = {each[len(self.url) + 1 :] for each in listed(self.url)}
        self._folders = {f"{each.rpartition('/')[0]}/" for each in self._there}
        for file in sorted(self._there):
            if re.fullmatch(r"manifest[^/]*\.jsonl", file) is None:
                continue
            lines = read_text(joined(self.url, file)).splitlines(keepends=True)
            found += filter(None, map(Record.from_json, lines))
            match = own.fullmatch(file)
            if match is not None and int(match[1] or 1) >= self._number:
                self._number, self._lines = int(match[1] or 1), lines
        for record in sorted(found, key=lambda record: record.finished):
            self._note(record)

    def take_up(self) -> list[Record]:
        """See `Manifest`.

        Raises:
            InputError: the manifest cannot be written.
        """
        found = []
        for url in listed(self._records):
            record = Record.from_json(read_text(url)) if url.endswith(".json") else None
            if record is None:
                continue
            if self._last.get(record.key) == record:
                self._noted.append(record.key)  # whoever wrote it was ended before it was removed here
            else:
                self.add(record)
                found.append(record)
        self._write()
        return found

    def add(self, record: Record) -> None:
        """See `Manifest`.

        Raises:
            InputError: the manifest cannot be written.
        """
        if len(self._lines) >= SEGMENT:
            self._number, self._lines = self._number + 1, []
        self._lines.append(f"{record.to_json()}\n")
        self._noted.append(record.key)
        self._there.update(record.outputs.values())
        self._note(record)
        if len(self._lines) >= SEGMENT or time.monotonic() > self._written + PAUSE:
            self._write()

    def close(self) -> None:
        """See `Manifest`.

        Raises:
            InputError: the manifest cannot be written.
        """
        self._write()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See `Manifest`; here nobody sees to it."""
        yield

    def sweep(self, folders: Iterable[str]) -> None:
        """See `Manifest`; here nothing is ever half written."""

    def files(self) -> set[str]:
        """All files of paintings, by their addresses."""
        return {joined(self.url, file) for record in self._last.values() for file in record.outputs.values()}

    def _is_there(self, file: str) -> bool:
        return file in self._there or f"{file}/" in self._folders

    def _write(self) -> None:
        """Write what has come since the last time, and then remove it from the journal."""
        if self._noted:
            if self._lines:
                write_text(self._address(self._number), "".join(self._lines))
            remove_all([joined(self._records, f"{key}.json") for key in self._noted])
            self._noted = []
        self._written = time.monotonic()

    def _address(self, number: int) -> str:
        return joined(self.url, f"{self._stem}.jsonl" if number == 1 else f"{self._stem}.{number}.jsonl")
