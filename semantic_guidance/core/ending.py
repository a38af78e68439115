"""How a process ends that is told to end, whatever it is doing at that moment.

Python calls what handles a signal between two of its own steps. While one of them takes long, as the encoding
of a large picture does, a second thread sees the signal, and ends the process after `GRACE`: only that of the
command line, for another program's process is not ours to end.

What is worth saving first, as training is, says so by `saving_first`: then the first signal asks, and another
one ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from semantic_guidance.core.files import discard

GRACE = 1.2
"""Seconds from a signal to the end, in which what was begun may be undone."""

PATIENCE = 30.0
"""The same from Ctrl-C, after which a person sees what goes on: another one, later than `GRACE`, ends it."""

POLL = 0.5
"""Seconds between two looks at whether the process that started this one is there."""

NUMBERS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
"""The signals that end a program."""


class Terminated(BaseException):
    """A signal was received that ends the program, but for Ctrl-C's: that is a `KeyboardInterrupt`.

    Attributes:
        number: of the signal.
        words: what to tell; a usual word if None.
    """

    def __init__(self, number: int, words: str | None = None) -> None:
        super().__init__(number)
        self.number, self.words = number, words


@dataclass
class Stop:
    """Whether work that is saved first is to end, see `saving_first`.

    Attributes:
        number: of the signal that said so; 0 as long as none did.
        words: what to tell in the end; a usual word if None, nothing if it is empty.
    """

    number: int = 0
    words: str | None = None
    told: float = 0.0
    note: str = ""

    def take(self, number: int) -> bool:
        """Take note of a signal; returns whether that is all: not if it is another one."""
        if not self.number:
            self.number, self.told = number, time.monotonic()
            _tell(self.note, "\n")  # below a bar of progress
            return True
        # A launcher passes on what the terminal has sent to both: that is the same one.
        return time.monotonic() <= self.told + GRACE

    def end(self) -> BaseException:
        """What ends the program."""
        if self.number == signal.SIGINT:
            return KeyboardInterrupt(*(() if self.words is None else (self.words,)))
        return Terminated(self.number, self.words)


class _Watch:
    """The handlers of a context, and the thread that sees to it that the process ends."""

    def __init__(self) -> None:
        self.first = 0  # the signal that ends the program: those that follow must not disturb its end
        self.unwound = False  # and the block has ended, so that what is to be told of it is told
        self.stop: Stop | None = None  # of a block within that is saved first
        self.before = {
            number: handler
            for number in NUMBERS
            if (handler := signal.getsignal(number)) is not signal.SIG_IGN or number == signal.SIGTERM
        }
        self._guard: _Guard | None = None

    def begin(self, last: bool) -> None:
        for number in self.before:
            signal.signal(number, self._stop)
        if last:
            self._guard = _Guard(self)

    def end(self) -> None:
        self.restore()
        if self._guard is not None:
            self._guard.end()

    def restore(self) -> None:
        """Put back what handled signals before."""
        if self._guard is not None:
            self._guard.restore()
        for number, handler in self.before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.first or (self.stop is not None and self.stop.take(number)):
            return
        self.first = number
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


class _Guard:
    """The thread that ends the process if the signal's own way takes too long."""

    def __init__(self, watch: _Watch) -> None:
        self._of = watch
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._earlier = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="semantic-guidance-end", daemon=True).start()

    def restore(self) -> None:
        signal.set_wakeup_fd(self._earlier)

    def end(self) -> None:
        self._writer.close()

    def _watch(self) -> None:
        with self._reader:
            number = self._received()
            if not self._saved_first():
                return
            began = time.monotonic()
            end = began + (PATIENCE if number == signal.SIGINT else GRACE)
            while number and (left := end - time.monotonic()) > 0:
                self._reader.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    again = self._received()
                    if not again:
                        return
                    # A launcher passes on what the terminal has sent to both: that is the same one.
                    if again != signal.SIGINT or time.monotonic() > began + GRACE:
                        end = min(end, time.monotonic() + GRACE)
            if number:
                _die(number, self._of.unwound)

    def _saved_first(self) -> bool:
        """Wait, however long, while a block is saved first, unless told again; False if all has ended."""
        began = time.monotonic()
        self._reader.settimeout(POLL / 5)
        while self._of.stop is not None:
            with contextlib.suppress(TimeoutError):
                if not self._received():
                    return False
                if time.monotonic() > began + GRACE:
                    break
        return True

    def _received(self) -> int:
        """The number of the next signal that ends the program; 0 if the block has ended."""
        while received := self._reader.recv(1):
            if received[0] in self._of.before:
                return received[0]
        return 0


_watches: list[_Watch] = []


@contextlib.contextmanager
def clean_end(last: bool = False) -> Iterator[None]:
    """While the block runs, a signal that ends the program unwinds it, so that half-written files go.

    What is ignored, as by ``nohup``, stays so. In other threads than the first one, which alone may set
    handlers, and in another such block, nothing is done.

    Args:
        last: whether the program ends with the block. If that takes longer than `GRACE` after a signal, or
            than `PATIENCE` after Ctrl-C, the process then ends with the signal's status, 128 and its number,
            after its drafts are removed.

    Raises:
        Terminated: it was received.
        KeyboardInterrupt: it was Ctrl-C's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if _watches:
        try:
            yield
        finally:
            _watches[-1].unwound = True
        return
    watch = _Watch()
    _watches.append(watch)
    watch.begin(last)
    try:
        yield
    finally:
        if not (last and watch.first):
            _watches.remove(watch)
            watch.end()


@contextlib.contextmanager
def saving_first(note: str = "") -> Iterator[Stop]:
    """While the block runs, a signal that ends the program waits until the block has saved its work.

    The block looks at `Stop.number` now and then, saves, sets `Stop.words` and ends; then the program does,
    however the block ended. Another signal, later than `GRACE` after the first, ends it at once.

    Within `clean_end` this is for its signals. Elsewhere it is for those that nobody else handles, which are
    passed on at the end; in other threads than the first one, it is for none.

    Args:
        note: what is told at once, without a dot.

    Raises:
        Terminated: a signal was received.
        KeyboardInterrupt: it was Ctrl-C's.
    """
    stop = Stop(note=note)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    if not _watches:
        with _of_host(stop):
            yield stop
        return
    watch = _watches[-1]
    watch.stop = stop
    try:
        yield stop
    finally:
        watch.stop = None
    if stop.number:
        watch.first = stop.number
        raise stop.end()


@contextlib.contextmanager
def _of_host(stop: Stop) -> Iterator[None]:
    """`saving_first` in another program: what it handles itself is its own."""
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: handler for number in NUMBERS if (handler := signal.getsignal(number)) in usual}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner or not stop.take(number):
            restore()
            discard()
            signal.raise_signal(number)

    owner = os.getpid()
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
    if stop.number:
        _tell(stop.words or "")
        signal.raise_signal(stop.number)
        raise stop.end()


def _tell(words: str, before: str = "") -> None:
    """Print a line on standard error, at whatever moment."""
    if words:
        with contextlib.suppress(OSError):
            os.write(2, f"{before}semantic-guidance: {words}\n".encode())


def end_with_parent(saves: bool = False) -> None:
    """For a process that another one started: end as soon as that one is gone, however it went.

    Ctrl-C, which both receive, is left to the other one; SIGTERM ends this one after its drafts are removed.

    Args:
        saves: whether the other one saves first, and needs this one meanwhile: then SIGTERM, and SIGHUP, are
            left to it, too.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        discard()
        os._exit(128 + number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if saves else stop)
    if saves and hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watch_parent()


def watch_parent() -> None:
    """End this process, after its drafts are removed, as soon as the one that started it is gone."""
    import multiprocessing
    from multiprocessing import connection

    parent, started_by = multiprocessing.parent_process(), os.getppid()

    def wait() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
        else:
            while os.getppid() == started_by:
                time.sleep(POLL)
        discard()
        os._exit(1)

    threading.Thread(target=wait, name="semantic-guidance-parent", daemon=True).start()


def _die(number: int, told: bool) -> None:
    """End this process without unwinding it; `told`: whether it has said why."""
    discard()
    with contextlib.suppress(Exception):  # processes that make pictures for this one, and write nothing
        import multiprocessing

        for child in multiprocessing.active_children():
            if child.daemon:
                child.kill()
    word = "interrupted" if number == signal.SIGINT else "terminated"
    if not told:
        _tell(word)
    os._exit(128 + number)


def _in_forked_child() -> None:
    """A forked process is not the program: its signals must not end the one that forked it."""
    while _watches:
        _watches.pop().restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
