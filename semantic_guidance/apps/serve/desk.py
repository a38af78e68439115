"""Where a worker gets its tasks, and from where it tells of them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from semantic_guidance.core.files import discard


class Desk:
    """Where a worker gets its tasks, and from where it tells of them.

    Args:
        pipe: to the server.

    Attributes:
        watched: whether somebody looks at what the present task tells.
        afterwards: done when the present task is, unless another one waits.
    """

    def __init__(self, pipe: Connection) -> None:
        self.watched = True
        self.afterwards: Callable[[], object] | None = None
        self._pipe = pipe
        self._tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._number = 0
        self._stopped = threading.Event()
        self._early: set[int] = set()  # tasks that were to be stopped before they began
        threading.Thread(target=self._listen, name="semantic-guidance-desk", daemon=True).start()

    def next(self) -> dict[str, Any]:
        """The next task; if there is none yet, what is to be done meanwhile."""
        later, self.afterwards = self.afterwards, None
        if later is not None and self._tasks.empty():
            with contextlib.suppress(Exception):  # nobody has asked for it
                later()
        task = self._tasks.get()
        self._number = task["number"]
        self._stopped.clear()
        if self._number in self._early:
            self._stopped.set()
        self._early.clear()
        self.watched = task.get("watched", True)
        return task

    def stopped(self) -> bool:
        """Whether the present task is to end, with what is there."""
        return self._stopped.is_set()

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Tell something of the present task."""
        self.send({"number": self._number, "tell": name, "data": data})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; if nobody is there any more, the process ends."""
        try:
            self._pipe.send_bytes(json.dumps(message, allow_nan=False).encode())
        except OSError:
            _end()

    def _listen(self) -> None:
        while True:
            try:
                message = json.loads(self._pipe.recv_bytes())
            except (EOFError, OSError):
                _end()
            if "task" in message:
                self._tasks.put(message)
            elif "stop" not in message:
                self.watched = message["watched"]
            elif message["stop"] == self._number:
                self._stopped.set()
            else:
                self._early.add(message["stop"])


def _end() -> NoReturn:
    """End the process, after its drafts are removed."""
    discard()
    os._exit(0)
