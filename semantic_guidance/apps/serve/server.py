"""The studio's process: its socket, its beginning and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from semantic_guidance.apps.serve.application import application, guarded
from semantic_guidance.apps.serve.files import check_room
from semantic_guidance.apps.serve.guard import EVERYWHERE, HEADERS, Names
from semantic_guidance.apps.serve.records import Refused
from semantic_guidance.apps.serve.settings import ServeOptions
from semantic_guidance.apps.serve.studio import Studio
from semantic_guidance.apps.serve.uploads import Uploads
from semantic_guidance.core.ending import Stop, saving_first
from semantic_guidance.core.errors import InputError

POLL = 0.05
"""Seconds between two looks at whether the server is to end."""

CLOSING = 1.2
"""Seconds that the studio may take for its end, once it is told."""

HEAD = 15.0
"""Seconds in which the head of a request must have come, from its first byte or the connection's begin."""

KEEP_ALIVE = 30
"""Seconds that a connection stays open without a request."""

UNANSWERED = 30_000
"""Milliseconds after which a connection is lost whose other side takes nothing: its network is gone."""


def serve(options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Serve the studio until a signal ends it.

    Args:
        options: how.
        tell: called once with the page's address, as soon as it answers.

    Raises:
        InputError: it cannot listen there.
        KeyboardInterrupt: Ctrl-C has ended it.
        Terminated: another signal has.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the guard tells what matters
    listener = _listener(options)
    with listener, saving_first() as stop:
        asyncio.run(_served(options, listener, stop, tell))


def _listener(options: ServeOptions) -> socket.socket:
    """The socket to listen at.

    Raises:
        InputError: there can be none.
    """
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)
        kind, _, _, _, address = found[0]
        listener = socket.create_server(address[:2], family=kind, backlog=512)
    except OSError as error:
        usual = isinstance(error, socket.gaierror) or error.errno is None
        reason = (error.strerror or str(error)) if usual else os.strerror(error.errno or 0)
        raise InputError(
            f"{options.host}:{options.port}: {reason}, wanted another --host or --port"
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # passed on to every connection
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED)
    return listener


def address_of(host: str, port: int) -> str:
    """The page's address in a browser on this machine."""
    name = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


async def _served(
    options: ServeOptions, listener: socket.socket, stop: Stop, tell: Callable[[str], None]
) -> None:
    limits = options.limits
    studio = Studio(limits, options.workers)
    app = application(studio)
    config: Any = {"lifespan": "off", "log_config": None, "access_log": False, "proxy_headers": False}
    server = _Server(
        uvicorn.Config(
            guarded(app, Names(options.host, options.names), limits),
            **config,
            http=_Connection,
            ws="none",
            loop="asyncio",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve([listener]))
    starting = asyncio.create_task(_started(studio, app.state))
    try:
        while not (server.started or serving.done()):
            await asyncio.sleep(POLL / 5)
        url = address_of(options.host, listener.getsockname()[1])
        tell(url)
        if options.open:  # in a thread that nobody waits for: some browsers stay in the foreground
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        while not (stop.number or serving.done()):
            await asyncio.sleep(POLL)
            if starting.done():
                starting.result()
    finally:
        if not starting.done():
            _start_no_more()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await studio.close()
        with contextlib.suppress(Refused):  # it was not opened
            shutil.rmtree(studio.folder, ignore_errors=True)
        starting.cancel()
        server.should_exit = True
        await asyncio.gather(serving, starting, return_exceptions=True)


async def _started(studio: Studio, state: Any) -> None:
    """Open the studio, which takes orders from then on, and wait until its workers are warm."""
    starting = asyncio.ensure_future(studio.start())
    await asyncio.sleep(0)
    if not starting.done():
        state.uploads = Uploads(studio.folder / "uploads", lambda more: check_room(studio.store, more))
        state.opened.set()
    try:
        await starting
    except BaseException:
        starting.cancel()
        raise
    state.started.set()


def _start_no_more() -> None:
    """End the process that starts workers, which may be loading torch still: a thread waits for it."""
    number = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if number is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


class _Server(uvicorn.Server):
    """A server that leaves signals to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _Connection(H11Protocol):
    """A connection on which the head of a request must come in time, and what is no HTTP is told so."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD, self._close)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Tell, in the one shape, that something is no request, and close."""
        body = json.dumps({"detail": "This is no HTTP request that can be understood."}).encode()
        head = {**HEADERS, "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{lines}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()
