"""Flags made of dataclass fields: one declaration for code, files and command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.options import combined, parser_of
from semantic_guidance.core.settings import NAME, read_settings

Field = dataclasses.Field[Any]


class _Repeated(argparse.Action):
    """A flag that may be given several times."""

    def __call__(
        self, parser: argparse.ArgumentParser, args: argparse.Namespace, value: Any, flag: str | None = None
    ) -> None:
        """Add a value to those before it."""
        given = getattr(args, "_repeated", {})
        args._repeated = {**given, self.dest: [*given.get(self.dest, ()), value]}
        setattr(args, self.dest, combined(args._repeated[self.dest]))


def add_flags(parser: argparse._ActionsContainer, items: Iterable[Field], *, over_file: bool = False) -> None:
    """Declare one flag for each field that has a help text, with its default.

    Args:
        parser: of the command, or a group of its arguments.
        items: the fields.
        over_file: whether the flags come before a file of settings: then the parsed arguments have only those
            that were given, and a switch can be turned off by a flag, too.
    """
    groups: dict[str, argparse._ActionsContainer] = {}
    for item in items:
        if "help" not in item.metadata:
            continue
        title = item.metadata.get("group")
        place: argparse._ActionsContainer = parser
        if title is not None:
            if title not in groups:
                groups[title] = parser.add_argument_group(title)
            place = groups[title]
        names = [f"--{item.name.replace('_', '-')}", *item.metadata.get("aliases", ())]
        default = argparse.SUPPRESS if over_file else item.default
        if item.default is False:
            bare: dict[str, Any] = {"action": "store_true"}
            if item.metadata.get("optional"):
                bare = {"nargs": "?", "const": True, "metavar": item.metadata["metavar"]}
            place.add_argument(*names, default=default, help=_help(item), **bare)
            if over_file:
                opposite = _opposite(names[0])
                place.add_argument(
                    opposite, dest=item.name, action="store_false", default=default, help=argparse.SUPPRESS
                )
            continue
        settings: dict[str, Any] = {}
        if (const := item.metadata.get("optional")) is not None:
            settings = {"nargs": "?", "const": const}
        if item.metadata.get("repeated"):
            settings["action"] = _Repeated
        place.add_argument(
            *names,
            type=_reader(item),
            default=default,
            choices=item.metadata.get("choices"),
            metavar=item.metadata.get("metavar") or ("NAME" if isinstance(item.default, str) else "N"),
            help=_help(item),
            **settings,
        )


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """Declare ``--config``, for `with_config`."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"settings as every run writes them to {NAME} in its folder; flags come before them,"
        " and --no-FLAG turns off what the file turns on",
    )


def with_config(args: argparse.Namespace, kinds: Mapping[str, type]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings in the file that ``--config`` names, and those of the flags that were given.

    Args:
        args: parsed, of a parser with ``add_flags(..., over_file=True)`` and `add_config_flag`.
        kinds: dataclasses of the settings by the names of their tables.

    Raises:
        InputError: something in the file is wrong.
        OSError: it cannot be read.
    """
    names = {item.name for kind in kinds.values() for item in dataclasses.fields(kind)}
    given = {name: value for name, value in vars(args).items() if name in names}
    return ({} if args.config is None else read_settings(args.config, kinds)), given


def with_run(args: argparse.Namespace, kind: type, out: str = "out") -> tuple[dict[str, Any], dict[str, Any]]:
    """As `with_config`, for a run that goes on if it is there: then its own settings stand for a file's.

    Args:
        args: parsed, see `with_config`.
        kind: the dataclass of the settings.
        out: the one that is the run's folder.

    Raises:
        InputError: something in the file is wrong.
        OSError: it cannot be read.
    """
    from semantic_guidance.learning.run import single  # here: help needs none of torch

    in_file, given = with_config(args, {"": kind})
    usual = next(item.default for item in dataclasses.fields(kind) if item.name == out)
    folder = Path(given.get(out, usual))
    kept = single.newest(folder)
    if args.config is not None or not kept.is_file():
        return in_file, given
    if (folder / NAME).is_file():
        args.config = folder / NAME
        return read_settings(args.config, {"": kind}) | {out: given.get(out, usual)}, given
    args.config = kept  # of an earlier version, which wrote no such file
    with single.telling_of_earlier(kept):
        state = single.read_last(kept)
        if "config" in state:
            in_file = {**vars(single.read_config(kind, state, kept)), out: given.get(out, usual)}
    return in_file, given


def of_flag(error: ValueError) -> InputError:
    """A complaint that begins with a setting's name, about the flag of that name."""
    name, space, rest = str(error).partition(" ")
    return InputError(f"--{name.replace('_', '-')}{space}{rest}")


def flag_values(args: argparse.Namespace, kind: type) -> dict[str, Any]:
    """The values of a dataclass's fields among the parsed arguments."""
    return {
        item.name: getattr(args, item.name) for item in dataclasses.fields(kind) if hasattr(args, item.name)
    }


def _opposite(flag: str) -> str:
    """The flag that turns a switch off: ``--no-x`` for ``--x``, and the other way round."""
    return f"--{flag.removeprefix('--no-')}" if flag.startswith("--no-") else f"--no-{flag[2:]}"


def _reader(item: Field) -> Callable[[str], Any]:
    parse = parser_of(item)

    def read(word: str) -> Any:
        try:
            return parse(word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _help(item: Field) -> str:
    text = item.metadata["help"]
    text = str(text() if callable(text) else text)
    default = _shown(item.default)
    if "(default" not in text and item.default is not False and item.default is not None:
        text = f"{text} (default: {default})"
    return text.replace("%(default)s", default).replace("%", "%%")


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(_shown(part) for part in default)
    return f"{default:.4g}" if isinstance(default, float) else str(default)
