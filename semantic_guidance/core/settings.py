"""Settings in TOML files: the fields of configurations, written whole and read with each one's type checked.

A configuration is a dataclass, or several with a table for each. In a file a setting stands in its table, or
before all tables. What has no value, None, is left out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from semantic_guidance.core.config import kind_of
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.toml import read_toml

Field = dataclasses.Field[Any]

NAME = "config.toml"
"""The file in a run's folder."""

MAX_BYTES = 100_000
WHAT = "settings"


def settings_text(parts: Mapping[str, Any]) -> str:
    """The settings of configurations as TOML.

    Args:
        parts: the dataclasses by the names of their tables; the one named ``""`` comes first, without one.

    Raises:
        InputError: a setting cannot be written: it is a name that is no text.
    """
    blocks = []
    for table, part in parts.items():
        lines = [f"[{table}]"] if table else []
        for item in dataclasses.fields(part):
            value = getattr(part, item.name)
            if value is not None:
                lines.append(f"{item.name} = {_written(value, item.name)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def write_settings(parts: Mapping[str, Any], path: Path) -> None:
    """Write `settings_text` to a file, whole or not at all, and make its folder if there is none.

    Raises:
        InputError: a setting cannot be written.
        OSError: the file cannot be written.
    """
    text = settings_text(parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def read_settings(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """The settings in a file by name, those that it has. Ranges are checked where they are used.

    Args:
        path: of the file.
        kinds: the dataclasses by the names of their tables, as for `settings_text`.

    Raises:
        InputError: the file is not TOML, has an unknown setting, one twice, or one of a wrong type; the
            message names the file.
        OSError: it cannot be read.
    """
    tables = {name: {item.name: item for item in dataclasses.fields(kind)} for name, kind in kinds.items()}
    everywhere = {name: item for table in tables.values() for name, item in table.items()}
    found: dict[str, Any] = {}

    def take(name: str, value: Any, known: Mapping[str, Field], place: str) -> None:
        if name not in known:
            home = next((table for table, items in tables.items() if name in items), None)
            hint = f"it belongs in [{home}]" if home else _meant(name, [*everywhere, *tables])
            raise InputError(f"{path}: {place}{name} is not a setting, {hint}")
        if name in found:
            raise InputError(f"{path}: {name} is given twice, wanted it once")
        try:
            found[name] = _read(known[name], value)
        except ValueError as error:
            raise InputError(f"{path}: {name} {error}") from None

    for name, value in read_toml(path, WHAT, MAX_BYTES).items():
        if name and name in tables and isinstance(value, dict):
            for inner, inner_value in value.items():
                take(inner, inner_value, tables[name], f"{name}.")
        else:
            take(name, value, everywhere, "")
    return found


def _meant(name: str, known: Iterable[str]) -> str:
    """What a name that is no setting may have been meant to be, or where they are listed."""
    if name in known:
        return f"wanted a table [{name}]"
    close = get_close_matches(name, known, n=2)
    return f"wanted perhaps {' or '.join(close)}" if close else "wanted one that the command's --help lists"


def _written(value: Any, name: str) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_written(part, name) for part in value)}]"
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name} is {text!r}, wanted a name that is text") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # which only TOML forbids


def _read(item: Field, value: Any) -> Any:
    """A setting's value of TOML as the dataclass has it.

    Raises:
        ValueError: it is of another type; the message says what it is and what is wanted.
    """
    if isinstance(item.default, tuple):
        if not isinstance(value, list) or not all(map(_is_number, value)):
            raise ValueError(f"is {_shown(value)}, wanted a list of numbers")
        return tuple(value)
    kind = kind_of(item)
    if kind is bool:
        fits, wanted = isinstance(value, bool), "true or false"
    elif kind in (int, float):
        fits, wanted = _is_number(value), "a number"
    else:
        fits, wanted = isinstance(value, str), "a text in quotes"
    if not fits:
        raise ValueError(f"is {_shown(value)}, wanted {wanted}")
    if (parse := item.metadata.get("parse")) is not None:
        return parse(value)
    if (choices := item.metadata.get("choices")) and value not in choices:
        raise ValueError(f"is {_shown(value)}, wanted one of {', '.join(choices)}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
