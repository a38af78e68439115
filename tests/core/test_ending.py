"""Programs that are told to end: in two seconds, whatever they do, with nothing half-written left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semantic_guidance.core import ending

ROOT = Path(__file__).parents[2]
PROMISED = 2.0  # seconds from SIGTERM to the end
LIMIT = 20.0  # the same on a machine with much else to do; what is waited for takes longer
BUSY = """
import hashlib, sys
from pathlib import Path
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.files import replacing

def run(argv):
    with replacing(Path(argv[0])) as draft:
        draft.write_text("half")
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes in which Python handles no signal
        print("late")
    return 0

cli._run = run
cli.program()
"""
SLOW = """
import sys, time
from pathlib import Path
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.files import replacing

def run(argv):
    with replacing(Path(argv[0])) as draft:
        draft.write_text("half")
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            time.sleep(float(argv[1]))
            Path(argv[0] + ".saved").touch()

cli._run = run
cli.program()
"""
HOST = """
import os, signal, sys, time
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core import ending

ending.GRACE = ending.PATIENCE = 0.1

def run(argv):
    try:
        os.kill(os.getpid(), signal.Signals[argv[0]])
        time.sleep(60)
    finally:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.Signals[argv[0]])
        time.sleep(0.2)

cli._run = run
print(*(cli.main([name]) for name in ("SIGINT", "SIGTERM", "SIGHUP")))
"""
ASLEEP = BUSY.replace('hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)', "import time; time.sleep(60)")
FORKED = """
import os, signal, time
from semantic_guidance.core import ending
ending.GRACE = 0.1
with ending.clean_end(last=True):
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    time.sleep(0.3)
    os.kill(child, signal.SIGTERM)
    status = os.waitpid(child, 0)[1]
    time.sleep(0.4)
    print(os.waitstatus_to_exitcode(status))
"""
PATIENT = """
import os, sys, time
from semantic_guidance.core import ending
ending.GRACE = 0.3

with ending.clean_end(last=True):
    try:
        with ending.saving_first("saving") as stop:
            print("ready", flush=True)
            while not stop.number:
                time.sleep(0.01)
            time.sleep(float(sys.argv[1]))
            print("saved", flush=True)
            stop.words = "how to go on"
    except ending.Terminated as signal:
        print(signal.words, flush=True)
        os._exit(143)
    except KeyboardInterrupt as signal:
        print(*signal.args, flush=True)
        os._exit(130)
"""
HOSTED = """
import os, signal, sys
from semantic_guidance.core.ending import saving_first
own = []
signal.signal(signal.SIGHUP, lambda *_: own.append(1))
with saving_first() as stop:
    os.kill(os.getpid(), signal.SIGHUP)
    print(stop.number, len(own))
    os.kill(os.getpid(), signal.SIGTERM)
    print(int(stop.number), flush=True)
    stop.words = "how to go on"
print("late", flush=True)
"""
FAMILY = """
import multiprocessing, os, sys, time
from pathlib import Path
from semantic_guidance.core.ending import end_with_parent
from semantic_guidance.core.files import replacing

def work(path):
    end_with_parent()
    with replacing(Path(path)) as draft:
        draft.write_text("half")
        os.write(1, f"{os.getpid()}\\n".encode())  # at once, as others write there
        time.sleep(60)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    for name in "ab":
        context.Process(target=work, args=(f"{sys.argv[1]}/{name}",)).start()
    time.sleep(60)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")


def hear_signals() -> None:
    """As a program in a terminal: whoever starts the tests in the background ignores some for all of them."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def start(program: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=hear_signals,
    )


@pytest.mark.parametrize(
    ("program", "name", "status"),
    [(BUSY, "SIGTERM", 143), (ASLEEP, "SIGTERM", 143), (ASLEEP, "SIGINT", 130), (ASLEEP, "SIGHUP", 129)],
    ids=["busy", "SIGTERM", "SIGINT", "SIGHUP"],
)
def test_a_signal_ends_a_program(tmp_path: Path, program: str, name: str, status: int):
    process = start(program, tmp_path / "a.txt")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    began = time.monotonic()
    process.send_signal(getattr(signal, name))
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)  # those that follow change nothing
    out, complaints = process.communicate(timeout=30)
    assert time.monotonic() - began < LIMIT
    assert process.returncode == status
    word = "interrupted" if name == "SIGINT" else "terminated"
    assert (out, complaints) == ("", f"semantic-guidance: {word}\n")
    assert os.listdir(tmp_path) == []


def test_what_is_promised():
    assert ending.GRACE + 0.5 < PROMISED


@pytest.mark.parametrize(
    ("signals", "needs", "saved"),
    [("INT INT", 2, True), ("INT later INT", 60, False), ("TERM INT", 60, False)],
    ids=["passed on", "twice", "both"],
)
def test_what_ctrl_c_has_begun_may_take_its_time(tmp_path: Path, signals: str, needs: float, saved: bool):
    """As the saving of what was learned does; who is impatient presses it once more."""
    process = start(SLOW, tmp_path / "a.txt", needs)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    for name in signals.split():
        if name == "later":
            time.sleep(ending.GRACE)
        else:
            process.send_signal(getattr(signal, f"SIG{name}"))
        time.sleep(0.1)
    process.communicate(timeout=50)
    assert time.monotonic() - began < LIMIT
    assert process.returncode == (143 if signals.startswith("TERM") else 130)
    assert os.listdir(tmp_path) == (["a.txt.saved"] if saved else [])


@pytest.mark.parametrize(
    ("signals", "needs", "said", "status"),
    [
        ("TERM", 1.0, "saved\nhow to go on\n", 143),  # longer than others have
        ("INT", 0.1, "saved\nhow to go on\n", 130),
        ("HUP HUP", 0.5, "saved\nhow to go on\n", 143),  # passed on by a launcher
        ("INT later TERM", 60, "None\n", 143),
        ("TERM later INT", 60, "\n", 130),
    ],
)
def test_what_is_saved_first_has_its_time(signals: str, needs: float, said: str, status: int):
    process = start(PATIENT, needs)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for name in signals.split():
        if name == "later":
            time.sleep(0.4)
        else:
            process.send_signal(getattr(signal, f"SIG{name}"))
        time.sleep(0.1)
    out, complaints = process.communicate(timeout=30)
    assert (out, complaints) == (said, "\nsemantic-guidance: saving\n")
    assert process.returncode == status


def test_in_another_program_its_own_signals_stay_its_own():
    process = start(HOSTED)
    out, complaints = process.communicate(timeout=30)
    assert (out, complaints) == ("0 1\n15\n", "semantic-guidance: how to go on\n")
    assert process.returncode == -signal.SIGTERM


def test_the_host_of_a_command_line_is_not_ended():
    """A program that calls `main` goes on, however long the command needs for its end."""
    out, complaints = start(HOST).communicate(timeout=30)
    assert out == "130 143 129\n", complaints


def test_what_a_forked_child_receives_is_its_own():
    process = start(FORKED)
    out, complaints = process.communicate(timeout=30)
    assert (out, complaints) == (f"{-signal.SIGTERM}\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("name", "method"), [("SIGKILL", "spawn"), ("SIGTERM", "spawn"), ("SIGKILL", "fork")]
)
def test_children_end_with_the_one_that_started_them(tmp_path: Path, name: str, method: str):
    program = tmp_path / "family.py"  # children import it
    program.write_text(FAMILY)
    folder = tmp_path / "made"
    folder.mkdir()
    command = [sys.executable, str(program), str(folder), method]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    children = [int(process.stdout.readline()) for _ in range(2)]
    assert len(os.listdir(folder)) == 2
    process.send_signal(getattr(signal, name))
    process.wait(10)
    end = time.monotonic() + LIMIT
    while any(map(alive, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, children))
    assert os.listdir(folder) == []
    process.stdout.close()


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
