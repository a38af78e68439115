"""Who may ask what: the gate before every request, and what every answer tells the browser.

A page of another site that a visitor has open can make the browser send requests here, too, and with DNS
rebinding can even be taken for ours. So a request must be for a name that this server answers to; one that
changes something must come from our own page, or from no page at all; and JSON must say that it is JSON,
which forms of other sites cannot.

It is plain ASGI: bodies and streams pass as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semantic_guidance.apps.serve.records import VALUES, values_in
from semantic_guidance.core.shown import printable

FAULT = "Something went wrong here; the server's log tells what."

OWN_NAMES = ("127.0.0.1", "localhost", "::1")
"""Names of this machine for itself."""

EVERYWHERE = ("0.0.0.0", "::", "")
"""Hosts to listen at that stand for all addresses of the machine."""

SAFE = ("GET", "HEAD")

UPLOADS = ("/api/pictures", "/api/projects")
"""Addresses whose bodies are files, which are written to disk as they come; all others are kept in memory."""

JSON_BYTES = 32 << 20
"""Of a body of JSON at most: guidance holds masks."""

HELD = 8 * JSON_BYTES
"""Bytes of the bodies that are kept in memory at a time."""

SLOW, LONGEST = 20.0, 600.0
"""Seconds without a byte after which a body is given up, and that all of one may take."""

LINGER_SECONDS, LINGER_BYTES = 5.0, 256 << 20
"""How long, and for how much, a body that is not wanted is received still: a browser that may not finish
sending shows no answer.
"""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}
"""Of every answer."""


class Names:
    """The names that a server answers to.

    Args:
        host: where it listens.
        more: other names of it, as a reverse proxy has.
    """

    def __init__(self, host: str, more: Iterable[str] = ()) -> None:
        self.names = {_plain(name) for name in (*OWN_NAMES, *more, host) if name}
        self.everywhere = _plain(host) in EVERYWHERE

    def __contains__(self, header: str) -> bool:
        """Whether a Host header is for this server, whatever the port.

        Where it listens at all addresses of the machine, an address is a name of it: what a name can be made
        to point at, an address cannot.
        """
        name = _host(header)
        return name is not None and (name in self.names or (self.everywhere and _is_address(name)))


def _plain(name: str) -> str:
    """A name as it is compared."""
    return name.strip().lower().removeprefix("[").removesuffix("]").rstrip(".")


def _host(header: str) -> str | None:
    """The name in a Host header; None if that is not one."""
    try:
        parts = urlsplit(f"//{header}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return _plain(name) if name and parts.netloc == header and parts.username is None else None


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


class Guard:
    """ASGI middleware; see the module.

    Args:
        app: what is guarded.
        names: that it answers to.
        upload_bytes: of a body that is a file, at most.

    Attributes:
        held: bytes of bodies that are in memory.
    """

    def __init__(self, app: ASGIApp, names: Names, upload_bytes: int) -> None:
        self.app, self.names, self.upload_bytes = app, names, upload_bytes
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        if b"range" in dict(
            scope["headers"]
        ):  # parts of files, which nobody needs, have refusals of their own
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in (b"range", b"if-range")]
        exchange = _Exchange(self, scope, receive, send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await exchange.answer(*refusal)
            return
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except Exception:
            if exchange.gone:
                return
            with contextlib.suppress(OSError):
                print(f"{scope['method']} {printable(scope['path'])} failed:", file=sys.stderr)
                traceback.print_exc()
            if not exchange.started:
                await exchange.answer(500, FAULT)
        finally:
            exchange.let_go()

    def most(self, path: str) -> int:
        """Bytes that a body for an address may have."""
        return self.upload_bytes if path in UPLOADS else JSON_BYTES

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """The status and the sentence with which a request is refused; None if it is not."""
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return 400, "The request has no Host header, or several; wanted one."
        if hosts[0] not in self.names:
            return 421, (
                f"This server does not answer to the name {hosts[0][:80]!r}; whoever runs it can allow it"
                " with --allow-host."
            )
        if scope["method"] not in SAFE:
            origin, site = headers.get("origin"), headers.get("sec-fetch-site")
            if origin is not None and not _same(origin, hosts[0]):
                return 403, "The request comes from a page of another site; wanted one from the studio's own."
            if site not in (None, "same-origin", "none"):
                return 403, "The request comes from another site; wanted one from the studio's own page."
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > (most := self.most(scope["path"])):
            return 413, too_large(most)
        return None


def too_large(most: int) -> str:
    """The sentence about a body that is too large."""
    amount = f"{most >> 20} MB" if most >= 1 << 20 else f"{most} bytes"
    return f"The file is too large; wanted at most {amount}."


def is_json(headers: Headers) -> bool:
    """Whether a body says that it is JSON."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _same(origin: str, host: str) -> bool:
    """Whether an Origin header is that of the server with that Host header.

    The scheme is not compared: a proxy that speaks HTTPS with the browser speaks HTTP with us.
    """
    scheme, _, rest = origin.partition("://")
    usual = {"http": ":80", "https": ":443"}.get(scheme)
    return usual is not None and rest.lower().removesuffix(usual) == host.lower().removesuffix(usual)


class _Exchange:
    """One request and its answer, with the body counted and the headers added.

    Args:
        guard: that lets it pass.
        scope: of the request.
        receive: its parts.
        send: parts of the answer.

    Attributes:
        started: whether the answer has begun.
        gone: whether the other side has.
    """

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard, self._receive, self._send = guard, receive, send
        self._most, self._kept = guard.most(scope["path"]), scope["path"] not in UPLOADS
        self._held = self._values = 0
        self._until = asyncio.get_running_loop().time() + LONGEST
        self._private = scope["path"].startswith("/api/")
        headers = Headers(scope=scope)
        self._expects = headers.get("expect") is not None
        self._read = 0
        self._all_read = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        self.started = self.gone = False

    async def receive(self) -> Message:
        """The next part of the request.

        Raises:
            HTTPException: the body is too large, does not come, or there is no room for it.
        """
        message = await self._next()
        if message["type"] == "http.disconnect":
            self.gone = True
            return message
        body = message.get("body", b"")
        self._read += len(body)
        self._all_read = not message.get("more_body", False)
        if not self.started:
            if self._read > self._most:
                raise HTTPException(413, too_large(self._most))
            if self._kept:
                self._hold(body)
        return message

    async def _next(self) -> Message:
        """The next part of the request, if it comes in time."""
        if self._all_read or self.started:
            return await self._receive()
        try:
            left = self._until - asyncio.get_running_loop().time()
            return await asyncio.wait_for(self._receive(), min(SLOW, max(0.0, left)))
        except TimeoutError:
            late = "The request did not come to its end; wanted it once more."
            raise HTTPException(408, late, {"Connection": "close"}) from None

    def _hold(self, body: bytes) -> None:
        """Count a part of a body that is kept in memory.

        Raises:
            HTTPException: it has too many values, or too much is kept already.
        """
        self._values += values_in(body)
        if self._values > VALUES:
            raise HTTPException(413, f"The request has too many parts; wanted at most {VALUES} values.")
        if self._guard.held + len(body) > HELD:
            raise HTTPException(503, "Too much comes at a time; wanted a little patience.")
        self._guard.held += len(body)
        self._held += len(body)

    def let_go(self) -> None:
        """Count the body as no longer kept."""
        self._guard.held -= self._held
        self._held = 0

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(raw=message["headers"])
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store" if self._private else "no-cache")
        elif not message.get("more_body", False) and not self._all_read and not self.gone:
            await self._send({**message, "more_body": True})
            message = {"type": "http.response.body", "body": b"", "more_body": False}
            await self._linger()
        await self._send(message)

    async def answer(self, status: int, sentence: str) -> None:
        """A whole answer of one sentence."""
        body = json.dumps({"detail": sentence}).encode()
        about: MutableMapping[str, Any] = {"type": "http.response.start", "status": status}
        kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({**about, "headers": kind})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def _linger(self) -> None:
        """Receive what is sent still, for a while."""
        if self._expects:  # then nothing is sent before it is asked for
            return
        end = self._read + LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not (self._all_read or self.gone) and self._read < end:
                    await self.receive()
