"""Checkpoints of PyTorch, which are pickles, read without running code and in no more room than they have.

`torch.load` with ``weights_only`` runs nothing that a file brings. Still it makes what a pickle asks for: ten
gigabytes of zero bytes, a tensor whose numbers are all the same one, a key that takes years to hash. So the
pickle's instructions are looked through before: all there may be is tensors, names, numbers, lists and dicts.
"""

from __future__ import annotations

import io
import pickletools
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semantic_guidance.core.archives import check_stored, regular_size
from semantic_guidance.core.shown import printable

STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
"""Kinds of numbers."""

GLOBALS = frozenset(
    {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
    | {f"torch {kind}Storage" for kind in STORAGES}
)
"""All that a checkpoint may name; dense tensors need no more."""

_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_GETS, _PUTS = frozenset({"BINGET", "LONG_BINGET"}), frozenset({"BINPUT", "LONG_BINPUT"})
INSTRUCTIONS = (
    _TUPLES
    | _GETS
    | _PUTS
    | {"PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"}
    | {"EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "SETITEM", "SETITEMS", "APPEND", "APPENDS"}
    | {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "NONE", "NEWTRUE", "NEWFALSE"}
)
"""What Python writes of such checkpoints (protocol 2)."""

MOST_INSTRUCTIONS = 2**20
"""Bytes of them; a thousand tensors take 200,000."""

MOST_SHARED = 16
"""Tuples that stand in one more place: in each other, each would double the time that a hash takes."""

MOST_TIED = 4
"""Times that all tensors together may show the same numbers, as tied weights do."""

DEEPEST = 24
"""Levels of lists and dicts in each other."""

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How checkpoints begin that PyTorch wrote before 1.6, such as those of the papers."""

LEGACY_PICKLES = 5
"""They hold so many pickles one after the other, and then the numbers."""

_KINDS = frozenset(
    {torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.bool, torch.uint8, torch.int8}
    | {torch.int16, torch.int32, torch.int64}
)


def read_pickle(path: str | Path, what: str, most: int | None = None) -> Any:
    """What a checkpoint of PyTorch holds, read without running code from it.

    Args:
        path: of the file.
        what: was wanted, for messages.
        most: greatest size of the file in bytes.

    Returns:
        Numbers, strings, None and dense tensors on the processor, in dicts, lists and tuples.

    Raises:
        ValueError: the file is missing, corrupt, too large, or holds anything else.
    """
    try:
        size = regular_size(path, most)
        _check(Path(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what a damaged file asks for
            found = torch.load(path, map_location="cpu", weights_only=True)
        return _Plain(MOST_TIED * size).of(found)
    except OSError as error:
        raise ValueError(f"{path} cannot be read, wanted {what} ({error.strerror or error})") from None
    except Exception as error:  # the reader may raise anything if a file is not a checkpoint
        known = type(error) is ValueError and str(error)
        reason = printable(str(error).splitlines()[0])[:200] if known else type(error).__name__
        raise ValueError(f"{path} is corrupt or not a checkpoint, wanted {what} ({reason})") from None


def _check(path: Path) -> None:
    """Look through the instructions in a file.

    Raises:
        ValueError: it is no checkpoint, or one that holds more than tensors, names and numbers.
    """
    with path.open("rb") as file:
        head = file.read(MOST_INSTRUCTIONS)
    if head.startswith(LEGACY):
        stream = io.BytesIO(head)
        for _ in range(LEGACY_PICKLES):
            _look_through(stream)
        return
    if not head.startswith(b"PK"):
        raise ValueError("it begins like none")
    programs = [name for name in check_stored(path) if name.casefold().rpartition("/")[2] == "data.pkl"]
    if len(programs) != 1:
        raise ValueError(f"it has {len(programs)} files data.pkl, wanted one")
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(programs[0]).file_size > MOST_INSTRUCTIONS:
            raise ValueError(f"its data.pkl has more than {MOST_INSTRUCTIONS} bytes")
        _look_through(io.BytesIO(archive.read(programs[0])))


def _look_through(stream: io.BytesIO) -> None:
    tuples: set[Any] = set()  # places in the pickle's memory
    shared, at_tuple = 0, False
    for code, argument, _ in pickletools.genops(stream):
        name = code.name
        if name not in INSTRUCTIONS:
            raise ValueError(f"it has the instruction {name}")
        if name == "GLOBAL" and argument not in GLOBALS:
            raise ValueError(f"it asks for {str(argument)[:80]!r}")
        if name in _PUTS:
            if at_tuple:
                tuples.add(argument)
            continue
        again = name in _GETS and argument in tuples
        shared += again
        at_tuple = again or name in _TUPLES
    if shared > MOST_SHARED:
        raise ValueError("its tuples are nested in each other")


class _Plain:
    """What was read, without what PyTorch hangs on dicts and tensors.

    Args:
        room: bytes that all tensors may take together.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._known: dict[int, Any] = {}  # what stands in several places is looked at once

    def of(self, value: Any, depth: int = 0) -> Any:
        """The value, plainly.

        Raises:
            ValueError: it is neither number, string, tensor, nor dict, list or tuple of such.
        """
        if value is None or isinstance(value, (str, int, float)):
            return value
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        if id(value) not in self._known:
            self._known[id(value)] = value, self._fresh(value, depth + 1)
        return self._known[id(value)][1]

    def _fresh(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in (Tensor, nn.Parameter):
            return self._tensor(value)
        if kind in (dict, OrderedDict):
            if not all(isinstance(key, (str, int)) for key in dict.keys(value)):
                raise ValueError("it has a key that is neither a name nor a number")
            return {key: self.of(each, depth) for key, each in dict.items(value)}
        if kind in (list, tuple):
            return kind(self.of(each, depth) for each in value)
        raise ValueError(f"it holds a {kind.__name__}")

    def _tensor(self, values: Tensor) -> Tensor:
        dense = values.layout == torch.strided and values.device.type == "cpu"
        if not dense or values.dtype not in _KINDS:
            raise ValueError(f"it holds a tensor of {str(values.dtype)[6:]} on {values.device.type}")
        size = values.numel() * values.element_size()
        if size > values.untyped_storage().nbytes():
            raise ValueError("it holds a tensor that repeats its numbers")
        self.room -= size
        if self.room < 0:
            raise ValueError(f"its tensors show the same numbers more than {MOST_TIED} times")
        return values.detach()
