"""The command ``serve``: its beginning, its end, and what it says where it cannot begin."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from semantic_guidance.apps.cli import main as cli
from tests.apps.serve.serving import served


def descendants(process: int) -> set[int]:
    """The processes that a process has started, and those that these have."""
    found: set[int] = set()
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for word in path.read_text().split():
            found |= {int(word), *descendants(int(word))}
    return found


def alive(processes: set[int]) -> set[int]:
    """Those that are there still, but for those that have ended and nobody has asked about."""
    found = set()
    for number in processes:
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found.add(number)
    return found


def until(true, patience: float) -> bool:
    """Wait until something is true; returns whether it has become so."""
    end = time.monotonic() + patience
    while not (met := true()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(met)


def test_an_end_at_the_beginning_leaves_nothing(tmp_path):
    with served("--workers", "1", TMPDIR=str(tmp_path)) as server:
        assert server.get("/page/strokes.js").status == 200
        assert server.get("/api/health").json["status"] == "starting"
        started = descendants(server.process.pid)
        status, error, seconds = server.end(signal.SIGTERM)
    assert (status, error) == (143, "semantic-guidance: terminated\n")
    assert seconds < 3
    assert until(lambda: not alive(started), 5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_end_in_the_middle_leaves_nothing(number, status, tmp_path):
    with served("--workers", "1", TMPDIR=str(tmp_path)) as server:
        picture = server.ask("POST", "/api/pictures?example=coffee").json["id"]
        job = {"strokes": 2000, "preset": "fine", "size": 512}
        painting = server.post("/api/paintings", {"picture": picture, "job": job}).json["id"]
        with server.following(painting) as happening:
            assert any(name == "strokes" for name, _ in happening)
            started = descendants(server.process.pid)
            found, error, seconds = server.end(number)
            *_, (_, record) = happening  # the stream is ended, not cut
    assert (found, error.count("\n")) == (status, 1)
    assert record["state"] in ("stopped", "cancelled", "failed", "running")
    assert seconds < 2.5
    assert until(lambda: not alive(started), 5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("long")
def test_no_process_is_left_after_kill_9(tmp_path):
    with served("--workers", "1", TMPDIR=str(tmp_path)) as server:
        assert server.ask("POST", "/api/pictures?example=coffee").status == 201
        started = descendants(server.process.pid)
        os.kill(server.process.pid, signal.SIGKILL)
        assert until(lambda: not alive(started), 10)


def test_a_port_that_is_taken_is_told_in_a_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert cli.main(["serve", "--port", str(port)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    wanted = "wanted another --host or --port"
    assert said.err == f"semantic-guidance: error: 127.0.0.1:{port}: Address already in use, {wanted}\n"


@pytest.mark.parametrize(
    "flags", [["--port", "70000"], ["--workers", "0"], ["--keep", "0"], ["--host", "no where"]]
)
def test_what_cannot_be_is_told_in_a_line(flags, capsys):
    assert cli.main(["serve", *flags]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_the_extra_it_says_what_to_install():
    code = (
        "import sys; sys.modules['fastapi'] = None; from semantic_guidance.apps.cli.main import main;"
        "sys.exit(main(['serve']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    wanted = "pip install 'semantic-guidance[web]'"
    assert (done.returncode, done.stderr) == (
        2,
        f"semantic-guidance: error: serve needs FastAPI and uvicorn: {wanted}\n",
    )


def test_help_waits_for_nothing_large():
    code = (
        "import sys; from semantic_guidance.apps.cli.main import main; main(['serve', '--help']);"
        "sys.exit(bool({'torch', 'fastapi', 'uvicorn', 'numpy'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--allow-host" in done.stdout


def test_the_server_loads_no_torch(studio):
    maps = Path(f"/proc/{studio.process.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    assert "libtorch" not in maps.read_text()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Path]:
    """A program that stands for a browser, and the file to which it writes what it is to open."""
    program, told = tmp_path / "browser", tmp_path / "told"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {told}\n')
    program.chmod(0o755)
    return program


def test_who_lets_others_in_is_told_and_open_opens_the_page(browser, tmp_path):
    told, flags = tmp_path / "told", ("--host", "0.0.0.0", "--allow-host", "paint.example.org", "--open")
    with served("--workers", "1", *flags, BROWSER=f"{browser} %s") as server:
        assert server.url.startswith("http://127.0.0.1:")
        for host, status in (("paint.example.org", 200), ("192.168.7.8:7860", 200), ("evil.example", 421)):
            assert server.get("/api/health", Host=host).status == status
        assert until(lambda: told.exists() and told.read_text() == server.url, 20)
        status, error, _ = server.end()
    note, end = error.splitlines()
    assert note.startswith("semantic-guidance: note: --host 0.0.0.0 lets in whoever reaches this machine")
    assert (status, end) == (130, "semantic-guidance: interrupted")
