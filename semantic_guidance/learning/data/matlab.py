"""The few records of MATLAB's files that data sets need, read with every length checked.

Level 5 files ("MAT-File Format", MathWorks; MATLAB 5 to 7.2): numbers, texts, cells and structs. Those of
MATLAB 7.3 are HDF5, see `matlab_hdf5`.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semantic_guidance.core.errors import InputError
from semantic_guidance.learning.data.matlab_hdf5 import HDF5, read_hdf5

Value = Any
"""Of a variable: an array of numbers as in MATLAB, a text, a list of a cell's values, or a list of a struct's
records, each a dict of its fields. Lists have MATLAB's order: columns one after the other."""

MOST_BYTES = 64 * 2**20
"""Of a file, and of what is packed in it."""

MOST_VALUES = 200_000
"""Of a variable, those in its cells and structs counted; Cars-196 has 49,000."""

DEEPEST = 8
"""Structs in cells in structs ..."""

HEADER = 128  # bytes
SHOWN = 80  # letters of what is wrong

NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
INT8, INT32, UINT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 6, 14, 15, 16
"""Types of data; the keys of `NUMBERS` and `TEXTS` are others."""

TAGS = {order + kind: struct.Struct(f"{order}2{kind or 'I'}") for order in "<>" for kind in ("", "i")}
DTYPES = {(order, kind): np.dtype(order + name) for order in "<>" for kind, name in NUMBERS.items()}

CELL, STRUCT, CHAR = 1, 2, 4
CLASSES = {3: "objects", 5: "a sparse matrix", 16: "a function", 17: "an object"}
"""Classes of arrays; 6 to 15 are numbers."""

COMPLEX = 0x800


class _DamagedError(ValueError):
    """The file is not as the format says, or holds what nobody needs."""


def read_mat(path: Path, name: str) -> Value:
    """One variable of a MATLAB file.

    Raises:
        InputError: the file is missing, malformed, too large, or lacks the variable; or it is of MATLAB 7.3
            and h5py is not installed.
    """
    wanted = f"wanted a .mat file with {name}"
    try:
        if not path.is_file():
            raise _DamagedError("no such file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if data[:8] == HDF5 or data[512:520] == HDF5:
            return read_hdf5(path, name)
        if len(data) > MOST_BYTES:
            raise _DamagedError(f"more than {MOST_BYTES // 2**20} MiB")
        return _find(data, name)
    except OSError as error:
        raise InputError(f"{path} cannot be read, {wanted} ({error.strerror})") from None
    except _DamagedError as error:
        raise InputError(f"{path} cannot be read, {wanted} ({str(error)[:SHOWN]})") from None


def _find(data: bytes, name: str) -> Value:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:HEADER])
    if order is None or struct.unpack_from(f"{order}H", data, 124)[0] >> 8 != 1:
        raise _DamagedError("not a file of MATLAB 5 or later")
    whole, left = _Block(memoryview(data)[HEADER:], order), MOST_BYTES
    while whole.left:
        kind, body = whole.element()
        if kind == COMPRESSED:
            body = _inflated(body, left)
            left -= len(body)
            kind, body = _Block(body, order).element()
        if kind != MATRIX:
            raise _DamagedError("a variable is not a matrix")
        array = _Array(body, order)
        if array.name == name:
            return array.value(_Purse(), DEEPEST)
    raise _DamagedError("there is no such variable")


def _inflated(body: memoryview, limit: int) -> memoryview:
    packed = zlib.decompressobj()
    try:
        plain = packed.decompress(body, limit + 1)
    except zlib.error:
        raise _DamagedError("damaged compression") from None
    if len(plain) > limit:
        raise _DamagedError(f"more than {MOST_BYTES // 2**20} MiB when unpacked")
    if not packed.eof:
        raise _DamagedError("it ends too soon")
    return memoryview(plain)


@dataclass
class _Purse:
    """How many values may still be read."""

    left: int = MOST_VALUES

    def pay(self) -> None:
        if not self.left:
            raise _DamagedError(f"more than {MOST_VALUES:,} values")
        self.left -= 1


class _Block:
    """Bytes in which one element of data follows the other."""

    __slots__ = ("data", "order", "place")

    def __init__(self, data: memoryview, order: str) -> None:
        self.data, self.order, self.place = data, order, 0

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self.data) - self.place

    def element(self) -> tuple[int, memoryview]:
        """The next one: its type and its bytes."""
        start = self.place + 8
        if start > len(self.data):
            raise _DamagedError("it ends too soon")
        kind, size = TAGS[self.order].unpack_from(self.data, self.place)
        if kind >> 16:  # a small one has its bytes in the tag
            kind, size, self.place = kind & 0xFFFF, kind >> 16, start
            if size > 4:
                raise _DamagedError("a small element is too long")
            return kind, self.data[start - 4 : start - 4 + size]
        end = start + size
        if end > len(self.data):
            raise _DamagedError("it ends too soon")
        self.place = end if kind == COMPRESSED else min(end + -size % 8, len(self.data))
        return kind, self.data[start:end]

    def whole(self, kind: int) -> tuple[int, ...]:
        """The next element, which must be of this type of four bytes, as numbers."""
        found, body = self.element()
        if found != kind or len(body) % 4:
            raise _DamagedError(f"data of type {found}")
        if len(body) == 8:  # nearly always
            return TAGS[self.order if kind == UINT32 else f"{self.order}i"].unpack(body)
        return tuple(np.frombuffer(body, f"{self.order}{NUMBERS[kind]}").tolist())

    def numbers(self) -> np.ndarray[Any, Any]:
        """The next element as an array of numbers."""
        kind, body = self.element()
        if kind not in NUMBERS:
            raise _DamagedError(f"data of type {kind}")
        dtype = DTYPES[self.order, kind]
        if len(body) % dtype.itemsize:
            raise _DamagedError("numbers are cut off")
        return np.frombuffer(body, dtype)

    def text(self) -> str:
        """The next element, which must be a name or several, as text."""
        kind, body = self.element()
        if kind not in (INT8, UTF8):
            raise _DamagedError(f"a name of type {kind}")
        return str(body, "latin-1")


class _Array:
    """A matrix in MATLAB's sense, of which only the head was read."""

    __slots__ = ("imaginary", "kind", "name", "rest", "shape")

    def __init__(self, body: memoryview, order: str) -> None:
        self.rest = _Block(body, order)
        flags, self.shape = self.rest.whole(UINT32), self.rest.whole(INT32)
        if len(flags) != 2:
            raise _DamagedError("malformed flags")
        if not 2 <= len(self.shape) <= 32 or min(self.shape) < 0:
            raise _DamagedError("malformed dimensions")
        self.kind, self.imaginary = flags[0] & 0xFF, bool(flags[0] & COMPLEX)
        self.name = self.rest.text()

    def value(self, purse: _Purse, depth: int) -> Value:
        purse.pay()
        size = math.prod(self.shape)
        if 6 <= self.kind <= 15 and not self.imaginary:
            numbers = self.rest.numbers()
            if len(numbers) != size:
                raise _DamagedError(f"{len(numbers)} numbers for {size}")
            return numbers.reshape(self.shape if size else (0, 0), order="F")
        if self.kind == CHAR:
            return self._text(size)
        if self.kind not in (CELL, STRUCT):
            raise _DamagedError(f"holds {CLASSES.get(self.kind, 'complex or unknown numbers')}")
        if not depth:
            raise _DamagedError("too many values in one another")
        names = self._names() if self.kind == STRUCT else [""]
        if size * max(1, len(names)) > self.rest.left // 8:
            raise _DamagedError(f"too short for {size} values")
        if self.kind == CELL:
            return [self._next(purse, depth) for _ in range(size)]
        return [{name: self._next(purse, depth) for name in names} for _ in range(size)]

    def _text(self, size: int) -> str:
        kind, body = self.rest.element()
        if kind not in TEXTS or size != self.shape[-1] * (size > 0):
            raise _DamagedError("a text of several rows, or none")
        ending = "" if TEXTS[kind] in ("latin-1", "utf-8") else {"<": "-le", ">": "-be"}[self.rest.order]
        try:
            text = bytes(body).decode(TEXTS[kind] + ending)
        except UnicodeDecodeError:
            raise _DamagedError("a text is damaged") from None
        if size not in (len(text), len(text.encode("utf-16-le")) // 2):
            raise _DamagedError(f"{len(text)} letters for {size}")
        return text

    def _names(self) -> list[str]:
        """Those of a struct's fields."""
        length = self.rest.whole(INT32)
        names = self.rest.text()
        if len(length) != 1 or length[0] < 1 or len(names) % length[0]:
            raise _DamagedError("malformed names of fields")
        found = [names[n : n + length[0]].split("\0")[0] for n in range(0, len(names), length[0])]
        if len(set(found)) < len(found):
            raise _DamagedError("two fields of one name")
        return found

    def _next(self, purse: _Purse, depth: int) -> Value:
        kind, body = self.rest.element()
        if kind != MATRIX:
            raise _DamagedError("a value is not a matrix")
        if not body:
            purse.pay()
            return np.empty((0, 0))
        return _Array(body, self.rest.order).value(purse, depth - 1)
