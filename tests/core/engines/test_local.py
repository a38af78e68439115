"""Work in processes of this machine: what comes out, and what happens to workers that die."""

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

WORKING = """
import os, signal, time
from pathlib import Path

def factory(settings):
    if settings.get("refuse"):
        raise ValueError("this cannot be begun, wanted something else")
    def do(item):
        number, marks = item["number"], Path(settings["marks"])
        if number in settings.get("broken", ()):
            raise ValueError(f"{number} is broken")
        if number in settings.get("deadly", ()):
            tries = marks / f"{number}-{os.getpid()}"
            tries.touch()
            if len(list(marks.glob(f"{number}-*"))) <= settings["deadly"][number]:
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(settings.get("seconds", 0))
        return {"square": number**2, "process": os.getpid(), "threads": settings["threads"]}
    return do
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Makes work of such settings."""
    (tmp_path / "working_here.py").write_text(WORKING)
    monkeypatch.syspath_prepend(tmp_path)
    (marks := tmp_path / "marks").mkdir()
    return lambda **settings: Work("working_here:factory", {"marks": str(marks), **settings})


def numbers(count):
    return [{"number": n} for n in range(count)]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(*processes: int, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while any(map(is_running, processes)):
        assert time.monotonic() < end, "a worker has outlived its work"
        time.sleep(0.01)


def test_all_items_are_done_and_few_are_taken_ahead(work):
    taken, outcomes, ahead = [], [], []
    engine = LocalEngine(2, threads=3)
    items = (taken.append(item) or item for item in numbers(12))
    for outcome in engine.run(work(broken=[4]), items):
        outcomes.append(outcome)
        ahead.append(len(taken) - len(outcomes))
    assert sorted(outcome.item["number"] for outcome in outcomes) == list(range(12))
    assert max(ahead) <= 2 * engine.workers
    results = {outcome.item["number"]: outcome.result for outcome in outcomes}
    assert all(results[n]["square"] == n**2 for n in range(12) if n != 4)
    assert results[4] is None
    assert [each.error for each in outcomes if each.item["number"] == 4] == ["4 is broken"]
    assert {each["threads"] for each in results.values() if each} == {3}
    processes = {each["process"] for each in results.values() if each}
    assert len(processes) == 2
    assert os.getpid() not in processes
    wait_until_gone(*processes)


def test_a_worker_that_dies_takes_nothing_along(work):
    """One item kills its worker once, another one always; the second worker never notices."""
    engine = LocalEngine(2)
    outcomes = {
        outcome.item["number"]: outcome
        for outcome in engine.run(work(deadly={2: 1, 5: 99}, seconds=0.02), numbers(10))
    }
    assert len(outcomes) == 10
    assert all(outcomes[n].result["square"] == n**2 for n in range(10) if n != 5)
    assert outcomes[2].died == 1
    assert outcomes[5].result is None
    assert outcomes[5].died == TRIES
    assert outcomes[5].error.startswith(DIED)
    assert all(outcome.died == 0 for n, outcome in outcomes.items() if n not in (2, 5))
    marks = [name.split("-") for name in os.listdir(work().settings["marks"])]
    tried = {number: {process for each, process in marks if each == number} for number in ("2", "5")}
    assert (len(tried["2"]), len(tried["5"])) == (1 + 1, TRIES)  # the one that did 2 in the end may do 5 next


def test_closing_ends_workers_at_once(work):
    engine = LocalEngine(2)
    outcomes = engine.run(work(seconds=0.05), iter(numbers(1000)))
    processes = {next(outcomes).result["process"] for _ in range(4)}
    began = time.monotonic()
    outcomes.close()
    assert time.monotonic() - began < 1
    wait_until_gone(*processes)
    assert next(LocalEngine(1).run(work(), numbers(1))).result["square"] == 0  # another time


def test_work_that_cannot_be_begun(work):
    with pytest.raises(InputError, match=r"^this cannot be begun, wanted something else$"):
        list(LocalEngine(2).run(work(refuse=True), numbers(3)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux tells of them")
def test_workers_end_with_whoever_started_them(work, tmp_path):
    script = """
        import os, signal, sys
        from semantic_guidance.core.engines.base import Work
        from semantic_guidance.core.engines.local import LocalEngine
        if __name__ == "__main__":
            work = Work("working_here:factory", {"marks": ".", "seconds": 0.05})
            done = LocalEngine(2).run(work, ({"number": n} for n in range(1000)))
            print(*{next(done).result["process"] for _ in range(4)}, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    (tmp_path / "driver.py").write_text(textwrap.dedent(script))
    place = os.pathsep.join(map(str, (tmp_path, *filter(None, sys.path))))
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "driver.py")],
        env={**os.environ, "PYTHONPATH": place},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL
    processes = [int(word) for word in ended.stdout.split()]
    assert processes
    wait_until_gone(*processes)
