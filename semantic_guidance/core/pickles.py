"""Checkpoints of PyTorch, which are pickles, read without running code and in no more room than they have.

`torch.load` with ``weights_only`` runs nothing that a file brings. Still it makes what a pickle asks for: ten
gigabytes of zero bytes, a tensor whose numbers are all the same one, a key that takes years to hash. So the
pickle's instructions are looked through before: all there may be is tensors, names, numbers, lists and dicts,
and what `stand_ins` knows.
"""

from __future__ import annotations

import contextlib
import io
import pickletools
import threading
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semantic_guidance.core.archives import check_stored, regular_size
from semantic_guidance.core.file_kinds import SAVE, foreign_kind
from semantic_guidance.core.shown import printable
from semantic_guidance.core.stand_ins import STAND_INS, Array, Fields, Kind, Way, renamed

STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
"""Kinds of numbers."""

ENCODE = "_codecs encode"
"""What makes bytes of letters."""

_KINDS = frozenset(
    {torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.bool, torch.uint8, torch.int8}
    | {torch.int16, torch.int32, torch.int64}
)

GLOBALS = frozenset(
    {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
    | {f"torch {kind}Storage" for kind in STORAGES}
    | {"torch Size", "torch device", ENCODE}
    | {str(kind).replace(".", " ") for kind in _KINDS}
)
"""All that a checkpoint may name, but for `STAND_INS`; dense tensors need the first two lines."""

NEVER = frozenset(
    {"os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "runpy", "importlib", "ctypes", "pickle"}
)
"""Modules that no honest checkpoint names."""

_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_GETS, _PUTS = frozenset({"BINGET", "LONG_BINGET"}), frozenset({"BINPUT", "LONG_BINPUT"})
INSTRUCTIONS = (
    _TUPLES
    | _GETS
    | _PUTS
    | {"PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "NEWOBJ"}
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

_reading = threading.Lock()
"""Held while PyTorch is told of `STAND_INS`, which it is for all threads at once."""


class ForeignError(ValueError):
    """A file is whole but something else, or holds more than is read.

    Args:
        found: what it is or holds, with a verb.
        instead: what to do; nothing if empty.
    """

    def __init__(self, found: str, instead: str = "") -> None:
        super().__init__(found)
        self.instead = f": {instead}" if instead else ""


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
        named = _check(Path(path))
        return _Plain(MOST_TIED * size).of(_loaded(path, named & STAND_INS.keys()))
    except OSError as error:
        raise ValueError(f"{path} cannot be read, wanted {what} ({error.strerror or error})") from None
    except ForeignError as error:
        raise ValueError(f"{path} {printable(error)}, wanted {what}{error.instead}") from None
    except Exception as error:  # the reader may raise anything if a file is not a checkpoint
        known = type(error) is ValueError and str(error)
        reason = printable(str(error).splitlines()[0])[:200] if known else type(error).__name__
        raise ValueError(f"{path} is corrupt or not a checkpoint, wanted {what} ({reason})") from None


def _loaded(path: str | Path, named: set[str]) -> Any:
    """What PyTorch makes of a file, which names some of `STAND_INS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a damaged file asks for
        if not named:
            return torch.load(path, map_location="cpu", weights_only=True)
        with _reading, torch.serialization.safe_globals([(STAND_INS[name], name) for name in named]):
            return torch.load(path, map_location="cpu", weights_only=True)


def _check(path: Path) -> set[str]:
    """Look through the instructions in a file.

    Returns:
        All that it names, as ``module.name``.

    Raises:
        ForeignError: it is something else, or names what is not read.
        ValueError: it is no checkpoint, or one that holds more than tensors, names and numbers.
    """
    with path.open("rb") as file:
        head = file.read(MOST_INSTRUCTIONS)
    if head.startswith(LEGACY):
        stream = io.BytesIO(head)
        return set().union(*(_look_through(stream) for _ in range(LEGACY_PICKLES)))
    if kind := foreign_kind(path):
        raise ForeignError(f"is {kind[0]}", kind[1])
    if head[:1] == b"\x80":
        _refuse_plain(head)
    if not head.startswith(b"PK"):
        raise ValueError("it begins like none")
    programs = [name for name in check_stored(path) if name.casefold().rpartition("/")[2] == "data.pkl"]
    if len(programs) != 1:
        raise ValueError(f"it has {len(programs)} files data.pkl, wanted one")
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(programs[0]).file_size > MOST_INSTRUCTIONS:
            large = f"holds more than {MOST_INSTRUCTIONS} bytes beside its tensors, such as arrays of NumPy"
            raise ForeignError(large, f"its numbers alone, by {SAVE}")
        return _look_through(io.BytesIO(archive.read(programs[0])))


def _refuse_plain(head: bytes) -> None:
    """Refuse a pickle of Python's own, which PyTorch has not written.

    Raises:
        ForeignError: it is one.
        ValueError: it names what would do harm, or is damaged.
    """
    words: set[str] = set()
    with contextlib.suppress(ValueError):  # where the head of it ends
        for code, argument, _ in pickletools.genops(head):
            if code.name == "GLOBAL" or "UNICODE" in code.name:
                words.add(str(argument).partition(" ")[0].partition(".")[0])
    if not words or words & NEVER:
        raise ValueError("it is a pickle, but not one of PyTorch's")
    raise ForeignError("is a pickle, but not one of PyTorch's", f"write it by {SAVE}")


def _look_through(stream: io.BytesIO) -> set[str]:
    named: dict[str, None] = {}  # in order
    memory: dict[Any, tuple[str, Any]] = {}  # what the pickle remembers, as far as it matters here
    shared, last, watch = 0, ("", None), _Watch()
    for code, argument, _ in pickletools.genops(stream):
        name = code.name
        if name == "PROTO" and int(argument or 0) > 2:
            raise ForeignError(f"is written with pickle protocol {argument}", f"{SAVE} takes 2")
        if name not in INSTRUCTIONS:
            raise ValueError(f"it has the instruction {name}")
        if name in _PUTS:
            memory[argument] = last
            continue
        if name in _GETS:
            last = memory.get(argument, ("", None))
            shared += last[0] in _TUPLES
            if last[0] not in ("GLOBAL", "BINUNICODE"):
                watch.see("GET", None)
                continue
        else:
            last = name, argument
        if last[0] == "GLOBAL":
            named[str(last[1])] = None
        watch.see(*last, again=name in _GETS)
    if shared + watch.copies > MOST_SHARED:
        raise ValueError("its tuples are nested in each other, or its dicts copied")
    _check_names([name for name in named if name not in GLOBALS and renamed(name) not in STAND_INS])
    return {renamed(name) for name in named}


class _Watch:
    """Sees that letters become bytes one by one, and that little is made of copies.

    Other encodings may take hours. Dicts that a pickle remembers may be copied by a few instructions, into
    others or as their attributes.

    Attributes:
        copies: that were made.
    """

    def __init__(self) -> None:
        self.copies = 0
        self._letters = 0
        self._wanted: list[tuple[str, Any]] = []
        self._before = ("", "")

    def see(self, name: str, argument: Any, again: bool = False) -> None:
        """See one instruction, perhaps one whose outcome is remembered.

        Raises:
            ValueError: it asks for another encoding, or for that of too many letters.
        """
        last = "GET" if again and name != "GLOBAL" else name
        self.copies += (last, self._before[1]) == ("BUILD", "GET")
        self.copies += last == "REDUCE" and self._before in (("GET", "TUPLE1"), ("GET", "TUPLE"))
        self._before = self._before[1], last
        if self._wanted:
            wanted, value = self._wanted.pop(0)
            self._letters += len(argument) if name == "BINUNICODE" else 0
            if name != wanted or (value is not None and argument != value):
                raise ValueError(f"it asks for {ENCODE!r}")
            if self._letters > MOST_INSTRUCTIONS:
                raise ValueError(f"it makes more than {MOST_INSTRUCTIONS} bytes of letters")
        elif (name, argument) == ("GLOBAL", ENCODE):
            self._wanted = [
                ("BINUNICODE", None),
                ("BINUNICODE", "latin1"),
                ("TUPLE2", None),
                ("REDUCE", None),
            ]


def _check_names(others: list[str]) -> None:
    """See that a file that is whole names nothing else.

    Raises:
        ValueError: it names what would do harm.
        ForeignError: it holds a network as an object, or something that is not read.
    """
    if not others:
        return
    modules = [name.partition(" ")[0] for name in others]
    if any(module.partition(".")[0] in NEVER for module in modules):
        raise ValueError(f"it asks for {others[0][:80]!r}")
    shown, alone = renamed(others[0])[:80], f"its numbers alone, by {SAVE}"
    if any(module.startswith("torch.nn.") for module in modules):
        raise ForeignError(f"holds a whole network, {shown}, whose code would have to be run", alone)
    raise ForeignError(f"holds {shown}, which is not read", alone)


class _Plain:
    """What was read, without what PyTorch hangs on dicts and tensors.

    Args:
        room: bytes that all tensors may take together.
    """

    def __init__(self, room: int) -> None:
        self.room, self.letters = room, 0
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
        if kind is Array:
            return self._tensor(value.tensor())
        if kind is Fields:
            return self.of(value.fields, depth)
        if kind in (torch.device, torch.dtype):
            return str(value)
        if kind is Kind:
            return value.name
        if kind is Way:
            return self._text(value)
        if kind in (dict, OrderedDict):
            if not all(isinstance(key, (str, int)) for key in dict.keys(value)):
                raise ValueError("it has a key that is neither a name nor a number")
            return {key: self.of(each, depth) for key, each in dict.items(value)}
        if kind in (list, tuple, torch.Size):
            parts = [self.of(each, depth) for each in value]
            return parts if kind is list else tuple(parts)
        raise ValueError(f"it holds a {kind.__name__}")

    def _text(self, path: Way) -> str:
        text = path.text()
        self.letters += len(text)
        if self.letters > MOST_INSTRUCTIONS:
            raise ValueError(f"its paths have more than {MOST_INSTRUCTIONS} letters")
        return text

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
