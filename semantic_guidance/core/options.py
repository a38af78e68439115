"""Options: the fields of dataclasses that code, JSON files and the command line share.

A field states its default, its meaning and its range once. From these come the check when an object is made,
the command line's flag, and the conversion from and to JSON.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from semantic_guidance.core.config import fits, kind_of, wanted
from semantic_guidance.core.errors import InputError

KINDS = frozenset({"str", "Path", "bool", "int", "float", "Fraction", "tuple", "Mapping", "None"})
FITTING: tuple[tuple[type, frozenset[str]], ...] = (
    (type(None), frozenset({"None"})),
    (bool, frozenset({"bool"})),
    (str, KINDS - {"bool", "Mapping", "None"}),
    (dict, frozenset({"Mapping"})),
    (int, frozenset({"int", "float", "Fraction"})),
    (float, frozenset({"int", "float", "Fraction"})),
)
"""What JSON's values may be for, the first that fits; texts are parsed."""

Value = TypeVar("Value")
Parser = Callable[[str], Any]


class OptionError(InputError):
    """An option's value is not usable.

    Args:
        option: name of the field.
        complaint: what is wrong and what is wanted.
        joint: what stands between the two in the message.
    """

    def __init__(self, option: str, complaint: str, joint: str = ": ") -> None:
        super().__init__(f"{option}{joint}{complaint}")
        self.as_flag = f"--{option.replace('_', '-')}{joint}{complaint}"


def option(
    default: Any,
    help: str | Callable[[], str],
    *,
    metavar: str | None = None,
    parse: Parser | None = None,
    group: str | None = None,
    aliases: tuple[str, ...] = (),
    optional: str | None = None,
    repeated: bool = False,
    **bounds: Any,
) -> Any:
    """A dataclass field that is an option.

    Args:
        default: its value if none is given.
        help: text for people, or a function that makes it when needed.
        metavar: what stands for its value in the help.
        parse: from a word of the command line, or a string in JSON, to the value; raises ValueError.
        group: heading under which the help lists it.
        aliases: other flags for it.
        optional: the value of its bare flag, if it may stand alone.
        repeated: whether there may be several values: a tuple of them then, a list in JSON, a flag for each.
        bounds: ``min``, ``above``, ``max`` of numbers, ``choices`` of words.
    """
    about = {"metavar": metavar, "parse": parse, "group": group, "aliases": aliases, "optional": optional}
    return dataclasses.field(
        default=default, metadata={"help": help, "repeated": repeated, **about, **bounds}
    )


def to_json(options: Any) -> dict[str, Any]:
    """The fields of a dataclass of options that differ from their defaults, as JSON values."""
    return {
        item.name: _plain(value)
        for item in dataclasses.fields(options)
        if (value := getattr(options, item.name)) != _default(item)
    }


def _default(item: dataclasses.Field[Any]) -> Any:
    factory: Any = item.default_factory
    return item.default if factory is dataclasses.MISSING else factory()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else str(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return dict(value) if isinstance(value, Mapping) else value


def from_json(kind: type[Value], values: Any) -> Value:
    """A dataclass of options from what `to_json` made of one, or a person wrote.

    Raises:
        InputError: it is not a JSON object, or has an unknown option.
        OptionError: a value is not usable.
    """
    if not isinstance(values, dict):
        raise InputError(f"options are of type {type(values).__name__}, wanted an object of names and values")
    known = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    given = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"{name!r} is not an option, wanted one of {', '.join(known)}")
        given[name] = _read(known[name], value)
    try:
        return kind(**given)
    except TypeError as error:
        raise InputError(f"{_missing(known, given) or 'a value is of another kind'} ({error})") from None
    except ValueError as error:
        raise InputError(str(error)) from None


def _missing(known: Mapping[str, dataclasses.Field[Any]], given: Mapping[str, Any]) -> str:
    """Which options without a default were not given, in words; nothing if none is missing."""
    needed = [name for name, item in known.items() if _default(item) is dataclasses.MISSING]
    missing = [name for name in needed if name not in given]
    return f"{', '.join(missing)} is missing" if missing else ""


def _read(item: dataclasses.Field[Any], value: Any) -> Any:
    kinds = str(item.type).split(" | ")
    if value is True and item.metadata.get("optional") is not None:
        value = item.metadata["optional"]  # as the bare flag
    parsed = item.metadata.get("parse") is not None or "str" in kinds
    if isinstance(value, list) and parsed and not item.metadata.get("repeated") and _words(value):
        value = ",".join(map(str, value))
    if not _of_kind(value, kinds):
        raise OptionError(item.name, f"got {json.dumps(value)[:80]}, wanted {_described(item, kinds)}")
    if isinstance(value, str):
        try:
            return parser_of(item)(value)
        except ValueError as error:
            raise OptionError(item.name, str(error)) from None
    if isinstance(value, list) and item.metadata.get("repeated"):
        return combined(_read(item, part) for part in value) if _several(value) else tuple(value)
    if isinstance(value, list):
        return tuple(tuple(part) if isinstance(part, list) else part for part in value)
    return value


def _words(value: list[Any]) -> bool:
    """Whether a list is what the command line writes with commas: words, and perhaps numbers."""
    return any(isinstance(part, str) for part in value) and not any(
        isinstance(part, bool | list | dict) or part is None for part in value
    )


def _of_kind(value: Any, kinds: list[str]) -> bool:
    """Whether a JSON value, or what it is parsed to, may be that of an option declared of these kinds."""
    names = {kind.partition("[")[0] for kind in kinds}
    if not names <= KINDS:
        return True  # what only those know who declared it
    if not isinstance(value, list):
        return bool(names & next(fitting for plain, fitting in FITTING if isinstance(value, plain)))
    tuples = [kind[6:-1].split(", ") for kind in kinds if kind.startswith("tuple[")]
    return any("..." in parts or len(parts) == len(value) for parts in tuples)


def _described(item: dataclasses.Field[Any], kinds: list[str]) -> str:
    """What is wanted of an option's value in JSON."""
    if "bool" in kinds:
        return "true or false"
    if any(kind.startswith("tuple[") for kind in kinds):
        return f"a list, or a text: {item.metadata.get('metavar') or item.name.upper()}"
    if kind_of(item) in (int, float):
        return wanted(item.metadata, kind_of(item) is int)
    return "a text"


def _several(value: list[Any]) -> bool:
    """Whether a list holds values, not the numbers of one."""
    return any(isinstance(part, str | list) for part in value)


def combined(values: Iterable[Any]) -> Any:
    """The value of an option that was given several times: a tuple, but the value itself if there is one."""
    several = tuple(values)
    return several[0] if len(several) == 1 else several


def parser_of(item: dataclasses.Field[Any]) -> Parser:
    """What turns a word into a field's value: its parser, a number in range, or the word as it is."""
    parse: Parser | None = item.metadata.get("parse")
    if parse is not None:
        return parse
    kind = kind_of(item)
    if kind not in (int, float):
        return str
    if isinstance(item.default, tuple):
        return lambda word: tuple(_number(part, kind, item.metadata) for part in word.split(","))
    return lambda word: _number(word, kind, item.metadata)


def _number(word: str, kind: type, bounds: Mapping[str, Any]) -> Any:
    try:
        number = kind(word)
    except ValueError:
        number = None
    if number is None or not fits(number, kind is int, bounds):
        raise ValueError(f"got {word!r}, wanted {wanted(bounds, kind is int)}")
    return number
