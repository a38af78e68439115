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

LONGEST_NAME = 8
"""Letters of a type's name such as ``<f8``."""


class Kind:
    """A type of NumPy's: its name, and the order of its bytes."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name, self.order = name, "="

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """NumPy's own.

        Raises:
            ValueError: it is no type of numbers.
        """
        if isinstance(self.name, str) and len(self.name) <= LONGEST_NAME and self.name.isalnum():
            try:
                found = np.dtype(self.name)
            except TypeError:
                found = np.dtype(object)
            if found.char in KINDS:
                return found.newbyteorder(self.order)  # type: ignore[arg-type]
        raise ValueError(f"it holds numbers of the type {str(self.name)[:20]!r}")


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
            values = np.frombuffer(data, kind.dtype()).reshape(shape, order="F" if columns_first else "C")
            native = values.astype(values.dtype.newbyteorder("="), order="C")
            return torch.from_numpy(native)
        except (AttributeError, TypeError):
            raise ValueError("it holds an array that is damaged, or not of numbers") from None


class Fields:
    """Arguments and settings by name."""

    def __init__(self, *_: object) -> None:
        self.fields: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if type(state) is dict:
            self.fields = state


def scalar(kind: Kind, data: bytes) -> int | float | bool:
    """A number of NumPy's."""
    if not isinstance(kind, Kind) or not isinstance(data, bytes) or len(data) != kind.dtype().itemsize:
        raise ValueError("it holds a number that is damaged")
    value: int | float | bool = np.frombuffer(data, kind.dtype())[0].item()
    return value


def empty_dict(*_: object) -> dict[Any, Any]:
    """For a dict with defaults, whose items follow."""
    return {}


def path_text(*parts: object) -> str:
    """For a path."""
    return str(PurePosixPath(*(part for part in parts if isinstance(part, str))))


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
    "collections.defaultdict": empty_dict,
    **dict.fromkeys(("builtins.list", "builtins.int", "builtins.float", "builtins.dict"), nothing),
    **dict.fromkeys(("argparse.Namespace", "types.SimpleNamespace"), Fields),
    **{f"pathlib.{system}Path": path_text for system in ("Posix", "Windows", "PurePosix", "PureWindows")},
    **{f"pathlib._local.{system}Path": path_text for system in ("Posix", "Windows")},
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
