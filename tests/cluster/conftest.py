"""Real clusters and object stores on this machine, for tests that take long."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEY = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""With which a cluster is opened, and a driver opens it."""

PROGRAMS = os.pathsep.join([str(ROOT / ".long" / "bin"), os.environ.get("PATH", "")])


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_open(port: int, seconds: float = 60.0) -> None:
    """Wait until somebody listens at a port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nobody listens at port {port}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a server that speaks S3's language, whose programs are those of ``make test-long``."""
    program = shutil.which("moto_server", path=PROGRAMS)
    if program is None:
        pytest.skip("moto is not installed (make test-long installs it)")
    port = free_port()
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until_open(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3(long: None, store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket there, for this process and those that it starts."""
    fsspec = pytest.importorskip("fsspec")
    system = pytest.importorskip("s3fs").S3FileSystem
    for name, value in (
        ("AWS_ENDPOINT_URL", store),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "nothing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_CONFIG_FILE", os.devnull),
        ("AWS_SHARED_CREDENTIALS_FILE", os.devnull),
    ):
        monkeypatch.setenv(name, value)
    system.clear_instance_cache()
    files = fsspec.filesystem("s3")
    bucket = f"bucket-{time.monotonic_ns()}"
    files.mkdir(bucket)
    yield f"s3://{bucket}"
    system.clear_instance_cache()


def children(pid: int) -> set[int]:
    """The processes that a process has started, and that these have."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def workers(pid: int) -> set[int]:
    """The processes among these that Ray has made workers of ours."""
    found = set()
    for child in children(pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"ray::Worker"):
                found.add(child)
    return found


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster of this machine.

    Attributes:
        address: of its head.
        pid: of the process that has started it.
    """

    address: str
    pid: int


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with one node and two cores, which ends with the tests of a file."""
    pytest.importorskip("ray")
    port = free_port()
    log = (tmp_path_factory.mktemp("ray") / "log").open("wb")
    words = ["start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    words += ["--node-ip-address=127.0.0.1", "--object-store-memory=80000000", "--disable-usage-stats"]
    program = Path(sys.executable).with_name("ray")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEY.items():
            patch.setenv(name, value)
        # In a folder of no interest: workers start where the cluster did.
        started = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0"}
        head = subprocess.Popen([str(program), *words], stdout=log, stderr=log, cwd="/", env=started)
        yield from _until_ended(head, port)
    log.close()


def _until_ended(head: subprocess.Popen[bytes], port: int) -> Iterator[Cluster]:
    try:
        until_open(port)
        status = [str(Path(sys.executable).with_name("ray")), "status", f"--address=127.0.0.1:{port}"]
        end = time.monotonic() + 120
        while b"node_" not in subprocess.run(status, capture_output=True, check=False).stdout:
            assert time.monotonic() < end, "the cluster has no node"
        yield Cluster(f"127.0.0.1:{port}", head.pid)
    finally:
        others = children(head.pid)
        head.terminate()
        try:
            head.wait(20)
        except subprocess.TimeoutExpired:
            head.kill()
            head.wait()
        for child in others:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
