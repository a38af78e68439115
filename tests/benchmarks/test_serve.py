"""The studio bears many visitors at once, one worker of whom is killed."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from pathlib import Path

import pytest

from tests.benchmarks.running import load, run

pytest.importorskip("uvicorn")


class Busy(http.server.BaseHTTPRequestHandler):
    """Asks twice for patience, or for ever."""

    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Busy.asked += 1
        busy = Busy.asked < 3 or self.path != "/api/pictures"
        answer = b'{"detail": "wanted a little patience"}' if busy else b'{"id": "cat"}'
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", str(len(answer)))
        if busy:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def test_visitors_have_the_patience_that_they_are_asked_for():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = load("studio").Client(f"127.0.0.1:{server.server_port}")
        assert client.picture(b"a photograph") == "cat"
        assert Busy.asked == 3
        with pytest.raises(load("common").BenchmarkError, match="wanted a little patience"):
            client.look("cat")
        server.shutdown()


@pytest.mark.skipif(sys.platform != "linux", reason="its processes are looked up as Linux tells of them")
@pytest.mark.usefixtures("long")
def test_serve_under_load(tmp_path: Path):
    out = tmp_path / "serve.json"
    done = run("serve.py", "--cases", "load", "click", "--repeats", 2, "--out", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["results"]
    load = found["load"]
    assert sum(load["states"].values()) == load["paintings"] == 60  # none is lost,
    assert load["states"]["done"] >= 59  # all but the one whose worker was killed are there,
    assert load["mixed_up"] == 0  # and nobody has another one's
    assert load["p95_s"] < 0.2
    assert load["mib_most"] < 4000
    assert load["mib_after"] < load["mib_before"] + 600
    assert found["click"]["repeats"] == 2
