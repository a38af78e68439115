"""The studio that is measured: started, and asked as a page asks it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common import ROOT, BenchmarkError

PATIENCE = 20  # times that a request is made at most


@dataclass
class Client:
    """Asks the studio.

    Attributes:
        place: host and port.
        visitor: a word for whoever asks.
    """

    place: str
    visitor: str = ""

    def ask(self, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> bytes:
        """The answer to a request, which is made again as often as the studio asks for patience.

        Raises:
            BenchmarkError: it is refused.
        """
        about = {"X-Name": "photo.jpg", "X-Visitor": self.visitor}
        if isinstance(body, dict):
            body, about["Content-Type"] = json.dumps(body).encode(), "application/json"
        for _ in range(PATIENCE):
            with contextlib.closing(http.client.HTTPConnection(self.place, timeout=300)) as connection:
                connection.request(method, path, body, about)
                answer = connection.getresponse()
                found = answer.read()
            later = answer.headers.get("Retry-After")
            if answer.status != 503 or later is None:
                break
            time.sleep(float(later))
        if answer.status >= 400:
            raise BenchmarkError(f"{path}: {found.decode(errors='replace')[:200]}")
        return found

    def values(self, method: str, path: str, body: bytes | dict[str, Any] | None = None) -> Any:
        """The JSON values in an answer."""
        return json.loads(self.ask(method, path, body))

    def picture(self, photo: bytes) -> str:
        """ID of a picture that is sent."""
        return str(self.values("POST", "/api/pictures", photo)["id"])

    def look(self, picture: str, **question: Any) -> Any:
        """What is known of a picture."""
        return self.values("POST", f"/api/pictures/{picture}/look", question)

    def paint(self, picture: str, job: dict[str, Any], **more: Any) -> str:
        """ID of a painting that is ordered."""
        order = {"picture": picture, "job": job, **more}
        return str(self.values("POST", "/api/paintings", order)["id"])

    def events(self, painting: str) -> Iterator[tuple[str, Any]]:
        """What happens to a painting."""
        with contextlib.closing(http.client.HTTPConnection(self.place, timeout=300)) as connection:
            connection.request("GET", f"/api/paintings/{painting}/events")
            name = ""
            for line in connection.getresponse():
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    yield name, json.loads(line[6:])

    def ended(self, painting: str) -> Any:
        """The record of a painting once it has ended."""
        return next(data for name, data in self.events(painting) if name == "end")


@contextlib.contextmanager
def serving(scratch: Path) -> Iterator[tuple[Client, int]]:
    """The studio, warm, and the number of its process.

    Raises:
        BenchmarkError: it does not start.
    """
    command = [sys.executable, "-m", "semantic_guidance", "serve", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        said = server.stdout.readline().split()
        if len(said) < 3:
            raise BenchmarkError("the studio does not start")
        client = Client(urlsplit(said[2]).netloc)
        while client.values("GET", "/api/health")["status"] != "ok":
            time.sleep(0.2)
        yield client, server.pid
    finally:
        server.terminate()
        server.wait()
