"""What is kept of a film that is being painted, so that it can go on after any end.

Beside the film's files stands a folder, ``.NAME.parts``: the track's first line, one file for each second
that is painted, and what the painter remembers after the last of them. Each is written whole or not at all,
and the painter's memory last, so that at any moment they fit together. The folder goes when the film is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from semantic_guidance.core.files import file_digest, replacing
from semantic_guidance.core.locks import only_one

HEAD, MEMORY, KEY = "head", "memory.npz", "key"
PLAIN = "plain"
"""Name under which the painter's memory has all that is no array, as JSON."""


@dataclass
class Parts:
    """The folder of a film that is being painted.

    Attributes:
        folder: where it is.
        head: the track's first line; empty before the first second is painted.
        count: of seconds that are painted.
    """

    folder: Path
    head: str = ""
    count: int = 0

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, key: str) -> Iterator[Self]:
        """The folder, made if it is missing, for this process alone.

        Args:
            folder: where it is.
            key: of the film and of how it is painted: what was painted under another one is thrown away.

        Raises:
            InputError: another process paints this film.
            OSError: it cannot be written to.
        """
        wanted = "to wait for it, or another --out"
        with only_one(folder, wanted):
            parts = cls(folder)
            if not parts._taken_up(key):
                parts.clear()
                _write(folder / KEY, key)
            yield parts

    def _taken_up(self, key: str) -> bool:
        """Whether there is something to go on from."""
        try:
            if (self.folder / KEY).read_text() != key:
                return False
            if not (self.folder / MEMORY).exists():
                return True
            count = int(self.memory()["parts"])
            head = (self.folder / HEAD).read_text()
            if any(not self._path(number).is_file() for number in range(count)):
                return False
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            return False
        self.head, self.count = head, count
        return True

    def texts(self) -> Iterator[str]:
        """The parts of the track that are painted."""
        for number in range(self.count):
            yield self._path(number).read_text(errors="replace")  # whoever reads it tells what is wrong

    def memory(self) -> dict[str, Any]:
        """What the painter remembered after the last of them."""
        with np.load(self.folder / MEMORY, allow_pickle=False) as held:
            plain: dict[str, Any] = json.loads(held[PLAIN].tobytes().decode())
            return plain | {name: held[name] for name in held.files if name != PLAIN}

    def begin(self, head: str) -> None:
        """Keep the track's first line."""
        self.head = head
        _write(self.folder / HEAD, head)

    def add(self, text: str, memory: Mapping[str, Any]) -> None:
        """Keep another second, and what the painter remembers after it.

        Raises:
            OSError: they cannot be written.
        """
        _write(self._path(self.count), text)
        arrays = {name: value for name, value in memory.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in memory.items() if name not in arrays}
        packed = json.dumps({**plain, "parts": self.count + 1}, allow_nan=False).encode()
        arrays[PLAIN] = np.frombuffer(packed, np.uint8)
        with replacing(self.folder / MEMORY) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        self.count += 1

    def clear(self) -> None:
        """Throw everything away that was kept."""
        self.head, self.count = "", 0
        (self.folder / KEY).unlink(missing_ok=True)  # first: without it, nothing else counts
        for path in (self.folder / HEAD, self.folder / MEMORY, *self.folder.glob("part-*")):
            path.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:07d}.json"


def _write(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_text(text)


def remove(folder: Path) -> None:
    """Remove the folder of a film that is done, whatever is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def key_of(settings: Mapping[str, Any], files: Mapping[str, Path], frames: tuple[Path, ...]) -> str:
    """What tells one film, painted in one way, from all others.

    Args:
        settings: JSON values: all by which what is painted may differ.
        files: those that the settings name.
        frames: the film's own.

    Raises:
        OSError: one cannot be read.
    """
    told = {
        "settings": settings,
        "files": {name: file_digest(path) for name, path in sorted(files.items())},
        "film": [file_digest(path) for path in frames],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
