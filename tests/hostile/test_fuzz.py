"""Damaged files are read or refused, in one line.

Pictures, masks, brushes, palettes, styles, tubes and settings; strokes, agents, checkpoints and data sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.conftest import Plan
from tests.hostile.fuzz import fuzz
from tests.hostile.runner import Attack, attacking
from tests.hostile.targets import TARGETS


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Iterator[Attack]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with attacking(folder / "work", plan.keep(folder / "kept")) as attack:
        yield attack


@pytest.mark.parametrize("name", TARGETS)
def test_it_is_read_or_refused(name: str, attack: Attack, plan: Plan) -> None:
    fuzz(name, attack, plan)
