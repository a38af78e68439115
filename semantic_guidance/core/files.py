"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new empty file beside `path` that replaces it if the block succeeds, and is removed otherwise.

    Until then `path` is untouched. A symbolic link keeps pointing to its file, which is replaced.

    Raises:
        OSError: no file can be created there, or `path` is a directory.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(f"{path}: this is a directory, wanted a file name")
    draft = path.with_name(f".{secrets.token_hex(6)}.part{path.suffix}")
    # Not `tempfile`, whose files nobody else may read: these get the usual permissions.
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise OSError(f"{path}: cannot be written ({error.strerror}), wanted a writable folder") from None
    try:
        yield draft
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
