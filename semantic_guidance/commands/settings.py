"""Flags made of a configuration's fields: one declaration for code, checkpoint and command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any


def add_settings(parser: argparse.ArgumentParser, fields: Iterable[dataclasses.Field[Any]]) -> None:
    """Declare one flag for each field, with its default and help string."""
    for setting in fields:
        flag, default = f"--{setting.name.replace('_', '-')}", setting.default
        text = str(setting.metadata["help"])
        if default is False:
            parser.add_argument(flag, action="store_true", help=text)
            continue
        parser.add_argument(
            flag,
            type=_reader(default),
            default=default,
            choices=setting.metadata.get("choices"),
            metavar="NAME" if isinstance(default, str | None) else "N",
            help=f"{text} (default: {_shown(default)})",
        )


def _reader(default: Any) -> Callable[[str], Any]:
    """Reads a flag's value as what its default is."""
    if isinstance(default, tuple):
        kind = type(default[0])

        def numbers(word: str) -> tuple[Any, ...]:
            try:
                return tuple(kind(part) for part in word.split(","))
            except ValueError:
                raise argparse.ArgumentTypeError(
                    f"got {word!r}, wanted numbers separated by commas"
                ) from None

        return numbers
    return str if default is None else type(default)


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(f"{number:g}" for number in default)
    return f"{default:.4g}" if isinstance(default, float) else str(default).lower()
