"""Damaged strokes, agents, checkpoints and data sets are read or refused, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.conftest import Plan
from tests.hostile.fuzz import fuzz
from tests.hostile.runner import Attack, attacking
from tests.hostile.targets import FILE_TARGETS


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Iterator[Attack]:
    folder: Path = tmp_path_factory.mktemp("files")
    with attacking(folder / "work", plan.keep(folder / "kept")) as attack:
        yield attack


@pytest.mark.parametrize("name", FILE_TARGETS)
def test_it_is_read_or_refused(name: str, attack: Attack, plan: Plan) -> None:
    fuzz(name, attack, plan)
