"""Work on Ray: what comes out, what happens to workers that die, and what is told where it cannot be done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from semantic_guidance.core.engines.base import TRIES, Work
from semantic_guidance.core.engines.local import DIED, LocalEngine
from semantic_guidance.core.errors import InputError
from tests.cluster.conftest import ROOT, free_port, workers

pytestmark = [pytest.mark.usefixtures("long"), pytest.mark.filterwarnings("ignore")]  # Ray's own


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Makes work of such settings."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (marks := tmp_path / "marks").mkdir()
    return lambda **settings: Work("tests.cluster.toys:factory", {"marks": str(marks), **settings})


@pytest.fixture
def engine():
    """Makes engines, and closes them."""
    pytest.importorskip("ray")
    from semantic_guidance.core.engines.ray_engine import RayEngine

    made = []

    def make(*args, **more):
        made.append(RayEngine(*args, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def numbers(count):
    return [{"number": n} for n in range(count)]


def test_all_items_are_done_and_errors_and_deaths_are_outcomes(work, engine, tmp_path, capfd):
    settings = {"broken": [3], "deadly": {"5": 1, "7": 99}}
    outcomes = {each.item["number"]: each for each in engine("local", 2).run(work(**settings), numbers(12))}
    assert sorted(outcomes) == list(range(12))
    for number in {*range(12)} - {3, 7}:
        assert outcomes[number].result["square"] == number**2
        assert outcomes[number].error == ""
    assert (outcomes[3].result, outcomes[3].error, outcomes[3].died) == (None, "3 is broken", 0)
    assert (outcomes[5].result["square"], outcomes[5].died) == (25, 1)
    assert (outcomes[7].result, outcomes[7].died) == (None, TRIES)
    assert outcomes[7].error.startswith(DIED)
    assert len(list((tmp_path / "marks").glob("7-*"))) == TRIES
    done = [each.result for each in outcomes.values() if each.result]
    assert {tuple(result["threads"]) for result in done} == {(1, "1")}
    assert {result["folder"] for result in done} == {os.getcwd()}
    # Two workers, and one more for each that died, have begun; nobody begins anew for an item.
    assert len(list((tmp_path / "marks").glob("began-*"))) <= 2 + 1 + TRIES
    assert len(list((tmp_path / "marks").glob("began-*"))) >= 1 + 1 + TRIES
    told = capfd.readouterr()
    assert told.out == ""  # not even of workers that died


def test_it_is_what_processes_of_this_machine_make(work, engine):
    there = {
        each.item["number"]: each.result["square"] for each in engine("local", 2).run(work(), numbers(9))
    }
    here = LocalEngine(2)
    assert there == {each.item["number"]: each.result["square"] for each in here.run(work(), numbers(9))}


def test_only_as_much_is_taken_ahead_as_keeps_workers_busy(work, engine):
    taken = []

    def items():
        for item in numbers(40):
            taken.append(item)
            yield item

    for done, _ in enumerate(engine("local", 2).run(work(), items()), 1):
        assert len(taken) <= done + 2 * 2
    assert done == len(taken) == 40


def test_workers_end_when_the_iterator_is_closed(work, engine):
    outcomes = engine("local", 2).run(work(seconds=0.2), numbers(100))
    next(outcomes)
    before = workers(os.getpid())
    assert len(before) == 2
    began = time.monotonic()
    outcomes.close()
    while workers(os.getpid()) & before:
        assert time.monotonic() < began + 5
        time.sleep(0.02)


def test_work_that_cannot_begin(work, engine):
    one = engine("local", 2)
    with pytest.raises(InputError, match=r"^this cannot be begun, wanted something else$"):
        list(one.run(work(refuse=True), numbers(3)))
    with pytest.raises(InputError, match="workers cannot begin"):
        list(one.run(work(dies=True), numbers(3)))
    with pytest.raises(InputError, match="No module named 'nowhere_at_all'"):
        list(one.run(Work("nowhere_at_all:factory"), numbers(3)))
    assert len(list(one.run(work(), numbers(3)))) == 3  # and the next work can


def test_no_file_of_the_current_folder_is_run(work, engine, tmp_path, monkeypatch):
    (trap := tmp_path / "photos").mkdir()
    for name in ("json", "contextlib", "cv2", "numpy"):
        (trap / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()")
    monkeypatch.chdir(trap)
    (outcome,) = engine("local", 1).run(work(), numbers(1))
    assert outcome.result["folder"] == str(trap)
    assert not (tmp_path / "sprung").exists()


def test_own_signals_are_as_they_were(work, engine):
    before = signal.getsignal(signal.SIGTERM)
    assert len(list(engine("local", 1).run(work(), numbers(1)))) == 1
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "there", "127.0.0.1", "127.0.0.1:x", ":1", ""])
def test_an_address_that_is_none(engine, address):
    with pytest.raises(InputError, match=r"^--ray: got .* wanted local, auto, or HOST:PORT"):
        engine(address)


def test_an_address_where_nobody_is(work, engine):
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    with pytest.raises(InputError, match=f"^--ray {address}: no Ray cluster answers there"):
        list(engine(address).run(work(), numbers(1)))
    assert time.monotonic() < began + 10


DRIVER = """
import sys
from semantic_guidance.core.engines.base import Work
from semantic_guidance.core.engines.ray_engine import RayEngine
engine = RayEngine(sys.argv[1])
print("workers", len(list(engine.run(Work("tests.cluster.toys:factory"), []))), engine.workers)
for outcome in engine.run(Work("tests.cluster.toys:factory", {"marks": sys.argv[2], "seconds": 0.5}),
                          ({"number": n} for n in range(1000))):
    print("done", flush=True)
"""


@pytest.mark.parametrize("where", ["local", "cluster"])
def test_workers_end_with_a_driver_that_is_killed(work, where, cluster):
    address, settings = ("local" if where == "local" else cluster.address), work().settings
    words = [sys.executable, "-c", textwrap.dedent(DRIVER), address, settings["marks"]]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as driver:
        lines = [driver.stdout.readline() for _ in range(3)]
        assert lines[0].startswith("workers 0"), lines
        assert lines[1:] == ["done\n"] * 2
        before = workers(driver.pid if where == "local" else cluster.pid)
        assert before
        driver.kill()
        began = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in before):
        assert time.monotonic() < began + 10
        time.sleep(0.02)
