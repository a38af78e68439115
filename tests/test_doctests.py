"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.conftest import ROOT
from tests.test_flow import HOUSE

EXAMPLES = [name for name, path in HOUSE.modules.items() if ">>> " in path.read_text()]


def test_there_are_some():
    assert "semantic_guidance" in EXAMPLES
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
