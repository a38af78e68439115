"""What stands for things in checkpoints that are no tensors: numbers of NumPy, arguments, paths.

People keep them beside a network's weights. Of what a file names, nothing is called: each name is read as one
of ours, which do no more than to keep what they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

KINDS = frozenset("?") | frozenset("bhilq") | frozenset("BHILQ") | frozenset("efd")
"""Types of NumPy's numbers, by their letters, that are read."""

UNSIGNED = {"H": "i4", "I": "i8", "L": "i8", "Q": "i8"}
"""What unsigned numbers become; PyTorch can do little with them."""

LONGEST_NAME = 8
"""Letters of a type's name such as ``<f8``."""

LONGEST_PATH = 4096


class Kind:
    """A type of NumPy's: its name, and the order of its bytes."""

    def __init__(self, name: object, *_: object) -> None:
        if not isinstance(name, str):
            raise ValueError("it holds a type of numbers that is damaged")
        self.name, self.order = name, "="

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """NumPy's own.

        Raises:
            ValueError: it is no type of numbers.
        """
        if len(self.name) <= LONGEST_NAME and self.name.isalnum():
            try:
                found = np.dtype(self.name)
            except TypeError:
                found = np.dtype(object)
            if found.char in KINDS:
                return found.newbyteorder(self.order)  # type: ignore[arg-type]
        raise ValueError(f"it holds numbers of the type {self.name[:20]!r}")


class Array:
    """An array of NumPy's: what it was built of."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor:
        """Its numbers.

        Raises:
            ValueError: it is none of numbers, or damaged.
        """
        try:
            _, shape, kind, columns_first, data = self.state
            if any(side < 0 for side in shape):
                raise ValueError("it holds an array with a side that is negative")
            values = np.frombuffer(data, kind.dtype()).reshape(shape, order="F" if columns_first else "C")
            native = UNSIGNED.get(values.dtype.char, values.dtype.newbyteorder("="))
            return torch.from_numpy(values.astype(native, order="C"))
        except (AttributeError, TypeError):
            raise ValueError("it holds an array that is damaged, or not of numbers") from None


class Fields:
    """Arguments and settings by name."""

    fields: dict[str, Any]

    def __new__(cls, *_: object) -> Fields:
        """None yet; pickles of objects without any say no more."""
        made = super().__new__(cls)
        made.fields = {}
        return made

    def __setstate__(self, state: Any) -> None:
        if type(state) is dict:
            self.fields = state


class Way:
    """A path: its parts. They are not joined yet, or paths of paths would double without end."""

    def __init__(self, *parts: object) -> None:
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("it holds a path that is damaged")
        self.parts: tuple[Any, ...] = parts

    def text(self) -> str:
        """The path with slashes.

        Raises:
            ValueError: it is longer than any system's.
        """
        if sum(map(len, self.parts)) > LONGEST_PATH:
            raise ValueError(f"it holds a path of more than {LONGEST_PATH} letters")
        return str(PurePosixPath(*self.parts))


def scalar(kind: Kind, data: bytes) -> int | float | bool:
    """A number of NumPy's."""
    if not isinstance(kind, Kind) or not isinstance(data, bytes) or len(data) != kind.dtype().itemsize:
        raise ValueError("it holds a number that is damaged")
    value: int | float | bool = np.frombuffer(data, kind.dtype())[0].item()
    return value


def empty_dict(*_: object) -> dict[Any, Any]:
    """For a dict with defaults, whose items follow."""
    return {}


def empty_bytes(*_: object) -> bytes:
    """For no bytes, such as an empty array's; others have another form."""
    return b""


def nothing(*_: object) -> None:
    """For what makes a dict's defaults."""


STAND_INS: dict[str, Callable[..., Any]] = {
    **{
        f"numpy.{core}.{name}": made
        for core in ("core.multiarray", "_core.multiarray")
        for name, made in (("scalar", scalar), ("_reconstruct", Array))
    },
    "numpy.ndarray": nothing,
    "numpy.dtype": Kind,
    "builtins.bytes": empty_bytes,
    "collections.defaultdict": empty_dict,
    **dict.fromkeys(("builtins.list", "builtins.int", "builtins.float", "builtins.dict"), nothing),
    **dict.fromkeys(("argparse.Namespace", "types.SimpleNamespace"), Fields),
    **{f"pathlib.{system}Path": Way for system in ("Posix", "Windows", "PurePosix", "PureWindows")},
    **{f"pathlib._local.{system}Path": Way for system in ("Posix", "Windows")},
}
"""By the names that checkpoints have for them; those of Python 2 are as PyTorch renames them."""

PYTHON_2 = {"__builtin__": "builtins", "long": "int"}
"""Names in pickles of protocol 2."""


def renamed(name: str) -> str:
    """The name in a pickle, ``module name``, as ``module.name`` of Python 3.

    >>> renamed("__builtin__ long")
    'builtins.int'
    """
    module, _, thing = name.partition(" ")
    if module != "__builtin__":
        return f"{module}.{thing}"
    return f"builtins.{PYTHON_2.get(thing, thing)}"
