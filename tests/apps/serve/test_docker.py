"""The image is built as it should be: what its file says, and, behind ``--long``, what its steps do."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.apps.serve.test_command import until

ROOT = Path(__file__).parents[3]
PROGRAMS = os.pathsep.join([str(ROOT / ".long" / "bin"), os.environ.get("PATH", "")])
HADOLINT = shutil.which("hadolint", path=PROGRAMS)
STUDIO = "/opt/studio"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each with its arguments in one line."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def of(kind: str) -> list[str]:
    """The arguments of all instructions of a kind."""
    return [rest for word, rest in instructions() if word == kind]


def test_it_begins_with_a_version():
    for image in of("FROM"):
        assert re.fullmatch(r"python:3\.1[1-9]-slim( AS \w+)?", image)


def test_an_ordinary_user_serves():
    words = [word for word, _ in instructions()]
    last = len(words) - 1 - words[::-1].index("USER")
    assert last > len(words) - 1 - words[::-1].index("FROM")
    assert int(of("USER")[-1]) > 0
    assert not {"RUN", "COPY", "ADD"} & {*words[last:]}
    assert "ADD" not in words
    assert "sudo" not in (ROOT / "Dockerfile").read_text()


def test_its_health_is_asked_for():
    (check,) = of("HEALTHCHECK")
    assert "/api/health" in check
    assert json.loads(check.partition("CMD ")[2])[0] == f"{STUDIO}/bin/python"
    assert of("EXPOSE") == ["7860"]
    assert json.loads(of("ENTRYPOINT")[0])[1:] == ["serve", "--host", "0.0.0.0"]


def test_only_what_is_installed_is_copied():
    copied = {word for line in of("COPY") if "--from" not in line for word in line.split()[:-1]}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {word.rstrip("/") for word in copied} == allowed
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.usefixtures("long")
def test_hadolint_has_nothing_to_say():
    if HADOLINT is None:
        pytest.skip("needs hadolint: make test-long")
    done = subprocess.run([HADOLINT, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def copied(line: str, folder: Path) -> None:
    """Do as COPY does."""
    *names, target = line.split()
    for name in names:
        source, place = ROOT / name, folder / target
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place)


def reached(address: str) -> bool:
    """Whether an index of packages can be asked."""
    code = f"import urllib.request; urllib.request.urlopen({address!r}, timeout=10)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.usefixtures("long")
def test_its_steps_install_a_studio_that_serves(tmp_path):
    build, studio = tmp_path / "build", tmp_path / "studio"
    for word, rest in instructions()[: [word for word, _ in instructions()].index("FROM", 1)]:
        if word == "COPY":
            copied(rest, build)
        elif word == "RUN":
            step = rest.replace(STUDIO, str(studio)).replace("python -m venv", f"{sys.executable} -m venv")
            (index,) = re.findall(r"--index-url (\S+)", step)
            if not reached(f"{index}/torch/"):  # then its usual build must do
                step = step.replace(f"--index-url {index} ", "")
            done = subprocess.run(["sh", "-ec", step], cwd=build, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    command = [word.replace(STUDIO, str(studio)) for word in json.loads(of("ENTRYPOINT")[0])]
    served = subprocess.Popen([*command, "--port", str(port), "--workers", "1"], cwd=tmp_path)
    try:
        (check,) = of("HEALTHCHECK")
        asked = json.loads(check.partition("CMD ")[2].replace(STUDIO, str(studio)).replace("7860", str(port)))
        assert until(lambda: subprocess.run(asked, capture_output=True).returncode == 0, 60)
        began = time.monotonic()
        served.terminate()
        assert served.wait(20) == 143
        assert time.monotonic() - began < 3
    finally:
        served.kill()
        served.wait()
