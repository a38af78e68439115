"""Who may ask, what every answer says to the browser, and bodies that are too much."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from semantic_guidance.apps.serve import guard
from semantic_guidance.apps.serve.guard import Names
from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.apps.serve.uploads import Uploads
from tests.apps.serve.serving import Served, served

WANTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
SOURCES = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "blob:", "data:"},
    "connect-src": {"'self'"},
    "worker-src": {"'self'"},
    "manifest-src": {"'self'"},
    "form-action": {"'none'"},
    "base-uri": {"'none'"},
    "frame-ancestors": {"'none'"},
}
UNKNOWN = "0123456789abcdefghijklmn"


def raw(studio: Served, text: str, patience: float = 20) -> bytes:
    """The answer to bytes that need not be a request."""
    place = urlsplit(studio.url)
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=patience) as connection:
        connection.sendall(text.encode("latin-1"))
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/page/strokes.js", 200),
        ("HEAD", "/page/strokes.js", 200),
        ("GET", "/api/health", 200),
        ("GET", "/api/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/api/health", 405),
        ("POST", "/api/paintings", 415),
        ("GET", f"/api/paintings/{UNKNOWN}/events", 404),
    ],
)
def test_every_answer_says_what_a_browser_may_do(studio, method, path, status):
    answer = studio.ask(method, path)
    assert answer.status == status
    assert {name: answer.headers[name] for name in WANTED} == WANTED
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert {name: set(words.split()) for name, words in policy.items()} == SOURCES
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["cache-control"] == ("no-store" if path.startswith("/api/") else "no-cache")
    assert not {"set-cookie", "server", "access-control-allow-origin"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("LocalHost.", 200),
        ("[::1]:7860", 200),
        ("evil.example", 421),
        ("evil.example:7860", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("user@127.0.0.1", 421),
        ("127.0.0.1/@evil.example", 421),
        ("127.0.0.1:99999", 421),
        ("192.168.0.5:7860", 421),
        ("[::2]", 421),
    ],
)
def test_only_own_names_are_answered(studio, host, status):
    answer = studio.get("/api/health", Host=host)
    assert answer.status == status
    if status != 200:
        assert "--allow-host" in answer.detail


@pytest.mark.parametrize("lines", ["", "Host: 127.0.0.1\r\nHost: evil.example\r\n"])
def test_one_host_is_wanted(studio, lines):
    assert b" 400 " in raw(studio, f"GET /api/health HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")


def test_names_of_a_server_for_others():
    everywhere = Names("0.0.0.0", ["paint.example.org"])
    assert all(name in everywhere for name in ("192.168.0.5:7860", "[fe80::1]:7860", "Paint.Example.org"))
    assert not any(name in everywhere for name in ("evil.example", "1.2.3.4.evil.example", "", ":80", "a b"))
    here = Names("192.168.0.5")
    assert "192.168.0.5:1" in here
    assert "192.168.0.6:1" not in here


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Origin", "http://evil.example", 403),
        ("Origin", "http://localhost:3000", 403),
        ("Origin", "null", 403),
        ("Origin", "", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "same-origin", 404),
        ("Sec-Fetch-Site", "none", 404),
    ],
)
def test_pages_of_other_sites_change_nothing(studio, name, value, status):
    for method in ("POST", "DELETE"):
        path = f"/api/paintings/{UNKNOWN}" + "/stop" * (method == "POST")
        assert studio.ask(method, path, headers={name: value}).status == status


def test_the_own_page_does(studio):
    path = f"/api/paintings/{UNKNOWN}/stop"
    assert studio.ask("POST", path, headers={"Origin": studio.url}).status == 404
    behind = {"Origin": "https://localhost", "Host": "localhost"}  # a proxy with TLS before it
    assert studio.ask("POST", path, headers=behind).status == 404
    usual = {"Origin": "https://localhost:443", "Host": "localhost"}
    assert studio.ask("POST", path, headers=usual).status == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"])
def test_json_says_that_it_is(studio, kind):
    body = json.dumps({"picture": UNKNOWN}).encode()
    answer = studio.ask("POST", "/api/paintings", body, {"Content-Type": kind})
    assert (answer.status, "application/json" in answer.detail) == (415, True)
    answer = studio.ask("POST", "/api/paintings", body, {"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/page/../guard.py",
        "/page/%2e%2e/guard.py",
        "/page/..%2fguard.py",
        "/page/..%5cguard.py",
        "/page/%00",
        "/page/",
        "/page/strokes.js/",
        "/page//etc/passwd",
        "//etc/passwd",
        "/page/__init__.py",
        "/api/examples/..%2f..%2fguard.py",
        "/api/pictures/..%2f..%2fetc/preview",
        f"/api/paintings/{UNKNOWN}/files/..%2fstrokes.json",
    ],
)
def test_paths_lead_nowhere_else(studio, path):
    answer = studio.get(path)
    assert answer.status == 404
    assert answer.detail


@pytest.mark.parametrize("text", ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: " + 70_000 * "a"])
def test_what_is_no_request_is_told_so(studio, text):
    head, _, body = raw(studio, text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert list(json.loads(body)) == ["detail"]


@pytest.mark.parametrize("length", [True, False])
def test_a_body_that_is_too_large_is_told_so_while_it_comes(studio, temporary, length):
    most = 8 << 20
    blocks = (bytes(1 << 20) for _ in range(12))
    headers = {"Content-Length": str(12 << 20)} if length else {}  # else in chunks
    began = time.monotonic()
    answer = studio.ask("POST", "/api/pictures", blocks, headers)
    assert (answer.status, answer.detail) == (413, f"The file is too large; wanted at most {most >> 20} MB.")
    assert time.monotonic() - began < 4
    assert uploads(temporary) == []


@pytest.mark.parametrize("length", [True, False])
def test_json_is_bounded(studio, length):
    blocks = (bytes([32]) * (1 << 20) for _ in range(34))
    headers = {"Content-Length": str(34 << 20)} if length else {}  # else in chunks
    answer = studio.ask("POST", "/api/zip", blocks, {**headers, "Content-Type": "application/json"})
    assert (answer.status, "32 MB" in answer.detail) == (413, True)


def memory(studio: Served) -> int:
    """MB of memory that the server has had at most."""
    lines = Path(f"/proc/{studio.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is asked for as Linux tells it")
def test_what_is_not_written_to_disk_is_small_and_has_few_values():
    with served("--workers", "1") as studio:
        before = memory(studio)
        answer = studio.ask(
            "POST", "/api/paintings", bytes(60 << 20), {"Content-Type": "application/octet-stream"}
        )
        assert answer.status == 413
        body = b'{"guidance": {"instances": [], "x": [' + b"[]," * (2 << 20) + b"[]]}}"
        path = f"/api/pictures/{UNKNOWN}/look"
        answer = studio.ask("POST", path, body, {"Content-Type": "application/json"})
        assert (answer.status, "values" in answer.detail) == (413, True)
        assert memory(studio) - before < 40


def test_there_is_an_end_to_what_is_kept_in_memory(monkeypatch):
    monkeypatch.setattr(guard, "HELD", 10)
    scope = {"type": "http", "method": "POST", "path": "/api/zip", "headers": [(b"host", b"localhost")]}
    held = []

    async def receive():
        return {"type": "http.request", "body": b"0123456", "more_body": False}

    async def app(scope, received, send):
        try:
            await received()
        except HTTPException as refused:
            held.append(refused.status_code)
            return
        held.append(gate.held)
        await gate(scope, receive, send)  # another one, while this one is answered

    gate = guard.Guard(app, Names("localhost"), 1)
    asyncio.run(gate(scope, receive, receive))
    assert (held, gate.held) == ([7, 503], 0)


def uploads(temporary: Path) -> list[Path]:
    """Files that are being received."""
    return [path for path in temporary.glob("semantic-guidance-*/uploads/*") if path.is_file()]


def test_a_broken_upload_leaves_nothing(studio, temporary):
    place = urlsplit(studio.url)
    head = "POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((str(place.hostname), place.port or 0)) as connection:
        connection.sendall(head.encode() + b"some bytes")
        until(lambda: uploads(temporary))
    until(lambda: not uploads(temporary))


def until(true, patience: float = 10.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "still not"
        time.sleep(0.02)


def test_files_that_come_count_as_files_that_are_there(tmp_path):
    asked = []

    def check(more: int) -> None:
        asked.append(more)
        if more > 3 << 20:
            raise Refused("full", 503)

    uploads = Uploads(tmp_path / "uploads", check)

    async def receive():
        return {"type": "http.request", "body": bytes(1 << 20), "more_body": True}

    async def sent() -> None:
        async with uploads.received(Request({"type": "http", "headers": []}, receive), 64 << 20):
            pass

    async def both() -> list[object]:
        return await asyncio.gather(sent(), sent(), return_exceptions=True)

    found = asyncio.run(both())
    assert [type(error) for error in found] == [Refused, Refused]
    assert asked[-1] == max(asked) == 4 << 20
    assert uploads._coming == {}
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("path", ["/api/zip", "/api/pictures"])
def test_half_a_body_is_not_waited_for(studio, path):
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9"
    began = time.monotonic()
    assert b" 408 " in raw(studio, head + "\r\n\r\n{", 40)
    assert 15 < time.monotonic() - began < 35


@pytest.mark.usefixtures("long")
def test_half_a_head_is_not_waited_for(studio):
    began = time.monotonic()
    assert raw(studio, "GET / HTTP/1.1\r\nHost: 127", 40) == b""
    assert 10 < time.monotonic() - began < 25
