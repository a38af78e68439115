"""The attack notices what it is to notice, and repeats what it did."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.hostile import report, runner
from tests.hostile.conftest import Plan
from tests.hostile.faults import FAULTS
from tests.hostile.mutate import GUARD
from tests.hostile.runner import Attack, Counts, attacking
from tests.hostile.targets import TARGETS

NOTICED = {
    "crash": ("crash", "SIGSEGV"),
    "hang": ("hang", "no answer"),
    "slow": ("hang", "wanted 0.1"),
    "memory": ("memory", ""),
    "more memory": ("uncaught", "MemoryError"),
    "overwrite": ("stray file", GUARD),
    "beside": ("stray file", "stray.txt"),
    "uncaught": ("uncaught", "KeyError"),
    "warned": ("uncaught", "UserWarning"),
    "nameless": ("no name", "cannot reshape"),
    "coloured": ("control characters", "wanted a picture"),
    "refused": ("refused", "hostile.txt"),
}


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with attacking(folder / "work", folder / "kept", faults=True) as attack:
        yield attack


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_noticed(fault: str, attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SPARE", 1.0)
    outcome, said = NOTICED[fault]
    answer = attack.run(fault, 0, FAULTS[fault].seconds)
    assert (answer["outcome"], said in answer["message"]) == (outcome, True), answer
    assert attack.run("refused", 0, 5)["outcome"] == "refused"  # it goes on


def test_what_failed_is_kept_with_the_command_that_repeats_it(attack: Attack, tmp_path: Path) -> None:
    answer = attack.run("nameless", 7, 5)
    attack.keep_case("nameless", 7, answer)
    kept = attack.keep / "nameless-7"
    assert (kept / "case" / "hostile.txt").read_text() == "harmless"
    assert json.loads((kept / "outcome.json").read_text())["outcome"] == "no name"


def test_a_case_is_repeated_by_its_seed(tmp_path: Path) -> None:
    for name in ("picture", "exif", "strokes", "agent", "checkpoint", "cars196", "cub200", "style"):
        folders = [tmp_path / "a" / "case", tmp_path / "b" / "case"]
        found = []
        for folder in folders:
            folder.mkdir(parents=True)
            TARGETS[name].make(Random(f"{name} 3"), folder)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            found.append([(path.relative_to(folder), path.read_bytes()) for path in files])
            folder.rename(folder.with_name(name.replace(" ", "-")))
        assert len(found[0]) >= 1
        same = [(path, data.replace(b"/a", b"/b")) for path, data in found[0]] == found[1]
        assert same or found[0] == found[1]


def test_one_case_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.hostile.child", str(tmp_path), "refused", "1", "--faults"]
    done = subprocess.run(command, cwd=report.ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["outcome"] == "refused"


def test_the_page_has_the_counts_of_the_committed_report() -> None:
    """``python -m tests.hostile.report benchmarks/results/hostile.json`` writes them."""
    counts = json.loads((report.ROOT / "benchmarks" / "results" / "hostile.json").read_text())
    page = report.PAGE.read_text()
    assert report.filled(page, counts) == page
    assert set(counts["fuzzing"]) == set(TARGETS)


def test_counts_of_several_processes_come_together(tmp_path: Path) -> None:
    counts = Counts()
    counts.add(1, {"outcome": "refused", "seconds": 0.5, "megabytes": 3.0, "where": "", "message": ""})
    crash = {"outcome": "crash", "where": "SIGSEGV x", "message": "m"}
    counts.add(2, {**crash, "seconds": 1.5, "megabytes": 0.0})
    path = tmp_path / "report.json"
    report.add_counts(path, 1.0, 5, "strokes", counts)
    report.add_counts(path, 1.0, 5, "mask", Counts())
    fuzzing = json.loads(path.read_text())["fuzzing"]
    assert fuzzing["strokes"]["files"] == 2
    assert fuzzing["strokes"]["causes"]["crash: SIGSEGV x"]["seeds"] == [2]
    fuzzing["strokes"]["commit"] = fuzzing["mask"]["commit"] = "a1b2c3d"
    table = report.tables({"fuzzing": fuzzing, "hours": 1.0})["fuzzing"]
    assert table.startswith("1.0 hours of one process, fresh seeds; at a1b2c3d:\n\n| what |")
    assert "| strokes | 2 | 0 | 1 | 0 | 1 | 0 | 3 | 1.5 |" in table


def test_a_plan_keeps_failures_beside_the_report(tmp_path: Path) -> None:
    assert Plan(0, 0, 0, None).keep(tmp_path) == tmp_path
    assert Plan(1, 0, 0, tmp_path / "a.json").keep(tmp_path / "b") == tmp_path / "a.failures"
