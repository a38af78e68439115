"""Machine code that is kept for the next start. Whatever is wrong with the cache, the code is made again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from semantic_guidance.core.files import replacing

HASH = 32  # bytes before the machine code in its file, of which they are the SHA-256


def cache_folder() -> Path | None:
    """Where this person's programs keep what they can make again; None if that is not known."""
    if os.environ.get("HOME") == "":  # else `~` is the root of all
        return None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else "~/.cache"  # as its specification says
    folder = Path(os.path.expanduser(base)) / "semantic-guidance"
    return folder if folder.is_absolute() else None  # never beside whatever a person works on


@dataclass
class Kept:
    """A place for machine code.

    Attributes:
        path: of its file; None where nothing can be kept.
        hint: what is wrong, in a line for a person.
    """

    path: Path | None
    hint: str | None = None

    def read(self) -> bytes | None:
        """The code, if it is there, whole, and nobody else could have put it there."""
        if self.path is None:
            return None
        try:
            if hasattr(os, "getuid") and not _is_ours(self.path.parent.stat()):
                return None
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # it may be a pipe
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if hasattr(os, "getuid") and not _is_ours(about):
                    return None
                data = file.read() if stat.S_ISREG(about.st_mode) else b""
        except OSError:
            return None
        if hashlib.sha256(data[HASH:]).digest() != data[:HASH]:
            self.hint = f"{self.path}: the compiled kernels are damaged, they are put aside and made again"
            with contextlib.suppress(OSError):  # in a folder that takes nothing, they stay
                os.replace(self.path, self.path.with_suffix(".damaged"))
            return None
        return data[HASH:]

    def keep(self, code: bytes) -> None:
        """Keep the code, if that is possible."""
        reason: object = "nobody's home is known"
        if self.path is not None:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._clear()
                with replacing(self.path) as draft:
                    draft.chmod(0o600)
                    draft.write_bytes(hashlib.sha256(code).digest() + code)
            except (OSError, ValueError) as error:
                text = getattr(error, "strerror", None) or str(error).partition(", wanted")[0]
                reason = text if str(self.path) in text else f"{self.path.parent}: {text}"
            else:
                return
        where = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
        self.hint = (
            f"the compiled kernels cannot be kept ({reason}): each start takes a second longer, wanted a "
            f"folder to write to, as {where} may name"
        )

    def _clear(self) -> None:
        """Put aside what is in the file's place and is none: a folder may hold something."""
        if self.path is None or (self.path.is_file() and not self.path.is_symlink()):
            return
        if self.path.is_dir() and not self.path.is_symlink():
            os.replace(self.path, self.path.with_suffix(".damaged"))
        else:
            self.path.unlink(missing_ok=True)


def _is_ours(about: os.stat_result) -> bool:
    """Whether a file or folder belongs to this person, and nobody else can write to it."""
    return about.st_uid == os.getuid() and not about.st_mode & 0o022
