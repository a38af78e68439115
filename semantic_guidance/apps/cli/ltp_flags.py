"""Flags of the reference code's ``train.py`` that do nothing here: they are taken, and a line says so."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class LtpFlag:
    """A flag of the reference code.

    Attributes:
        names: as they are written, the long one last.
        help: for people.
        there: what it does in the reference code.
        here: what to do instead, if anything.
        number: whether it takes a whole number.
    """

    names: tuple[str, ...]
    help: str
    there: str
    here: str
    number: bool = True


LTP_FLAGS = (
    LtpFlag(("-n", "--nodes"), "machines", "multiplies the number of processes", "see `torchrun --nnodes`"),
    LtpFlag(
        ("-g", "--gpus"),
        "graphics cards of each machine",
        "starts a process for each card",
        "see `torchrun --nproc-per-node`",
    ),
    LtpFlag(
        ("-nr", "--nr"),
        "number of this machine",
        "is part of the number of a process",
        "see `torchrun --node-rank`",
    ),
    LtpFlag(
        ("--bundled-seggt",),
        "one level for all strokes of a bundle",
        "is read by nothing",
        "always so, here and there",
        number=False,
    ),
)


def add_ltp_flags(parser: argparse.ArgumentParser) -> None:
    """Declare them, in a group of their own."""
    group = parser.add_argument_group("flags of the reference code that change nothing here")
    for flag in LTP_FLAGS:
        kind = {"type": int, "metavar": "N"} if flag.number else {"action": "store_true"}
        text = f"{flag.help}; {flag.here}"
        group.add_argument(*flag.names, default=argparse.SUPPRESS, help=text, **kind)


def tell_of_ltp_flags(args: argparse.Namespace) -> None:
    """Tell of those that were given, a line each on standard error."""
    first = os.environ.get("RANK", "0") == "0"  # of several processes, only the first one tells
    for flag in LTP_FLAGS:
        given = hasattr(args, flag.names[-1].removeprefix("--").replace("-", "_"))
        if given and first:
            what = f"{flag.names[-1]} {flag.there} in the reference code and does nothing here"
            print(f"semantic-guidance: {what}: {flag.here}", file=sys.stderr)
