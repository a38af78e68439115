"""Targets that go wrong in every way that the attack is to notice."""

from __future__ import annotations

import ctypes
import time
import warnings
from pathlib import Path
from random import Random

from tests.hostile.mutate import GUARD
from tests.hostile.target import Target


def _make(rng: Random, folder: Path) -> None:
    (folder / "hostile.txt").write_text("harmless")


def _crash(rng: Random, folder: Path) -> None:
    ctypes.string_at(0)


def _hang(rng: Random, folder: Path) -> None:
    time.sleep(60)


def _slow(rng: Random, folder: Path) -> None:
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass


def _fill(rng: Random, folder: Path) -> None:
    bytearray(150 << 20)


def _fill_all(rng: Random, folder: Path) -> None:
    bytearray(5 << 30)


def _overwrite(rng: Random, folder: Path) -> None:
    (folder / ".." / "guard" / GUARD).write_bytes(b"a grey mask")


def _beside(rng: Random, folder: Path) -> None:
    (folder / ".." / "stray.txt").write_text("")


def _uncaught(rng: Random, folder: Path) -> None:
    raise KeyError("hostile.txt")


def _warned(rng: Random, folder: Path) -> None:
    warnings.warn("hostile.txt is odd", stacklevel=1)


def _nameless(rng: Random, folder: Path) -> None:
    raise ValueError("cannot reshape array")


def _coloured(rng: Random, folder: Path) -> None:
    raise ValueError(f"{folder}/\x1b[31m: wanted a picture")


def _refused(rng: Random, folder: Path) -> None:
    raise ValueError(f"{folder}/hostile.txt: wanted a picture")


FAULTS: dict[str, Target] = {
    "crash": Target(_make, _crash),
    "hang": Target(_make, _hang, seconds=0.1),
    "slow": Target(_make, _slow, seconds=0.1),
    "memory": Target(_make, _fill, memory=100.0),
    "more memory": Target(_make, _fill_all),
    "overwrite": Target(_make, _overwrite),
    "beside": Target(_make, _beside),
    "uncaught": Target(_make, _uncaught),
    "warned": Target(_make, _warned),
    "nameless": Target(_make, _nameless),
    "coloured": Target(_make, _coloured),
    "refused": Target(_make, _refused),
}
