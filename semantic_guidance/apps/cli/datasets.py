"""``semantic-guidance datasets``: where the papers' data sets are, and what of them is in a folder."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from semantic_guidance.core.errors import InputError
from semantic_guidance.core.folders import contents
from semantic_guidance.core.shown import printable
from semantic_guidance.learning.data.sources import (
    MADE,
    NEEDED,
    OPTIONAL,
    SOURCES,
    Found,
    Source,
    find_root,
    look,
    next_step,
)

SUMMARY = "tell where data sets are, and check a folder of one"
LACKING = 1  # exit status

EXAMPLES = """examples:
  semantic-guidance datasets
  semantic-guidance datasets cub200 --data data"""

NAMES = tuple(dict.fromkeys(source.name for source in SOURCES))
REMARKS = {NEEDED: "", OPTIONAL: "optional", MADE: "made by 'semantic-guidance preprocess'"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Tells where the data sets of the papers are to be had, their licence, size and layout, and what of\n"
        "them is in a folder. Downloads nothing. With --data the exit status is 1 if something needed lacks."
    )
    parser.epilog = EXAMPLES
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help=f"one of {', '.join(NAMES)} (default: all)",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder to look into, as for train")


def run(args: argparse.Namespace) -> int:
    """Tell; returns the exit status: 0, or 1 if something needed is missing in the folder."""
    if args.name not in (None, *NAMES):
        raise InputError(f"NAME: got {args.name!r}, wanted one of {', '.join(NAMES)}")
    if args.data is not None and not args.data.is_dir():
        is_what = "not a folder" if args.data.exists() else "no such folder"
        raise InputError(f"--data: {args.data}: {is_what}, wanted that of a data set")
    chosen = [source for source in SOURCES if args.name in (None, source.name)]
    blocks, complete = [], False
    for source in chosen:
        lines = _about(source)
        if args.data is not None:
            more, there = _checked(source, args.data, args.name is not None)
            lines += more
            complete = complete or there
        blocks.append("\n".join(lines))
    print("\n\n".join(blocks))
    return LACKING if args.data is not None and not complete else 0


def _about(source: Source) -> list[str]:
    lines = [source.title, f"  --dataset {source.name}"]
    lines += [f"  {what}: {address}" for what, address in source.addresses]
    return [*lines, f"  licence: {source.licence}", f"  layout: {source.layout}"]


def _checked(source: Source, data: Path, alone: bool) -> tuple[list[str], bool]:
    """What is in the folder, in lines, and whether all that is needed is there.

    Args:
        source: the data set.
        data: the folder.
        alone: whether it is the only one that is asked for: then, if nothing of it is there, what is.
    """
    root = find_root(source, data)
    shows = sys.stderr.isatty()

    def note(what: str) -> None:
        if shows:
            print(f"\r\033[Kcounting {what}", end="", file=sys.stderr, flush=True)

    found = look(source, root, note)
    if shows:
        print("\r\033[K", end="", file=sys.stderr)
    there = all(each.state != "missing" for each in found if each.part.role == NEEDED)
    if not any(each.count for each in found):
        there_is = f"; in {printable(data)} {contents(data)}" if alone else ""
        return [f"  in {printable(root)}: nothing of it{there_is}"], False
    step = next_step(source, found, shlex.quote(str(data)))
    return [f"  in {printable(root)}:", *map(_line, found), f"  next: {printable(step)}"], there


def _line(found: Found) -> str:
    """One part, as a line."""
    counts = f"{found.count:,}" if found.state == "complete" else f"{found.count:,} of {found.wanted:,}"
    remark = REMARKS[found.part.role]
    return f"    {found.state:<8}  {counts:>16}  {found.part.what}: {found.place}" + (
        f"  ({remark})" if remark else ""
    )
