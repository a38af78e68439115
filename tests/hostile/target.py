"""What a target is. Imports nothing large, so that faults are tried at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

GIGABYTE = 1024.0

HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\u200c\u200d"
"""Of these categories of Unicode's, but parts of ordinary names."""


class WrongEndError(Exception):
    """A command line ended otherwise than with a status and at most one line."""


@dataclass(frozen=True)
class Target:
    """Something that reads files.

    Attributes:
        make: writes a damaged file, or several, into the case's folder.
        call: has the program read them; raises what the program raises.
        cases: in a short run.
        share: of a long run's time, beside the other targets' shares.
        memory: that a case may take, in megabytes.
        seconds: of processor time that a case may take.
    """

    make: Callable[[Random, Path], None]
    call: Callable[[Random, Path], None]
    cases: int = 60
    share: float = 1.0
    memory: float = GIGABYTE
    seconds: float = 10.0


def hidden(message: str) -> bool:
    """Whether a message holds what a terminal obeys instead of showing it."""
    return any(unicodedata.category(letter) in HIDDEN and letter not in JOINERS for letter in message)
