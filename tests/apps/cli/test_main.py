"""The command line as such: help, versions, and one line for whatever goes wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.plugins import COMMANDS
from semantic_guidance.core.version import __version__


def complaint(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line on standard error that a bad command line ends with."""
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("semantic-guidance: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"semantic-guidance {__version__}\n"


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS.shipped)])
def test_help_shows_examples(capsys, command):
    assert cli.main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "examples:" in out
    assert f"semantic-guidance {command[0] if command else 'COMMAND'}" in out


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        ([], "no command given, wanted one of paint"),
        (["point"], "'point'"),
        (["--nonsense"], "--nonsense"),
        (["paint"], "IMAGE"),
        (["paint", "a.jpg", "b.jpg"], "b.jpg"),
        (["paint", "a.jpg", "--nonsense", "3"], "--nonsense"),
        (["paint", "a.jpg", "--stroke", "3"], "--stroke"),
        (["paint", "a.jpg", "--strokes"], "--strokes: expected one argument"),
        (["paint", "a.jpg", "--json=3"], "--json"),
    ],
)
def test_bad_command_lines(capsys, argv, wanted):
    assert wanted in complaint(capsys, *argv)


def test_flags_take_dashes_and_underscores():
    assert cli._normalised(["paint", "a_b.jpg", "--no_guidance", "--batch_size=x_y", "--a_b", "c_d"]) == [
        "paint",
        "a_b.jpg",
        "--no-guidance",
        "--batch-size=x_y",
        "--a-b",
        "c_d",
    ]
    assert cli._normalised(["paint", "--", "--a_b.jpg"]) == ["paint", "--", "--a_b.jpg"]


def test_a_value_that_may_be_left_away_is_no_other_word():
    for rest in (["photo.jpg"], [], ["--", "photo.jpg"], ["--formats", "png"]):
        assert cli._normalised(["--transparent", *rest]) == ["--transparent=painting", *rest]
    for words in (["--transparent", "object", "photo.jpg"], ["--transparent=all"]):
        assert cli._normalised(words) == words


def test_negative_numbers_belong_to_their_flag():
    assert cli._normalised(["--box", "-1,2,3,4", "-5"]) == ["--box=-1,2,3,4", "-5"]
    assert cli._normalised(["--seed=1", "-5"]) == ["--seed=1", "-5"]


SLOW_SAVE = """
import sys, time
from pathlib import Path
from semantic_guidance.apps.cli import main as cli
from semantic_guidance.core.files import replacing

def save(argv):
    with replacing(Path(sys.argv[1])) as draft:
        draft.write_bytes(b"half")
        print("saving", flush=True)
        time.sleep(60)

cli._run = save
sys.exit(cli.main([]))
"""


def test_termination_leaves_no_half_written_file(tmp_path):
    (tmp_path / "file").write_bytes(b"whole")
    command = [sys.executable, "-c", SLOW_SAVE, str(tmp_path / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "saving\n"
        process.terminate()
        complaint = process.communicate(timeout=30)[1]
    assert (process.returncode, complaint) == (143, "semantic-guidance: terminated\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_interruption(capsys, monkeypatch):
    def interrupt(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupt)
    assert cli.main(["paint"]) == 130
    assert capsys.readouterr().err == "semantic-guidance: interrupted\n"


def test_other_system_errors_are_faults_of_ours(monkeypatch):
    def fail(argv):
        raise SystemError("unknown opcode")

    monkeypatch.setattr(cli, "_run", fail)
    with pytest.raises(SystemError, match="unknown opcode"):
        cli.main(["paint"])


def test_an_ignored_interrupt_stays_ignored(monkeypatch):
    monkeypatch.setattr(cli, "_run", lambda argv: signal.raise_signal(signal.SIGINT) or 0)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert cli.main(["paint"]) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_errors_of_the_system_name_the_file(capsys, monkeypatch):
    def fail(argv):
        raise OSError(28, "No space left on device", "a.png")

    monkeypatch.setattr(cli, "_run", fail)
    assert complaint(capsys) == "semantic-guidance: error: a.png: No space left on device\n"


def test_an_error_is_one_line(capsys):
    assert "no such file" in complaint(capsys, "paint", "a\nb\udcff.jpg")


@pytest.mark.parametrize(
    ("command", "usual"), [("paint", "png,mp4"), ("render", "png"), ("repaint", "png,json")]
)
def test_help_tells_the_formats_that_are_written(capsys, command, usual):
    assert cli.main([command, "--help"]) == 0
    assert f"recipes.json (default: {usual})" in " ".join(capsys.readouterr().out.split())


def test_help_is_quick_and_loads_nothing_big():
    commands = sorted({*COMMANDS.shipped} - {"train", "train-renderer"})  # whose settings need torch
    code = (
        "import sys; from semantic_guidance.apps.cli.main import main\n"
        f"main(['--help']); [main([command, '--help']) for command in {commands}]\n"
        "sys.exit(' '.join({'torch', 'numba', 'llvmlite', 'cv2', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert time.perf_counter() - begun < 5  # a fraction of a second, but tests may share their machine


HINTS = """
import logging, sys
from types import SimpleNamespace
from semantic_guidance.apps.cli import main as cli

def run(args):
    logging.getLogger("semantic_guidance").warning("%s cannot be kept", "a\\nb")
    return 0

if "host" in sys.argv:
    logging.basicConfig(format="host: %(message)r")
cli._run = lambda argv: cli._done(SimpleNamespace(run=run), None)
sys.exit(cli.main() + cli.main())
"""


@pytest.mark.parametrize(
    ("host", "line"),
    [((), "semantic-guidance: warning: a\\nb cannot be kept"), (("host",), "host: 'a\\nb cannot be kept'")],
)
def test_what_the_package_logs_is_a_line(host, line):
    """Unless the program around it has said what to do with such things."""
    command = [sys.executable, "-W", "error", "-c", HINTS, *host]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [line, line]


def test_the_module_runs():
    done = subprocess.run(
        [sys.executable, "-m", "semantic_guidance", "paint", "none.jpg"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "semantic-guidance: error: none.jpg: no such file, wanted a picture\n"


def test_standard_error_may_be_closed(photo, tmp_path):
    command = f"{sys.executable} -m semantic_guidance paint {photo} --strokes 3 --preset draft --formats png"
    done = subprocess.run(["bash", "-c", f"{command} --size 48 --baseline --out {tmp_path / 'out'} 2>&-"])
    assert done.returncode == 0
    assert (tmp_path / "out" / "photo_painted.png").exists()


def test_a_reader_that_leaves_early():
    command = f"{sys.executable} -m semantic_guidance paint --help | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


END = """
import atexit, sys
from semantic_guidance.apps.cli import main as cli

class Kept:
    def __del__(self):
        print("taken apart")

def work():
    kept.append(kept)  # a cycle, which only the interpreter's end takes apart
    atexit.register(print, "called at the end")
    print("worked")
    {end}

kept = [Kept()]
cli.main = work
cli.program()
"""


@pytest.mark.parametrize(
    ("end", "status", "words"),
    [
        ("return 0", 0, ["worked", "called at the end"]),
        ("return 130", 130, ["worked", "called at the end"]),
        ("raise RuntimeError('unexpected')", 1, ["worked", "called at the end", "taken apart"]),
    ],
)
def test_the_program_ends_without_taking_everything_apart(end, status, words):
    done = subprocess.run(
        [sys.executable, "-c", END.replace("{end}", end)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status
    assert done.stdout.split("\n")[:-1] == words
    assert ("unexpected" in done.stderr) is (status == 1)


def test_a_warning_is_one_line():
    code = (
        "import sys, warnings\n"
        "from semantic_guidance.apps.cli import main as cli\n"
        "cli._run = lambda argv: warnings.warn('all is slow') or 0\n"
        "sys.exit(cli.main(['paint']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "semantic-guidance: warning: all is slow\n"


def test_what_was_to_be_called_at_the_end_before_the_program_began_is_called():
    """As by tools that are loaded before a program and look into it."""
    early = END.replace("{end}", "return 3").replace(
        "class Kept:", "atexit.register(print, 'early')\n\nclass Kept:"
    )
    done = subprocess.run(
        [sys.executable, "-c", early], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3
    assert done.stdout.splitlines()[:3] == ["worked", "called at the end", "early"]
