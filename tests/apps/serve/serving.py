"""A server of the studio, the command itself, on loopback; and who asks it, without a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 120.0  # seconds


@dataclass
class Answer:
    """What the server says."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The values in it."""
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """The sentence of a refusal, which has that one shape."""
        assert self.headers["content-type"] == "application/json"
        assert list(self.json) == ["detail"]
        return str(self.json["detail"])


@dataclass
class Served:
    """A server that runs.

    Attributes:
        process: of the command.
        url: of the page.
        said: what it has printed.
    """

    process: subprocess.Popen[str]
    url: str
    said: list[str] = field(default_factory=list)

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        """A connection to it."""
        place = urlsplit(self.url)
        return http.client.HTTPConnection(str(place.hostname), place.port, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        as_json: Any = None,
    ) -> Answer:
        """The answer to a request."""
        about = dict(headers or {})
        if as_json is not None:
            body = json.dumps(as_json).encode()
            about.setdefault("Content-Type", "application/json")
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, about)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())

    def get(self, path: str, **headers: str) -> Answer:
        """The answer to GET."""
        return self.ask(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def post(self, path: str, values: Any = None) -> Answer:
        """The answer to POST with JSON."""
        return self.ask("POST", path, as_json=values)

    def send(self, picture: Path | bytes, name: str = "photo.jpg") -> Answer:
        """The answer to a picture."""
        body = picture if isinstance(picture, bytes) else picture.read_bytes()
        return self.ask("POST", "/api/pictures", body, {"X-Name": name})

    @contextlib.contextmanager
    def following(self, painting: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """The events of a painting, as they come, while the block runs."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", f"/api/paintings/{painting}/events")
            answer = connection.getresponse()
            assert answer.status == 200
            yield events(answer)

    def ended(self, painting: str) -> dict[str, Any]:
        """How a painting has ended, once it has."""
        with self.following(painting) as happening:
            *_, (name, record) = happening
        assert name == "end"
        found: dict[str, Any] = record
        return found

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, float]:
        """End it: its status, what it says on standard error, and the seconds that this took."""
        began = time.monotonic()
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, error, time.monotonic() - began


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """The events in a stream of them, by the rules of HTML's specification."""
    name, data = "message", []
    for raw in answer:
        line = raw.decode().rstrip("\n")
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line and data:
            yield name, json.loads("\n".join(data))
        if not line:
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


@contextlib.contextmanager
def served(*flags: str, **environment: str) -> Iterator[Served]:
    """The command, while the block runs."""
    command = [sys.executable, "-m", "semantic_guidance", "serve", "--port", "0", *flags]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    try:
        line = str(process.stdout.readline())  # type: ignore[union-attr]
        if not line.startswith("Studio at http"):
            raise RuntimeError(line + process.communicate(timeout=PATIENCE)[1])
        yield Served(process, line.split()[2], [line])
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=5)
        if process.poll() is None:
            process.kill()
        process.communicate()
