"""MATLAB 7.3's files, which are HDF5, read by h5py in a process of its own: the library trusts its files.

The process has seconds and memory enough for any list of pictures and is asked for one variable::

    python -m semantic_guidance.learning.data.matlab_hdf5 FILE VARIABLE
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semantic_guidance.core.apart import apart
from semantic_guidance.core.errors import InputError

HDF5 = b"\x89HDF\r\n\x1a\n"
"""How such data begin; MATLAB writes 512 bytes of its own before."""

SECONDS, BYTES = 60, 2 * 2**30
"""What the process may take."""

MOST_VALUES, MOST_NUMBERS = 200_000, 10_000_000
"""Of a variable, those in its cells and structs counted, and all their numbers."""

DEEPEST = 8


def read_hdf5(path: Path, name: str) -> Any:
    """One variable, in the form of `matlab.read_mat`.

    Raises:
        InputError: h5py is not installed, or the file is malformed or lacks the variable.
    """
    if importlib.util.find_spec("h5py") is None:
        wanted = "wanted: pip install 'semantic-guidance[datasets]', or the file saved by save(..., '-v7')"
        raise InputError(f"{path} is of MATLAB 7.3, which needs h5py, {wanted}")
    command = [sys.executable, "-m", __name__, str(path.resolve()), name]
    try:
        with apart():
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, env=_paths(), check=False)
        found = json.loads(done.stdout) if done.returncode == 0 else None
        reason = done.stderr.decode(errors="replace").strip()[-80:] or f"h5py ended with {done.returncode}"
    except subprocess.TimeoutExpired:
        found, reason = None, f"it takes more than {SECONDS} s"
    except ValueError:
        found, reason = None, "h5py cannot read it"
    if found is None:
        raise InputError(f"{path} cannot be read, wanted a .mat file with {name} ({reason})")
    return _unpacked(found["value"])


def _paths() -> dict[str, str]:
    """The environment, in which the process finds the packages that this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def main(argv: Sequence[str]) -> int:
    """The process: prints the variable as JSON, or on standard error why there is none."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # there are no such limits everywhere
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        import h5py

        with h5py.File(argv[0], "r") as file:
            if argv[1] not in file:
                raise ValueError("there is no such variable")
            print(json.dumps({"value": _Packer(file).packed(file[argv[1]], DEEPEST)}))
    except (ImportError, OSError, ValueError) as error:
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    except Exception:  # h5py raises what it likes
        print("its values are not laid out as MATLAB does", file=sys.stderr)
        return 1
    return 0


class _Packer:
    """Makes JSON of a file's values: texts and lists as they are, numbers and records marked."""

    def __init__(self, file: Any) -> None:
        self.file, self.values, self.numbers = file, 0, 0

    def packed(self, item: Any, depth: int) -> Any:
        self.values += 1
        if self.values > MOST_VALUES or not depth:
            raise ValueError("too many values")
        if not hasattr(item, "shape"):  # a group: a struct
            return {"records": self._records(item, depth)}
        if item.attrs.get("MATLAB_empty", 0):
            return {"numbers": []} if self._kind(item) != b"char" else ""
        self.numbers += item.size
        if self.numbers > MOST_NUMBERS:
            raise ValueError("too many numbers")
        data = item[()].T  # MATLAB counts the other way round
        if item.dtype.kind == "O":
            return [self.packed(self.file[reference], depth - 1) for reference in data.flatten("F")]
        if self._kind(item) == b"char":
            if data.shape[0] != 1:
                raise ValueError("a text of several rows")
            return data.astype("<u2").tobytes().decode("utf-16-le")
        if item.dtype.kind not in "iuf" or not np.isfinite(data).all():
            raise ValueError("numbers are complex or not finite")
        return {"numbers": data.tolist()}

    @staticmethod
    def _kind(item: Any) -> Any:
        return item.attrs.get("MATLAB_class", b"")

    def _records(self, group: Any, depth: int) -> list[dict[str, Any]]:
        """One for each reference in the fields; a single one has its values in the fields themselves."""
        if not all(hasattr(item, "shape") and item.dtype.kind == "O" for item in group.values()) or any(
            self._kind(item) == b"cell" for item in group.values()
        ):
            return [{name: self.packed(item, depth - 1) for name, item in group.items()}]
        columns = {name: self.packed(item, depth) for name, item in group.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if isinstance(value, dict) and "numbers" in value:
        return np.array(value["numbers"])
    if isinstance(value, dict):
        return [{name: _unpacked(each) for name, each in record.items()} for record in value["records"]]
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
