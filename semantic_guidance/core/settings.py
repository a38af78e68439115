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

from semantic_guidance.core.archives import regular_size
from semantic_guidance.core.config import kind_of
from semantic_guidance.core.errors import InputError
from semantic_guidance.core.files import replacing
from semantic_guidance.core.toml import read_toml

Field = dataclasses.Field[Any]

NAME, JSON_NAME = "config.toml", "config.json"
"""The files in a run's folder, for people and for programs."""

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


def settings_json(parts: Mapping[str, Any]) -> str:
    """The settings of configurations as JSON, with null where `settings_text` leaves one out."""
    tables = {name: {key: _plain(value) for key, value in vars(part).items()} for name, part in parts.items()}
    return json.dumps({**tables.pop("", {}), **tables}, indent=2, ensure_ascii=False) + "\n"


def write_run_settings(parts: Mapping[str, Any], folder: Path) -> None:
    """Write all settings of a run into its folder, as TOML and as JSON.

    Raises:
        InputError: a setting cannot be written.
        OSError: a file cannot be written.
    """
    write_settings(parts, folder / NAME)
    with replacing(folder / JSON_NAME) as draft:
        draft.write_text(settings_json(parts), encoding="utf-8")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def read_settings(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """The settings in a file by name, those that it has. Ranges are checked where they are used.

    Args:
        path: of the file, TOML, or JSON if its name ends so.
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

    read = _read_json if path.suffix.lower() == ".json" else read_toml
    for name, value in read(path, WHAT, MAX_BYTES).items():
        if name and name in tables and isinstance(value, dict):
            for inner, inner_value in value.items():
                take(inner, inner_value, tables[name], f"{name}.")
        else:
            take(name, value, everywhere, "")
    return found


def _read_json(path: Path, what: str, most: int) -> dict[str, Any]:
    """As `read_toml`: what is null is left out."""
    try:
        regular_size(path, most)
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}), wanted {what} as JSON") from None
    tables = {name: _known(value) if isinstance(value, dict) else value for name, value in content.items()}
    return _known(tables)


def _known(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}


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
