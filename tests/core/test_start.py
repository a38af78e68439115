"""Waiting threads sleep, and imports are quick."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from semantic_guidance.core.start import WAITING, quick_imports, wait_asleep

WATCH = """
import builtins, importlib.abc, json, os, sys

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(json.dumps(dict(os.environ)))
            sys.stdout.flush()
            os._exit(0)

sys.meta_path.insert(0, Watch())
"""
FRONTS = {
    "package": "import semantic_guidance; semantic_guidance.Painter",
    "command": "from semantic_guidance.apps.cli.main import main; main(['paint', 'absent.jpg'])",
    "room": "import semantic_guidance.guidance.guide",
}


def environment_at_torch(front: str, **said: str) -> dict[str, str]:
    """The environment at the moment when torch is about to be imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "KMP", "GOMP"))}
    command = [sys.executable, "-c", WATCH + FRONTS[front]]
    done = subprocess.run(command, env=clean | said, capture_output=True, text=True, check=True, timeout=60)
    seen: dict[str, str] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("front", FRONTS)
def test_waiting_threads_sleep_from_before_torch(front):
    seen = environment_at_torch(front)
    assert seen["OMP_WAIT_POLICY"] == "passive"
    assert seen["KMP_BLOCKTIME"] == "0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_WAIT_POLICY", "active"),
        ("KMP_BLOCKTIME", "200"),
        ("GOMP_SPINCOUNT", "10"),
        ("KMP_LIBRARY", "turnaround"),
    ],
)
def test_what_a_person_says_about_waiting_stays(name, value):
    seen = environment_at_torch("package", **{name: value})
    assert {each: seen[each] for each in (*WAITING, name) if each in seen} == {name: value}


def test_said_once(monkeypatch):
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    wait_asleep()
    assert {name: os.environ[name] for name in WAITING} == WAITING
    monkeypatch.setenv("KMP_BLOCKTIME", "7")
    wait_asleep()
    assert os.environ["KMP_BLOCKTIME"] == "7"


@pytest.fixture(params=[True, False])
def collecting(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether garbage is collected."""
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    gc.unfreeze()
    (gc.enable if before else gc.disable)()


def test_imports_are_not_collected_and_the_collector_is_as_before(collecting):
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled() is collecting
    assert gc.get_freeze_count() > 0


def test_the_collector_is_as_before_if_an_import_fails(collecting):
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled() is collecting
